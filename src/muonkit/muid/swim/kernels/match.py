"""The nearest hit in a layer, and the update of the track with it. The twin of `muid.match`.

The covariance is that of the curvilinear frame (u, v normal to the track): displacements along the track are not in it,
as H u = 0 demands."""

import math

from muonkit.core.compiled import inlined
from muonkit.core.indices import (
    ALONG_U,
    ALONG_V,
    FREE_QOP,
    LOC0,
    LOC1,
    QOP,
    TO_U,
    TO_V,
    TX,
    TY,
    TZ,
    X,
    Y,
    Z,
)
from muonkit.muid.swim.kernels.planes import NO_SECTOR, slot_of
from muonkit.muid.swim.layout import MISSING
from muonkit.transport.kernels import frames, noise
from muonkit.transport.kernels.frames import FIRST, NORMAL, SECOND

SAME_PLANE = 2.0  # cm: hits nearer to the plane of the track are in it
FAR_PLANE = 50.0  # cm: hits of adjacent sectors are nearer than this
ON_PLANE = 1.0  # cm: how far such a hit may be from the plane of its own sector
LONGEST_SHIFT = 15.0  # cm along the track to that plane
PARALLEL = 1e-6  # |u.n| below which a track is tangent to a plane
RPC_GROWTH = (0.9, 0.4, 1.5)  # of the variance of a cluster of n strips: (0.9 + 0.4 (n - 1.5)^2)^1.5


@inlined
def first_of(hits, event, slot):
    """The first hit of an event at or behind a slot; they are sorted by event and slot."""
    low, high = hits.first[event], hits.first[event + 1]
    while low < high:
        middle = (low + high) // 2
        if hits.slot[middle] < slot:
            low = middle + 1
        else:
            high = middle
    return low


@inlined
def growth(strips):
    """Variance of a cluster of strips over that of one."""
    return (RPC_GROWTH[0] + RPC_GROWTH[1] * (strips - 1.5) * (strips - 1.5)) ** RPC_GROWTH[2]


@inlined
def across(S, i, own, position, y):
    """Square of the distance [cm^2] in the plane i of the track from the point y to a hit, whose own plane is `own`;
    inf if the hit is out of reach."""
    n = S.axes[i, NORMAL]
    d0, d1, d2 = position[0] - y[X], position[1] - y[Y], position[2] - y[Z]
    dn = d0 * n[0] + d1 * n[1] + d2 * n[2]
    if abs(dn) < SAME_PLANE:
        return d0 * d0 + d1 * d1 + d2 * d2 - dn * dn
    if own == MISSING or abs(dn) > FAR_PLANE:
        return math.inf
    n = S.axes[own, NORMAL]
    off = frames.distance(S, own, y)
    dn = d0 * n[0] + d1 * n[1] + d2 * n[2] + off
    tn = y[TX] * n[0] + y[TY] * n[1] + y[TZ] * n[2]
    if abs(dn) > ON_PLANE or abs(tn) < PARALLEL or abs(off / tn) > LONGEST_SHIFT:
        return math.inf
    d = off / tn
    e0, e1, e2 = d0 + d * y[TX] - n[0] * dn, d1 + d * y[TY] - n[1] * dn, d2 + d * y[TZ] - n[2] * dn
    return e0 * e0 + e1 * e1 + e2 * e2


@inlined
def own_plane(layout, hits, hit, sector):
    """The plane of a barrel hit in a sector beside `sector`; MISSING for any other."""
    sectors = layout.barrel.shape[1]
    apart = abs(hits.sector[hit] - sector)
    if apart != 1 and apart != sectors - 1:
        return MISSING
    return layout.barrel[hits.section[hit], hits.sector[hit], hits.slot[hit]]


@inlined
def is_lost(hits, hit, track):
    """Whether a hit was given to another track than this."""
    lost = False
    for i in range(hits.lost_first[track], hits.lost_first[track + 1]):
        lost |= hits.lost[i] == hits.row[hit]
    return lost


