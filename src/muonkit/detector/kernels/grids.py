"""Values and gradients on even grids by B-splines of order 1 (linear) or 3 (cubic); the twin of `fields.splines`.

u, v, w in [0, 1]: place in a cell along the first, second, third axis of a grid."""

import math
from typing import NamedTuple

from muonkit.core.compiled import inlined
from muonkit.detector.kernels.layout import (
    CUBIC,
    DATA,
    DIMENSION,
    HEADER,
    INTERPOLATION,
    INVERSE_STEP,
    ON_AXIS,
    ORDER,
    ORIGIN,
    OWN,
    SIZE,
    SIZE0,
    SIZE1,
    SIZE2,
)
from muonkit.detector.kernels.turn import OUTSIDE, MeridianField, turned

SIXTH = 1.0 / 6.0


class Basis(NamedTuple):
    """Two or four B-splines and their derivatives at a place in a cell."""

    value: tuple[float, ...]
    slope: tuple[float, ...]


class Strides(NamedTuple):
    """How far apart in the pool the coefficients of a grid are along its axes."""

    plane: int
    row: int
    column: int


@inlined
def cubic(u):
    """The four cubic B-splines."""
    v = 1.0 - u
    value = SIXTH * v * v * v, SIXTH * (3 * u * u * (u - 2) + 4), SIXTH * (3 * v * v * (v - 2) + 4), SIXTH * u * u * u
    return Basis(value, (-0.5 * v * v, 0.5 * u * (3 * u - 4), -0.5 * v * (3 * v - 4), 0.5 * u * u))


@inlined
def linear(u):
    """The two hats."""
    return Basis((1.0 - u, u), (-1.0, 1.0))


@inlined
def cell(place, size):
    """Cell of a place on nodes 0 ... size - 1, both ends included, and place in it; cell -1 outside."""
    if not (0.0 <= place <= size - 1):
        return -1, 0.0
    j = min(int(place), size - 2)
    return j, place - j


@inlined
def clamped(length, origin, inverse_step, size):
    """Cell of a coordinate on a grid and place in it, at its edge if outside; derivative of the place, 0 outside."""
    place = (length - origin) * inverse_step
    inside = 0.0 <= place <= size - 1
    place = min(max(place, 0.0), size - 1.0)
    j = min(int(place), size - 2)
    return j, place - j, inverse_step if inside else 0.0


@inlined
def contract2(pool, at, strides, first, second):
    """Value, d/du, d/dv from the coefficients around a cell, the first of which is at `at`; a Basis for each axis."""
    value = d_u = d_v = 0.0
    for j in range(len(first.value)):
        total = slope = 0.0
        for k in range(len(second.value)):
            coefficient = pool[at + j * strides.row + k * strides.column]
            total += second.value[k] * coefficient
            slope += second.slope[k] * coefficient
        value += first.value[j] * total
        d_u += first.slope[j] * total
        d_v += first.value[j] * slope
    return value, d_u, d_v


@inlined
def contract3(pool, at, strides, first, second, third):
    """The same in three dimensions: value, d/du, d/dv, d/dw."""
    value = d_u = d_v = d_w = 0.0
    for j in range(len(first.value)):
        total, in_v, in_w = contract2(pool, at + j * strides.plane, strides, second, third)
        value += first.value[j] * total
        d_u += first.slope[j] * total
        d_v += first.value[j] * in_v
        d_w += first.value[j] * in_w
    return value, d_u, d_v, d_w


@inlined
def spline2(pool, at, strides, order, u, v):
    """Value and slopes in the cell whose first coefficient is at `at`."""
    if order == CUBIC:
        return contract2(pool, at, strides, cubic(u), cubic(v))
    return contract2(pool, at, strides, linear(u), linear(v))


@inlined
def spline3(pool, at, strides, order, u, v, w):
    """The same in three dimensions."""
    if order == CUBIC:
        return contract3(pool, at, strides, cubic(u), cubic(v), cubic(w))
    return contract3(pool, at, strides, linear(u), linear(v), linear(w))


