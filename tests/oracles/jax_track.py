"""An independent transport in JAX: classical Runge-Kutta in very many equal steps, derivatives by automatic
differentiation.

Nothing here is shared with the package: units, force and surfaces are written down anew."""

from collections.abc import Callable
from typing import Any

STEPS = 2000
LIGHT = 0.00299792458  # GeV/(T cm)


def transport(
    bound: Any,
    length: float,
    field: Callable[[Any], Any],
    stopping: Callable[[Any], Any],
    mass: float,
    end: Callable[[Any], Any],
) -> Any:
    """Bound parameters on the plane x = 0 (local axes y, z) to those on a surface.

    length: of the path, roughly; `end(state)`: signed distance to the surface; returns the free state there."""
    import jax
    import jax.numpy as jnp

    def derivative(y: Any) -> Any:
        t, lam = y[3:6], y[6]
        p = 1 / jnp.abs(lam)
        energy = jnp.sqrt(p**2 + mass**2)
        return jnp.concatenate([t, LIGHT * lam * jnp.cross(t, field(y[:3])), (lam / p**2 * stopping(p) * energy)[None]])

    def step(y: Any, h: Any) -> Any:
        k1 = derivative(y)
        k2 = derivative(y + h / 2 * k1)
        k3 = derivative(y + h / 2 * k2)
        return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + derivative(y + h * k3))

    phi, theta = bound[2], bound[3]
    t = jnp.array([jnp.sin(theta) * jnp.cos(phi), jnp.sin(theta) * jnp.sin(phi), jnp.cos(theta)])
    start = jnp.concatenate([jnp.array([0.0]), bound[:2], t, bound[4:]])
    y = jax.lax.fori_loop(0, STEPS, lambda _, state: step(state, length / STEPS), start)
    slope = jax.grad(end)
    for _ in range(6):
        y = step(y, -end(y) / jnp.dot(slope(y)[:3], y[3:6]))
    return y
