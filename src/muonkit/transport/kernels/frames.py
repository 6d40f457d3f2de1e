"""Bound parameters on a surface and the free state: values and derivatives. The twin of `detector.surfaces`.

Bound: (loc0, loc1, phi, theta, q/p). Curvilinear: displacements along two axes u, v normal to the track, angles towards
them, q/p; it has no poles, so noise is added there."""

import math

from muonkit.core.compiled import inlined
from muonkit.core.indices import (
    ALONG_U,
    ALONG_V,
    FREE_QOP,
    LOC0,
    LOC1,
    PHI,
    QOP,
    THETA,
    TO_U,
    TO_V,
    TX,
    TY,
    TZ,
    X,
    Y,
    Z,
)
from muonkit.detector.surfaces import CYLINDER  # planes and discs differ in their bounds only

FORWARD = 0.9999  # |t_z| above which the curvilinear axes are built from x
FIRST, SECOND, NORMAL = range(3)  # axes of a surface; of a cylinder, the last is its axis


@inlined
def distance(S, i, y):
    """Signed distance [cm] of the point from the plane, or from the cylinder (positive outside)."""
    d0, d1, d2 = y[X] - S.center[i, 0], y[Y] - S.center[i, 1], y[Z] - S.center[i, 2]
    w = S.axes[i, NORMAL]
    along = d0 * w[0] + d1 * w[1] + d2 * w[2]
    if S.kind[i] != CYLINDER:
        return along
    return math.sqrt(max(d0 * d0 + d1 * d1 + d2 * d2 - along * along, 0.0)) - S.radius[i]


@inlined
def normal(S, i, y, n):
    """Unit normal at the point, outwards for a cylinder."""
    w = S.axes[i, NORMAL]
    if S.kind[i] != CYLINDER:
        n[0], n[1], n[2] = w[0], w[1], w[2]
        return
    d0, d1, d2 = y[X] - S.center[i, 0], y[Y] - S.center[i, 1], y[Z] - S.center[i, 2]
    along = d0 * w[0] + d1 * w[1] + d2 * w[2]
    n[0], n[1], n[2] = d0 - along * w[0], d1 - along * w[1], d2 - along * w[2]
    size = max(math.sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]), 1e-300)
    n[0] /= size
    n[1] /= size
    n[2] /= size


@inlined
def slant(y, n):
    """n.t: the cosine of the angle between the track and a normal."""
    return n[0] * y[TX] + n[1] * y[TY] + n[2] * y[TZ]


@inlined
def first_axis(S, i, n, u):
    """The unit vector of growing loc0 at a point whose normal is n."""
    if S.kind[i] != CYLINDER:
        u[0], u[1], u[2] = S.axes[i, FIRST, 0], S.axes[i, FIRST, 1], S.axes[i, FIRST, 2]
        return
    w = S.axes[i, NORMAL]
    u[0] = w[1] * n[2] - w[2] * n[1]
    u[1] = w[2] * n[0] - w[0] * n[2]
    u[2] = w[0] * n[1] - w[1] * n[0]


@inlined
def second_axis(S, i, v):
    """The unit vector of growing loc1."""
    j = NORMAL if S.kind[i] == CYLINDER else SECOND
    v[0], v[1], v[2] = S.axes[i, j, 0], S.axes[i, j, 1], S.axes[i, j, 2]


@inlined
def to_free(S, i, bound, y):
    """The free state of bound parameters on surface i."""
    axes = S.axes[i]
    if S.kind[i] == CYLINDER:
        phi = bound[LOC0] / S.radius[i]
        along_u, along_v, along_w = S.radius[i] * math.cos(phi), S.radius[i] * math.sin(phi), bound[LOC1]
    else:
        along_u, along_v, along_w = bound[LOC0], bound[LOC1], 0.0
    for j in range(3):
        y[j] = S.center[i, j] + along_u * axes[FIRST, j] + along_v * axes[SECOND, j] + along_w * axes[NORMAL, j]
    sin = math.sin(bound[THETA])
    y[TX] = sin * math.cos(bound[PHI])
    y[TY] = sin * math.sin(bound[PHI])
    y[TZ] = math.cos(bound[THETA])
    y[FREE_QOP] = bound[QOP]


