"""Matching: hit variances, projection, gate, update; the kernel against Muid's own six coordinates."""

import numpy as np
import pytest
from tests.muid.planes import compiled_update

from muonkit.detector.detector import load_detector
from muonkit.muid.swim import match
from muonkit.muid.swim.kernels.tuples import HitArrays
from muonkit.muid.swim.yoke import build_yoke
from muonkit.transport import cartesian

BELLE2 = load_detector("belle2")
YOKE = build_yoke(BELLE2)
LAYOUT = YOKE.layout
PLANE = BELLE2.layers.index("barrel/fwd/1/05")
BESIDE = BELLE2.layers.index("barrel/fwd/2/05")


def states(n, seed=1):
    """States (n, 7) on PLANE within 30 degrees of its normal, with curvilinear covariances."""
    rng = np.random.default_rng(seed)
    along = np.column_stack((np.ones(n), rng.uniform(-0.5, 0.5, (n, 2))))
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    place = np.column_stack((np.full(n, 249.3), rng.uniform(-50, 50, n), rng.uniform(60, 200, n)))
    free = np.column_stack((place, along, rng.choice([-1, 1], n) / rng.uniform(0.8, 4, n)))
    L = np.tril(rng.normal(size=(n, 5, 5))) * np.array([2.0, 2.0, 0.02, 0.02, 0.03])[:, None]
    return free, L @ np.swapaxes(L, 1, 2) + np.diag([1.0, 1.0, 1e-4, 1e-4, 1e-4])


def cartesian_covariance(free, C):
    """(n, 6, 6) of curvilinear covariances; nothing along the track."""
    u, v = cartesian.axes(free)
    t, lam = free[:, 3:6], free[:, 6:]
    J = np.zeros((len(free), 6, 5))
    J[:, :3, 0], J[:, :3, 1] = u, v
    J[:, 3:, 2], J[:, 3:, 3], J[:, 3:, 4] = u / np.abs(lam), v / np.abs(lam), -t / (lam * np.abs(lam))
    return J @ C @ np.swapaxes(J, 1, 2)


def plane_of(i, n):
    B, C, A = BELLE2.surfaces.axes[i]
    return match.MatchPlane(*(np.tile(axis, (n, 1)) for axis in (A, B, C)))


def one_hit(x, width=(1, 1)):
    k = np.zeros(1, dtype=np.int64)
    width = np.array([width], dtype=float)
    nothing_lost = np.zeros(2, dtype=int), k[:0]
    return HitArrays(np.array([0, 1]), k + 5, k + 1, k, x[None], np.zeros(1), width, k, *nothing_lost)


def test_clusters_of_resistive_plates_have_the_published_errors():
    sigma = np.array([[4.9, 4.52]] * 5) * np.sqrt(np.array([0.60, 0.55]) / 12)
    n = np.arange(1, 6)[:, None] * np.ones(2)
    found = np.sqrt(match.hit_variance(sigma, n, np.ones(5, dtype=bool)))
    published = [[1.10, 0.97], [1.10, 0.97], [1.70, 1.50], [2.74, 2.42], [4.09, 3.62]]
    np.testing.assert_allclose(found, published, atol=0.006)


def test_cluster_size_does_not_enter_for_scintillators():
    sigma = np.full((2, 2), 4.0 / np.sqrt(12))
    found = match.hit_variance(sigma, np.array([[1, 1], [5, 7]]), np.zeros(2, dtype=bool))
    np.testing.assert_allclose(found, 16 / 12)


def test_a_step_along_the_track_changes_nothing():
    free, _ = states(200)
    x = cartesian_state(free)
    H = match.measurement_matrix(x, plane_of(BESIDE, 200))
    assert np.max(np.abs(np.einsum("nij,nj->ni", H[:, :, :3], free[:, 3:6]))) < 1e-14


def cartesian_state(free):
    return np.column_stack((free[:, :3], free[:, 3:6] / np.abs(free[:, 6:])))


