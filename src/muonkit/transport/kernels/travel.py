"""A track from where it is to a surface, through field and thick volumes. Whatever ends it early is a status."""

import math

from muonkit.core.compiled import inlined
from muonkit.core.indices import FREE_QOP, TX, TY, TZ, X, Y, Z
from muonkit.core.units import CURVATURE
from muonkit.detector.volumes import NOWHERE
from muonkit.transport.kernels import frames, kicks, noise, slab, step, volumes
from muonkit.transport.kernels.faces import GRAZING, jump, nudge_of, stop_at_face, volume_at
from muonkit.transport.kernels.rotation import cross, times
from muonkit.transport.kernels.tuples import DEPTH, LOST, NEXT_STEP, NODES, PATH, TURNED, Place

OK, LOOPING, OUT_OF_MAP, STOPPED, TANGENT, STEP_LIMIT, NOT_POSITIVE_DEFINITE, LEFT, NO_START = range(9)
ON_TARGET = -1  # of `hop`: no status
NOTHING = -1  # target of `hop`
ARRIVED = 1e-7  # cm from the target: the rest is a parabola
SPARE = 0.05  # cm: the same where there are no thick volumes; the rest is of third order, right to 1e-9 cm
LARGEST_TURN = 1.0  # rad in one step: the way to a surface is foreseen as a parabola
FARTHEST = 500.0  # cm: over which the error of a direction is counted
SMALLEST = 1e-3  # cm: steps are not cut below this for the sake of the tolerance


@inlined
def slopes(y, ahead, scene, material, work):
    """work.k = dt/ds and work.rate = d lambda/ds at the point, looked up `ahead` [cm] further on; False outside the
    field map."""
    return step.start(y, ahead, scene, material, work.stages)


@inlined
def begin_bound(track, S, i, bound, work):
    """Put a track on surface i."""
    frames.to_free(S, i, bound, track.y)
    frames.start_bound(track, S, i, work)
    reset(track)


@inlined
def begin_free(track, free, cov, work):
    """Put a track at a free state (7,), with a curvilinear covariance."""
    for j in range(7):
        track.y[j] = free[j]
    for j in range(5):
        for k in range(5):
            track.C[j, k] = cov[j, k]
    frames.start_curvilinear(track, work)
    reset(track)


@inlined
def reset(track):
    """Path, angle, depth and total Jacobian of a new track; what is kept for the next sensor stays."""
    track.at[:LOST] = 0.0
    track.at[NEXT_STEP] = math.inf
    track.T[:] = 0.0
    for j in range(5):
        track.T[j, j] = 1.0


@inlined
def fold(track, plan, work):
    """Carry covariance and, if wanted, total Jacobian to the curvilinear frame here, from which J starts anew."""
    frames.end_curvilinear(track, work)
    noise.sandwich(work.F, track.C, work.M)
    if plan.jacobian:
        noise.product(work.F, track.T, work.M[0])
    frames.start_curvilinear(track, work)


@inlined
def settle_bound(track, S, i, work):
    """Carry covariance and total Jacobian to the bound parameters of surface i, from which J starts anew."""
    frames.end_bound(track, S, i, work)
    noise.sandwich(work.F, track.C, work.M)
    noise.product(work.F, track.T, work.M[0])
    frames.start_bound(track, S, i, work)


@inlined
def matter(track, h, before_qop, material, scene, work):
    """Noise of a step h in a thick volume, added in the curvilinear frame at its end.

    The momentum that counts is sqrt(p0 p1): the integral of 1/p^2 over a step in which p falls evenly is h/(p0 p1)."""
    y, plan, materials, mass = track.y, scene.plan, scene.det.materials, scene.loss.mass
    p = 1 / math.sqrt(y[FREE_QOP] * before_qop)
    if plan.lumped:
        slab.lump(track, slab.Slab(material, materials.xi[material], abs(h)), p, scene)
        return
    before = track.at[DEPTH]
    track.at[DEPTH] += abs(h) / materials.X0[material]
    angle = noise.highland(track.at[DEPTH], p, mass, plan.scattering)
    angle -= noise.highland(before, p, mass, plan.scattering)
    lost = noise.straggling(materials.xi[material] * abs(h), p, mass) if plan.straggling else 0.0
    step.slopes_at_end(work.stages)
    fold(track, plan, work)
    noise.add_noise(track.C, max(angle, 0.0), lost, y[FREE_QOP], mass, h if plan.correlated else 0.0)


