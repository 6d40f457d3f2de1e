"""Fields from a profile on the axis: sums of Gaussians continued by a Maxwell series, and the parametrised CMS-like
field; the twin of `fields.harmonic`, where the formulas and their sources stand."""

import math

from muonkit.core.compiled import inlined
from muonkit.detector.kernels.layout import DATA, ORDER, OWN, SIZE0
from muonkit.detector.kernels.turn import turned


@inlined
def gaussian_series(height, u, width, r, order):
    """Br/r, Bz, d(Br)/dr, dBr/dz, dBz/dr, dBz/dz of one Gaussian at distance u from its centre."""
    scale = 2.0 / (width * width)
    t = 0.25 * r * r
    f0 = height * math.exp(-u * u / (width * width))
    su = scale * u
    f1 = -su * f0
    over_r = bz = dr_dr = dr_dz = dz_dr = dz_dz = 0.0
    weight, below = 1.0, 0.0  # (-1)^k t^k / (k!)^2, and the same with t^(k-1)
    for k in range(order + 1):
        f2 = -(su * f1 + scale * (2 * k + 1) * f0)
        bz += weight * f0
        dz_dz += weight * f1
        dz_dr += 0.5 * r * k * below * f0
        inverse = 1.0 / (k + 1)
        radial = -0.5 * weight * inverse
        over_r += radial * f1
        dr_dr += radial * (2 * k + 1) * f1
        dr_dz += radial * r * f2
        below = -weight * (inverse * inverse)
        weight = below * t
        f0, f1 = f2, -(su * f2 + scale * (2 * k + 2) * f1)
    return over_r, bz, dr_dr, dr_dz, dz_dr, dz_dz


@inlined
def harmonic(params, offsets, pool, i, x, y, z):
    """The sum of all Gaussians."""
    r, z = math.sqrt(x * x + y * y), z - params[i, OWN]
    q = bz = rr = rz = zr = zz = 0.0
    for k in range(offsets[i, SIZE0]):
        at = offsets[i, DATA] + 3 * k
        a, b, c, d, e, f = gaussian_series(pool[at], z - pool[at + 1], pool[at + 2], r, offsets[i, ORDER])
        q, bz, rr, rz, zr, zz = q + a, bz + b, rr + c, rz + d, zr + e, zz + f
    return turned(x, y, r, q * r, bz, q, rr, rz, zr, zz)


@inlined
def steps(x):
    """F(x) = x / sqrt(1 + x^2) and its first four derivatives."""
    s = 1.0 / (1.0 + x * x)
    root = math.sqrt(s)
    f1 = root * s
    f2 = f1 * s
    f3 = f2 * s
    return x * root, f1, -3 * x * f2, -3 * (1 - 4 * x * x) * f3, 15 * x * (3 - 4 * x * x) * f3 * s


@inlined
def bump(g, u, w):
    """-g exp(-u^2/w^2) and its derivative."""
    value = -g * math.exp(-u * u / (w * w))
    return value, -2 * u / (w * w) * value


@inlined
def parametrised(params, i, x, y, z):
    """Second order in r, and the two corrections: not a Maxwellian field."""
    a, length, B0, z0 = params[i, OWN], params[i, OWN + 1], params[i, OWN + 2], params[i, OWN + 3]
    p, q, g = params[i, OWN + 4], params[i, OWN + 5], params[i, OWN + 6]
    d, w = params[i, OWN + 7], params[i, OWN + 8]
    r, z = math.sqrt(x * x + y * y), z - z0
    c, h = 0.5 * B0 * math.sqrt(1 + 4 * a * a / (length * length)), 0.5 * length / a
    u0, u1, u2, u3, u4 = steps(h - z / a)
    v0, v1, v2, v3, v4 = steps(h + z / a)
    right, d_right = bump(g, z - d, w)
    left, d_left = bump(g, z + d, w)
    s2, far = 0.25 * r * r / (a * a), abs(z) - q
    bz = c * (u0 + v0 - (u2 + v2) * s2) + right + left
    dz_dz = c / a * (v1 - u1 - (v3 - u3) * s2) + d_right + d_left
    dz_dr = -0.5 * c * r / (a * a) * (u2 + v2)
    over_r = 0.5 * c / a * (u1 - v1 - 0.5 * (u3 - v3) * s2) + p * z * far * far
    dr_dr = over_r - 0.5 * c / a * (u3 - v3) * s2
    dr_dz = r * (0.5 * c / (a * a) * (0.5 * (u4 + v4) * s2 - u2 - v2) + p * far * (far + 2 * abs(z)))
    return turned(x, y, r, over_r * r, bz, over_r, dr_dr, dr_dz, dz_dr, dz_dz)
