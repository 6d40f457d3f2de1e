"""From hits to the beam line: momenta without bias, errors that hold, common vertices."""

import numpy as np
import pytest
from tests.thresholds import CORE_SHIFT, EXACT_CURVATURE, PULL_WIDTH, TRACK_PULLS, UNBIASED_CURVATURE
from tests.tracking import toys

from muonkit.calibration.curvature import location
from muonkit.data.hits import concatenate
from muonkit.data.tracks import Perigees
from muonkit.detector.detector import load_detector
from muonkit.simulation.gun import Gun
from muonkit.simulation.tracker.step import Physics
from muonkit.simulation.tracker.tracks import simulate_tracks
from muonkit.tracking.perigee import closest
from muonkit.tracking.refit import FEW, FitChoice, prepared, refit
from muonkit.tracking.vertex import fit_vertices

GAUSSIAN = FitChoice(energy_loss="ionisation", scattering="highland")
N = 500


@pytest.fixture(scope="module")
def plain():
    return load_detector("cms_like_tracker")


@pytest.fixture(scope="module")
def detector(plain):
    return prepared(plain)


def generated(truth):
    """d0, z0, phi, theta, q/p of particles from the beam line."""
    px, py, pz = truth.momentum.T
    pt = np.hypot(px, py)
    zero = np.zeros(len(px))
    return np.column_stack(
        (zero, truth.vertex[:, 2], np.arctan2(py, px), np.arctan2(pt, pz), truth.charge / np.hypot(pt, pz))
    )


def relative(perigees, true):
    """k_reco/k_gen - 1."""
    return toys.curvature(perigees.parameters) / toys.curvature(true) - 1


@pytest.mark.parametrize("pt", [3.0, 10.0, 100.0])
@pytest.mark.parametrize("eta", [(-0.9, 0.9), (1.4, 2.2)])
def test_mean_curvature_is_that_of_the_particle(plain, detector, pt, eta):
    """Twice the same particles, the second time with all kicks and hit errors mirrored."""
    truth, _ = toys.quiet(plain, Gun(pt=pt, eta=eta), N, 3)
    way = toys.ways(plain, truth)
    noise = toys.draw(way, 5)
    both = [refit(toys.noisy(way, sign * noise), detector, GAUSSIAN) for sign in (1, -1)]
    assert both[0].good.all()
    assert both[1].good.all()
    mean = sum(relative(one.perigees, generated(truth)) for one in both) / 2
    assert abs(mean.mean()) < UNBIASED_CURVATURE + 3 * mean.std() / np.sqrt(N)


def test_momentum_at_the_beam_line_is_exact_without_noise(plain, detector):
    truth, hits = toys.quiet(plain, Gun(pt=5.0, eta=(-2.0, 2.0)), 200, 3)
    fitted = refit(hits, detector, GAUSSIAN.model_copy(update={"approximations": ("no straggling",)}))
    apart = np.abs(relative(fitted.perigees, generated(truth)))
    assert np.quantile(apart, 0.98) < EXACT_CURVATURE


def test_pulls_at_the_beam_line_have_mean_0_and_width_1(plain, detector):
    gun = Gun(pt=(3, 50), distribution="log-uniform", eta=(-2.4, 2.4), spread=(0, 0, 3))
    truth, hits = simulate_tracks(plain, gun, 1000, 11, Physics(energy_loss="gaussian"))
    fitted = refit(hits, detector, GAUSSIAN)
    difference = fitted.perigees.parameters - generated(truth)
    difference[:, 2] = (difference[:, 2] + np.pi) % (2 * np.pi) - np.pi
    pulls = (difference / np.sqrt(np.einsum("nii->ni", fitted.perigees.covariance)))[fitted.good]
    assert len(pulls) > 990
    assert (np.abs(pulls.mean(axis=0)) < TRACK_PULLS[0]).all()
    assert (np.abs(pulls.std(axis=0) - 1) < TRACK_PULLS[1]).all()