@inlined
def limits(track, material, scene, work):
    """Longest step [cm] by angle, by what the last step allowed, and by energy loss."""
    k, loss, plan = work.k, scene.loss, scene.plan
    turn = math.sqrt(k[0] * k[0] + k[1] * k[1] + k[2] * k[2])
    longest = min(plan.max_step, track.at[NEXT_STEP], LARGEST_TURN / max(turn, 1e-300))
    if material == 0:
        return longest
    p = 1 / abs(track.y[FREE_QOP])
    if plan.lumped:  # then `slopes` has no loss
        lost = step.stopping(loss, material, p)[0]
    else:
        lost = abs(work.rate[0]) * p * p * p / math.sqrt(p * p + loss.mass * loss.mass)
    return min(longest, plan.max_loss * kinetic_energy(track.y, loss.mass) / max(lost, 1e-300))


@inlined
def kinetic_energy(y, mass):
    p = 1 / abs(y[FREE_QOP])
    return p * p / (math.sqrt(p * p + mass * mass) + mass)


@inlined
def attempt(track, h, far, nudge, material, scene, work):
    """Try a step and shorten it until its error at the target, `far` [cm] away, is below the tolerance, or so small
    that kicks at more places do the rest.

    Returns its length, 0 outside the map."""
    tolerance = scene.plan.tolerance
    allowed = kicks.allowed(scene)
    track.at[NODES] = 0
    for _ in range(30):
        error = step.try_step(track.y, h, nudge, scene, material, work.stages)
        if error < 0:
            return 0.0
        error *= max(far, abs(h))
        scale = 0.9 * (allowed / max(error, 1e-300)) ** 0.25
        if error <= allowed or abs(h) <= SMALLEST:
            track.at[NEXT_STEP] = abs(h) * max(scale, 1.0)
            track.at[NODES] = kicks.number(error, tolerance) if error <= allowed else 0
            return h
        h *= max(min(scale, 0.9), 0.2)
    return h


@inlined
def spare(scene):
    """How far [cm] from its target a step may end: a thick volume may begin behind ARRIVED."""
    return 0.0 if scene.det.volumes.sides.size > 0 else SPARE


@inlined
def sharpened(S, i, y, d, way, work):
    """Path [cm] to surface i, foreseen by the parabola, with the third order of a helix."""
    end, k, h = work.end, work.k, way * d
    bent = cross(step.row(work.stages.k, 0), step.scaled(CURVATURE * y[FREE_QOP], step.row(work.stages.B, step.START)))
    for j in range(3):
        end[j] = y[j] + h * (y[TX + j] + h / 2 * (k[j] + h / 3 * bent[j]))
        end[TX + j] = y[TX + j] + h * (k[j] + h / 2 * bent[j])
    frames.normal(S, i, end, work.n)
    across = frames.slant(end, work.n)
    more = -way * frames.distance(S, i, end) / across if abs(across) > GRAZING else 0.0
    return d + more if abs(more) < 0.1 * abs(d) else d


@inlined
def passes(track, h, i, scene, work):
    """Whether a tried step ends behind surface i, which the parabola foresaw further on."""
    S, end = scene.det.surfaces, work.end
    end[X], end[Y], end[Z] = step.end_position(track.y, h, work.stages)
    return frames.distance(S, i, track.y) * frames.distance(S, i, end) < 0


@inlined
def aim(track, h, i, nudge, material, scene, work):
    """Correct a tried step until it ends on surface i. Returns it and True, or half of it and False if it does not
    get there."""
    S, end, start, near = scene.det.surfaces, work.end, h, spare(scene)
    for _ in range(6):
        end[X], end[Y], end[Z] = step.end_position(track.y, h, work.stages)
        frames.normal(S, i, end, work.n)
        n, t = work.n, work.stages.t[3]
        across = n[0] * t[0] + n[1] * t[1] + n[2] * t[2]
        gap = frames.distance(S, i, end)
        if abs(gap) < max(ARRIVED, near * abs(across)):
            return h, True
        if abs(gap) > abs(across * start):
            break
        h -= gap / across
        step.try_step(track.y, h, nudge, scene, material, work.stages)
    step.try_step(track.y, 0.5 * start, nudge, scene, material, work.stages)
    return 0.5 * start, False


