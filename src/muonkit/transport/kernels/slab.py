"""Thin matter on a surface: loss, straggling and scattering at once, where the track is."""

import math
from typing import NamedTuple

from muonkit.core.compiled import inlined
from muonkit.core.indices import FREE_QOP, LOC0, PHI, QOP, THETA, TX, TY, TZ
from muonkit.core.units import ELECTRON_MASS
from muonkit.detector.surfaces import CYLINDER
from muonkit.transport.interactions.ionisation import BICHSEL_J
from muonkit.transport.interactions.straggling import GAUSS_FWHM
from muonkit.transport.kernels import frames, noise, step
from muonkit.transport.kernels.tuples import LOST, LUMPED_DEPTH, LUMPED_XI

NO_LOSS, MEAN, MOST_PROBABLE, RESTRICTED = range(4)
LANDAU_WIDTH = 4 / GAUSS_FWHM  # full width at half maximum 4.018 xi, PDG 2024 sec. 34.2.9, as a Gaussian's sigma
STEEPEST = 1e-3  # |n.t| below which a slab does not grow longer


class Slab(NamedTuple):
    """Matter on the way of a track: index of its material, xi beta^2 of a centimetre [GeV/cm], length [cm]."""

    material: int
    xi: float
    length: float


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
def hard_part(xi, p, mass, share):
    """Mean loss [GeV] by transfers T above share x p, which single electrons take away: w (ln(Tmax/T) - beta^2 (1 -
    T/Tmax)), w = xi/beta^2, and its derivative by p; 0 where no transfer is as large.

    PDG 2024 eq. 34.5 less eq. 34.11. What is left has the variance w T (1 - beta^2 T/(2 Tmax)): the core of the losses
    for a detector with a resolution of about this share."""
    E2 = p * p + mass * mass
    beta2, E = p * p / E2, math.sqrt(E2)
    ratio = ELECTRON_MASS / mass
    under = 1 + 2 * E / mass * ratio + ratio * ratio
    t_max = 2 * ELECTRON_MASS * p * p / (mass * mass) / under
    cut = share * p
    if cut >= t_max:
        return 0.0, 0.0
    width, part = xi / beta2, cut / t_max
    d_beta2 = 2 * p * mass * mass / (E2 * E2)
    d_part = part * (1 / p - (2 / p - 2 * p / (E * mass) * ratio / under))
    bracket = -math.log(part) - beta2 * (1 - part)
    return width * bracket, -width / beta2 * d_beta2 * bracket + width * (
        -d_part / part - d_beta2 * (1 - part) + beta2 * d_part
    )


@inlined
def loss_in(loss, slab, p, plan):
    """Energy loss [GeV] in a slab; its derivatives by the momentum p [GeV] in front of it and by ln length."""
    mode = plan.loss_mode
    rate, slope = step.stopping(loss, slab.material, p)
    lost, by_p = rate * slab.length, slope * slab.length
    if mode == MOST_PROBABLE:
        shift, d_p, d_length = most_probable_shift(slab.xi * slab.length, p, loss.mass)
        return lost - shift, by_p - d_p, lost - d_length
    if mode == RESTRICTED:
        hard, d_p = hard_part(slab.xi * slab.length, p, loss.mass, plan.hard)
        return lost - hard, by_p - d_p, lost - hard
    return lost, by_p, lost


@inlined
def behind(loss, slab, p, plan):
    """Momentum behind a slab, its derivatives by p and by ln length; -1 if the track stops."""
    mass2 = loss.mass * loss.mass
    E = math.sqrt(p * p + mass2)
    lost, by_p, by_length = loss_in(loss, slab, p, plan)
    after = E - lost
    if after <= loss.mass:
        return -1.0, 0.0, 0.0
    p_after = math.sqrt(after * after - mass2)
    return p_after, (p / E - by_p) * after / p_after, -by_length * after / p_after