@pytest.mark.parametrize("pt", [3.0, 10.0])
def test_tails_of_loss_and_scattering_move_neither_the_core_nor_its_width(plain, detector, pt):
    truth, hits = simulate_tracks(plain, Gun(pt=pt, eta=(-0.9, 0.9)), 4000, 31, Physics(scattering="tails"))
    perigees = refit(hits, detector, FitChoice()).perigees
    true = generated(truth)
    shift = location(relative(perigees, true))
    assert abs(shift.value) < CORE_SHIFT + 3 * shift.error
    pull = location((perigees.parameters[:, 4] - true[:, 4]) / np.sqrt(perigees.covariance[:, 4, 4]))
    assert abs(pull.width - 1) < PULL_WIDTH + 3 * 1.17 / np.sqrt(2 * len(true))


def test_too_few_hits_are_a_status(plain, detector):
    hits = toys.quiet(plain, Gun(pt=5.0, eta=(-0.5, 0.5)), 2, 3)[1]
    first = hits[[0]]
    short = type(first)(np.array([0, 3]), first.surface[:3], first.value[:3], first.variance[:3])
    fitted = refit(concatenate([short, hits]), detector, GAUSSIAN)
    assert fitted.status.tolist() == [FEW, 0, 0]
    assert np.isnan(fitted.perigees.parameters[0]).all()
    np.testing.assert_array_equal(fitted.perigees.parameters[1:], refit(hits, detector, GAUSSIAN).perigees.parameters)


def test_derivatives_of_the_closest_point_are_those_of_the_function():
    rng = np.random.default_rng(1)
    B = np.tile([0.1, -0.05, 3.8], (5, 1))
    free = np.column_stack(
        (rng.normal(0, 0.3, (5, 3)), rng.uniform(-3, 3, 5), rng.uniform(0.5, 2, 5), [1, -1, 2, 0.3, -0.1])
    )
    J = closest(free[:, :3], free[:, 3:], B)[1]
    for j in range(6):
        step = 1e-5 * np.eye(6)[j]
        high, low = (closest((free + s * step)[:, :3], (free + s * step)[:, 3:], B)[0] for s in (1, -1))
        np.testing.assert_allclose(J[:, :, j], (high - low) / 2e-5, rtol=1e-4, atol=1e-6)


def test_two_tracks_meet_with_pulls_of_width_1(plain, detector):
    """Muons back to back from points along the beam line: vertex, momenta, mass."""
    gun = Gun(particle="mu+", pt=(3, 20), eta=(-1.5, 1.5))
    truth, hits = simulate_tracks(plain, gun, 400, 21, Physics(energy_loss="gaussian"))
    second, other = simulate_tracks(
        plain, gun.model_copy(update={"particle": "mu-"}), 400, 22, Physics(energy_loss="gaussian")
    )
    plus, minus = refit(hits, detector, GAUSSIAN), refit(other, detector, GAUSSIAN)
    vertices = fit_vertices(plus.perigees, minus.perigees, detector.field)
    good = np.isfinite(vertices.chi2)
    assert good.sum() > 390
    assert abs(vertices.chi2[good].mean() - 1) < 4 * np.sqrt(2 / good.sum())
    x = vertices.parameters[good, :3] / np.sqrt(np.einsum("nii->ni", vertices.covariance)[good, :3])
    assert (np.abs(x.std(axis=0) - 1) < 4 / np.sqrt(2 * good.sum())).all()
    pulls = (vertices.mass - true_mass(truth, second))[good] / vertices.mass_error[good]
    assert abs(pulls.std() - 1) < 4 / np.sqrt(2 * good.sum())
    assert abs(pulls.mean()) < 4 / np.sqrt(good.sum())


def true_mass(one, other):
    mass = 0.1056583755
    p = [truth.momentum for truth in (one, other)]
    E = [np.sqrt((q**2).sum(axis=1) + mass**2) for q in p]
    return np.sqrt((E[0] + E[1]) ** 2 - ((p[0] + p[1]) ** 2).sum(axis=1))


def test_a_pair_without_covariance_has_no_vertex(detector):
    one = Perigees(np.tile([0.0, 0, 1, 1, 0.1], (2, 1)), np.stack((1e-6 * np.eye(5), np.full((5, 5), np.nan))))
    other = Perigees(np.tile([0.0, 0, -1, 1, -0.1], (2, 1)), np.tile(1e-6 * np.eye(5), (2, 1, 1)))
    vertices = fit_vertices(one, other, detector.field)
    assert np.isfinite(vertices.chi2).tolist() == [True, False]
