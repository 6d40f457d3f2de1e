"""A track from where it is to a surface, through field and thick volumes. Whatever ends it early is a status."""

import math
from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import AnyArray
from muonkit.core.compiled import compiled, inlined
from muonkit.transport.kernels import frames, noise, step, volumes
from muonkit.transport.kernels.faces import GRAZING, jump, stop_at_face, volume_at

OK, LOOPING, OUT_OF_MAP, STOPPED, TANGENT, STEP_LIMIT, NOT_POSITIVE_DEFINITE, LEFT = range(8)
ON_TARGET = -1  # of `hop`: no status
ARRIVED = 1e-7  # cm from the target: the rest is a parabola
LARGEST_TURN = 1.0  # rad in one step: the way to a surface is foreseen as a parabola
FARTHEST = 500.0  # cm: over which the error of a direction is counted
SMALLEST = 1e-3  # cm: steps are not cut below this for the sake of the tolerance


class Plan(NamedTuple):
    """Error of a step at the target [cm], most steps, longest step [cm], most of the kinetic energy lost in one step,
    kinetic energy [GeV] at which a track has stopped, angle [rad] after which it loops, width of a boundary [cm];
    switches; jacobian: whether the total Jacobian is wanted."""

    tolerance: float
    max_steps: int
    max_step: float
    max_loss: float
    min_kinetic: float
    max_turn: float
    boundary: float
    gradient: bool
    loss_mode: int
    scattering: int
    straggling: bool
    jacobian: bool


class Loss(NamedTuple):
    """Mean energy loss of one species: see `interactions.tables.LossTables`."""

    mass: float
    u_min: float
    du: float
    value: AnyArray
    slope: AnyArray


class Track(NamedTuple):
    """One moving track: free state y (7), derivatives J (7, 5), total Jacobian T (5, 5), covariance C (5, 5) where J
    starts, and `at`: path [cm], angle turned [rad], radiation lengths passed, step to try next [cm]."""

    y: AnyArray
    J: AnyArray
    T: AnyArray
    C: AnyArray
    at: AnyArray


class Scratch(NamedTuple):
    """Workspace of one track; `k` and `rate` are dt/ds and d lambda/ds where `slopes` was called last."""

    work: step.Work
    end: AnyArray
    F: AnyArray
    M: AnyArray
    n: AnyArray
    u: AnyArray
    v: AnyArray
    k: AnyArray
    rate: AnyArray


@compiled
def scratch():
    """Workspace; one for each thread."""
    f, k = np.zeros((4, 2)), np.zeros((2, 3))
    work = step.Work(
        np.zeros((3, 3)),
        np.zeros((3, 3, 3)),
        np.zeros((2, 3, 3, 3)),
        np.zeros((4, 4)),
        np.zeros((4, 3)),
        np.zeros((4, 3)),
        f,
        k,
        np.zeros((2, 3)),
        np.zeros((7, 3)),
        np.zeros(1),
    )
    n, u, v = np.zeros(3), np.zeros(3), np.zeros(3)
    return Scratch(work, np.zeros(7), np.zeros((5, 5)), np.zeros((5, 5)), n, u, v, k[0], f[0])


@compiled
def empty_track():
    """A track to be filled."""
    return Track(np.zeros(7), np.zeros((7, 5)), np.eye(5), np.zeros((5, 5)), np.zeros(4))


@inlined
def slopes(y, e, det, loss, material, s):
    """k = dt/ds and d lambda/ds at the point, looked up `e` cm further on; False outside the field map."""
    return step.start(y, e, det, loss, material, True, s.work)


@inlined
def begin_bound(track, S, i, bound, s):
    """Put a track on surface i."""
    frames.to_free(S, i, bound, track.y)
    frames.start_bound(S, i, track.y, s.n, s.u, s.v, track.J)
    reset(track)


@inlined
def reset(track):
    """Path, angle, depth and total Jacobian of a new track."""
    track.at[:] = 0.0
    track.at[3] = math.inf
    track.T[:] = 0.0
    for i in range(5):
        track.T[i, i] = 1.0


@inlined
def fold(track, plan, s):
    """Carry covariance and, if wanted, total Jacobian to the curvilinear frame here, from which J starts anew."""
    frames.end_curvilinear(track.y, s.k, s.rate[0], s.u, s.v, track.J, s.F)
    noise.sandwich(s.F, track.C, s.M)
    if plan.jacobian:
        noise.product(s.F, track.T, s.M[0])
    frames.start_curvilinear(track.y, s.u, s.v, track.J)


@inlined
def settle_bound(track, S, i, s):
    """Carry covariance and total Jacobian to the bound parameters of surface i, from which J starts anew."""
    frames.end_bound(S, i, track.y, s.k, s.rate[0], s.n, s.u, s.v, track.J, s.F)
    noise.sandwich(s.F, track.C, s.M)
    noise.product(s.F, track.T, s.M[0])
    frames.start_bound(S, i, track.y, s.n, s.u, s.v, track.J)


