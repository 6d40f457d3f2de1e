"""The oracle of ACTS says what a helix, Highland's formula and least squares say."""

import importlib.util

import numpy as np
import pytest

from tests.oracles import acts_propagation as propagation
from tests.oracles import acts_telescope as telescopes

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("acts") is None, reason="ACTS is not installed: pip install pyacts"
)
CURVATURE = 0.299792458e-2  # 1/cm per tesla and 1/GeV
RADIUS = 110.0
SIGMA = (15e-4, 25e-4)
WIDE = np.diag([1.0, 1.0, 0.1, 0.1, 1.0]) ** 2
STEPS = np.array([1e-3, 1e-3, 1e-5, 1e-5, 1e-6])


def helix(bound, turned, Bz):
    """Points (n, 3) and phi (n,) after tracks on x = 0 have turned by these angles (n,)."""
    y, z, phi, theta, qop = bound.T
    R = np.sin(theta) / (-qop * CURVATURE * Bz)  # signed: phi grows with the turn of a negative charge
    x = R * (np.sin(phi + turned) - np.sin(phi))
    y = y - R * (np.cos(phi + turned) - np.cos(phi))
    return np.stack((x, y, z + R * turned / np.tan(theta)), axis=1), phi + turned


def turn(bound, Bz, miss):
    """The angle at which `miss` (points) (n,) is zero, by secants from the way along a line."""
    rate = -bound[:, 4] * CURVATURE * Bz / np.sin(bound[:, 3])
    low, high = 1.0 * rate, 2.0 * rate
    for _ in range(60):
        a, b = miss(helix(bound, low, Bz)[0]), miss(helix(bound, high, Bz)[0])
        low, high = high, high - np.where(a == b, 0, b * (high - low) / np.where(a == b, 1, b - a))
    return high


def on_cylinder(bound, Bz):
    point, phi = helix(bound, turn(bound, Bz, lambda x: np.hypot(x[:, 0], x[:, 1]) - RADIUS), Bz)
    return np.column_stack((RADIUS * np.arctan2(point[:, 1], point[:, 0]), point[:, 2], phi, bound[:, 3:]))


def on_plane(bound, x, Bz):
    point, phi = helix(bound, turn(bound, Bz, lambda at: at[:, 0] - x), Bz)
    return np.column_stack((point[:, 1:], phi, bound[:, 3:]))


def jacobian(end, bound):
    """(n, 5, 5) of `end` (bound) by central differences."""
    columns = [(end(bound + h) - end(bound - h)) / (2 * h.max()) for h in np.diag(STEPS)]
    return np.stack(columns, axis=2)


def general_covariance(n):
    factor = np.random.default_rng(5).normal(size=(n, 5, 5)) * np.array([0.1, 0.1, 0.01, 0.01, 0.01])[:, None]
    return factor @ factor.transpose(0, 2, 1)


def relative(cov, reference):
    sigma = np.sqrt(np.einsum("nii->ni", reference))
    return np.abs(cov - reference) / (sigma[:, :, None] * sigma[:, None, :])


def test_ends_in_a_constant_field_are_those_of_a_helix():
    bound = propagation.sample(1000)
    run = propagation.propagate_bound(bound, None, propagation.constant(3.8), RADIUS)
    assert (run.status == propagation.OK).all()
    difference = np.abs(run.end - on_cylinder(bound, 3.8))
    assert difference[:, :2].max() < 1e-5  # cm
    assert difference[:, 2:].max() < 1e-7


def test_ends_do_not_depend_on_the_cylinders_on_the_way():
    bound = propagation.sample(300)
    one, many = (propagation.propagate_bound(bound, None, propagation.constant(3.8), RADIUS, n) for n in (1, 50))
    assert np.abs(many.end - one.end)[:, :2].max() < 2e-6  # cm
    assert relative(many.cov, one.cov).max() < 1e-6