@inlined
def in_front(loss, slab, p, plan):
    """Momentum in front of a slab behind which it is p: the inverse of `behind` and its derivatives."""
    mass2 = loss.mass * loss.mass
    E, p_before = math.sqrt(p * p + mass2), p
    by_p, by_length = 0.0, 0.0
    for _ in range(50):
        before = math.sqrt(p_before * p_before + mass2)
        lost, by_p, by_length = loss_in(loss, slab, p_before, plan)
        change = (before - lost - E) / (p_before / before - by_p)
        p_before -= change
        if abs(change) < 1e-15 * p_before:
            break
    under = p_before / math.sqrt(p_before * p_before + mass2) - by_p
    return p_before, p / E / under, by_length / under


@inlined
def cross(track, S, i, way, scene, work):
    """Cross the matter on surface i in direction `way`: q/p, J and C (both bound to the surface) change.

    False if the track stops. Where matter is lumped, that of a surface without sensors is kept for the next sensor."""
    y, plan, materials = track.y, scene.plan, scene.det.materials
    if S.thickness[i] > 0:
        frames.normal(S, i, y, work.n)
        across = frames.slant(y, work.n)
        length = S.thickness[i] / max(abs(across), STEEPEST) if plan.path_length else S.thickness[i]
        slab = Slab(S.material[i], materials.xi[S.material[i]], length)
        p = 1 / abs(y[FREE_QOP])
        if plan.lumped and S.n_measured[i] == 0:
            lump(track, slab, p, scene)
            return True
        if plan.loss_mode != NO_LOSS and not lose(track, S, i, way, across, slab, scene, work):
            return False
        spread(track, slab.length / materials.X0[slab.material], slab.xi * slab.length, p, scene)
    return unload(track, S, i, scene, work) if plan.lumped else True


@inlined
def spread(track, depth, xi, p, scene):
    """Scattering and straggling at momentum p in front of matter."""
    plan, mass = scene.plan, scene.loss.mass
    add_angles(track.y, track.C, noise.highland(depth, p, mass, plan.scattering))
    if plan.straggling:
        track.C[QOP, QOP] += straggled(xi, p, mass, plan)


@inlined
def lump(track, slab, p, scene):
    """Keep what a slab does for the next sensor."""
    plan, at = scene.plan, track.at
    if plan.loss_mode != NO_LOSS:
        at[LOST] += loss_in(scene.loss, slab, p, plan)[0]
    at[LUMPED_DEPTH] += slab.length / scene.det.materials.X0[slab.material]
    at[LUMPED_XI] += slab.xi * slab.length


@inlined
def unload(track, S, i, scene, work):
    """What was kept acts on sensor i; False if the track stops."""
    y, at, mass = track.y, track.at, scene.loss.mass
    p = 1 / abs(y[FREE_QOP])
    before = math.sqrt(p * p + mass * mass)
    E = before - at[LOST]
    if mass >= E:
        return False
    after = math.sqrt(E * E - mass * mass)
    row = work.M[0]
    for j in range(5):
        row[j] = 0.0
    row[QOP] = p / before * (E / after) * (p / after) * (p / after)
    slow_down(track, S, i, p / after, work)
    spread(track, at[LUMPED_DEPTH], at[LUMPED_XI], p, scene)
    at[LOST], at[LUMPED_DEPTH], at[LUMPED_XI] = 0.0, 0.0, 0.0
    return True


@inlined
def lose(track, S, i, way, across, slab, scene, work):
    """Change q/p, C, T and start J anew; False if the track stops. The length of the way changes with the angles."""
    y, plan = track.y, scene.plan
    p = 1 / abs(y[FREE_QOP])
    if way > 0:
        after, by_p, by_length = behind(scene.loss, slab, p, plan)
        if plan.mean_qop and plan.straggling and plan.loss_mode != MOST_PROBABLE:
            after /= 1 + mean_shift(slab.xi * slab.length, p, after, scene)
    else:
        after, by_p, by_length = in_front(scene.loss, slab, p, plan)
    if after <= 0:
        return False
    row = work.M[0]
    for j in range(5):
        row[j] = 0.0
    if plan.path_length:
        by_length *= -y[FREE_QOP] * p / (after * after)
        lengthened(S, i, y, across, by_length, work)
    row[QOP] = by_p * (p / after) * (p / after)
    slow_down(track, S, i, p / after, work)
    return True