@inlined
def matter(track, h, before_qop, det, loss, plan, material, s):
    """Noise of a step h in a thick volume, added in the curvilinear frame at its end.

    The momentum that counts is sqrt(p0 p1): the integral of 1/p^2 over a step in which p falls evenly is h/(p0 p1)."""
    y, p = track.y, 1 / math.sqrt(track.y[6] * before_qop)
    before = track.at[2]
    track.at[2] += abs(h) / det.materials.X0[material]
    angle = noise.highland(track.at[2], p, loss.mass, plan.scattering)
    angle -= noise.highland(before, p, loss.mass, plan.scattering)
    lost = noise.straggling(det.materials.xi[material] * abs(h), p, loss.mass) if plan.straggling else 0.0
    step.slopes_at_end(y, loss, material, s.work)
    fold(track, plan, s)
    noise.add_noise(track.C, max(angle, 0.0), lost, y[6], loss.mass, h)


@inlined
def limits(track, loss, material, plan, s):
    """Longest step [cm] by angle, by what the last step allowed, and by energy loss."""
    k = s.k
    turn = math.sqrt(k[0] * k[0] + k[1] * k[1] + k[2] * k[2])
    longest = min(plan.max_step, track.at[3], LARGEST_TURN / max(turn, 1e-300))
    if material == 0:
        return longest
    lost, _ = step.stopping(loss, material, 1 / abs(track.y[6]))
    return min(longest, plan.max_loss * kinetic_energy(track.y, loss.mass) / max(lost, 1e-300))


@inlined
def kinetic_energy(y, mass):
    p = 1 / abs(y[6])
    return p * p / (math.sqrt(p * p + mass * mass) + mass)


@inlined
def attempt(track, h, far, nudge, det, loss, material, plan, s):
    """Try a step and shorten it until its error at the target, `far` [cm] away, is below the tolerance.

    Returns its length, 0 outside the map."""
    for _ in range(30):
        error = step.try_step(track.y, h, nudge, det, loss, material, plan.gradient, s.work)
        if error < 0:
            return 0.0
        error *= max(far, abs(h))
        scale = 0.9 * (plan.tolerance / max(error, 1e-300)) ** 0.25
        if error <= plan.tolerance or abs(h) <= SMALLEST:
            track.at[3] = abs(h) * max(scale, 1.0)
            return h
        h *= max(min(scale, 0.9), 0.2)
    return h


@inlined
def aim(track, h, S, i, nudge, det, loss, material, plan, s):
    """Correct a tried step until it ends on surface i. Returns it and True, or half of it and False if it does not
    get there."""
    end, start = s.end, h
    for _ in range(6):
        end[0], end[1], end[2] = step.end_position(track.y, h, s.work)
        frames.normal(S, i, end, s.n)
        t = s.work.t[3]
        across = s.n[0] * t[0] + s.n[1] * t[1] + s.n[2] * t[2]
        gap = frames.distance(S, i, end)
        if abs(gap) < ARRIVED:
            return h, True
        if abs(gap) > abs(across * start):
            break
        h -= gap / across
        step.try_step(track.y, h, nudge, det, loss, material, plan.gradient, s.work)
    step.try_step(track.y, 0.5 * start, nudge, det, loss, material, plan.gradient, s.work)
    return 0.5 * start, False


@inlined
def complete(track, h, plan, s):
    """Do the step that was tried, with its derivatives."""
    if step.without_field(plan.gradient, s.work):
        step.fly(track.y, track.J, h, s.work)
    else:
        step.by_lambda(track.y, h, s.work)
        norm = step.move(track.y, h, s.work)
        step.move_derivatives(track.J, h, track.y, norm, plan.gradient, s.work)
    k = s.work.k[1]
    track.at[0] += h
    track.at[1] += abs(h) * math.sqrt(k[0] * k[0] + k[1] * k[1] + k[2] * k[2])


@inlined
def drift(track, d, s):
    """A step so short that the parabola is exact to rounding."""
    y, J, k = track.y, track.J, s.k
    for i in range(3):
        y[i] += d * y[3 + i] + d * d / 2 * k[i]
        for c in range(5):
            J[i, c] += d * J[3 + i, c]
    for i in range(3):
        y[3 + i] += d * k[i]
    y[6] += d * s.rate[0]
    track.at[0] += d