def test_end_covariance_is_that_of_the_derivatives_of_a_helix():
    bound = propagation.sample(200)
    cov = general_covariance(len(bound))
    run = propagation.propagate_bound(bound, cov, propagation.constant(3.8), RADIUS)
    J = jacobian(lambda start: on_cylinder(start, 3.8), bound)
    assert relative(run.cov, J @ cov @ J.transpose(0, 2, 1)).max() < 1e-5


def test_tracks_that_never_reach_the_cylinder_are_failed():
    bound = propagation.sample(4)
    bound[:2, 4] = 1 / 0.3
    run = propagation.propagate_bound(bound, None, propagation.constant(3.8), RADIUS)
    np.testing.assert_array_equal(run.status, [propagation.FAILED] * 2 + [propagation.OK] * 2)


def test_maps_in_r_and_z_are_right_for_a_fresh_cache_only():
    """Along a track ACTS 48.1 keeps the azimuth of the first lookup in a cell; why maps are given in x, y, z."""
    r, z = np.linspace(0, 120, 13), np.linspace(-300, 300, 31)
    Br = 1e-3 * r[:, None] + 0 * z
    provider = propagation.field_map(r, z, Br, 3.8 + 0 * Br)
    assert propagation.stale(provider, np.array([[50.0, 0, 10], [60.0, 0, 10]])) < 1e-12
    assert propagation.stale(provider, np.array([[50.0, 0, 10], [0, 50.0, 10]])) == pytest.approx(0.05)


@pytest.fixture(scope="module")
def telescope():
    return telescopes.Telescope()


def truth(telescope, bound):
    """Hits (n, m, 2) of helices."""
    return np.stack([on_plane(bound, x, telescope.Bz)[:, :2] for x in telescope.x], axis=1)


def test_matter_is_as_stated(telescope):
    assert telescopes.silicon(telescope) == pytest.approx((telescope.X0, telescope.thickness))


def test_simulated_hits_without_matter_lie_on_a_helix(telescope):
    bound = telescopes.gun(200, 1.0)
    hits = telescopes.simulate(bound, telescope, matter=False)
    assert np.abs(hits.position[..., 1:] - truth(telescope, bound)).max() < 1e-5  # cm
    np.testing.assert_allclose(hits.position[..., 0], np.broadcast_to(telescope.x, hits.p.shape), atol=1e-6)
    np.testing.assert_allclose(hits.p, 1.0, rtol=1e-9)


def highland(p, thickness, X0):
    """Width of the projected angle, PDG's review, eq. (34.16)."""
    beta = p / np.hypot(p, telescopes.MUON_MASS)
    xi = thickness / X0
    return 0.0136 / (p * beta) * np.sqrt(xi) * (1 + 0.038 * np.log(xi / beta**2))


@pytest.mark.parametrize("p", [1.0, 5.0])
def test_simulated_scattering_has_the_rms_of_highland_but_is_no_gaussian(telescope, p):
    hits = telescopes.simulate(telescopes.gun(5000, p), telescope, seed=2)
    kinks = np.diff(np.arccos(hits.direction[..., 2]), axis=1)  # the field along z does not turn theta
    kinks = np.abs(kinks[np.isfinite(kinks)])
    theta0 = highland(p, telescope.thickness, telescope.X0)
    assert np.sqrt(np.mean(kinks**2)) == pytest.approx(theta0, rel=0.02)
    rng = np.random.default_rng(1)
    shape = np.abs(np.sqrt(2) * rng.normal(size=1_000_000) * np.cos(rng.uniform(0, np.pi, 1_000_000)))
    quantiles = (0.2, 0.5, 0.8, 0.95)
    np.testing.assert_allclose(np.quantile(kinks, quantiles), theta0 * np.quantile(shape, quantiles), rtol=0.03)


def test_simulated_muons_lose_energy_in_every_plane_and_nowhere_else(telescope):
    hits = telescopes.simulate(telescopes.gun(500, 1.0), telescope)
    np.testing.assert_allclose(hits.p[:, 1:], hits.p_after[:, :-1], rtol=1e-9)
    assert (hits.p > hits.p_after)[np.isfinite(hits.p)].all()


