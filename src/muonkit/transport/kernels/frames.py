"""Bound parameters on a surface and the free state: values and derivatives. The twin of `detector.surfaces`.

Bound: (loc0, loc1, phi, theta, q/p). Curvilinear: displacements along two axes u, v normal to the track, angles towards
them, q/p; it has no poles, so noise is added there."""

import math

from muonkit.core.compiled import inlined

CYLINDER = 1  # of detector.surfaces.KIND; planes and discs differ in their bounds only
FORWARD = 0.9999  # |t_z| above which the curvilinear axes are built from x


@inlined
def distance(S, i, y):
    """Signed distance [cm] of the point from the plane, or from the cylinder (positive outside)."""
    d0, d1, d2 = y[0] - S.center[i, 0], y[1] - S.center[i, 1], y[2] - S.center[i, 2]
    w = S.axes[i, 2]
    along = d0 * w[0] + d1 * w[1] + d2 * w[2]
    if S.kind[i] != CYLINDER:
        return along
    return math.sqrt(max(d0 * d0 + d1 * d1 + d2 * d2 - along * along, 0.0)) - S.radius[i]


@inlined
def normal(S, i, y, n):
    """Unit normal at the point, outwards for a cylinder."""
    w = S.axes[i, 2]
    if S.kind[i] != CYLINDER:
        n[0], n[1], n[2] = w[0], w[1], w[2]
        return
    d0, d1, d2 = y[0] - S.center[i, 0], y[1] - S.center[i, 1], y[2] - S.center[i, 2]
    along = d0 * w[0] + d1 * w[1] + d2 * w[2]
    n[0], n[1], n[2] = d0 - along * w[0], d1 - along * w[1], d2 - along * w[2]
    size = max(math.sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]), 1e-300)
    n[0] /= size
    n[1] /= size
    n[2] /= size


@inlined
def first_axis(S, i, n, u):
    """The unit vector of growing loc0 at a point whose normal is n."""
    if S.kind[i] != CYLINDER:
        u[0], u[1], u[2] = S.axes[i, 0, 0], S.axes[i, 0, 1], S.axes[i, 0, 2]
        return
    w = S.axes[i, 2]
    u[0] = w[1] * n[2] - w[2] * n[1]
    u[1] = w[2] * n[0] - w[0] * n[2]
    u[2] = w[0] * n[1] - w[1] * n[0]


@inlined
def second_axis(S, i, v):
    """The unit vector of growing loc1."""
    row = 2 if S.kind[i] == CYLINDER else 1
    v[0], v[1], v[2] = S.axes[i, row, 0], S.axes[i, row, 1], S.axes[i, row, 2]


@inlined
def to_free(S, i, bound, y):
    """The free state of bound parameters on surface i."""
    a = S.axes[i]
    if S.kind[i] == CYLINDER:
        phi = bound[0] / S.radius[i]
        c, s, along = S.radius[i] * math.cos(phi), S.radius[i] * math.sin(phi), bound[1]
    else:
        c, s, along = bound[0], bound[1], 0.0
    for j in range(3):
        y[j] = S.center[i, j] + c * a[0, j] + s * a[1, j] + along * a[2, j]
    sin = math.sin(bound[3])
    y[3] = sin * math.cos(bound[2])
    y[4] = sin * math.sin(bound[2])
    y[5] = math.cos(bound[3])
    y[6] = bound[4]


@inlined
def to_bound(S, i, y, bound):
    """The bound parameters of a free state that is on surface i."""
    d0, d1, d2 = y[0] - S.center[i, 0], y[1] - S.center[i, 1], y[2] - S.center[i, 2]
    a = S.axes[i]
    l0 = d0 * a[0, 0] + d1 * a[0, 1] + d2 * a[0, 2]
    l1 = d0 * a[1, 0] + d1 * a[1, 1] + d2 * a[1, 2]
    if S.kind[i] == CYLINDER:
        bound[0] = S.radius[i] * math.atan2(l1, l0)
        bound[1] = d0 * a[2, 0] + d1 * a[2, 1] + d2 * a[2, 2]
    else:
        bound[0], bound[1] = l0, l1
    bound[2] = math.atan2(y[4], y[3])
    bound[3] = math.atan2(math.sqrt(y[3] * y[3] + y[4] * y[4]), y[5])
    bound[4] = y[6]


@inlined
def start_bound(S, i, y, n, u, v, J):
    """J = d free / d bound at the surface; n, u, v are scratch."""
    normal(S, i, y, n)
    first_axis(S, i, n, u)
    second_axis(S, i, v)
    J[:] = 0.0
    for j in range(3):
        J[j, 0], J[j, 1] = u[j], v[j]
    sin = max(math.sqrt(y[3] * y[3] + y[4] * y[4]), 1e-300)
    J[3, 2], J[4, 2] = -y[4], y[3]
    J[3, 3], J[4, 3], J[5, 3] = y[3] * y[5] / sin, y[4] * y[5] / sin, -sin
    J[6, 4] = 1.0