@inlined
def nearest(crossing, event, scene, y):
    """The nearest hit in the layer of a crossing and the plane that it is in; (MISSING, MISSING) if there is none. Of
    two hits at the same distance the first in the table is taken."""
    hits, S, i, sector = scene.hits, scene.transport.det.surfaces, crossing.i, crossing.sector
    slot = slot_of(crossing.region, crossing.section, crossing.layer)
    best, found, plane = math.inf, MISSING, MISSING
    for hit in range(first_of(hits, event, slot), hits.first[event + 1]):
        if hits.slot[hit] != slot:
            break
        if not abs(hits.time[hit] - scene.rules.mean_dt) <= scene.rules.max_dt or is_lost(hits, hit, crossing.row):
            continue
        own = own_plane(scene.layout, hits, hit, sector) if sector != NO_SECTOR else MISSING
        distance2 = across(S, i, own, hits.x[hit], y)
        if distance2 < best:
            best, found, plane = distance2, hit, i
            if sector != NO_SECTOR and hits.sector[hit] != sector and own != MISSING:
                plane = own
    return found, plane


@inlined
def project(S, i, y, work):
    """work.H (2, 2): derivatives of the local coordinates in plane i by displacements along u, v; False if the track is
    parallel to the plane."""
    first, second, n = S.axes[i, FIRST], S.axes[i, SECOND], S.axes[i, NORMAL]
    H, u, v = work.H, work.transport.u, work.transport.v
    tn = y[TX] * n[0] + y[TY] * n[1] + y[TZ] * n[2]
    if abs(tn) < PARALLEL:
        return False
    along0 = (y[TX] * first[0] + y[TY] * first[1] + y[TZ] * first[2]) / tn
    along1 = (y[TX] * second[0] + y[TY] * second[1] + y[TZ] * second[2]) / tn
    H[:] = 0.0
    for c in range(3):
        H[LOC0, ALONG_U] += (first[c] - along0 * n[c]) * u[c]
        H[LOC0, ALONG_V] += (first[c] - along0 * n[c]) * v[c]
        H[LOC1, ALONG_U] += (second[c] - along1 * n[c]) * u[c]
        H[LOC1, ALONG_V] += (second[c] - along1 * n[c]) * v[c]
    return True


@inlined
def residual(S, i, position, y, r):
    """H (x_hit - x): in the frame of plane i, along the track."""
    first, second, n = S.axes[i, FIRST], S.axes[i, SECOND], S.axes[i, NORMAL]
    d0, d1, d2 = position[0] - y[X], position[1] - y[Y], position[2] - y[Z]
    d = (d0 * n[0] + d1 * n[1] + d2 * n[2]) / (y[TX] * n[0] + y[TY] * n[1] + y[TZ] * n[2])
    d0, d1, d2 = d0 - d * y[TX], d1 - d * y[TY], d2 - d * y[TZ]
    r[LOC0] = d0 * first[0] + d1 * first[1] + d2 * first[2]
    r[LOC1] = d0 * second[0] + d1 * second[1] + d2 * second[2]


@inlined
def hit_variance(S, i, grows, width, rules, V):
    """Variances of a hit [cm^2] along the axes of plane i, which grow with its width (2,) or not."""
    for c in range(2):
        V[c] = S.sigma[i, c] * S.sigma[i, c] * rules.variance_factor
        if grows:
            V[c] *= growth(width[c])


@inlined
def projected(H, C, P):
    """P (2, 2) = H C H^T over the displacements of a curvilinear covariance."""
    for j in range(2):
        for m in range(2):
            total = 0.0
            for c in range(2):
                for other in range(2):
                    total += H[j, c] * C[c, other] * H[m, other]
            P[j, m] = total


@inlined
def passes(r, P, V, rules):
    """The gate: each coordinate (or, with `either`, one of the two) within so many sigma of track and hit together."""
    gate = rules.max_sigma * rules.max_sigma
    first = r[LOC0] * r[LOC0] <= gate * (P[LOC0, LOC0] + V[LOC0])
    second = r[LOC1] * r[LOC1] <= gate * (P[LOC1, LOC1] + V[LOC1])
    return (first or second) if rules.either else (first and second)


