"""Values and gradients on even grids by B-splines of order 1 (linear) or 3 (cubic); the twin of `fields.splines`."""

import math

from muonkit.core.compiled import inlined
from muonkit.detector.kernels.layout import CUBIC, DATA, HEADER, ON_AXIS, ORDER, OWN, SIZE0, SIZE1, SIZE2
from muonkit.detector.kernels.turn import OUTSIDE, turned

SIXTH = 1.0 / 6.0


@inlined
def cubic_weights(t):
    """The four cubic B-splines at t in [0, 1]."""
    s = 1.0 - t
    return SIXTH * s * s * s, SIXTH * (3 * t * t * (t - 2) + 4), SIXTH * (3 * s * s * (s - 2) + 4), SIXTH * t * t * t


@inlined
def cubic_slopes(t):
    """Their derivatives."""
    s = 1.0 - t
    return -0.5 * s * s, 0.5 * t * (3 * t - 4), -0.5 * s * (3 * s - 4), 0.5 * t * t


@inlined
def linear_weights(t):
    """The two hats at t in [0, 1]."""
    return 1.0 - t, t


@inlined
def linear_slopes(_):
    """Their derivatives."""
    return -1.0, 1.0


@inlined
def cell(u, size):
    """Cell and place in it of u on nodes 0 ... size - 1, both ends included; cell -1 outside."""
    if not (0.0 <= u <= size - 1):
        return -1, 0.0
    i = min(int(u), size - 2)
    return i, u - i


@inlined
def clamped(x, origin, inverse_step, size):
    """Cell and place of x on a grid, at its edge if outside; du/dx, 0 outside."""
    u = (x - origin) * inverse_step
    inside = 0.0 <= u <= size - 1
    u = min(max(u, 0.0), size - 1.0)
    i = min(int(u), size - 2)
    return i, u - i, inverse_step if inside else 0.0


@inlined
def contract2(pool, start, row, stride, wu, du, wv, dv):
    """Value, d/du, d/dv from the coefficients around a cell; `start` is the first, `row` and `stride` the steps."""
    f = fu = fv = 0.0
    for i in range(len(wu)):
        s = d = 0.0
        for j in range(len(wv)):
            c = pool[start + i * row + j * stride]
            s += wv[j] * c
            d += dv[j] * c
        f += wu[i] * s
        fu += du[i] * s
        fv += wu[i] * d
    return f, fu, fv


@inlined
def contract3(pool, start, plane, row, stride, wu, du, wv, dv, ww, dw):
    """The same in three dimensions: value, d/du, d/dv, d/dw."""
    f = fu = fv = fw = 0.0
    for i in range(len(wu)):
        s, sv, sw = contract2(pool, start + i * plane, row, stride, wv, dv, ww, dw)
        f += wu[i] * s
        fu += du[i] * s
        fv += wu[i] * sv
        fw += wu[i] * sw
    return f, fu, fv, fw


@inlined
def spline2(pool, at, row, stride, order, u, v):
    """Value and slopes in the cell whose first coefficient is at `at`."""
    if order == CUBIC:
        return contract2(pool, at, row, stride, cubic_weights(u), cubic_slopes(u), cubic_weights(v), cubic_slopes(v))
    return contract2(pool, at, row, stride, linear_weights(u), linear_slopes(u), linear_weights(v), linear_slopes(v))


@inlined
def spline3(pool, at, plane, row, stride, order, u, v, w):
    """The same in three dimensions."""
    if order == CUBIC:
        wu, du, wv, dv = cubic_weights(u), cubic_slopes(u), cubic_weights(v), cubic_slopes(v)
        return contract3(pool, at, plane, row, stride, wu, du, wv, dv, cubic_weights(w), cubic_slopes(w))
    hu, eu, hv, ev = linear_weights(u), linear_slopes(u), linear_weights(v), linear_slopes(v)
    return contract3(pool, at, plane, row, stride, hu, eu, hv, ev, linear_weights(w), linear_slopes(w))


