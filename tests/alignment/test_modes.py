"""Weak modes: those of a telescope are known."""

import numpy as np
import pytest
from tests.alignment import samples
from tests.alignment.barrel import FROM_THE_BEAM, barrel
from tests.thresholds import WEAK_SUBSPACE
from tests.tracking import telescopes

from muonkit.alignment.config import AlignmentSettings
from muonkit.alignment.parameters import FIELD, SIZE, U, V
from muonkit.alignment.solve import solve
from muonkit.alignment.templates import basis, beside, distortions, rigid
from muonkit.detector.detector import load_detector
from muonkit.report.alignment import weak_modes

SHIFTS = AlignmentSettings(w=0, alpha=0, beta=0, gamma=0, field=0, material=0, rigid="move")


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """A telescope without field, and the sums of tracks through it."""
    detector = telescopes.telescope(tmp_path_factory.mktemp("straight"), 8, field=0.0)
    return detector, samples.sums(detector, detector, 300)


def powers(detector, kinds, highest) -> np.ndarray:
    """Shifts that grow as powers of the distance, one after the other (k, 8 n), orthonormal."""
    x = detector.surfaces.center[:, 0] / detector.surfaces.center[:, 0].max()
    rows = []
    for kind in kinds:
        for power in range(highest + 1):
            values = np.zeros((len(x), SIZE))
            values[:, kind] = x**power
            rows.append(values.reshape(-1))
    return np.linalg.qr(np.array(rows).T)[0].T


def share(vectors, space) -> np.ndarray:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return ((unit @ space.T) ** 2).sum(axis=1)


def test_straight_tracks_do_not_see_shifts_and_shears(straight):
    detector, system = straight
    modes = solve(system, detector, SHIFTS, modes=6).modes
    assert modes is not None
    assert (share(modes.vectors[:4], powers(detector, (U, V), 1)) > WEAK_SUBSPACE).all()
    assert modes.information[3] < 1e-3 < 1 < modes.information[4]
    assert all(name.startswith(("translation", "rotation", "telescope")) for name in modes.names[:2])


def test_bent_tracks_do_not_see_the_sagitta_either():
    detector = samples.telescope()
    modes = solve(samples.sums(detector, detector, 300), detector, SHIFTS, modes=6).modes
    assert modes is not None
    quadratic = np.concatenate((powers(detector, (U,), 2), powers(detector, (V,), 1)))
    assert (share(modes.vectors[:5], quadratic) > WEAK_SUBSPACE).all()
    assert modes.information[4] < 1e-2 * modes.information[5]


def test_the_field_is_the_momentum_scale():
    """The other mode has a sagitta of alternating sign between the planes: it is 0 on every plane, and so is its kink.
    A quadratic spline through zeros exists where their number fits."""
    detector = samples.telescope()
    settings = AlignmentSettings(u=0, v=0, w=0, alpha=0, beta=0, gamma=0, material=0)
    modes = solve(samples.sums(detector, detector, 300), detector, settings, modes=3).modes
    assert modes is not None
    scale, alternating = np.zeros((2, 12, SIZE))
    scale[1:, FIELD] = 1
    alternating[1:, FIELD] = (-1.0) ** np.arange(11)
    space = np.linalg.qr(np.array([scale.reshape(-1), alternating.reshape(-1)]).T)[0].T
    assert (share(modes.vectors[:2], space) > WEAK_SUBSPACE).all()
    assert modes.information[1] < 1e-5 * modes.information[2]
    assert "momentum scale" in modes.names[0] + modes.names[1]


@pytest.mark.parametrize("dense", [1500, 0])
@pytest.mark.parametrize("method", ["direct", "iterative"])
def test_modes_are_eigenvectors_of_the_dense_matrix(straight, dense, method, monkeypatch):
    monkeypatch.setattr("muonkit.alignment.modes.DENSE", dense)
    detector, system = straight
    found = solve(system, detector, SHIFTS.model_copy(update={"method": method}), modes=6).modes
    assert found is not None
    scale = np.tile(SHIFTS.widths(), 8)
    dense = system.matrix(scale).toarray()[np.ix_(scale > 0, scale > 0)]
    assert found.information == pytest.approx(np.linalg.eigvalsh(dense)[:6], rel=1e-5, abs=1e-6)


def test_a_barrel_has_the_weak_modes_of_the_books():
    """Tracks from the beam through a barrel of 180 modules whose u and v are free."""
    detector = barrel()
    settings = SHIFTS.model_copy(update={"rigid": "fixed"})
    modes = solve(samples.sums(detector, detector, 4000, gun=FROM_THE_BEAM), detector, settings, modes=6).modes
    assert modes is not None
    assert modes.names[0] == "telescope"
    assert modes.share[0] > 0.9
    weakest = sorted(modes.books, key=modes.books.__getitem__)
    assert weakest[:2] == ["telescope", "sagitta"]
    assert modes.books["telescope"] >= modes.information[0]


def test_rigid_motions_and_their_kin_are_apart():
    detector = load_detector("cms_like_layers")
    motions = {motion.name: motion.values.reshape(-1, SIZE) for motion in rigid(detector)}
    assert (motions["translation x"][:, :3] ** 2).sum(axis=1) == pytest.approx(1)
    assert (motions["rotation z"][:, 3:6] ** 2).sum(axis=1) == pytest.approx(1)
    scale = np.ones(len(detector.layers) * SIZE)
    whole = basis(rigid(detector), scale)
    assert whole.T @ whole == pytest.approx(np.eye(6), abs=1e-12)
    for one in distortions(detector):
        directions = beside(basis([one], scale), whole)
        assert np.abs(whole.T @ directions).max(initial=0) < 1e-9, one.name


def test_modes_are_drawn_and_printed(straight):
    detector, system = straight
    modes = solve(system, detector, SHIFTS, modes=6).modes
    assert modes is not None
    assert str(modes).count("\n") == 6 + 1 + len(modes.books)
    figure = weak_modes(modes, detector)
    assert len(figure.axes) == 4
    assert "information" in figure.axes[0].get_xlabel()