def updated(seed, i=PLANE, j=PLANE, width=(1, 1)):
    """Reference and kernel on 100 tracks and hits."""
    n, rng = 100, np.random.default_rng(seed)
    free, C = states(n, seed)
    x, C6 = cartesian_state(free), cartesian_covariance(free, C)
    hit = free[:, :3] + rng.normal(0, 1.5, (n, 3)) * [0.1, 1, 1]
    sigma = np.tile(BELLE2.surfaces.sigma[j], (n, 1))
    V = match.hit_variance(sigma, np.tile(np.array(width), (n, 1)), np.ones(n, dtype=bool))[:, :, None] * np.eye(2)
    reference = match.update(x, C6, hit, V, plane_of(j, n), plane_of(i, n).A)
    y, after, chi2 = free.copy(), C.copy(), np.zeros(n)
    for k in range(n):
        near = one_hit(hit[k], width)
        kept, chi2[k] = compiled_update(BELLE2.surfaces, LAYOUT, i, j, y[k], after[k], near, YOKE.rules)
        assert kept
    return reference, y, after, chi2


@pytest.mark.parametrize(("i", "j", "width"), [(PLANE, PLANE, (1, 2)), (PLANE, BESIDE, (3, 1)), (PLANE, PLANE, (5, 4))])
def test_kernel_updates_as_the_reference_does(i, j, width):
    reference, y, after, chi2 = updated(3, i, j, width)
    np.testing.assert_allclose(chi2, reference.chi2, rtol=1e-10)
    np.testing.assert_allclose(cartesian_state(y), reference.x, rtol=1e-11, atol=1e-11)
    expected = cartesian.to_curvilinear(y, reference.C)
    size = np.sqrt(np.diagonal(expected, axis1=1, axis2=2))
    np.testing.assert_allclose(
        after / (size[:, :, None] * size[:, None]), expected / (size[:, :, None] * size[:, None]), atol=1e-11
    )


def test_both_forms_of_the_chi2_of_a_hit_are_equal():
    reference = updated(4)[0]
    np.testing.assert_allclose(reference.filtered_chi2, reference.chi2, rtol=1e-10)


def test_momentum_is_kept_and_the_point_stays_on_its_plane():
    _, y, _, _ = updated(5, PLANE, BESIDE)
    free, _ = states(100, 5)
    assert np.array_equal(y[:, 6], free[:, 6])
    np.testing.assert_allclose(y[:, 0], 249.3, atol=1e-10)
    np.testing.assert_allclose(np.linalg.norm(y[:, 3:6], axis=1), 1, rtol=1e-14)


def test_a_perfect_hit_pulls_the_track_onto_itself():
    free, C = states(50)
    hit = free[:, :3] + [0, 2.0, -1.0]
    V = np.tile(np.eye(2) * 1e-8, (50, 1, 1))
    plane = plane_of(PLANE, 50)
    after = match.update(cartesian_state(free), cartesian_covariance(free, C), hit, V, plane, plane.A)
    np.testing.assert_allclose(after.x[:, :3], hit, atol=1e-6)


def test_a_covariance_shrinks_with_every_hit_and_stays_positive():
    free, C = states(100, 6)
    reference, _, after, _ = updated(6)
    assert np.all(np.linalg.eigvalsh(after) > 0)
    scale = 1 / np.array([1, 1, 1, 0.02, 0.02, 0.02])  # cm, GeV
    gained = (cartesian_covariance(free, C) - reference.C) * scale * scale[:, None]
    assert np.all(np.linalg.eigvalsh(gained) > -1e-12)
    assert np.all(np.trace(gained, axis1=1, axis2=2) > 0.1)


def test_the_gate_needs_both_coordinates_and_its_edge_is_inside():
    S = np.tile(np.diag([4.0, 1.0]), (4, 1, 1))
    r = np.array([[7.0, 3.5], [7.0 + 1e-9, 0.0], [0.0, 3.6], [7.1, 3.6]])
    assert match.accepted(r, S, 3.5, either=False).tolist() == [True, False, False, False]
    assert match.accepted(r, S, 3.5, either=True).tolist() == [True, True, True, False]
