"""Matching: hit variances, projection, gate, update; the kernel against Muid's own six coordinates."""

import numpy as np
import pytest
from tests.muid.planes import compiled_update

from muonkit.detector.detector import load_detector
from muonkit.muid.swim import match
        kept, chi2[k] = compiled_update(BELLE2.surfaces, LAYOUT, i, j, y[k], after[k], one_hit(hit[k], width), YOKE.rules)
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
