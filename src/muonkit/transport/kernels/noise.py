"""What matter adds to a covariance: multiple scattering with its displacement, and straggling. The twin of
`interactions.scattering` and `interactions.straggling`."""

import math

from muonkit.core.compiled import inlined
from muonkit.core.indices import ALONG_U, QOP, TO_U
from muonkit.core.units import ELECTRON_MASS
from muonkit.transport.interactions.scattering import HIGHLAND, LOG_TERM

NONE, PER_SLAB, NO_LOG, TOTAL = range(4)


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
def add_noise(C, angle, lost, qop, mass, length):
    """Add to a curvilinear covariance: `angle` [rad^2] spread evenly over `length` (signed, cm), `lost` [GeV^2]."""
    corner = angle * length / 2
    shift = angle * length * length / 3
    for j in range(2):  # u, then v
        C[ALONG_U + j, ALONG_U + j] += shift
        C[TO_U + j, TO_U + j] += angle
        C[ALONG_U + j, TO_U + j] += corner
        C[TO_U + j, ALONG_U + j] += corner
    p2 = 1 / (qop * qop)
    C[QOP, QOP] += lost * (p2 + mass * mass) / (p2 * p2 * p2)


@inlined
def sandwich(F, C, M):
    """C -> F C F^T for 5 x 5 matrices, symmetric to the last bit; M is scratch."""
    for j in range(5):
        for m in range(5):
            total = 0.0
            for c in range(5):
                total += F[j, c] * C[c, m]
            M[j, m] = total
    for j in range(5):
        for m in range(j + 1):
            total = 0.0
            for c in range(5):
                total += M[j, c] * F[m, c]
            C[j, m] = total
            C[m, j] = total


@inlined
def product(F, T, column):
    """T -> F T; column (5,) is scratch."""
    for c in range(5):
        for j in range(5):
            total = 0.0
            for m in range(5):
                total += F[j, m] * T[m, c]
            column[j] = total
        for j in range(5):
            T[j, c] = column[j]


@inlined
def positive_definite(C, L):
    """Whether C has a Cholesky factor; it is left in L."""
    for j in range(C.shape[0]):
        for m in range(j + 1):
            total = C[j, m]
            for c in range(m):
                total -= L[j, c] * L[m, c]
            if j == m:
                if not total > 0:
                    return False
                L[j, j] = math.sqrt(total)
            else:
                L[j, m] = total / L[m, m]
    return True