@inlined
def mean_shift(xi, p, after, scene):
    """Relative shift of the mean of 1/p behind matter from 1/p behind the mean loss: half of the variance of the loss
    times p d2(1/p)/dE2 = 3 E^2/p^4 - 1/p^2."""
    p2, mass = after * after, scene.loss.mass
    return 0.5 * spread_of_loss(xi, p, mass, scene.plan) * (3 * (p2 + mass * mass) / p2 - 1) / p2


@inlined
def slow_down(track, S, i, factor, work):
    """q/p grows by a factor on surface i; work.M[0] is the last row of its derivatives. J starts anew."""
    track.y[FREE_QOP] *= factor
    last_row(work.M[0], track.C, work.M[1])
    replace_last(work.M[0], track.T, work.M[1])
    frames.start_bound(track, S, i, work)


@inlined
def lengthened(S, i, y, across, factor, work):
    """work.M[0] += factor d ln(length)/d(bound parameters), length ~ 1/|n.t|."""
    n, u, row = work.n, work.u, work.M[0]
    sin = math.sqrt(y[TX] * y[TX] + y[TY] * y[TY])
    row[PHI] -= factor * (n[1] * y[TX] - n[0] * y[TY]) / across
    row[THETA] -= factor * ((n[0] * y[TX] + n[1] * y[TY]) * y[TZ] / max(sin, 1e-300) - n[2] * sin) / across
    if S.kind[i] == CYLINDER:
        frames.first_axis(S, i, n, u)
        turn = u[0] * y[TX] + u[1] * y[TY] + u[2] * y[TZ]
        row[LOC0] -= factor * turn / S.radius[i] / across


@inlined
def last_row(row, C, column):
    """C -> F C F^T for a matrix F that is 1 but for its last row; column (5,) is scratch."""
    total = 0.0
    for j in range(5):
        column[j] = 0.0
        for m in range(5):
            column[j] += C[j, m] * row[m]
        total += row[j] * column[j]
    for j in range(QOP):
        C[QOP, j] = column[j]
        C[j, QOP] = column[j]
    C[QOP, QOP] = total


@inlined
def replace_last(row, T, column):
    """T -> F T for a matrix F that is 1 but for its last row; column (5,) is scratch."""
    for j in range(5):
        column[j] = 0.0
        for m in range(5):
            column[j] += row[m] * T[m, j]
    for j in range(5):
        T[QOP, j] = column[j]


@inlined
def add_angles(y, C, variance):
    """The same scattering in both planes, in (phi, theta)."""
    sin2 = max(y[TX] * y[TX] + y[TY] * y[TY], 1e-300)
    C[PHI, PHI] += variance / sin2
    C[THETA, THETA] += variance


@inlined
def straggled(xi, p, mass, plan):
    """Variance of q/p [1/GeV^2]."""
    return spread_of_loss(xi, p, mass, plan) * (p * p + mass * mass) / (p * p * p * p * p * p)


@inlined
def spread_of_loss(xi, p, mass, plan):
    """Variance [GeV^2] of the whole loss around its mean, of the Landau core around its mode, or without hard parts."""
    E2 = p * p + mass * mass
    variance = noise.straggling(xi, p, mass)
    if plan.loss_mode == MOST_PROBABLE:
        core = LANDAU_WIDTH * xi * E2 / (p * p)
        variance = min(variance, core * core)
    elif plan.loss_mode == RESTRICTED:
        beta2, cut = p * p / E2, plan.hard * p
        # the whole variance is w Tmax (1 - beta^2/2)
        t_max = variance / (xi / beta2 * (1 - beta2 / 2))
        if cut < t_max:
            variance = xi / beta2 * cut * (1 - beta2 * cut / (2 * t_max))
    return variance
