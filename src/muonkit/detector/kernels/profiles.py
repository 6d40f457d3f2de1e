"""Fields from a profile on the axis: sums of Gaussians continued by a Maxwell series, and the parametrised CMS-like
field; the twin of `fields.harmonic`, where the formulas and their sources stand."""

import math

from muonkit.core.compiled import inlined
from muonkit.detector.kernels.layout import DATA, ORDER, OWN, SIZE0
from muonkit.detector.kernels.turn import MeridianField, turned


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
def harmonic(f, i, x, y, z):
    """The sum of all Gaussians."""
    r, z = math.sqrt(x * x + y * y), z - f.params[i, OWN]
    over_r = bz = dr_dr = dr_dz = dz_dr = dz_dz = 0.0
    for k in range(f.offsets[i, SIZE0]):
        at = f.offsets[i, DATA] + 3 * k
        one = gaussian_series(f.pool[at], z - f.pool[at + 1], f.pool[at + 2], r, f.offsets[i, ORDER])
        over_r, bz, dr_dr = over_r + one[0], bz + one[1], dr_dr + one[2]
        dr_dz, dz_dr, dz_dz = dr_dz + one[3], dz_dr + one[4], dz_dz + one[5]
    return turned(x, y, r, MeridianField(over_r * r, bz, over_r, dr_dr, dr_dz, dz_dr, dz_dz))


@inlined
def steps(u):
    """F(u) = u / sqrt(1 + u^2) and its first four derivatives."""
    share = 1.0 / (1.0 + u * u)
    root = math.sqrt(share)
    f1 = root * share
    f2 = f1 * share
    f3 = f2 * share
    return u * root, f1, -3 * u * f2, -3 * (1 - 4 * u * u) * f3, 15 * u * (3 - 4 * u * u) * f3 * share


@inlined
def bump(height, u, width):
    """-height exp(-u^2/width^2) and its derivative by the distance u from its centre."""
    value = -height * math.exp(-u * u / (width * width))
    return value, -2 * u / (width * width) * value


@inlined
def parametrised(f, i, x, y, z):
    """Second order in r, and the two corrections: not a Maxwellian field."""
    a, length, B0, z0 = f.params[i, OWN], f.params[i, OWN + 1], f.params[i, OWN + 2], f.params[i, OWN + 3]
    p, q, g = f.params[i, OWN + 4], f.params[i, OWN + 5], f.params[i, OWN + 6]
    d, w = f.params[i, OWN + 7], f.params[i, OWN + 8]
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
    return turned(x, y, r, MeridianField(over_r * r, bz, over_r, dr_dr, dr_dz, dz_dr, dz_dz))