@inlined
def end_bound(S, i, y, k, rate, n, u, v, J, F):
    """F (5 x 5) = d bound / d start of a track that ends on the surface: the path follows the start parameters.

    k = dt/ds and rate = d lambda/ds at the end."""
    normal(S, i, y, n)
    first_axis(S, i, n, u)
    second_axis(S, i, v)
    across = n[0] * y[3] + n[1] * y[4] + n[2] * y[5]
    sin2 = max(y[3] * y[3] + y[4] * y[4], 1e-300)
    sin = math.sqrt(sin2)
    for c in range(5):
        ds = -(n[0] * J[0, c] + n[1] * J[1, c] + n[2] * J[2, c]) / across
        x0, x1, x2 = J[0, c] + ds * y[3], J[1, c] + ds * y[4], J[2, c] + ds * y[5]
        t0, t1, t2 = J[3, c] + ds * k[0], J[4, c] + ds * k[1], J[5, c] + ds * k[2]
        F[0, c] = u[0] * x0 + u[1] * x1 + u[2] * x2
        F[1, c] = v[0] * x0 + v[1] * x1 + v[2] * x2
        F[2, c] = (y[3] * t1 - y[4] * t0) / sin2
        F[3, c] = (y[5] * (y[3] * t0 + y[4] * t1) - sin2 * t2) / sin
        F[4, c] = J[6, c] + ds * rate


@inlined
def track_axes(y, u, v):
    """Two unit vectors normal to the track: u = z x t normalised (x x t close to the z axis), v = t x u."""
    t0, t1, t2 = y[3], y[4], y[5]
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
def start_curvilinear(y, u, v, J):
    """J = d free / d (u, v, angle to u, angle to v, lambda)."""
    track_axes(y, u, v)
    J[:] = 0.0
    for j in range(3):
        J[j, 0], J[j, 1] = u[j], v[j]
        J[3 + j, 2], J[3 + j, 3] = u[j], v[j]
    J[6, 4] = 1.0


@inlined
def end_curvilinear(y, k, rate, u, v, J, F):
    """F (5 x 5) = d curvilinear / d start on the plane normal to the track."""
    track_axes(y, u, v)
    for c in range(5):
        ds = -(y[3] * J[0, c] + y[4] * J[1, c] + y[5] * J[2, c])
        t0, t1, t2 = J[3, c] + ds * k[0], J[4, c] + ds * k[1], J[5, c] + ds * k[2]
        F[0, c] = u[0] * J[0, c] + u[1] * J[1, c] + u[2] * J[2, c]
        F[1, c] = v[0] * J[0, c] + v[1] * J[1, c] + v[2] * J[2, c]
        F[2, c] = u[0] * t0 + u[1] * t1 + u[2] * t2
        F[3, c] = v[0] * t0 + v[1] * t1 + v[2] * t2
        F[4, c] = J[6, c] + ds * rate


@inlined
def reach(S, i, y, k, way):
    """Path [cm] in direction `way` (+1, -1) to the surface along the parabola of the track; inf if it is not met."""
    w = S.axes[i, 2]
    tw = y[3] * w[0] + y[4] * w[1] + y[5] * w[2]
    kw = k[0] * w[0] + k[1] * w[1] + k[2] * w[2]
    if S.kind[i] != CYLINDER:
        return forward_root(0.5 * kw, way * tw, distance(S, i, y))
    d0, d1, d2 = y[0] - S.center[i, 0], y[1] - S.center[i, 1], y[2] - S.center[i, 2]
    along = d0 * w[0] + d1 * w[1] + d2 * w[2]
    a = 1 - tw * tw + d0 * k[0] + d1 * k[1] + d2 * k[2] - along * kw
    b = 2 * way * (d0 * y[3] + d1 * y[4] + d2 * y[5] - along * tw)
    c = d0 * d0 + d1 * d1 + d2 * d2 - along * along - S.radius[i] * S.radius[i]
    return forward_root(a, b, c)


@inlined
def forward_root(a, b, c):
    """The smallest root >= 0 of a s^2 + b s + c, without cancellation; inf if there is none."""
    if c == 0.0:
        return 0.0
    under = b * b - 4 * a * c
    if under < 0:
        return math.inf
    q = -0.5 * (b + math.copysign(math.sqrt(under), b))
    first = c / q if q != 0 else math.inf
    second = q / a if a != 0 else math.inf
    low, high = min(first, second), max(first, second)
    if low > 0:
        return low
    return high if high > 0 else math.inf
