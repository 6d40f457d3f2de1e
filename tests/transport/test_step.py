"""One step: exact in a constant field, of fourth order elsewhere; the compiled twin; derivatives."""

import numpy as np
import pytest
from tests.transport import zoo

from muonkit.core.compiled import compiled
from muonkit.transport import helix, runge_kutta
from muonkit.transport.kernels import step as kernel
from muonkit.transport.kernels.tuples import Scene, workspace


@compiled
def one_step(y, J, h, scene, material):
    """The compiled step of one state; returns its error."""
    stages = workspace().stages
    kernel.start(y, 0.0, scene, material, stages)
    error = kernel.try_step(y, h, 0.0, scene, material, stages)
    kernel.by_lambda(y, h, stages)
    norm = kernel.move(y, h, stages)
    kernel.move_derivatives(J, h, y, norm, True, stages)
    return error


def free_states(n=50, seed=3, p=(0.5, 50.0)):
    bound = zoo.states(n, seed, p)
    sin = np.sin(bound[:, 3])
    direction = np.stack((sin * np.cos(bound[:, 2]), sin * np.sin(bound[:, 2]), np.cos(bound[:, 3])), axis=1)
    position = np.random.default_rng(seed).uniform(-50, 50, (n, 3))
    return np.concatenate((position, direction, bound[:, 4:]), axis=1)


def compiled_steps(states, h, field, loss=None, material=0):
    det = zoo.detector(field, zoo.surfaces((0, (0, 0, 0), zoo.FRAME_X, 0)))
    scene = Scene(det, zoo.polynomial_loss() if loss is None else loss, zoo.EXACT)
    ends, errors, jacobians = states.copy(), np.zeros(len(states)), np.zeros((len(states), 7, 5))
    for i in range(len(states)):
        for columns in (slice(0, 5), slice(2, 7)):
            y, J = states[i].copy(), np.ascontiguousarray(np.eye(7)[:, columns])
            errors[i] = one_step(y, J, h, scene, material)
            ends[i] = y
            jacobians[i] = J
    return ends, errors, jacobians


def reference(states, h, field, lossy=False):
    rate = (lambda q: runge_kutta.loss_rate(zoo.stopping(q), q, zoo.MUON)) if lossy else runge_kutta.no_loss
    return runge_kutta.step(states, np.full(len(states), h), field.value, rate)


@pytest.mark.parametrize("lossy", [False, True])
def test_compiled_step_is_its_numpy_twin(lossy):
    states, field = free_states(), zoo.bottle()
    ends, errors, _ = compiled_steps(states, 7.0, field, material=int(lossy))
    expected, expected_error = reference(states, 7.0, field, lossy)
    np.testing.assert_allclose(ends, expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(errors, expected_error, rtol=1e-6, atol=1e-13)


@pytest.mark.parametrize("B", [(0.0, 0.0, 3.8), (0.3, -1.0, 2.0)])
def test_a_step_in_a_constant_field_is_the_exact_helix_whatever_its_length(B):
    states = free_states()
    for h in (1e-3, 1.0, 50.0, -80.0):
        ends, errors, _ = compiled_steps(states, h, zoo.uniform(*B))
        np.testing.assert_allclose(ends, helix.helix(states, np.full(50, h), np.array(B)), rtol=1e-12, atol=1e-12)
        assert errors.max() < 1e-11


def test_the_helix_obeys_its_equation_of_motion():
    states, B, s, d = free_states(), np.array([0.3, -1.0, 2.0]), np.full(50, 30.0), 1e-3
    before, after = (helix.helix(states, s + shift, B) for shift in (-d, d))
    now = helix.helix(states, s, B)
    t, lam = now[:, 3:6], now[:, 6:]
    np.testing.assert_allclose((after - before)[:, :3] / (2 * d), t, atol=1e-8)
    np.testing.assert_allclose((after - before)[:, 3:6] / (2 * d), 0.299792458e-2 * lam * np.cross(t, B), atol=1e-9)


def test_the_helix_closes_after_one_turn_and_keeps_its_radius():
    p, B = 1.3, 2.0
    state = np.array([[0.0, 0, 0, 1, 0, 0, 1 / p]])
    radius = p / (0.299792458e-2 * B)
    turn = helix.helix(state, np.array([2 * np.pi * radius]), np.array([0, 0, B]))
    np.testing.assert_allclose(turn, state, atol=1e-10)
    half = helix.helix(state, np.array([np.pi * radius]), np.array([0, 0, B]))
    np.testing.assert_allclose(half[0, :3], [0, -2 * radius, 0], atol=1e-10)  # a positive particle turns clockwise


def test_without_field_a_step_is_a_straight_line():
    states = free_states()
    ends, _, _ = compiled_steps(states, 123.0, zoo.uniform(0, 0, 0))
    np.testing.assert_allclose(ends[:, 3:6], states[:, 3:6], rtol=1e-15, atol=1e-16)
    np.testing.assert_allclose(ends[:, :3], states[:, :3] + 123.0 * states[:, 3:6], rtol=1e-14)


def test_the_step_is_of_fourth_order():
    states, field = free_states(p=(1.0, 4.0)), zoo.bottle()

    def far(n):
        now = states
        for _ in range(n):
            now, _ = reference(now, 40.0 / n, field, lossy=True)
        return now

    exact = far(256)
    coarse, fine = (np.abs(far(n) - exact)[:, :6].max() for n in (8, 16))
    assert coarse / fine > 2**3.7


def test_the_error_estimate_bounds_the_error():
    states, field = free_states(p=(0.5, 2.0)), zoo.bottle()
    whole, error = reference(states, 20.0, field)
    now = states
    for _ in range(64):
        now, _ = reference(now, 20.0 / 64, field)
    assert (np.abs(whole - now)[:, 3:6].sum(axis=1) < error).all()
    assert (np.abs(whole - now)[:, :3].sum(axis=1) < 20.0 * error).all()


@pytest.mark.parametrize("lossy", [False, True])
def test_derivatives_of_the_step_are_those_of_finite_differences(lossy):
    states, field, h = free_states(20, p=(0.5, 5.0)), zoo.bottle(), 9.0
    _, _, jacobian = compiled_steps(states, h, field, material=int(lossy))  # columns tx, ty, tz, q/p and z
    for column, j in enumerate(range(2, 7)):
        d = 1e-5 if j < 3 else 1e-6
        shift = np.zeros(7)
        shift[j] = d
        up, _ = reference(states + shift, h, field, lossy)
        down, _ = reference(states - shift, h, field, lossy)
        np.testing.assert_allclose(jacobian[:, :, column], (up - down) / (2 * d), rtol=1e-6, atol=2e-8)


def test_derivatives_of_the_helix_are_those_of_the_step():
    states, B = free_states(), np.array([0.3, -1.0, 2.0])
    _, _, jacobian = compiled_steps(states, 60.0, zoo.uniform(*B))
    exact = helix.helix_jacobian(states, np.full(50, 60.0), B)
    # the step keeps |t| = 1, so directions along t are taken out of the helix' derivatives
    t = helix.helix(states, np.full(50, 60.0), B)[:, 3:6]
    keep = np.tile(np.eye(7), (50, 1, 1))
    keep[:, 3:6, 3:6] -= t[:, :, None] * t[:, None, :]
    np.testing.assert_allclose(jacobian, (keep @ exact)[:, :, 2:], rtol=1e-10, atol=1e-11)