@inlined
def map_rz(params, offsets, pool, i, x, y, z):
    """A grid in (r, z): Br and Bz interleaved."""
    n1, order = offsets[i, SIZE1], offsets[i, ORDER]
    inverse_r, inverse_z = params[i, OWN + 2], params[i, OWN + 3]
    r = math.sqrt(x * x + y * y)
    z = z - params[i, OWN + 4]
    sign = -1.0 if params[i, OWN + 5] > 0.0 and z < 0.0 else 1.0
    j, u = cell((r - params[i, OWN]) * inverse_r, offsets[i, SIZE0])
    k, v = cell((sign * z - params[i, OWN + 1]) * inverse_z, n1)
    if j < 0 or k < 0:
        return OUTSIDE
    row = 2 * (n1 + order - 1)
    at = offsets[i, DATA] + j * row + 2 * k
    br, r_u, r_v = spline2(pool, at, row, 2, order, u, v)
    bz, z_u, z_v = spline2(pool, at + 1, row, 2, order, u, v)
    br, slope = sign * br, sign * r_u * inverse_r
    over_r = br / r if r > ON_AXIS else slope
    return turned(x, y, r, br, bz, over_r, slope, r_v * inverse_z, z_u * inverse_r, sign * z_v * inverse_z)


@inlined
def map_xyz(params, offsets, pool, i, x, y, z):
    """A grid in (x, y, z): Bx, By, Bz interleaved."""
    n1, n2, order = offsets[i, SIZE1], offsets[i, SIZE2], offsets[i, ORDER]
    du, dv, dw = params[i, OWN + 3], params[i, OWN + 4], params[i, OWN + 5]
    j, u = cell((x - params[i, OWN]) * du, offsets[i, SIZE0])
    k, v = cell((y - params[i, OWN + 1]) * dv, n1)
    m, w = cell((z - params[i, OWN + 2]) * dw, n2)
    if j < 0 or k < 0 or m < 0:
        return OUTSIDE
    row = 3 * (n2 + order - 1)
    plane = row * (n1 + order - 1)
    at = offsets[i, DATA] + j * plane + k * row + 3 * m
    a, a_u, a_v, a_w = spline3(pool, at, plane, row, 3, order, u, v, w)
    b, b_u, b_v, b_w = spline3(pool, at + 1, plane, row, 3, order, u, v, w)
    c, c_u, c_v, c_w = spline3(pool, at + 2, plane, row, 3, order, u, v, w)
    return True, a, b, c, a_u * du, a_v * dv, a_w * dw, b_u * du, b_v * dv, b_w * dw, c_u * du, c_v * dv, c_w * dw


@inlined
def correction2(pool, at, x, y, z):
    """A factor in (r, z) and its gradient in (x, y, z)."""
    order, n1 = int(pool[at + 1]), int(pool[at + 3])
    r = math.sqrt(x * x + y * y)
    i, u, du = clamped(r, pool[at + 5], pool[at + 8], int(pool[at + 2]))
    j, v, dv = clamped(z, pool[at + 6], pool[at + 9], n1)
    row = n1 + order - 1
    f, fu, fv = spline2(pool, at + HEADER + i * row + j, row, 1, order, u, v)
    over = fu * du / r if r > 0.0 else 0.0
    return f, over * x, over * y, fv * dv


@inlined
def correction3(pool, at, x, y, z):
    """A factor in (x, y, z) and its gradient."""
    order, n1, n2 = int(pool[at + 1]), int(pool[at + 3]), int(pool[at + 4])
    i, u, du = clamped(x, pool[at + 5], pool[at + 8], int(pool[at + 2]))
    j, v, dv = clamped(y, pool[at + 6], pool[at + 9], n1)
    k, w, dw = clamped(z, pool[at + 7], pool[at + 10], n2)
    row = n2 + order - 1
    plane = row * (n1 + order - 1)
    f, fu, fv, fw = spline3(pool, at + HEADER + i * plane + j * row + k, plane, row, 1, order, u, v, w)
    return f, fu * du, fv * dv, fw * dw


@inlined
def correction(pool, at, x, y, z):
    """The factor of the correction map at `at`, and its gradient."""
    if pool[at] == 3.0:
        return correction3(pool, at, x, y, z)
    return correction2(pool, at, x, y, z)


@inlined
def correction_size(pool, at):
    """How many numbers of the pool a correction map takes."""
    extra = int(pool[at + 1]) - 1
    size = (int(pool[at + 2]) + extra) * (int(pool[at + 3]) + extra)
    return HEADER + (size * (int(pool[at + 4]) + extra) if pool[at] == 3.0 else size)
