"""Sums, solutions and errors, against dense matrices of NumPy; and what cannot be solved."""

import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
from scipy.sparse.linalg import splu
from tests.alignment import samples
from tests.thresholds import DENSE_RTOL

from muonkit.alignment.config import AlignmentSettings
from muonkit.alignment.linear import Scatter, eliminate, equations
from muonkit.alignment.parameters import MATERIAL, NAMES, SIZE, U, V
from muonkit.alignment.solve import solve
from muonkit.alignment.system import NormalSystem, accumulate
from muonkit.alignment.templates import rigid
from muonkit.core.config import parse
from muonkit.core.errors import InputError
from muonkit.detector.detector import load_detector
from muonkit.simulation.gun import Gun

ALL = AlignmentSettings()
SHIFTS = AlignmentSettings(w=0, alpha=0, beta=0, gamma=0, field=0, material=0)
HELD = SHIFTS.model_copy(update={"reference": ("plane/01", "plane/06", "plane/12")})


@pytest.fixture(scope="module")
def tracks():
    detector = samples.telescope()
    return eliminate(samples.equations_of(detector, detector, 200))


@pytest.fixture(scope="module")
def system(tracks):
    return samples.system_of(samples.telescope(), tracks)


def dense(tracks) -> tuple[np.ndarray, np.ndarray]:
    """The normal equations, track by track."""
    size = len(samples.telescope().layers) * SIZE
    N, b = np.zeros((size, size)), np.zeros(size)
    for surface, D, z in zip(tracks.surface, tracks.D, tracks.z, strict=True):
        index = (SIZE * surface[:, None] + np.arange(SIZE)).reshape(-1)[: SIZE * (surface >= 0).sum()]
        N[np.ix_(index, index)] += D[:, : len(index)].T @ D[:, : len(index)]
        b[index] += D[:, : len(index)].T @ z
    for surface, score, information in zip(tracks.surface, *tracks.scatter, strict=True):
        index = SIZE * surface[surface >= 0] + MATERIAL
        N[np.ix_(index, index)] += information[: len(index), : len(index)]
        b[index] += score[: len(index)]
    return N, b


def test_sums_are_those_of_every_track(tracks, system):
    N, b = dense(tracks)
    assert system.matrix(np.ones(len(b))).toarray() == pytest.approx(
        N, rel=DENSE_RTOL, abs=DENSE_RTOL * np.abs(N).max()
    )
    assert system.rhs.reshape(-1) == pytest.approx(b, rel=DENSE_RTOL, abs=DENSE_RTOL * np.abs(b).max())


def test_chunks_and_merged_sums_are_the_whole():
    detector = samples.telescope()
    hits, fitted = samples.fitted(detector, detector, 100)
    whole = eliminate(equations(hits, fitted, detector, samples.SETTINGS))
    parts = [samples.system_of(detector, _rows(whole, rows)) for rows in (slice(0, 40), slice(40, 100))]
    parts[0].merge(parts[1])
    empty = NormalSystem(len(detector.layers))
    empty.merge(parts[0])
    assert (empty.diagonal() == parts[0].diagonal()).all()
    expected = samples.system_of(detector, whole)
    one = np.ones(len(expected))
    matrix = expected.matrix(one).toarray()
    assert parts[0].matrix(one).toarray() == pytest.approx(matrix, rel=DENSE_RTOL, abs=1e-12 * np.abs(matrix).max())
    assert (parts[0].met == expected.met).all()
    assert parts[0].tracks == 100


def _rows(tracks, rows):
    names = [name for name in tracks.__slots__ if name not in ("scatter", "lost")]
    scatter = Scatter(*(part[rows] for part in tracks.scatter))
    return type(tracks)(*(getattr(tracks, name)[rows] for name in names), scatter)


def test_two_surfaces_of_an_equation_may_be_the_same():
    system = NormalSystem(3)
    D = np.random.default_rng(1).normal(size=(1, 2, 2 * SIZE))
    z = np.array([[1.0, 2.0]])
    system.add_equations(np.array([[2, 2]]), D, z)
    both = D[0, :, :SIZE] + D[0, :, SIZE:]
    assert system.matrix(np.ones(24)).toarray()[16:, 16:] == pytest.approx(both.T @ both)
    assert system.rhs[2] == pytest.approx(both.T @ z[0])