@inlined
def complete(track, h, scene, work):
    """Do the step that was tried, with its derivatives."""
    stages, y, want_gradient = work.stages, track.y, scene.plan.gradient
    if step.without_field(want_gradient, stages):
        step.fly(y, track.J, h, stages)
    else:
        step.by_lambda(y, h, stages)
        kicked = track.at[NODES] > 0 and kicks.follow(y, h, int(track.at[NODES]), scene, work)
        norm = step.move(y, h, stages)
        if kicked:
            kicks.put(work.end, y)
        step.move_derivatives(track.J, h, y, norm, want_gradient, stages)
    k = stages.k[1]
    track.at[PATH] += h
    track.at[TURNED] += abs(h) * math.sqrt(k[0] * k[0] + k[1] * k[1] + k[2] * k[2])


@inlined
def drift(track, d, want_gradient, work):
    """Behind a step, so short a bit that the third order of position and of its derivatives are exact to rounding."""
    y, J, k, B, G = track.y, track.J, work.k, work.stages.B, work.stages.G[step.END]
    lam, t, b = y[FREE_QOP], step.direction(y), step.scaled(CURVATURE, step.row(B, step.END))
    omega, turn = step.scaled(lam, b), cross(t, b)
    now = step.row(work.stages.k, 0)
    bent, sweep = step.plus(cross(now, omega), work.rate[0], turn), cross(now, b)
    if want_gradient:
        bent = step.plus(bent, CURVATURE * lam, cross(t, times(G, t)))
    for c in range(5):
        dt = J[TX, c], J[TY, c], J[TZ, c]
        dk = step.plus(cross(dt, omega), J[FREE_QOP, c], turn)
        if want_gradient:
            dk = step.plus(dk, CURVATURE * lam, cross(t, times(G, (J[X, c], J[Y, c], J[Z, c]))))
        more = step.plus(cross(dk, omega), J[FREE_QOP, c], sweep)
        for j in range(3):
            J[j, c] += d * (dt[j] + d / 2 * (dk[j] + d / 3 * more[j]))
            J[TX + j, c] += d * (dk[j] + d / 2 * more[j])
    for j in range(3):
        y[j] += d * (y[TX + j] + d / 2 * (k[j] + d / 3 * bent[j]))
        y[TX + j] += d * (k[j] + d / 2 * bent[j])
        k[j] += d * bent[j]
    y[FREE_QOP] += d * work.rate[0]
    track.at[PATH] += d


@inlined
def approach(track, i, material, scene, work):
    """Newton's steps, forwards or backwards, onto a surface that is a small step away; work.k and work.rate are those
    here, and are left behind for the arrival."""
    S, y, stages, near = scene.det.surfaces, track.y, work.stages, spare(scene)
    for _ in range(10):
        frames.normal(S, i, y, work.n)
        across = frames.slant(y, work.n)
        gap = frames.distance(S, i, y)
        if abs(across) < GRAZING:
            return TANGENT
        h = -gap / across
        if abs(gap) < ARRIVED or abs(h) < near:
            drift(track, sharpened(S, i, y, h, 1.0, work), scene.plan.gradient, work)
            return OK
        slopes(y, 0.0, scene, material, work)
        track.at[NODES] = 0
        if step.try_step(y, h, 0.0, scene, material, stages) < 0:
            return OUT_OF_MAP
        complete(track, h, scene, work)
        step.slopes_at_end(stages)
    return TANGENT


@inlined
def outside(det, y):
    """Whether the point has left the envelope of the detector."""
    r_max, z_min, z_max = det.envelope[0], det.envelope[1], det.envelope[2]
    return y[X] * y[X] + y[Y] * y[Y] > r_max * r_max or y[Z] < z_min or y[Z] > z_max


