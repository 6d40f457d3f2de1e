"""Where a step meets the faces of thick volumes, and what a face does to the derivatives of a track."""

import math

from muonkit.core.compiled import inlined
from muonkit.core.indices import FREE_QOP, TX, TY, TZ, X, Y, Z
from muonkit.detector.kernels.places import locate, material_of
from muonkit.transport.kernels import step, volumes
from muonkit.transport.kernels.frames import slant
from muonkit.transport.kernels.tuples import Place

GRAZING = 1e-6  # |n.t| below which a track is tangent to a surface


@inlined
def nudge_of(way, scene):
    """How far [cm] from a face of a thick volume fields are looked up in direction `way`, to be behind it; 0 where
    there are no faces."""
    return 10 * way * scene.plan.boundary if scene.det.volumes.sides.size > 0 else 0.0


@inlined
def volume_at(V, y, ahead, hint):
    """The Place `ahead` [cm] further on. `hint`: block to look into first, or -1."""
    block, part = locate(V, y[X] + ahead * y[TX], y[Y] + ahead * y[TY], y[Z] + ahead * y[TZ], hint)
    return Place(block, part, material_of(V, block, part), False)


@inlined
def look_from(end, h, ahead, stages, y):
    """The end of the step that was tried, moved on by `ahead` [cm], with the direction it has there."""
    t = stages.t[3]
    end[X], end[Y], end[Z] = step.end_position(y, h, stages)
    for j in range(3):
        end[j] += ahead * t[j]
        end[TX + j] = t[j]


@inlined
def stop_at_face(track, h, aimed, longest, place, nudge, scene, work):
    """Correct a tried step that ends behind a face, or just before the one it aimed at.

    No correction makes the step longer than `longest`. Returns the step, and how far [cm] beyond its end the next
    volume begins: -1 if it ends within the volume. Faces are looked for from a little way off: no face is at distance
    0."""
    V, k, end, off = scene.det.volumes, work.k, work.end, scene.plan.boundary
    way = math.copysign(1.0, h)
    for _ in range(8):
        look_from(end, h, 0.0, work.stages, track.y)
        block, part = locate(V, end[X], end[Y], end[Z], place.block)
        inside = block == place.block and part == place.part
        if inside and not aimed:
            return h, -1.0
        look_from(end, h, -way * off if inside else way * off, work.stages, track.y)
        if inside:
            ahead = volumes.to_face(V, block, part, end, k, way, 0.1 * abs(h) + 2 * off) - off
            if ahead > 0.1 * abs(h) or abs(h) + ahead > longest:
                return h, -1.0
            if ahead < off:
                return h, max(ahead, 0.0)
            h += way * ahead
        else:
            back = volumes.to_face(V, block, part, end, k, -way, abs(h) + off) - off
            if back < off or abs(h) < off:
                return h, 0.0
            aimed = True
            h -= way * min(back, 0.9 * abs(h))
        step.try_step(track.y, h, nudge, scene, place.material, work.stages)
    return h, 0.0


@inlined
def jump(track, work):
    """A neighbouring track reaches the face work.n earlier or later and is bent and slowed there by the other volume.

    The old slopes are those of the end of the last step, the new ones those of the start of the next."""
    J, n = track.J, work.n
    across = slant(track.y, n)
    if abs(across) < GRAZING:
        return
    old, new = work.stages.k[1], work.k
    for c in range(5):
        ds = -(n[0] * J[X, c] + n[1] * J[Y, c] + n[2] * J[Z, c]) / across
        for j in range(3):
            J[TX + j, c] += ds * (old[j] - new[j])
        J[FREE_QOP, c] += ds * (work.stages.f[3, step.RATE] - work.rate[0])
