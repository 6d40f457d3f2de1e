"""Helices at the closest point to the axis: states, derivatives, the way to the end of the tracker."""

from dataclasses import replace

import numpy as np
import pytest
from tests.io.basf2_files import helix_of
from tests.muid.samples import BELLE2, YOKE

from muonkit.core.errors import InputError
from muonkit.core.units import CURVATURE
from muonkit.data.tracks import Helices
from muonkit.detector.field import Uniform
from muonkit.muid.swim.carry import (
    OUTSIDE,
    carried,
    detector_with_can,
    free_states,
    jacobian,
    points,
    stops,
)
from muonkit.muid.swim.config import TrackerEnd
from muonkit.muid.swim.crossing import IN_TRACKER, NO_FIT

HELICES = np.array([[0.2, 0.4, 3e-3, -1.0, 0.3], [-1.5, -2.6, -7e-3, 4.0, -1.1], [0.0, 3.0, 1e-3, 0.0, 0.05]])
FIELD = np.full(3, 1.5)
TRACKER = TrackerEnd()


def helices(parameters, hypothesis=13):
    n = len(parameters)
    return Helices(parameters, np.tile(np.diag([1e-4, 1e-6, 1e-10, 1e-4, 1e-6]), (n, 1, 1)), np.full(n, hypothesis))


def test_a_helix_comes_back_from_its_state():
    states = free_states(helices(HELICES), FIELD)
    back = helix_of(states.position, states.momentum, states.charge)
    np.testing.assert_allclose(back, HELICES, atol=1e-12)
    np.testing.assert_allclose(np.einsum("ni,ni->n", states.position[:, :2], states.momentum[:, :2]), 0, atol=1e-12)


def test_derivatives_are_those_of_finite_differences():
    J = jacobian(HELICES, FIELD)
    for i, h in enumerate((1e-4, 1e-6, 1e-9, 1e-4, 1e-6)):
        step = np.zeros(5)
        step[i] = h
        up, down = (np.column_stack(points(HELICES + sign * step, FIELD)) for sign in (1, -1))
        np.testing.assert_allclose(J[:, :, i], (up - down) / (2 * h), rtol=1e-6, atol=1e-6)


def test_the_covariance_comes_back_through_the_inverse_derivative():
    own = helices(HELICES)
    states, J = free_states(own, FIELD), jacobian(HELICES, FIELD)
    back = np.linalg.pinv(J)
    found = back @ states.covariance @ back.transpose(0, 2, 1)
    scale = np.sqrt(np.einsum("nii->ni", own.covariance))
    pulls = (found - own.covariance) / (scale[:, :, None] * scale[:, None, :])
    np.testing.assert_allclose(pulls, 0, atol=1e-6)


def test_the_sign_of_omega_is_the_charge_and_its_size_pt():
    states = free_states(helices(HELICES), FIELD)
    np.testing.assert_array_equal(states.charge, np.sign(HELICES[:, 2]))
    pt = np.hypot(*states.momentum[:, :2].T)
    np.testing.assert_allclose(pt, CURVATURE * 1.5 / np.abs(HELICES[:, 2]))


def test_tracks_arrive_at_the_end_of_the_tracker_with_a_few_mev_less():
    found = carried(helices(HELICES), BELLE2, YOKE.settings.transport, TRACKER)
    assert not found.status.any()
    radius, z = np.hypot(*found.states.position[:, :2].T), found.states.position[:, 2]
    np.testing.assert_allclose(radius[[0, 2]], TRACKER.r + OUTSIDE)
    assert z[1] == pytest.approx(TRACKER.z[0] - OUTSIDE)
    before, after = (np.linalg.norm(p, axis=1) for p in (points(HELICES, FIELD)[1], found.states.momentum))
    assert np.all((before - after > 1e-3) & (before - after < 2e-2))
    # scattering adds to the errors of the fit
    assert np.all(np.einsum("nii->ni", found.states.covariance[:, :3, :3]).sum(axis=1) > 1e-4)


def test_the_way_bends_as_the_field_says():
    """The end lies on the circle of the helix, but for a loss of energy of 0.5 %."""
    found = carried(helices(HELICES[:1]), BELLE2, YOKE.settings.transport, TRACKER)
    d0, phi, omega = HELICES[0, :3]
    centre = np.array([np.sin(phi), -np.cos(phi)]) * (1 / omega + d0)
    away = np.hypot(*(found.states.position[0, :2] - centre))
    assert away == pytest.approx(1 / omega, rel=2e-3)  # energy loss tightens the circle


def test_tracks_without_a_fit_or_that_turn_around_are_told_apart():
    table = np.array([HELICES[0], np.full(5, np.nan), [0, 0, 0.03, 0, 0.01], [0, 0, 0, 0, 1], [0, 0, 1e-200, 0, 1]])
    table = np.concatenate((table, [[0, 0, 0.03, 0, 0], [0, 0, 0.001, 300, 1]]))
    found = carried(helices(table), BELLE2, YOKE.settings.transport, TRACKER)
    assert found.status.tolist() == [0, NO_FIT, IN_TRACKER, NO_FIT, NO_FIT, IN_TRACKER, IN_TRACKER]
    assert np.isfinite(found.states.position[0]).all()
    assert np.isnan(found.states.position[1:]).all()


def test_charge_conjugation_reflects_the_track():
    mirror = HELICES * np.array([-1, -1, -1, 1, 1])
    a, b = (carried(helices(h), BELLE2, YOKE.settings.transport, TRACKER).states for h in (HELICES, mirror))
    np.testing.assert_allclose(a.position * [1, -1, 1], b.position, atol=1e-6)


def test_a_detector_without_field_along_z_is_refused():
    with pytest.raises(InputError, match="has no field along z"):
        carried(helices(HELICES), replace(BELLE2, field=Uniform((0, 0, 0))), YOKE.settings.transport, TRACKER)


def test_matter_on_the_way_is_crossed_in_order():
    """A steep track meets cylinders only where they are, then an end of the can."""
    ends = detector_with_can(BELLE2, TRACKER)
    names = [[ends.layers[i] for i in row if i >= 0] for row in stops(helices(HELICES), ends)]
    assert names[0][0] == names[2][0] == "beam pipe"
    assert [name.split("/")[0] for name in names[0]] == ["beam pipe"] + 2 * ["PXD"] + 4 * ["SVD"] + 3 * ["CDC"] + [
        "tracker end"
    ]
    assert names[1][-1] == "tracker end/1"
    assert "CDC/outer wall" not in names[1]


def test_nothing_gives_nothing():
    found = carried(helices(np.zeros((0, 5))), BELLE2, YOKE.settings.transport, TRACKER)
    assert len(found.states) == len(found.status) == 0
