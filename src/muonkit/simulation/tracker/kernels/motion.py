"""One step in the field: Dormand and Prince 5(4), J. Comp. Appl. Math. 6 (1980) 19.

dx/ds = t, dt/ds = k t x B, k = q c/p [1/(T cm)]. The field is asked for NUDGE inside of the ends of the step, since it
may jump where one volume ends and the next begins."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from muonkit.core.compiled import compiled, leaf
from muonkit.detector.kernels import field

NUDGE = 1e-7  # cm
LEVER = 100.0  # cm: an error of the direction counts as much as its shift that far on
STAGES = 7
NODES = np.array([0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1])
WEIGHTS = np.array(
    [
        [0, 0, 0, 0, 0, 0],
        [1 / 5, 0, 0, 0, 0, 0],
        [3 / 40, 9 / 40, 0, 0, 0, 0],
        [44 / 45, -56 / 15, 32 / 9, 0, 0, 0],
        [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729, 0, 0],
        [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656, 0],
        [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84],
    ]
)
ERRORS = np.array([71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40])


class Work(NamedTuple):
    """stages (7, 6): derivatives; B (3,), G (3, 3): the field; known (1,): whether it was known where the step
    began."""

    stages: npt.NDArray[np.float64]
    B: npt.NDArray[np.float64]
    G: npt.NDArray[np.float64]
    known: npt.NDArray[np.bool_]


@compiled
def new_work():
    """Scratch of one thread."""
    return Work(np.zeros((STAGES, 6)), np.zeros(3), np.zeros((3, 3)), np.zeros(1, np.bool_))


@leaf
def derivative(f, k, shift, at, stages, i, w):
    """stages[i] = (t, k t x B) at `at` (6,); False where the field is not known."""
    t0, t1, t2, B = at[3], at[4], at[5], w.B
    known = field(f, at[0] + shift * t0, at[1] + shift * t1, at[2] + shift * t2, B, w.G, False)
    stages[i, 0], stages[i, 1], stages[i, 2] = t0, t1, t2
    stages[i, 3] = k * (t1 * B[2] - t2 * B[1])
    stages[i, 4] = k * (t2 * B[0] - t0 * B[2])
    stages[i, 5] = k * (t0 * B[1] - t1 * B[0])
    return known


@leaf
def advance(f, y, k, h, new, w):
    """new (6,) = y (6,) after the path h; returns the estimated error [cm]."""
    for i in range(STAGES):
        for c in range(6):
            new[c] = y[c]
        for j in range(i):
            weight = h * WEIGHTS[i, j]
            for c in range(6):
                new[c] += weight * w.stages[j, c]
        known = derivative(f, k, NUDGE * (1 - 2 * NODES[i]), new, w.stages, i, w)
        if i == 0:
            w.known[0] = known
    worst = 0.0
    for c in range(6):
        total = 0.0
        for j in range(STAGES):
            total += ERRORS[j] * w.stages[j, c]
        worst = max(worst, abs(h * total) * (1.0 if c < 3 else LEVER))
    return worst
