"""What matter adds to a covariance: multiple scattering with its displacement, and straggling. The twin of
`interactions.scattering` and `interactions.straggling`."""

import math

from muonkit.core.compiled import inlined
from muonkit.core.units import ELECTRON_MASS

NONE, PER_SLAB, NO_LOG, TOTAL = range(4)
HIGHLAND = 13.6e-3  # GeV, PDG 2024 eq. 34.16
LOG_TERM = 0.038


@inlined
def highland(depth, p, mass, model):
    """Variance of the projected angle [rad^2] behind `depth` radiation lengths."""
    if depth <= 0 or model == NONE:
        return 0.0
    beta2 = p * p / (p * p + mass * mass)
    theta = HIGHLAND / (math.sqrt(beta2) * p)
    factor = 1.0 if model == NO_LOG else max(1 + LOG_TERM * math.log(depth / beta2), 0.0)
    return theta * theta * depth * factor * factor


@inlined
def straggling(xi, p, mass):
    """Variance of the energy loss [GeV^2]: xi Tmax (1 - beta^2/2), xi [GeV] = K/2 Z/A rho x/beta^2 without the
    1/beta^2."""
    E2 = p * p + mass * mass
    beta2 = p * p / E2
    gamma2 = E2 / (mass * mass)
    ratio = ELECTRON_MASS / mass
    t_max = 2 * ELECTRON_MASS * beta2 * gamma2 / (1 + 2 * math.sqrt(gamma2) * ratio + ratio * ratio)
    return xi / beta2 * t_max * (1 - beta2 / 2)


@inlined
def add_noise(C, angle, loss, qop, mass, length):
    """Add to a curvilinear covariance: `angle` [rad^2] spread evenly over `length` (signed, cm), `loss` [GeV^2]."""
    corner = angle * length / 2
    shift = angle * length * length / 3
    for a in range(2):
        C[a, a] += shift
        C[2 + a, 2 + a] += angle
        C[a, 2 + a] += corner
        C[2 + a, a] += corner
    p2 = 1 / (qop * qop)
    C[4, 4] += loss * (p2 + mass * mass) / (p2 * p2 * p2)


@inlined
def sandwich(F, C, work):
    """C -> F C F^T for 5 x 5 matrices, symmetric to the last bit."""
    for i in range(5):
        for j in range(5):
            total = 0.0
            for m in range(5):
                total += F[i, m] * C[m, j]
            work[i, j] = total
    for i in range(5):
        for j in range(i + 1):
            total = 0.0
            for m in range(5):
                total += work[i, m] * F[j, m]
            C[i, j] = total
            C[j, i] = total


@inlined
def product(F, T, work):
    """T -> F T."""
    for j in range(5):
        for i in range(5):
            total = 0.0
            for m in range(5):
                total += F[i, m] * T[m, j]
            work[i] = total
        for i in range(5):
            T[i, j] = work[i]


@inlined
def positive_definite(C, L):
    """Whether C has a Cholesky factor; it is left in L."""
    for i in range(C.shape[0]):
        for j in range(i + 1):
            total = C[i, j]
            for m in range(j):
                total -= L[i, m] * L[j, m]
            if i == j:
                if not total > 0:
                    return False
                L[i, i] = math.sqrt(total)
            else:
                L[i, j] = total / L[j, j]
    return True