@inlined
def ended(track, scene):
    """The status of a track that may not go on, OK otherwise."""
    if track.at[TURNED] > scene.plan.max_turn:
        return LOOPING
    if not kinetic_energy(track.y, scene.loss.mass) > scene.plan.min_kinetic:
        return STOPPED
    return LEFT if outside(scene.det, track.y) else OK


@inlined
def enter(track, ahead, way, place, scene, work):
    """Go over the last bit in front of a face, and begin to count the matter of the next volume, whose Place is
    returned; the normal of the face is left in work.n."""
    V, y, plan = scene.det.volumes, track.y, scene.plan
    drift(track, way * (ahead + 0.01 * plan.boundary), plan.gradient, work)
    if plan.scattering == noise.PER_SLAB:
        track.at[DEPTH] = 0.0
    now = volume_at(V, y, 0.0, place.block)
    if now.block != NOWHERE:
        volumes.face_normal(V, now.block, now.part, y, work.n)
    elif place.block != NOWHERE:
        volumes.face_normal(V, place.block, place.part, y, work.n)
    else:
        return now  # it stopped at the edge of a side, in empty space
    return Place(now.block, now.part, now.material, True)


@inlined
def get_ready(track, place, way, scene, work):
    """Slopes at the start of a hop, and the jump of a face that has just been crossed; False outside the field map."""
    if not slopes(track.y, nudge_of(way, scene), scene, place.material, work):
        return False
    if place.entered:
        jump(track, work)
    return True


@inlined
def hop(track, target, place, way, scene, work):
    """One step, for which `get_ready` was called, towards surface `target`, or towards NOTHING. It ends there, at a
    face or where it must.

    Returns ON_TARGET (less than a small step away from it), OK or the status that ends the track, and its Place."""
    det, y, material = scene.det, track.y, place.material
    V, S, nudge = det.volumes, det.surfaces, nudge_of(way, scene)
    here = Place(place.block, place.part, material, False)
    thick = V.sides.size > 0
    to_target = math.inf
    if target != NOTHING:
        if abs(frames.distance(S, target, y)) < ARRIVED:
            return ON_TARGET, here
        to_target = frames.reach(S, target, y, work.k, way)
        if not thick and to_target < math.inf:
            to_target = sharpened(S, target, y, to_target, way, work)
    longest = min(to_target, limits(track, material, scene, work))
    aimed = volumes.to_face(V, place.block, place.part, y, work.k, way, longest) if thick else longest
    h = attempt(track, way * aimed, min(to_target, FARTHEST), nudge, material, scene, work)
    if h == 0.0:
        return OUT_OF_MAP, here
    arriving = abs(h) == to_target
    if arriving or (not thick and target != NOTHING and passes(track, h, target, scene, work)):
        h, arriving = aim(track, h, target, nudge, material, scene, work)
    ahead = -1.0
    if thick:
        wanted = h
        h, ahead = stop_at_face(track, h, abs(h) == aimed < longest, to_target, place, nudge, scene, work)
        arriving &= h == wanted
    before_qop = y[FREE_QOP]
    complete(track, h, scene, work)
    if material != 0:
        matter(track, h, before_qop, material, scene, work)
    if arriving:
        step.slopes_at_end(work.stages)
        return ON_TARGET, here
    if ahead >= 0:
        here = enter(track, ahead, way, place, scene, work)
    return ended(track, scene), here


@inlined
def travel(track, target, way, scene, work):
    """Move a track to surface `target` in direction `way` (+1 forwards, -1 backwards, where energy is gained).

    Ends OK on the surface with k and rate of the arrival in `work`, J not yet settled; or with another status."""
    place = volume_at(scene.det.volumes, track.y, nudge_of(way, scene), NOWHERE)
    if not step.hold(track.y, scene, work.stages):
        return OUT_OF_MAP
    for _ in range(scene.plan.max_steps):
        if not get_ready(track, place, way, scene, work):
            return OUT_OF_MAP
        status, place = hop(track, target, place, way, scene, work)
        if status == ON_TARGET:
            return approach(track, target, place.material, scene, work)
        if status != OK:
            return status
    return STEP_LIMIT