@inlined
def approach(track, S, i, det, loss, material, plan, s):
    """Newton's steps, forwards or backwards, onto a surface that is a small step away."""
    for _ in range(10):
        slopes(track.y, 0.0, det, loss, material, s)
        frames.normal(S, i, track.y, s.n)
        across = s.n[0] * track.y[3] + s.n[1] * track.y[4] + s.n[2] * track.y[5]
        gap = frames.distance(S, i, track.y)
        if abs(across) < GRAZING:
            return TANGENT
        if abs(gap) < ARRIVED:
            drift(track, -gap / across, s)
            slopes(track.y, 0.0, det, loss, material, s)
            return OK
        h = -gap / across
        if step.try_step(track.y, h, 0.0, det, loss, material, plan.gradient, s.work) < 0:
            return OUT_OF_MAP
        complete(track, h, plan, s)
    return TANGENT


@inlined
def outside(det, y):
    """Whether the point has left the envelope of the detector."""
    e = det.envelope
    return y[0] * y[0] + y[1] * y[1] > e[0] * e[0] or y[2] < e[1] or y[2] > e[2]


@inlined
def ended(track, det, loss, plan):
    """The status of a track that may not go on, OK otherwise."""
    if track.at[1] > plan.max_turn:
        return LOOPING
    if not kinetic_energy(track.y, loss.mass) > plan.min_kinetic:
        return STOPPED
    return LEFT if outside(det, track.y) else OK


@inlined
def enter(track, ahead, way, plan, s):
    """Go over the last bit in front of a face, and begin to count the matter of the next volume."""
    drift(track, way * (ahead + 0.01 * plan.boundary), s)
    if plan.scattering == noise.PER_SLAB:
        track.at[2] = 0.0


@inlined
def get_ready(track, material, entered, way, det, loss, plan, s):
    """Slopes at the start of a hop, and the jump of a face that has just been crossed; False outside the field map."""
    nudge = 10 * way * plan.boundary if det.volumes.sides.size > 0 else 0.0
    if not slopes(track.y, nudge, det, loss, material, s):
        return False
    if entered:
        jump(track.J, track.y, s)
    return True


@inlined
def hop(track, S, target, block, part, material, way, det, loss, plan, s):
    """One step, for which `get_ready` was called, towards surface `target` (-1: towards nothing). It ends there, at a
    face or where it must.

    Returns ON_TARGET (less than a small step away from it), OK or the status that ends the track, and the volume that
    the track is in, with whether it has just entered it."""
    y, V = track.y, det.volumes
    thick = V.sides.size > 0
    nudge = 10 * way * plan.boundary if thick else 0.0
    to_target = math.inf
    if target >= 0:
        if abs(frames.distance(S, target, y)) < ARRIVED:
            return ON_TARGET, block, part, material, False
        to_target = frames.reach(S, target, y, s.k, way)
    to_face = volumes.to_face(V, block, part, y, s.k, way) if thick else math.inf
    aimed = min(to_target, to_face, limits(track, loss, material, plan, s))
    h = attempt(track, way * aimed, min(to_target, FARTHEST), nudge, det, loss, material, plan, s)
    if h == 0.0:
        return OUT_OF_MAP, block, part, material, False
    arriving = abs(h) == to_target
    if arriving:
        h, arriving = aim(track, h, S, target, nudge, det, loss, material, plan, s)
    ahead = -1.0
    if thick:
        wanted = h
        at_face = abs(h) == to_face
        h, ahead = stop_at_face(track, h, at_face, to_target, block, part, nudge, det, loss, material, plan, s)
        arriving &= h == wanted
    before_qop = y[6]
    complete(track, h, plan, s)
    if material != 0:
        matter(track, h, before_qop, det, loss, plan, material, s)
    if arriving:
        return ON_TARGET, block, part, material, False
    entered = False
    if ahead >= 0:
        enter(track, ahead, way, plan, s)
        left_block, left_part = block, part
        block, part, material = volume_at(V, y, 0.0, block)
        entered = block >= 0 or left_block >= 0  # or it stopped at the edge of a side, in empty space
        if block >= 0:
            volumes.face_normal(V, block, part, y, s.n)
        elif left_block >= 0:
            volumes.face_normal(V, left_block, left_part, y, s.n)
    return ended(track, det, loss, plan), block, part, material, entered


@inlined
def travel(track, S, target, way, det, loss, plan, s):
    """Move a track to surface `target` of S in direction `way` (+1 forwards, -1 backwards, where energy is gained).

    Ends OK on the surface with k and rate of the arrival in `s`, J not yet settled; or with another status."""
    nudge = 10 * way * plan.boundary if det.volumes.sides.size > 0 else 0.0
    block, part, material = volume_at(det.volumes, track.y, nudge, -1)
    entered = False
    for _ in range(plan.max_steps):
        if not get_ready(track, material, entered, way, det, loss, plan, s):
            return OUT_OF_MAP
        status, block, part, material, entered = hop(track, S, target, block, part, material, way, det, loss, plan, s)
        if status == ON_TARGET:
            return approach(track, S, target, det, loss, material, plan, s)
        if status != OK:
            return status
    return STEP_LIMIT
