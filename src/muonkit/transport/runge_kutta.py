"""One Runge-Kutta-Nystrom step of fourth order around the helix of the field at its start: the reference in NumPy.

    x'' = t' = c lambda t x B(x),   lambda' = f(lambda)                                                         (10)

With omega = c lambda0 B(x0) the motion is t' = t x omega + g with a small g = t x (c lambda B - omega), and by
variation of constants t(h) = R(h) t + int R(h - u) g du, x(h) = x + H(h) t + int H(h - u) g du, with R and H of
`helix`. The integrals are done by the classical stages at 0, h/2, h/2, h and Simpson's rule (Lawson, SIAM J. Numer.
Anal. 4 (1967) 372):

    t2 = R(h/2) t,  t3 = t2 + h/2 g2,  t4 = R(h) t + h R(h/2) g3
    x(h) = x + H(h) t + h/3 H(h/2) (g2 + g3),   t(h) = R(h) t + h/6 [2 R(h/2) (g2 + g3) + g4]                    (11)
    error of t = h/6 max(|g4 - R(h/2) (g2 + g3)|, CHANCE |g|)                                                   (12)

g1 = 0. In a constant field a step of any length is exact; for omega = 0 this is the scheme of Lund et al., J.
Instrum. 4 (2009) P04001. `kernels.step` is the compiled twin, with the derivatives of (11)."""

from collections.abc import Callable

import numpy as np

from muonkit.core.arrays import FloatArray
from muonkit.core.indices import DIRECTION, FREE_QOP, POSITION
from muonkit.core.units import CURVATURE
from muonkit.transport.helix import matrices

CHANCE = 0.05  # lower limit of the error: the difference of g may vanish by chance
Field = Callable[[FloatArray], FloatArray]
Rate = Callable[[FloatArray], FloatArray]


def no_loss(qop: FloatArray) -> FloatArray:
    """lambda' = 0, (n,)."""
    return np.zeros_like(qop)


def loss_rate(stopping: FloatArray, qop: FloatArray, mass: float) -> FloatArray:
    """lambda' = lambda |lambda|^2 S E, (n,) [1/GeV/cm], for q/p lambda (n,) [1/GeV], a loss S (n,) [GeV/cm] and the
    mass [GeV]: dp/ds = -S E/p."""
    return qop * np.abs(qop) ** 2 * stopping * np.sqrt(1 / qop**2 + mass**2)


def step(state: FloatArray, h: FloatArray, field: Field, rate: Rate = no_loss) -> tuple[FloatArray, FloatArray]:
    """Free states (n, 7) after a step h (n,) [cm], eq. 11, and the error (n,) of the direction, eq. 12.

    `field`: points (n, 3) [cm] -> B (n, 3) [T]; `rate`: lambda (n,) -> lambda' (n,)."""
    x, t, lam = state[:, POSITION], state[:, DIRECTION], state[:, FREE_QOP]
    d = h[:, None]
    omega = CURVATURE * lam[:, None] * field(x)
    (R1, H1, _), (R2, H2, _) = matrices(omega, h / 2), matrices(omega, h)

    def bend(t: FloatArray, lam: FloatArray, B: FloatArray) -> FloatArray:
        return np.cross(t, CURVATURE * lam[:, None] * B - omega)

    f1 = rate(lam)
    B_middle, t2 = field(x + _times(H1, t)), _times(R1, t)
    f2 = rate(lam + h / 2 * f1)
    g2 = bend(t2, lam + h / 2 * f1, B_middle)
    f3 = rate(lam + h / 2 * f2)
    g3 = bend(t2 + d / 2 * g2, lam + h / 2 * f2, B_middle)
    last, both = _times(R1, g3), _times(R1, g2 + g3)
    f4 = rate(lam + h * f3)
    g4 = bend(_times(R2, t) + d * last, lam + h * f3, field(x + _times(H2, t) + d**2 / 2 * last))
    position = x + _times(H2, t) + d / 3 * _times(H1, g2 + g3)
    direction = _times(R2, t) + d / 6 * (2 * both + g4)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    after = lam + h / 6 * (f1 + 2 * f2 + 2 * f3 + f4)
    error, size = np.abs(g4 - both).sum(axis=1), (np.abs(g4) + np.abs(both)).sum(axis=1)
    return np.concatenate((position, direction, after[:, None]), axis=1), np.abs(h) / 6 * np.maximum(
        error, CHANCE * size
    )


def _times(M: FloatArray, v: FloatArray) -> FloatArray:
    return np.einsum("nij,nj->ni", M, v)
