"""A step whose field is looked up at more places than its stages: a helix with kicks.

Between even places, the nodes, the track is the helix of the start of the step; at each of them it gets the kick w g,
g = t x (c lambda B - omega), of the residual field. With the weights of Gregory's quadrature the sum of the kicks is
the integral of g, and what they do to the position that of (S - s) g, both to fourth order (Hildebrand, Introduction to
Numerical Analysis, 1974, ch. 5). It is also good for maps that are linear between their nodes, whose slope jumps:
inside of the ends the rule is the trapezoid, whose error is the least there, 0.04 d^2 for a jump of 1.

Derivatives and control of the step are those of its stages."""

import math

from muonkit.core.compiled import inlined, shared
from muonkit.core.indices import FREE_QOP, TX, TY, TZ, X, Y, Z
from muonkit.core.units import CURVATURE
from muonkit.detector.kernels import value
from muonkit.transport.kernels import step
from muonkit.transport.kernels.rotation import cross, matrices, times
from muonkit.transport.kernels.tuples import EVERYWHERE

BETWEEN = 2  # of Stages.M: matrices from kick to kick
MOST = 200.0  # times the tolerance: the error of the stages at the target
LARGEST_ERROR = 1e-3  # cm: and at most this; derivatives are then right to 3e-6 (median) and 1e-4 (worst) of the errors
FEWEST = 6  # intervals of Gregory's rule
POWER = 0.4  # the error falls with the distance of the nodes to the power of 2.5 where slopes jump
ENDS = 3 / 8, 7 / 6, 23 / 24  # weights at both ends


@inlined
def allowed(scene):
    """How large the error [cm] of the stages of a step may be at the target. There are no kicks in matter, nor where
    the field is not that of the place."""
    plan = scene.plan
    if scene.det.volumes.sides.size > 0 or plan.field != EVERYWHERE:
        return plan.tolerance
    return max(min(MOST * plan.tolerance, LARGEST_ERROR), plan.tolerance)


@inlined
def number(error, tolerance):
    """How many intervals a step needs whose stages alone have this error at the target; 0 if it needs none."""
    if error <= tolerance:
        return 0
    return max(FEWEST, 2 * math.ceil((error / tolerance) ** POWER))


@inlined
def weight(node, n):
    """Weight of a node, 0 ... n."""
    from_end = min(node, n - node)
    if from_end == 0:
        return ENDS[0]
    if from_end == 1:
        return ENDS[1]
    return ENDS[2] if from_end == 2 else 1.0


@shared
def follow(y, h, n, scene, work):
    """work.end: the end of a step h [cm] with kicks at n + 1 nodes; False if one is outside the field map, while the
    stages are inside: then these must do."""
    stages, end, d = work.stages, work.end, h / n
    b, G, M = stages.kick, stages.G[step.END], stages.M[BETWEEN]
    now = CURVATURE * y[FREE_QOP]
    omega = step.scaled(now, step.row(stages.B, step.START))
    matrices(omega, d, M)
    x, t = (y[X], y[Y], y[Z]), step.direction(y)
    for node in range(1, n + 1):
        x = step.plus(x, 1.0, times(M[step.SHIFT], t))
        t = times(M[step.TURN], t)
        if not value(scene.det.field, x[0], x[1], x[2], b, G):
            return False
        residual = step.plus(step.scaled(now, (b[0], b[1], b[2])), -1.0, omega)
        t = step.plus(t, weight(node, n) * d, cross(t, residual))
    norm = 1 / math.sqrt(t[0] * t[0] + t[1] * t[1] + t[2] * t[2])
    end[X], end[Y], end[Z] = x
    end[TX], end[TY], end[TZ] = step.scaled(norm, t)
    return True


@inlined
def put(end, y):
    """The place and direction of `end` become those of the track."""
    for j in range(6):
        y[j] = end[j]