@inlined
def map_rz(f, i, x, y, z):
    """A grid in (r, z): Br and Bz interleaved."""
    columns, order = f.offsets[i, SIZE1], f.offsets[i, ORDER]
    inverse_r, inverse_z = f.params[i, OWN + 2], f.params[i, OWN + 3]
    r = math.sqrt(x * x + y * y)
    z = z - f.params[i, OWN + 4]
    sign = -1.0 if f.params[i, OWN + 5] > 0.0 and z < 0.0 else 1.0
    j, u = cell((r - f.params[i, OWN]) * inverse_r, f.offsets[i, SIZE0])
    k, v = cell((sign * z - f.params[i, OWN + 1]) * inverse_z, columns)
    if j < 0 or k < 0:
        return OUTSIDE
    strides = Strides(0, 2 * (columns + order - 1), 2)
    at = f.offsets[i, DATA] + j * strides.row + 2 * k
    br, r_u, r_v = spline2(f.pool, at, strides, order, u, v)
    bz, z_u, z_v = spline2(f.pool, at + 1, strides, order, u, v)
    br, slope = sign * br, sign * r_u * inverse_r
    over_r = br / r if r > ON_AXIS else slope
    there = MeridianField(br, bz, over_r, slope, r_v * inverse_z, z_u * inverse_r, sign * z_v * inverse_z)
    return turned(x, y, r, there)


@inlined
def map_xyz(f, i, x, y, z):
    """A grid in (x, y, z): Bx, By, Bz interleaved."""
    rows, columns, order = f.offsets[i, SIZE1], f.offsets[i, SIZE2], f.offsets[i, ORDER]
    du, dv, dw = f.params[i, OWN + 3], f.params[i, OWN + 4], f.params[i, OWN + 5]
    j, u = cell((x - f.params[i, OWN]) * du, f.offsets[i, SIZE0])
    k, v = cell((y - f.params[i, OWN + 1]) * dv, rows)
    m, w = cell((z - f.params[i, OWN + 2]) * dw, columns)
    if j < 0 or k < 0 or m < 0:
        return OUTSIDE
    row = 3 * (columns + order - 1)
    strides = Strides(row * (rows + order - 1), row, 3)
    at = f.offsets[i, DATA] + j * strides.plane + k * row + 3 * m
    bx, x_u, x_v, x_w = spline3(f.pool, at, strides, order, u, v, w)
    by, y_u, y_v, y_w = spline3(f.pool, at + 1, strides, order, u, v, w)
    bz, z_u, z_v, z_w = spline3(f.pool, at + 2, strides, order, u, v, w)
    x_u, x_v, x_w = x_u * du, x_v * dv, x_w * dw
    y_u, y_v, y_w = y_u * du, y_v * dv, y_w * dw
    return True, bx, by, bz, x_u, x_v, x_w, y_u, y_v, y_w, z_u * du, z_v * dv, z_w * dw


@inlined
def correction2(pool, at, x, y, z):
    """A factor in (r, z) and its gradient in (x, y, z)."""
    order, columns = int(pool[at + INTERPOLATION]), int(pool[at + SIZE + 1])
    r = math.sqrt(x * x + y * y)
    j, u, du = clamped(r, pool[at + ORIGIN], pool[at + INVERSE_STEP], int(pool[at + SIZE]))
    k, v, dv = clamped(z, pool[at + ORIGIN + 1], pool[at + INVERSE_STEP + 1], columns)
    strides = Strides(0, columns + order - 1, 1)
    factor, d_u, d_v = spline2(pool, at + HEADER + j * strides.row + k, strides, order, u, v)
    over = d_u * du / r if r > 0.0 else 0.0
    return factor, over * x, over * y, d_v * dv


@inlined
def correction3(pool, at, x, y, z):
    """A factor in (x, y, z) and its gradient."""
    order, rows, columns = int(pool[at + INTERPOLATION]), int(pool[at + SIZE + 1]), int(pool[at + SIZE + 2])
    j, u, du = clamped(x, pool[at + ORIGIN], pool[at + INVERSE_STEP], int(pool[at + SIZE]))
    k, v, dv = clamped(y, pool[at + ORIGIN + 1], pool[at + INVERSE_STEP + 1], rows)
    m, w, dw = clamped(z, pool[at + ORIGIN + 2], pool[at + INVERSE_STEP + 2], columns)
    row = columns + order - 1
    strides = Strides(row * (rows + order - 1), row, 1)
    first = at + HEADER + j * strides.plane + k * row + m
    factor, d_u, d_v, d_w = spline3(pool, first, strides, order, u, v, w)
    return factor, d_u * du, d_v * dv, d_w * dw


@inlined
def correction(pool, at, x, y, z):
    """The factor of the correction map at `at`, and its gradient."""
    if pool[at + DIMENSION] == 3.0:
        return correction3(pool, at, x, y, z)
    return correction2(pool, at, x, y, z)


@inlined
def correction_size(pool, at):
    """How many numbers of the pool a correction map takes."""
    extra = int(pool[at + INTERPOLATION]) - 1
    size = (int(pool[at + SIZE]) + extra) * (int(pool[at + SIZE + 1]) + extra)
    return HEADER + (size * (int(pool[at + SIZE + 2]) + extra) if pool[at + DIMENSION] == 3.0 else size)