@inlined
def to_bound(S, i, y, bound):
    """The bound parameters of a free state that is on surface i."""
    d0, d1, d2 = y[X] - S.center[i, 0], y[Y] - S.center[i, 1], y[Z] - S.center[i, 2]
    axes = S.axes[i]
    along_u = d0 * axes[FIRST, 0] + d1 * axes[FIRST, 1] + d2 * axes[FIRST, 2]
    along_v = d0 * axes[SECOND, 0] + d1 * axes[SECOND, 1] + d2 * axes[SECOND, 2]
    if S.kind[i] == CYLINDER:
        bound[LOC0] = S.radius[i] * math.atan2(along_v, along_u)
        bound[LOC1] = d0 * axes[NORMAL, 0] + d1 * axes[NORMAL, 1] + d2 * axes[NORMAL, 2]
    else:
        bound[LOC0], bound[LOC1] = along_u, along_v
    bound[PHI] = math.atan2(y[TY], y[TX])
    bound[THETA] = math.atan2(math.sqrt(y[TX] * y[TX] + y[TY] * y[TY]), y[TZ])
    bound[QOP] = y[FREE_QOP]


@inlined
def start_bound(track, S, i, work):
    """track.J = d free / d bound at the surface."""
    y, J, n, u, v = track.y, track.J, work.n, work.u, work.v
    normal(S, i, y, n)
    first_axis(S, i, n, u)
    second_axis(S, i, v)
    J[:] = 0.0
    for j in range(3):
        J[j, LOC0], J[j, LOC1] = u[j], v[j]
    sin = max(math.sqrt(y[TX] * y[TX] + y[TY] * y[TY]), 1e-300)
    J[TX, PHI], J[TY, PHI] = -y[TY], y[TX]
    J[TX, THETA], J[TY, THETA], J[TZ, THETA] = y[TX] * y[TZ] / sin, y[TY] * y[TZ] / sin, -sin
    J[FREE_QOP, QOP] = 1.0


@inlined
def end_bound(track, S, i, work):
    """work.F (5 x 5) = d bound / d start of a track that ends on the surface: the path follows the start parameters."""
    y, J, F, n, u, v, k = track.y, track.J, work.F, work.n, work.u, work.v, work.k
    normal(S, i, y, n)
    first_axis(S, i, n, u)
    second_axis(S, i, v)
    across = slant(y, n)
    sin2 = max(y[TX] * y[TX] + y[TY] * y[TY], 1e-300)
    sin = math.sqrt(sin2)
    for c in range(5):
        ds = -(n[0] * J[X, c] + n[1] * J[Y, c] + n[2] * J[Z, c]) / across
        x0, x1, x2 = J[X, c] + ds * y[TX], J[Y, c] + ds * y[TY], J[Z, c] + ds * y[TZ]
        t0, t1, t2 = J[TX, c] + ds * k[0], J[TY, c] + ds * k[1], J[TZ, c] + ds * k[2]
        F[LOC0, c] = u[0] * x0 + u[1] * x1 + u[2] * x2
        F[LOC1, c] = v[0] * x0 + v[1] * x1 + v[2] * x2
        F[PHI, c] = (y[TX] * t1 - y[TY] * t0) / sin2
        F[THETA, c] = (y[TZ] * (y[TX] * t0 + y[TY] * t1) - sin2 * t2) / sin
        F[QOP, c] = J[FREE_QOP, c] + ds * work.rate[0]