@inlined
def chi_square(r, P, V):
    """r (P + V)^-1 r and the determinant of P + V."""
    s00, s01, s11 = P[0, 0] + V[0], P[0, 1], P[1, 1] + V[1]
    det = s00 * s11 - s01 * s01
    return (r[0] * r[0] * s11 - 2 * r[0] * r[1] * s01 + r[1] * r[1] * s00) / det, det


@inlined
def gain(C, H, P, V, K):
    """K (5, 2) = C H^T (P + V)^-1."""
    s00, s01, s11 = P[0, 0] + V[0], P[0, 1], P[1, 1] + V[1]
    det = s00 * s11 - s01 * s01
    for j in range(5):
        first = C[j, ALONG_U] * H[LOC0, ALONG_U] + C[j, ALONG_V] * H[LOC0, ALONG_V]
        second = C[j, ALONG_U] * H[LOC1, ALONG_U] + C[j, ALONG_V] * H[LOC1, ALONG_V]
        K[j, LOC0] = (first * s11 - second * s01) / det
        K[j, LOC1] = (second * s00 - first * s01) / det


@inlined
def shrink(C, K, H, M):
    """C -> C - K H C, symmetric to the last bit; M is scratch."""
    for m in range(5):
        M[LOC0, m] = H[LOC0, ALONG_U] * C[ALONG_U, m] + H[LOC0, ALONG_V] * C[ALONG_V, m]
        M[LOC1, m] = H[LOC1, ALONG_U] * C[ALONG_U, m] + H[LOC1, ALONG_V] * C[ALONG_V, m]
    for j in range(5):
        for m in range(j + 1):
            value = C[j, m] - K[j, LOC0] * M[LOC0, m] - K[j, LOC1] * M[LOC1, m]
            C[j, m] = value
            C[m, j] = value


@inlined
def correction(K, r, j):
    """Element j of K r."""
    return K[j, LOC0] * r[LOC0] + K[j, LOC1] * r[LOC1]


@inlined
def shift(S, i, work, y):
    """Move the point and turn the momentum by K r; |p| stays. The point slides along the old direction to plane i."""
    n, K, r, u, v = S.axes[i, NORMAL], work.K, work.r, work.transport.u, work.transport.v
    tn = y[TX] * n[0] + y[TY] * n[1] + y[TZ] * n[2]
    for c in range(3):
        y[c] += u[c] * correction(K, r, ALONG_U) + v[c] * correction(K, r, ALONG_V)
    back = frames.distance(S, i, y) / tn
    size = 0.0
    for c in range(3):
        y[c] -= back * y[TX + c]
        y[TX + c] *= 1 - correction(K, r, QOP) / y[FREE_QOP]
        y[TX + c] += u[c] * correction(K, r, TO_U) + v[c] * correction(K, r, TO_V)
        size += y[TX + c] * y[TX + c]
    for c in range(3):
        y[TX + c] /= math.sqrt(size)


@inlined
def dot(one, other):
    return one[0] * other[0] + one[1] * other[1] + one[2] * other[2]


@inlined
def turn(C, before, y, work):
    """Write C in the axes of the new direction of y instead of those of the state `before`; u and v of the Workspace of
    the transport become the new ones.

    The momentum turns as a vector: what was an error of |p| is one of the angles, and the other way round."""
    F, qop, u, v = work.F, y[FREE_QOP], work.u, work.v
    old_u, old_v = work.M[0], work.M[1]
    old_t, t = before[TX:FREE_QOP], y[TX:FREE_QOP]
    for c in range(3):
        old_u[c], old_v[c] = u[c], v[c]
    frames.track_axes(y, u, v)
    F[:] = 0.0
    for j in (ALONG_U, TO_U):  # and the place behind it, for v
        F[j, j], F[j, j + 1] = dot(u, old_u), dot(u, old_v)
        F[j + 1, j], F[j + 1, j + 1] = dot(v, old_u), dot(v, old_v)
    F[TO_U, QOP], F[TO_V, QOP] = -dot(u, old_t) / qop, -dot(v, old_t) / qop
    F[QOP, TO_U], F[QOP, TO_V], F[QOP, QOP] = -qop * dot(t, old_u), -qop * dot(t, old_v), dot(t, old_t)
    noise.sandwich(F, C, work.M)