def test_simulated_losses_are_those_of_landau(telescope):
    """Most probable loss, PDG's review, eq. (34.12), without density effect: ACTS has none below beta gamma = 10."""
    hits = telescopes.simulate(telescopes.gun(2000, 1.0), telescope)
    lost = np.nanmedian(np.hypot(hits.p, telescopes.MUON_MASS) - np.hypot(hits.p_after, telescopes.MUON_MASS))
    square, excitation = np.array(1.0 / telescopes.MUON_MASS) ** 2, 172e-9
    beta2 = square / (1 + square)
    xi = 0.153537e-3 * 14 / 28.0855 * 2.329 * telescope.thickness / beta2
    most_probable = xi * (np.log(2 * 0.510999e-3 * square / excitation) + np.log(xi / excitation) + 0.2 - beta2)
    assert lost == pytest.approx(most_probable + 1.5786 * xi, rel=0.02)  # Landau's median lies 1.5786 above its mode


def test_fit_of_exact_hits_without_matter_finds_the_track(telescope):
    bound = telescopes.gun(100, 2.0)
    start = bound + np.array([0.01, 0.01, 1e-3, 1e-3, 1e-2])
    cov = np.tile(WIDE, (len(bound), 1, 1))
    fitted = telescopes.fit(truth(telescope, bound), start, cov, telescope, SIGMA, matter=False)
    sigma = np.sqrt(np.einsum("nii->ni", fitted.cov))
    assert (np.abs(fitted.bound - bound) / sigma).max() < 0.01
    first = on_plane(bound, telescope.x[0], telescope.Bz)
    assert (np.abs(fitted.first - first) / np.sqrt(np.einsum("nii->ni", fitted.first_cov))).max() < 0.01


def test_covariance_of_the_fit_without_matter_is_that_of_least_squares(telescope):
    bound = telescopes.gun(50, 2.0)
    cov = np.tile(WIDE, (len(bound), 1, 1))
    fitted = telescopes.fit(truth(telescope, bound), bound, cov, telescope, SIGMA, matter=False)
    information = np.linalg.inv(cov)
    for x in telescope.x:
        H = jacobian(lambda start, x=x: on_plane(start, x, telescope.Bz), bound)[:, :2]
        information += H.transpose(0, 2, 1) @ np.diag(1 / np.array(SIGMA) ** 2) @ H
    reference = np.linalg.inv(information)
    assert relative(fitted.cov, reference).max() < 1e-3
    J = jacobian(lambda start: on_plane(start, telescope.x[0], telescope.Bz), bound)
    assert relative(fitted.first_cov, J @ reference @ J.transpose(0, 2, 1)).max() < 1e-3


def test_pulls_of_the_fit_have_width_one_and_chi2_has_its_mean(telescope):
    n, p = 2000, 5.0
    bound = telescopes.gun(n, p)
    measured = telescopes.measure(telescopes.simulate(bound, telescope), SIGMA)
    fitted = telescopes.fit(measured, bound, np.tile(WIDE, (n, 1, 1)), telescope, SIGMA)
    pulls = (fitted.bound - bound) / np.sqrt(np.einsum("nii->ni", fitted.cov))
    np.testing.assert_allclose(np.std(pulls[:, :4], axis=0), 1, atol=0.06)
    np.testing.assert_allclose(np.mean(pulls, axis=0), 0, atol=0.1)
    assert (fitted.ndf == 19).all()
    assert np.mean(fitted.chi2) == pytest.approx(19, rel=0.03)


def test_fit_leaves_out_missing_hits(telescope):
    bound = telescopes.gun(3, 2.0)
    measured = truth(telescope, bound)
    measured[1, 4] = np.nan
    fitted = telescopes.fit(measured, bound, np.tile(WIDE, (3, 1, 1)), telescope, SIGMA, matter=False)
    np.testing.assert_array_equal(fitted.n_hits, [12, 11, 12])
    np.testing.assert_array_equal(fitted.ndf, [19, 17, 19])