@inlined
def track_axes(y, u, v):
    """Two unit vectors normal to the track: u = z x t normalised (x x t close to the z axis), v = t x u."""
    t0, t1, t2 = y[TX], y[TY], y[TZ]
    if abs(t2) < FORWARD:
        u[0], u[1], u[2] = -t1, t0, 0.0
    else:
        u[0], u[1], u[2] = 0.0, -t2, t1
    size = math.sqrt(u[0] * u[0] + u[1] * u[1] + u[2] * u[2])
    u[0] /= size
    u[1] /= size
    u[2] /= size
    v[0] = t1 * u[2] - t2 * u[1]
    v[1] = t2 * u[0] - t0 * u[2]
    v[2] = t0 * u[1] - t1 * u[0]


@inlined
def start_curvilinear(track, work):
    """track.J = d free / d (along u, along v, angle to u, angle to v, q/p)."""
    J, u, v = track.J, work.u, work.v
    track_axes(track.y, u, v)
    J[:] = 0.0
    for j in range(3):
        J[j, ALONG_U], J[j, ALONG_V] = u[j], v[j]
        J[TX + j, TO_U], J[TX + j, TO_V] = u[j], v[j]
    J[FREE_QOP, QOP] = 1.0


@inlined
def end_curvilinear(track, work):
    """work.F (5 x 5) = d curvilinear / d start on the plane normal to the track."""
    y, J, F, u, v, k = track.y, track.J, work.F, work.u, work.v, work.k
    track_axes(y, u, v)
    for c in range(5):
        ds = -(y[TX] * J[X, c] + y[TY] * J[Y, c] + y[TZ] * J[Z, c])
        t0, t1, t2 = J[TX, c] + ds * k[0], J[TY, c] + ds * k[1], J[TZ, c] + ds * k[2]
        F[ALONG_U, c] = u[0] * J[X, c] + u[1] * J[Y, c] + u[2] * J[Z, c]
        F[ALONG_V, c] = v[0] * J[X, c] + v[1] * J[Y, c] + v[2] * J[Z, c]
        F[TO_U, c] = u[0] * t0 + u[1] * t1 + u[2] * t2
        F[TO_V, c] = v[0] * t0 + v[1] * t1 + v[2] * t2
        F[QOP, c] = J[FREE_QOP, c] + ds * work.rate[0]


@inlined
def reach(S, i, y, k, way):
    """Path [cm] in direction `way` (+1, -1) to the surface along the parabola of the track; inf if it is not met."""
    w = S.axes[i, NORMAL]
    tw = y[TX] * w[0] + y[TY] * w[1] + y[TZ] * w[2]
    kw = k[0] * w[0] + k[1] * w[1] + k[2] * w[2]
    if S.kind[i] != CYLINDER:
        return forward_root(0.5 * kw, way * tw, distance(S, i, y))
    d0, d1, d2 = y[X] - S.center[i, 0], y[Y] - S.center[i, 1], y[Z] - S.center[i, 2]
    along = d0 * w[0] + d1 * w[1] + d2 * w[2]
    square = 1 - tw * tw + d0 * k[0] + d1 * k[1] + d2 * k[2] - along * kw
    linear = 2 * way * (d0 * y[TX] + d1 * y[TY] + d2 * y[TZ] - along * tw)
    constant = d0 * d0 + d1 * d1 + d2 * d2 - along * along - S.radius[i] * S.radius[i]
    return forward_root(square, linear, constant)


@inlined
def forward_root(square, linear, constant):
    """The smallest root d >= 0 of square d^2 + linear d + constant, without cancellation; inf if there is none."""
    if constant == 0.0:
        return 0.0
    under = linear * linear - 4 * square * constant
    if under < 0:
        return math.inf
    larger = -0.5 * (linear + math.copysign(math.sqrt(under), linear))
    first = constant / larger if larger != 0 else math.inf
    second = larger / square if square != 0 else math.inf
    low, high = min(first, second), max(first, second)
    if low > 0:
        return low
    return high if high > 0 else math.inf
