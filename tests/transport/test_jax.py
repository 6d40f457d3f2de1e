"""The transport against an independent one in JAX, whose derivatives are those of automatic differentiation."""

import numpy as np
import pytest
from tests.detector import blocks
from tests.oracles import jax_track
from tests.transport import zoo
from tests.transport.test_travel import LAYERS, PLANE, TILTED, go

jax = pytest.importorskip("jax", reason="JAX is not installed: pip install 'muonkit[oracles]'")
jax.config.update("jax_enable_x64", True)
jnp = jax.numpy

N = 20
FULL = blocks.slices((-1e3, 1e3), (1,))  # matter everywhere


def helical(_position):
    return jnp.array([0.3, -1.0, 2.0])


def bottle(position):
    """The Maxwellian polynomial of `zoo.bottle`."""
    B0, b, _ = zoo.BOTTLE
    x, y, z = position
    return jnp.array([-b * x * z, -b * y * z, B0 + b * (z**2 - (x**2 + y**2) / 2)])


def lossless(p):
    return 0.0 * p


def lossy(p):
    u = jnp.log(p)
    return zoo.LOSS[0] + zoo.LOSS[1] * u + zoo.LOSS[2] * u**2


def oracle(bound, target, field, stopping, lengths):
    """Bound parameters on a plane of LAYERS and their Jacobian."""
    center, (u, v, w) = jnp.array(LAYERS.center[target]), jnp.array(LAYERS.axes[target])

    def arrive(parameters, length):
        def end(state):
            return jnp.dot(w, state[:3] - center)

        y = jax_track.transport(parameters, length, field, stopping, zoo.MUON, end)
        d = y[:3] - center
        return jnp.array([u @ d, v @ d, jnp.arctan2(y[4], y[3]), jnp.arctan2(jnp.hypot(y[3], y[4]), y[5]), y[6]])

    value = jax.jit(jax.vmap(arrive))(bound, lengths)
    return np.array(value), np.array(jax.jit(jax.vmap(jax.jacfwd(arrive)))(bound, lengths))


@pytest.mark.slow
@pytest.mark.parametrize("stopping", [lossless, lossy])
@pytest.mark.parametrize("target", [PLANE, TILTED])
@pytest.mark.parametrize(("jax_field", "field"), [(helical, zoo.uniform(0.3, -1.0, 2.0)), (bottle, zoo.bottle())])
def test_states_and_jacobians_agree(jax_field, field, target, stopping):
    bound = zoo.states(N, p=(1.0, 50))
    volumes = FULL if stopping is lossy else None
    det = zoo.detector(field, LAYERS, volumes, ("iron",))
    plan = zoo.EXACT._replace(tolerance=1e-10, max_loss=0.002, max_step=1.0)
    end, _, jacobian, path, _ = go(bound, target, det, plan)
    expected, derivative = oracle(bound, target, jax_field, stopping, path)
    np.testing.assert_allclose(end, expected, rtol=1e-9, atol=1e-9)
    scale = np.abs(derivative).max(axis=(0, 2))[:, None]  # of every end parameter
    assert (np.abs(jacobian - derivative) / scale).max() < 1e-9
