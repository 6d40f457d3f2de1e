"""Thin matter on a surface: loss, straggling and scattering at once, where the track is."""

import math

from muonkit.core.compiled import inlined
from muonkit.core.units import ELECTRON_MASS
from muonkit.transport.kernels import frames, noise, step

NO_LOSS, MEAN, MOST_PROBABLE = range(3)
LANDAU_WIDTH = (
    4 / 2.3548200450309493
)  # full width at half maximum 4.018 xi, PDG 2024 sec. 34.2.9, as a Gaussian's sigma
BICHSEL_J = 0.2
STEEPEST = 1e-3  # |n.t| below which a slab does not grow longer


@inlined
def most_probable_shift(xi, p, mass):
    """Mean minus most probable loss [GeV]: w (ln(Tmax/w) - beta^2 - j), w = xi/beta^2; its derivatives by p and by ln
    xi.

    The difference of PDG 2024 eqs. 34.5 and 34.12; 0 where the straggling is no longer Landau's."""
    E2 = p * p + mass * mass
    beta2 = p * p / E2
    ratio = ELECTRON_MASS / mass
    under = 1 + 2 * math.sqrt(E2) / mass * ratio + ratio * ratio
    t_max = 2 * ELECTRON_MASS * p * p / (mass * mass) / under
    width = xi / beta2
    shift = width * (math.log(t_max / width) - beta2 - BICHSEL_J)
    if shift <= 0:
        return 0.0, 0.0, 0.0
    d_beta2 = 2 * p * mass * mass / (E2 * E2)
    d_width = -width / beta2 * d_beta2
    d_t_max = t_max * (2 / p - 2 * p / (math.sqrt(E2) * mass) * ratio / under)
    slope = d_width * shift / width + width * (d_t_max / t_max - d_width / width - d_beta2)
    return shift, slope, shift - width


@inlined
def loss_in(loss, material, xi, length, p, mode):
    """Energy loss [GeV] in a slab; its derivatives by the momentum p [GeV] in front of it and by ln length."""
    S, dS = step.stopping(loss, material, p)
    lost, by_p, by_length = S * length, dS * length, S * length
    if mode == MOST_PROBABLE:
        shift, d_p, d_length = most_probable_shift(xi * length, p, loss.mass)
        return lost - shift, by_p - d_p, by_length - d_length
    return lost, by_p, by_length


@inlined
def behind(loss, material, xi, length, p, mode):
    """Momentum behind a slab, its derivatives by p and by ln length; -1 if the track stops."""
    m2 = loss.mass * loss.mass
    E = math.sqrt(p * p + m2)
    lost, by_p, by_length = loss_in(loss, material, xi, length, p, mode)
    after = E - lost
    if after <= loss.mass:
        return -1.0, 0.0, 0.0
    q = math.sqrt(after * after - m2)
    return q, (p / E - by_p) * after / q, -by_length * after / q


@inlined
def in_front(loss, material, xi, length, p, mode):
    """Momentum in front of a slab behind which it is p: the inverse of `behind` and its derivatives."""
    m2 = loss.mass * loss.mass
    E, q = math.sqrt(p * p + m2), p
    by_p, by_length = 0.0, 0.0
    for _ in range(50):
        before = math.sqrt(q * q + m2)
        lost, by_p, by_length = loss_in(loss, material, xi, length, q, mode)
        change = (before - lost - E) / (q / before - by_p)
        q -= change
        if abs(change) < 1e-15 * q:
            break
    under = q / math.sqrt(q * q + m2) - by_p
    return q, p / E / under, by_length / under


@inlined
def cross(track, S, i, way, det, loss, plan, s):
    """Cross the matter on surface i in direction `way`: q/p, J and C (both bound to the surface) change.

    False if the track stops."""
    if S.thickness[i] <= 0:
        return True
    y, C, material = track.y, track.C, S.material[i]
    frames.normal(S, i, y, s.n)
    across = s.n[0] * y[3] + s.n[1] * y[4] + s.n[2] * y[5]
    length = S.thickness[i] / max(abs(across), STEEPEST)
    p = 1 / abs(y[6])
    xi = det.materials.xi[material]
    if plan.loss_mode != NO_LOSS and not lose(track, S, i, way, length, across, xi, material, loss, plan, s):
        return False
    add_angles(y, C, noise.highland(length / det.materials.X0[material], p, loss.mass, plan.scattering))
    if plan.straggling:
        C[4, 4] += straggled(xi * length, p, loss.mass, plan.loss_mode)
    return True


@inlined
def lose(track, S, i, way, length, across, xi, material, loss, plan, s):
    """Change q/p, C, T and start J anew; False if the track stops. The length of the way changes with the angles."""
    y, C = track.y, track.C
    p = 1 / abs(y[6])
    if way > 0:
        q, by_p, by_length = behind(loss, material, xi, length, p, plan.loss_mode)
    else:
        q, by_p, by_length = in_front(loss, material, xi, length, p, plan.loss_mode)
    if q <= 0:
        return False
    row = s.M[0]
    for m in range(5):
        row[m] = 0.0
    by_length *= -y[6] * p / (q * q)
    lengthened(S, i, y, across, by_length, s, row)
    row[4] = by_p * (p / q) * (p / q)
    y[6] *= p / q
    last_row(row, C, s.M[1])
    replace_last(row, track.T, s.M[1])
    frames.start_bound(S, i, y, s.n, s.u, s.v, track.J)
    return True


@inlined
def lengthened(S, i, y, across, factor, s, row):
    """row += factor d ln(length)/d(bound parameters), length ~ 1/|n.t|."""
    sin = math.sqrt(y[3] * y[3] + y[4] * y[4])
    row[2] -= factor * (s.n[1] * y[3] - s.n[0] * y[4]) / across
    row[3] -= factor * ((s.n[0] * y[3] + s.n[1] * y[4]) * y[5] / max(sin, 1e-300) - s.n[2] * sin) / across
    if S.kind[i] == frames.CYLINDER:
        frames.first_axis(S, i, s.n, s.u)
        turn = s.u[0] * y[3] + s.u[1] * y[4] + s.u[2] * y[5]
        row[0] -= factor * turn / S.radius[i] / across


@inlined
def last_row(row, C, work):
    """C -> F C F^T for a matrix F that is 1 but for its last row."""
    total = 0.0
    for j in range(5):
        work[j] = 0.0
        for m in range(5):
            work[j] += C[j, m] * row[m]
        total += row[j] * work[j]
    for j in range(4):
        C[4, j] = work[j]
        C[j, 4] = work[j]
    C[4, 4] = total


@inlined
def replace_last(row, T, work):
    """T -> F T for a matrix F that is 1 but for its last row."""
    for j in range(5):
        work[j] = 0.0
        for m in range(5):
            work[j] += row[m] * T[m, j]
    for j in range(5):
        T[4, j] = work[j]


@inlined
def add_angles(y, C, variance):
    """The same scattering in both planes, in (phi, theta)."""
    sin2 = max(y[3] * y[3] + y[4] * y[4], 1e-300)
    C[2, 2] += variance / sin2
    C[3, 3] += variance


@inlined
def straggled(xi, p, mass, mode):
    """Variance of q/p [1/GeV^2]: of the whole loss around its mean, or of the Landau core around its mode."""
    E2 = p * p + mass * mass
    variance = noise.straggling(xi, p, mass)
    if mode == MOST_PROBABLE:
        core = LANDAU_WIDTH * xi * E2 / (p * p)
        variance = min(variance, core * core)
    return variance * E2 / (p * p * p * p * p * p)
