"""The finite current sheet; the twin of `fields.sheet`, where the formulas and their sources stand."""

import math

from muonkit.core.compiled import inlined
from muonkit.detector.kernels.layout import OWN
from muonkit.detector.kernels.turn import MeridianField, turned

ROUNDS = 30  # of the arithmetic-geometric mean; 5 are usual, the edge of the sheet takes 12
CLOSE = 1e-8  # relative difference of the means before the last round
TINY = 1e-150


@inlined
def means(kc, m, gamma):
    """K, T = sum 2^n (c_n/m)^2 and the integral of the third kind, from one arithmetic-geometric mean."""
    a, g, p = 1.0, kc, max(abs(gamma), TINY)
    alpha, beta = 1.0, (1.0 if gamma > 0.0 else (-1.0 if gamma < 0.0 else 0.0))
    e, T, power = 0.5 / (1.0 + kc), 0.0, 1.0
    for _ in range(ROUNDS):
        close = a - g <= CLOSE * a
        product = a * g
        alpha, beta = 0.5 * (alpha + beta / p), 0.5 * (beta + alpha * product / p)
        p = 0.5 * (p + product / p)
        a, g = 0.5 * (a + g), math.sqrt(product)
        power *= 2.0
        T += power * e * e
        e = 0.5 * m * e * e / (a + g)
        if close:
            break
    return 0.5 * math.pi / a, T, 0.5 * math.pi * (beta + alpha * a) / (a * (a + p))


@inlined
def sheet_end(radius, r, zeta):
    """Of one end: the terms of Br/r, Bz, dBr/dz, dBz/dz."""
    R2 = zeta * zeta + (radius + r) * (radius + r)
    D = zeta * zeta + (radius - r) * (radius - r)
    R = math.sqrt(R2)
    m = 4.0 * radius * r / R2
    K, T, third = means(math.sqrt(D / R2), m, (radius - r) / (radius + r))
    E = K * (1.0 - 0.5 * m - 0.5 * m * m * T)
    over_r = -4.0 * radius * radius * K * T / (R2 * R)
    bz = zeta / R * third * radius / (radius + r)
    dr_dz = 8.0 * zeta * r * radius * radius * K / (R2 * R * D) * (0.25 - 0.5 * (1.0 - 0.5 * m) * T)
    dz_dz = 0.5 * (K + (radius * radius - r * r - zeta * zeta) / D * E) / R
    return over_r, bz, dr_dz, dz_dz


@inlined
def solenoid(f, i, x, y, z):
    """Difference of the two ends; dBr/dr from div B = 0, dBz/dr from curl B = 0."""
    radius, half = f.params[i, OWN], f.params[i, OWN + 1]
    strength = f.params[i, OWN + 2] / math.pi
    r, z = math.sqrt(x * x + y * y), z - f.params[i, OWN + 3]
    over_r1, bz1, dr_dz1, dz_dz1 = sheet_end(radius, r, z + half)
    over_r0, bz0, dr_dz0, dz_dz0 = sheet_end(radius, r, z - half)
    over_r, bz = strength * (over_r1 - over_r0), strength * (bz1 - bz0)
    dr_dz, dz_dz = strength * (dr_dz1 - dr_dz0), strength * (dz_dz1 - dz_dz0)
    return turned(x, y, r, MeridianField(over_r * r, bz, over_r, -over_r - dz_dz, dr_dz, dr_dz, dz_dz))
