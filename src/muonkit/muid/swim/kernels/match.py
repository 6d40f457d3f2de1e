"""The nearest hit in a layer, and the update of the track with it. The twin of `muid.match`.

The covariance is that of the curvilinear frame (u, v normal to the track): displacements along the track are not in it,
as H u = 0 demands."""

import math

from muonkit.core.compiled import inlined
from muonkit.transport.kernels import frames, noise

SAME_PLANE = 2.0  # cm: hits nearer to the plane of the track are in it
FAR_PLANE = 50.0  # cm: hits of adjacent sectors are nearer than this
ON_PLANE = 1.0  # cm: how far such a hit may be from the plane of its own sector
LONGEST_SHIFT = 15.0  # cm along the track to that plane
PARALLEL = 1e-6  # |u.n| below which a track is tangent to a plane
RPC_GROWTH = (0.9, 0.4, 1.5)  # of the variance of a cluster of n strips: (0.9 + 0.4 (n - 1.5)^2)^1.5


@inlined
def first_row(hits, event, slot):
    """First row of an event at or behind a slot; rows are sorted by event and slot."""
    low, high = hits.first[event], hits.first[event + 1]
    while low < high:
        middle = (low + high) // 2
        if hits.slot[middle] < slot:
            low = middle + 1
        else:
            high = middle
    return low


@inlined
def growth(n):
    """Variance of a cluster of n strips over that of one."""
    return (RPC_GROWTH[0] + RPC_GROWTH[1] * (n - 1.5) * (n - 1.5)) ** RPC_GROWTH[2]


@inlined
def across(S, i, j, hits, k, y):
    """Square of the distance [cm^2] in the plane i of the track from the point y to hit k, whose own plane is j; inf if
    the hit is out of reach."""
    n = S.axes[i, 2]
    d0, d1, d2 = hits.x[k, 0] - y[0], hits.x[k, 1] - y[1], hits.x[k, 2] - y[2]
    dn = d0 * n[0] + d1 * n[1] + d2 * n[2]
    if abs(dn) < SAME_PLANE:
        return d0 * d0 + d1 * d1 + d2 * d2 - dn * dn
    if j < 0 or abs(dn) > FAR_PLANE:
        return math.inf
    m = S.axes[j, 2]
    off = frames.distance(S, j, y)
    dm = d0 * m[0] + d1 * m[1] + d2 * m[2] + off
    um = y[3] * m[0] + y[4] * m[1] + y[5] * m[2]
    if abs(dm) > ON_PLANE or abs(um) < PARALLEL or abs(off / um) > LONGEST_SHIFT:
        return math.inf
    q = off / um
    e0, e1, e2 = d0 + q * y[3] - m[0] * dm, d1 + q * y[4] - m[1] * dm, d2 + q * y[5] - m[2] * dm
    return e0 * e0 + e1 * e1 + e2 * e2


@inlined
def own_plane(L, hits, k, sector):
    """The plane of a barrel hit in a sector beside `sector`; -1 for any other."""
    sectors = L.barrel.shape[1]
    apart = abs(hits.sector[k] - sector)
    if apart != 1 and apart != sectors - 1:
        return -1
    return L.barrel[hits.section[k], hits.sector[k], hits.slot[k]]


@inlined
def nearest(L, S, i, slot, sector, hits, event, rules, y):
    """Row of the nearest hit in a layer and the plane that it is in; (-1, -1) if there is none. Of two hits at the same
    distance the first in the table is taken."""
    best, found, plane = math.inf, -1, -1
    for k in range(first_row(hits, event, slot), hits.first[event + 1]):
        if hits.slot[k] != slot:
            break
        if not abs(hits.time[k] - rules.mean_dt) <= rules.max_dt:
            continue
        j = own_plane(L, hits, k, sector) if sector >= 0 else -1
        distance2 = across(S, i, j, hits, k, y)
        if distance2 < best:
            best, found, plane = distance2, k, i
            if sector >= 0 and hits.sector[k] != sector and j >= 0:
                plane = j
    return found, plane


@inlined
def project(S, j, y, s, H):
    """H (2, 2): derivatives of the local coordinates in plane j by displacements along s.u, s.v; False if the track is
    parallel to the plane."""
    a, b, n = S.axes[j, 0], S.axes[j, 1], S.axes[j, 2]
    tn = y[3] * n[0] + y[4] * n[1] + y[5] * n[2]
    if abs(tn) < PARALLEL:
        return False
    ta = (y[3] * a[0] + y[4] * a[1] + y[5] * a[2]) / tn
    tb = (y[3] * b[0] + y[4] * b[1] + y[5] * b[2]) / tn
    H[:] = 0.0
    for c in range(3):
        H[0, 0] += (a[c] - ta * n[c]) * s.u[c]
        H[0, 1] += (a[c] - ta * n[c]) * s.v[c]
        H[1, 0] += (b[c] - tb * n[c]) * s.u[c]
        H[1, 1] += (b[c] - tb * n[c]) * s.v[c]
    return True


