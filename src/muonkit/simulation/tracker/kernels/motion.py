"""One step in the field: Dormand and Prince 5(4), J. Comp. Appl. Math. 6 (1980) 19.

dx/ds = t, dt/ds = k t x B, k = q c/p [1/(T cm)]. The field is asked for NUDGE inside of the ends of the step, since it
may jump where one volume ends and the next begins."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from muonkit.core.compiled import compiled, leaf
from muonkit.detector.kernels import FieldArrays, field
from muonkit.simulation.kernels.indices import TX, TY, TZ, X, Y, Z

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


MOVING = 6  # numbers that change along a step: position and direction


class Bend(NamedTuple):
    """What bends a track in a step: field, and k = q c/p [1/(T cm)]."""

    field: FieldArrays
    k: float


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
    return Work(np.zeros((STAGES, MOVING)), np.zeros(3), np.zeros((3, 3)), np.zeros(1, np.bool_))


@leaf
def derivative(bend, shift, y, stage, work):
    """work.stages[stage] = (t, k t x B) at y (6,), the field `shift` further; False where it is not known."""
    t0, t1, t2, B = y[TX], y[TY], y[TZ], work.B
    known = field(bend.field, y[X] + shift * t0, y[Y] + shift * t1, y[Z] + shift * t2, B, work.G, False)
    slope, k = work.stages[stage], bend.k
    slope[X], slope[Y], slope[Z] = t0, t1, t2
    slope[TX] = k * (t1 * B[Z] - t2 * B[Y])
    slope[TY] = k * (t2 * B[X] - t0 * B[Z])
    slope[TZ] = k * (t0 * B[Y] - t1 * B[X])
    return known


@leaf
def begin(bend, y, work):
    """The derivative where all steps from y begin."""
    work.known[0] = derivative(bend, NUDGE, y, 0, work)


@leaf
def advance(bend, y, h, new, work):
    """new (6,) = y (6,) after the path h; returns the estimated error [cm]. After `begin`."""
    for stage in range(1, STAGES):
        for c in range(MOVING):
            new[c] = y[c]
        for j in range(stage):
            weight = h * WEIGHTS[stage, j]
            for c in range(MOVING):
                new[c] += weight * work.stages[j, c]
        derivative(bend, NUDGE * (1 - 2 * NODES[stage]), new, stage, work)
    worst = 0.0
    for c in range(MOVING):
        total = 0.0
        for j in range(STAGES):
            total += ERRORS[j] * work.stages[j, c]
        worst = max(worst, abs(h * total) * (1.0 if c < TX else LEVER))
    return worst