@pytest.mark.parametrize("method", ["direct", "iterative"])
@pytest.mark.parametrize("held", ["fixed", "move"])
def test_solution_and_errors_are_those_of_dense_matrices(tracks, system, method, held):
    detector = samples.telescope()
    settings = ALL.model_copy(update={"method": method, "rigid": held, "tolerance": 1e-13})
    found = solve(system, detector, settings, "all")
    N, b = dense(tracks)
    width = np.tile(settings.widths(), 12)
    inverse = np.linalg.inv(N + np.diag(1 / width**2))
    if held == "fixed":
        motions = np.concatenate([motion.values for motion in rigid(detector)])
        basis, _ = np.linalg.qr((motions / width).T)
        C = basis.T / width
        inverse -= inverse @ C.T @ np.linalg.solve(C @ inverse @ C.T, C @ inverse)
    sigma = np.sqrt(np.diag(inverse))
    assert (np.abs(found.values.reshape(-1) - inverse @ b) < 1e-5 * sigma).all()
    inverse, sigma = inverse[np.ix_(found.asked, found.asked)], sigma[found.asked]
    assert (np.abs(found.covariance - inverse) < 1e-5 * sigma[:, None] * sigma).all()
    assert found.errors == pytest.approx(sigma, rel=1e-5)


def test_cholmod_is_used_where_it_is_installed(system, monkeypatch):
    """A stand-in with its two names: `cholesky` returns what solves."""
    seen = []

    def cholesky(matrix):
        seen.append(matrix.shape)
        return splu(matrix).solve

    fake = ModuleType("sksparse.cholmod")
    fake.cholesky, fake.CholmodError = cholesky, ArithmeticError
    detector, settings = samples.telescope(), ALL.model_copy(update={"rigid": "move", "method": "direct"})
    expected = solve(system, detector, settings)
    monkeypatch.setitem(sys.modules, "sksparse", ModuleType("sksparse"))
    monkeypatch.setitem(sys.modules, "sksparse.cholmod", fake)
    assert solve(system, detector, settings).values == pytest.approx(expected.values, rel=1e-6, abs=1e-12)
    assert seen == [(94, 94)]


def test_a_width_of_0_fixes(system):
    found = solve(system, samples.telescope(), ALL.model_copy(update={"w": 0.0, "reference": ("plane/1*",)}), "all")
    assert (found.values[:, NAMES.index("w")] == 0).all()
    assert (found.values[9:] == 0).all()
    assert found.fixed[9:].all()
    assert (found.values[:9, U] != 0).all()


def test_a_surface_that_no_track_meets_is_reported_and_stays():
    detector = load_detector("cms_like_layers")
    gun = Gun(pt=(5, 50), eta=(0.1, 0.5))
    found = solve(samples.sums(detector, detector, 50, gun=gun), detector, ALL)
    unmet = [name for name, met in zip(detector.layers, found.met, strict=True) if met == 0]
    assert any(name.startswith("TEC") for name in unmet)
    assert f"No track met {len(unmet)} of" in found.message
    assert (found.values[found.met == 0] == 0).all()
    assert found.to_json()["tracks"][unmet[0]] == 0


@pytest.mark.parametrize("method", ["direct", "iterative"])
def test_a_singular_system_names_the_parameters(system, method):
    settings = SHIFTS.model_copy(update={"free": ("u", "v"), "rigid": "move", "method": method, "max_iterations": 500})
    with pytest.raises(InputError, match=r"the tracks (do not|hardly) fix plane/\d\d: [uv].*take u, v out of"):
        solve(system, samples.telescope(), settings)


