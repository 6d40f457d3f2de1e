"""Where a step meets the faces of thick volumes, and what a face does to the derivatives of a track."""

import math

from muonkit.core.compiled import inlined
from muonkit.detector.kernels.places import locate, material_of
from muonkit.transport.kernels import step, volumes

GRAZING = 1e-6  # |n.t| below which a track is tangent to a surface


@inlined
def volume_at(V, y, e, hint):
    """The volume `e` [cm] further on: block, slice and material. `hint`: block to look into first, or -1."""
    block, part = locate(V, y[0] + e * y[3], y[1] + e * y[4], y[2] + e * y[5], hint)
    return block, part, material_of(V, block, part)


@inlined
def look_from(end, h, on, w, y):
    """The end of the step that was tried, moved on by `on` [cm], with the direction it has there."""
    t = w.t[3]
    end[0], end[1], end[2] = step.end_position(y, h, w)
    for i in range(3):
        end[i] += on * t[i]
        end[3 + i] = t[i]


@inlined
def stop_at_face(track, h, aimed, longest, block, part, nudge, det, loss, material, plan, s):
    """Correct a tried step that ends behind a face, or just before the one it aimed at.

    No correction makes the step longer than `longest`. Returns the step, and how far [cm] beyond its end the next
    volume begins: -1 if it ends within the volume. Faces are looked for from a little way off: no face is at distance
    0."""
    V, k, way, end, e = det.volumes, s.k, math.copysign(1.0, h), s.end, plan.boundary
    for _ in range(8):
        look_from(end, h, 0.0, s.work, track.y)
        now = locate(V, end[0], end[1], end[2], block)
        inside = now[0] == block and now[1] == part
        look_from(end, h, -way * e if inside else way * e, s.work, track.y)
        if inside:
            ahead = volumes.to_face(V, block, part, end, k, way) - e
            if not aimed or ahead > 0.1 * abs(h) or abs(h) + ahead > longest:
                return h, -1.0
            if ahead < e:
                return h, max(ahead, 0.0)
            h += way * ahead
        else:
            back = volumes.to_face(V, now[0], now[1], end, k, -way) - e
            if back < e or abs(h) < e:
                return h, 0.0
            aimed = True
            h -= way * min(back, 0.9 * abs(h))
        step.try_step(track.y, h, nudge, det, loss, material, plan.gradient, s.work)
    return h, 0.0


@inlined
def jump(J, y, s):
    """A neighbouring track reaches the face s.n earlier or later and is bent and slowed there by the other volume.

    The old slopes are those of the end of the last step, the new ones those of the start of the next."""
    across = s.n[0] * y[3] + s.n[1] * y[4] + s.n[2] * y[5]
    if abs(across) < GRAZING:
        return
    old, new = s.work.k[1], s.k
    for c in range(5):
        ds = -(s.n[0] * J[0, c] + s.n[1] * J[1, c] + s.n[2] * J[2, c]) / across
        for i in range(3):
            J[3 + i, c] += ds * (old[i] - new[i])
        J[6, c] += ds * (s.work.f[3, 0] - s.rate[0])