@inlined
def residual(S, j, hits, k, y, r):
    """H (x_hit - x): in the frame of plane j, along the track."""
    a, b, n = S.axes[j, 0], S.axes[j, 1], S.axes[j, 2]
    d0, d1, d2 = hits.x[k, 0] - y[0], hits.x[k, 1] - y[1], hits.x[k, 2] - y[2]
    q = (d0 * n[0] + d1 * n[1] + d2 * n[2]) / (y[3] * n[0] + y[4] * n[1] + y[5] * n[2])
    d0, d1, d2 = d0 - q * y[3], d1 - q * y[4], d2 - q * y[5]
    r[0] = d0 * a[0] + d1 * a[1] + d2 * a[2]
    r[1] = d0 * b[0] + d1 * b[1] + d2 * b[2]


@inlined
def hit_variance(L, S, i, hits, k, rules, V):
    """Variances of hit k [cm^2] along the axes of plane i."""
    for c in range(2):
        V[c] = S.sigma[i, c] * S.sigma[i, c] * rules.variance_factor
        if L.grows[i]:
            V[c] *= growth(hits.width[k, c])


@inlined
def projected(H, C, P):
    """P (2, 2) = H C H^T over the displacements of a curvilinear covariance."""
    for a in range(2):
        for b in range(2):
            total = 0.0
            for c in range(2):
                for d in range(2):
                    total += H[a, c] * C[c, d] * H[b, d]
            P[a, b] = total


@inlined
def passes(r, P, V, rules):
    """The gate: each coordinate (or, with `either`, one of the two) within so many sigma of track and hit together."""
    gate = rules.max_sigma * rules.max_sigma
    first, second = r[0] * r[0] <= gate * (P[0, 0] + V[0]), r[1] * r[1] <= gate * (P[1, 1] + V[1])
    return (first or second) if rules.either else (first and second)


@inlined
def chi_square(r, P, V):
    """r (P + V)^-1 r and the determinant of P + V."""
    a, b, c = P[0, 0] + V[0], P[0, 1], P[1, 1] + V[1]
    det = a * c - b * b
    return (r[0] * r[0] * c - 2 * r[0] * r[1] * b + r[1] * r[1] * a) / det, det


@inlined
def gain(C, H, P, V, K):
    """K (5, 2) = C H^T (P + V)^-1."""
    a, b, c = P[0, 0] + V[0], P[0, 1], P[1, 1] + V[1]
    det = a * c - b * b
    for m in range(5):
        first = C[m, 0] * H[0, 0] + C[m, 1] * H[0, 1]
        second = C[m, 0] * H[1, 0] + C[m, 1] * H[1, 1]
        K[m, 0] = (first * c - second * b) / det
        K[m, 1] = (second * a - first * b) / det


@inlined
def shrink(C, K, H, M):
    """C -> C - K H C, symmetric to the last bit."""
    for m in range(5):
        M[0, m] = H[0, 0] * C[0, m] + H[0, 1] * C[1, m]
        M[1, m] = H[1, 0] * C[0, m] + H[1, 1] * C[1, m]
    for m in range(5):
        for q in range(m + 1):
            value = C[m, q] - K[m, 0] * M[0, q] - K[m, 1] * M[1, q]
            C[m, q] = value
            C[q, m] = value


@inlined
def shift(S, i, K, r, s, y):
    """Move the point and turn the momentum by K r; |p| stays. The point slides along the old direction to plane i."""
    n = S.axes[i, 2]
    tn = y[3] * n[0] + y[4] * n[1] + y[5] * n[2]
    for c in range(3):
        y[c] += s.u[c] * (K[0, 0] * r[0] + K[0, 1] * r[1]) + s.v[c] * (K[1, 0] * r[0] + K[1, 1] * r[1])
    back = frames.distance(S, i, y) / tn
    size = 0.0
    for c in range(3):
        y[c] -= back * y[3 + c]
        y[3 + c] *= 1 - (K[4, 0] * r[0] + K[4, 1] * r[1]) / y[6]
        y[3 + c] += s.u[c] * (K[2, 0] * r[0] + K[2, 1] * r[1]) + s.v[c] * (K[3, 0] * r[0] + K[3, 1] * r[1])
        size += y[3 + c] * y[3 + c]
    for c in range(3):
        y[3 + c] /= math.sqrt(size)


@inlined
def dot(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@inlined
def turn(C, old, y, s):
    """Write C in the axes of the new direction of y instead of those of `old`; s.u and s.v become the new ones.

    The momentum turns as a vector: what was an error of |p| is one of the angles, and the other way round."""
    F, lam = s.F, y[6]
    u, v = s.M[0], s.M[1]
    for c in range(3):
        u[c], v[c] = s.u[c], s.v[c]
    frames.track_axes(y, s.u, s.v)
    F[:] = 0.0
    for a in range(0, 4, 2):
        F[a, a], F[a, a + 1] = dot(s.u, u), dot(s.u, v)
        F[a + 1, a], F[a + 1, a + 1] = dot(s.v, u), dot(s.v, v)
    F[2, 4], F[3, 4] = -dot(s.u, old[3:6]) / lam, -dot(s.v, old[3:6]) / lam
    F[4, 2], F[4, 3], F[4, 4] = -lam * dot(y[3:6], u), -lam * dot(y[3:6], v), dot(y[3:6], old[3:6])
    noise.sandwich(F, C, s.M)