def test_free_parameters_are_solved_where_references_hold_them(system):
    settings = AlignmentSettings(
        w=0,
        alpha=0,
        beta=0,
        gamma=0,
        field=0,
        material=0,
        free=("u", "v"),
        reference=("plane/01", "plane/06", "plane/12"),
    )
    wide = settings.model_copy(update={"free": (), "u": 10.0, "v": 10.0})
    detector = samples.telescope()
    free, narrow = solve(system, detector, settings, "all"), solve(system, detector, wide, "all")
    assert free.values == pytest.approx(narrow.values, abs=1e-4 * free.errors.min())


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("u = -1", "u: "),
        ("alpha = 2", "alpha: "),
        ("widht = 1", "unknown key"),
        ("u = 0\nfree = ['u']", "u: is fixed by a width of 0 and also listed in free"),
        ("\n".join(f"{name} = 0" for name in NAMES), "all parameters are fixed"),
        ("method = 'lucky'", "method: "),
        ("tolerance = nan", "tolerance: "),
    ],
)
def test_wrong_settings_are_refused(text, fault):
    with pytest.raises(InputError, match=fault):
        parse(text, AlignmentSettings)


def test_what_cannot_be_solved_is_refused(system):
    detector = samples.telescope()
    with pytest.raises(InputError, match="no track was added"):
        solve(NormalSystem(12), detector)
    with pytest.raises(InputError, match="sums over 12 surfaces, but cms_like_layers has"):
        solve(system, load_detector("cms_like_layers"))
    with pytest.raises(InputError, match="numbered from 0 to 95"):
        solve(system, detector, asked=np.array([96]))
    with pytest.raises(InputError, match="no surface of telescope fits 'plain/\\*'"):
        solve(system, detector, AlignmentSettings(reference=("plain/*",)))
    with pytest.raises(InputError, match="no solution after 1 iterations"):
        solve(system, detector, AlignmentSettings(method="iterative", max_iterations=1))
    with pytest.raises(InputError, match="nothing is left to fit"):
        solve(system, detector, AlignmentSettings(reference=("*",)))
    with pytest.raises(InputError, match="weak modes of"):
        solve(system, detector, modes=96)


def test_hits_of_another_fit_are_refused():
    detector = samples.telescope()
    hits, fitted = samples.fitted(detector, detector, 10)
    with pytest.raises(InputError, match="give the hits that were fitted"):
        equations(hits[:5], fitted, detector, samples.SETTINGS)
    with pytest.raises(InputError, match="the tracks meet more than 5 surfaces"):
        NormalSystem(5).add(eliminate(equations(hits, fitted, detector, samples.SETTINGS)))
    short = replace(detector, layers=detector.layers[:5])
    with pytest.raises(InputError, match="more surfaces than telescope has; give the detector of the fit"):
        equations(hits, fitted, short, samples.SETTINGS)


def test_tracks_that_were_not_fitted_are_left_out(monkeypatch):
    detector = samples.telescope()
    hits, fitted = samples.fitted(detector, detector, 20)
    status = fitted.status.copy()
    status[::2] = 3
    system = accumulate(hits, replace(fitted, status=status), detector, samples.SETTINGS)
    assert (system.tracks, system.lost) == (10, 0)
    status[:10] = 3
    monkeypatch.setattr("muonkit.alignment.system.CHUNK", 5)
    assert accumulate(hits, replace(fitted, status=status), detector, samples.SETTINGS).tracks == 5
    with pytest.raises(InputError, match="no track was fitted"):
        accumulate(hits, replace(fitted, status=np.full(20, 3)), detector, samples.SETTINGS)


def test_errors_scale_with_the_number_of_tracks(tracks):
    detector = samples.telescope()
    once, twice = (solve(samples.system_of(detector, *n * [tracks]), detector, HELD, "all") for n in (1, 4))
    assert once.errors == pytest.approx(2 * twice.errors, rel=0.01)
    assert once.values[:, V] == pytest.approx(twice.values[:, V], rel=0.01, abs=1e-6)


@pytest.mark.parametrize("order", [None, 2])
def test_tracks_of_which_none_can_be_followed_are_counted(order):
    """Their momenta are far too low to get from plane to plane."""
    detector, settings = samples.telescope(), ALL.model_copy(update={"field_order": order})
    hits, fitted = samples.fitted(detector, detector, 20)
    slow = replace(fitted, stop_parameters=fitted.stop_parameters * [1, 1, 1, 1, 1e6])
    system = accumulate(hits, slow, detector, samples.SETTINGS, settings.harmonics(detector))
    assert (system.tracks, system.lost) == (0, 20)
    with pytest.raises(InputError, match="no track was added"):
        solve(system, detector, settings)
