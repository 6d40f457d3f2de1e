"""One step of a free state and of its derivatives: Runge-Kutta-Nystrom of fourth order around a helix.

    x'' = t' = c lambda t x B(x),   lambda' = f(lambda),   lambda = q/p,   ' = d/ds

With omega = c lambda0 B0 of the start of the step, t' = t x omega + g, and g = t x e, e = c lambda B - omega, is small:
it is integrated by the classical stages in the frame that turns with the helix (Lawson, SIAM J. Numer. Anal. 4 (1967)
372), so a step in a constant field is exact whatever its length, and without a field this is the scheme of Lund et al.,
J. Instrum. 4 (2009) P04001. The derivatives are those of the step itself, with the gradient of the field and the energy
loss."""

import math

from muonkit.core.compiled import inlined, shared
from muonkit.core.indices import FREE_QOP, TX, TY, TZ, X, Y, Z
from muonkit.core.units import CURVATURE
from muonkit.detector.kernels import field
from muonkit.transport.kernels.rotation import cross, matrices, times
from muonkit.transport.kernels.tuples import EVERYWHERE, OF_SURFACE

CHANCE = 0.05  # of g: the least error, for the difference of g may vanish by chance
START, MIDDLE, END = range(3)  # places of a step
HALF, WHOLE = range(2)  # of Stages.M: matrices of half and of the whole step
TURN, SHIFT, BY_SIZE = range(3)  # and in them R, H, D
LAMBDA = 3  # of a row of Stages.t, behind the direction
RATE, BY_LAMBDA = range(2)  # of a row of Stages.f
LAST, BOTH = range(2)  # of Stages.sums: R(h/2) g3 and R(h/2)(g2 + g3)
# of Stages.by_lambda: H(h/2) t, H(h) t, R(h/2) t, R(h) t, R(h/2) g3, R(h/2)(g2 + g3), h/3 H(h/2)(g2 + g3)
HALF_SHIFT, WHOLE_SHIFT, HALF_TURN, WHOLE_TURN, OF_LAST, OF_BOTH, SHIFT_OF_BOTH = range(7)


@inlined
def loss_rate(loss, material, qop, f):
    """f = (lambda', d lambda'/d lambda) [1/GeV/cm] of the mean energy loss; negative steps gain energy."""
    f[RATE] = 0.0
    f[BY_LAMBDA] = 0.0
    if material == 0:
        return
    size = abs(qop)
    p = 1.0 / size
    lost, by_p = stopping(loss, material, p)
    E = math.sqrt(p * p + loss.mass * loss.mass)
    rate = lost * E * size * size * size
    f[RATE] = rate if qop > 0 else -rate
    f[BY_LAMBDA] = 3.0 * lost * E * size * size - size * by_p * E - lost / E


@inlined
def stopping(loss, material, p):
    """Mean energy loss [GeV/cm] and its derivative by p: cubic Hermite in u = ln p; the twin of `tables.stopping`."""
    position = (math.log(p) - loss.u_min) / loss.du
    cell = min(max(int(position), 0), loss.value.shape[1] - 2)
    part = position - cell
    low, high = loss.value[material, cell], loss.value[material, cell + 1]
    rise0, rise1 = loss.slope[material, cell] * loss.du, loss.slope[material, cell + 1] * loss.du
    c2, c3 = 3 * (high - low) - 2 * rise0 - rise1, 2 * (low - high) + rise0 + rise1
    value = low + part * (rise0 + part * (c2 + part * c3))
    slope = (rise0 + part * (2 * c2 + 3 * part * c3)) / loss.du
    return value, slope / p


@inlined
def put(row, vector):
    """row[:] = vector"""
    row[0], row[1], row[2] = vector


@inlined
def row(M, j):
    """Row j of an array of vectors."""
    return M[j, 0], M[j, 1], M[j, 2]


@inlined
def times_sum(M, one, other):
    """M (one + other)."""
    return times(M, (one[0] + other[0], one[1] + other[1], one[2] + other[2]))


@inlined
def scaled(factor, vector):
    """factor x a vector."""
    return factor * vector[0], factor * vector[1], factor * vector[2]


@inlined
def plus(one, factor, other):
    """one + factor x other for vectors."""
    return one[0] + factor * other[0], one[1] + factor * other[1], one[2] + factor * other[2]


@inlined
def direction(y):
    """The unit direction as a vector."""
    return y[TX], y[TY], y[TZ]


@inlined
def bend(y, stages, place, k):
    """k = c lambda t x B at the end of a step or at its start."""
    put(k, cross(scaled(CURVATURE * y[FREE_QOP], direction(y)), row(stages.B, place)))


@inlined
def look_up(place, x0, x1, x2, scene, stages):
    """Field and gradient at a place of a step, or what an approximation takes for it; False outside the map."""
    plan, B = scene.plan, stages.B
    if plan.field == EVERYWHERE or (plan.field != OF_SURFACE and place == START):
        return field(scene.det.field, x0, x1, x2, B[place], stages.G[place], plan.gradient)
    put(B[place], row(B, START) if plan.field != OF_SURFACE else (stages.held[0], stages.held[1], stages.held[2]))
    stages.G[place] = 0.0
    return True


@inlined
def hold(y, scene, stages):
    """Keep the field of this point, if it is to be that of the whole way; False outside the map."""
    if scene.plan.field != OF_SURFACE:
        return True
    return field(scene.det.field, y[X], y[Y], y[Z], stages.held, stages.G[START], False)


@inlined
def start(y, ahead, scene, material, stages):
    """Field, k = dt/ds and lambda' at the point, looked up `ahead` [cm] further on; False outside the map."""
    x0, x1, x2 = y[X] + ahead * y[TX], y[Y] + ahead * y[TY], y[Z] + ahead * y[TZ]
    inside = look_up(START, x0, x1, x2, scene, stages)
    loss_rate(scene.loss, 0 if scene.plan.lumped else material, y[FREE_QOP], stages.f[0])
    bend(y, stages, START, stages.k[0])
    put(stages.t[0], direction(y))
    stages.t[0, LAMBDA] = y[FREE_QOP]
    return inside


@inlined
def slopes_at_end(stages):
    """k and lambda' where the step ends, on its own side of a face; lambda' is that of the last stage."""
    put(stages.k[0], row(stages.k, 1))
    stages.f[0, RATE], stages.f[0, BY_LAMBDA] = stages.f[3, RATE], stages.f[3, BY_LAMBDA]


@inlined
def residual(stages, stage, place, lam):
    """A stage whose direction stands in stages.t: e = c lambda B - omega and g = t x e."""
    t, e, B = stages.t[stage], stages.e[stage], stages.B
    t[LAMBDA] = lam
    now, before = CURVATURE * lam, CURVATURE * stages.t[0, LAMBDA]
    for j in range(3):
        e[j] = now * B[place, j] - before * B[START, j]
    put(stages.g[stage], cross((t[0], t[1], t[2]), (e[0], e[1], e[2])))


@shared
def try_step(y, h, nudge, scene, material, stages):
    """The stages of a step h [cm] that `start` began; the error of its direction, or -1 outside the field map.

    With a nudge, the field of the last stage is looked up that far [cm] before the end of the step and not at the
    classical place, which may lie behind the face of a volume where the field jumps. The step is then of third order
    in the gradient of the field, and the error is estimated as ever."""
    loss = scene.loss
    stages.nudge[0] = nudge
    if scene.plan.lumped:
        material = 0
    f, g, t, lam = stages.f, stages.g, stages.t, y[FREE_QOP]
    omega = scaled(CURVATURE * lam, row(stages.B, START))
    matrices(omega, 0.5 * h, stages.M[HALF])
    matrices(omega, h, stages.M[WHOLE])
    half_turn = stages.M[HALF, TURN]
    x0, x1, x2 = times(stages.M[HALF, SHIFT], direction(y))
    inside = look_up(MIDDLE, y[X] + x0, y[Y] + x1, y[Z] + x2, scene, stages)
    put(t[1], times(half_turn, direction(y)))
    loss_rate(loss, material, lam + 0.5 * h * f[0, RATE], f[1])
    residual(stages, 1, MIDDLE, lam + 0.5 * h * f[0, RATE])
    for j in range(3):
        t[2, j] = t[1, j] + 0.5 * h * g[1, j]
    loss_rate(loss, material, lam + 0.5 * h * f[1, RATE], f[2])
    residual(stages, 2, MIDDLE, lam + 0.5 * h * f[1, RATE])
    last, both = stages.sums[LAST], stages.sums[BOTH]
    put(last, times(half_turn, row(g, 2)))
    put(both, times_sum(half_turn, row(g, 1), row(g, 2)))
    put(t[3], times(stages.M[WHOLE, TURN], direction(y)))
    for j in range(3):
        t[3, j] += h * last[j]
    x0, x1, x2 = last_place(y, h, nudge, stages)
    inside &= look_up(END, x0, x1, x2, scene, stages)
    loss_rate(loss, material, lam + h * f[2, RATE], f[3])
    residual(stages, 3, END, lam + h * f[2, RATE])
    if not inside:
        return -1.0
    error, size = 0.0, 0.0
    for j in range(3):
        error += abs(g[3, j] - both[j])
        size += abs(g[3, j]) + abs(both[j])
    return abs(h) / 6 * max(error, CHANCE * size)


@inlined
def last_place(y, h, nudge, stages):
    """Where the last stage looks up the field."""
    if nudge != 0.0:
        x0, x1, x2 = end_position(y, h, stages)
        t = stages.t[3]
        return x0 - nudge * t[0], x1 - nudge * t[1], x2 - nudge * t[2]
    x0, x1, x2 = times(stages.M[WHOLE, SHIFT], direction(y))
    weight, last = 0.5 * h * h, stages.sums[LAST]
    return y[X] + x0 + weight * last[0], y[Y] + x1 + weight * last[1], y[Z] + x2 + weight * last[2]


@inlined
def end_position(y, h, stages):
    """Where the step that was tried ends."""
    x0, x1, x2 = times(stages.M[WHOLE, SHIFT], direction(y))
    z0, z1, z2 = times_sum(stages.M[HALF, SHIFT], row(stages.g, 1), row(stages.g, 2))
    third = h / 3
    return y[X] + x0 + third * z0, y[Y] + x1 + third * z1, y[Z] + x2 + third * z2


@inlined
def by_lambda(y, h, stages):
    """Derivatives by lambda0 at fixed t, for the derivatives of the step: omega turns with lambda."""
    c0, c1, c2 = scaled(CURVATURE, row(stages.B, START))
    rate = math.copysign(math.sqrt(c0 * c0 + c1 * c1 + c2 * c2), y[FREE_QOP])
    half, out, g = 0.5 * h, stages.by_lambda, stages.g
    put(out[HALF_SHIFT], times(stages.M[HALF, BY_SIZE], scaled(rate, direction(y))))
    put(out[WHOLE_SHIFT], times(stages.M[WHOLE, BY_SIZE], scaled(rate, direction(y))))
    put(out[HALF_TURN], cross(scaled(half, row(stages.t, 1)), (c0, c1, c2)))
    put(out[WHOLE_TURN], cross(times(stages.M[WHOLE, TURN], scaled(h, direction(y))), (c0, c1, c2)))
    put(out[OF_LAST], cross(scaled(half, row(stages.sums, LAST)), (c0, c1, c2)))
    put(out[OF_BOTH], cross(scaled(half, row(stages.sums, BOTH)), (c0, c1, c2)))
    third = rate * h / 3
    sums = (third * (g[1, 0] + g[2, 0]), third * (g[1, 1] + g[2, 1]), third * (g[1, 2] + g[2, 2]))
    put(out[SHIFT_OF_BOTH], times(stages.M[HALF, BY_SIZE], sums))


@inlined
def move(y, h, stages):
    """Complete the step that `try_step` evaluated; the direction gets length 1 again, the factor is returned."""
    f, g, both = stages.f, stages.g, stages.sums[BOTH]
    x0, x1, x2 = end_position(y, h, stages)
    t0, t1, t2 = times(stages.M[WHOLE, TURN], direction(y))
    t0 += h / 6 * (2 * both[0] + g[3, 0])
    t1 += h / 6 * (2 * both[1] + g[3, 1])
    t2 += h / 6 * (2 * both[2] + g[3, 2])
    norm = 1 / math.sqrt(t0 * t0 + t1 * t1 + t2 * t2)
    y[X], y[Y], y[Z], y[TX], y[TY], y[TZ] = x0, x1, x2, norm * t0, norm * t1, norm * t2
    y[FREE_QOP] += h / 6 * (f[0, RATE] + 2 * f[1, RATE] + 2 * f[2, RATE] + f[3, RATE])
    bend(y, stages, END, stages.k[1])
    return norm


@inlined
def without_field(want_gradient, stages):
    """Whether there is neither field nor gradient at the three places of the step."""
    for place in range(3):
        for j in range(3):
            if stages.B[place, j] != 0.0:
                return False
            if want_gradient:
                for m in range(3):
                    if stages.G[place, j, m] != 0.0:
                        return False
    return True


@inlined
def fly(y, J, h, stages):
    """`move` and `move_derivatives` of a step without field: straight on, with loss."""
    f = stages.f
    for j in range(3):
        y[j] += h * y[TX + j]
        stages.k[1, j] = 0.0
    y[FREE_QOP] += h / 6 * (f[0, RATE] + 2 * f[1, RATE] + 2 * f[2, RATE] + f[3, RATE])
    for c in range(5):
        for j in range(3):
            J[j, c] += h * J[TX + j, c]
        l1, l2, l3, l4 = loss_derivatives(f, h, J[FREE_QOP, c])
        J[FREE_QOP, c] += h / 6 * (l1 + 2 * l2 + 2 * l3 + l4)


@inlined
def loss_derivatives(f, h, dlam):
    """How lambda' of the four stages varies, for a deviation `dlam` at the start of the step."""
    l1 = f[0, BY_LAMBDA] * dlam
    l2 = f[1, BY_LAMBDA] * (dlam + 0.5 * h * l1)
    l3 = f[2, BY_LAMBDA] * (dlam + 0.5 * h * l2)
    return l1, l2, l3, f[3, BY_LAMBDA] * (dlam + h * l3)


@inlined
def varied(stages, stage, place, by_start, dx, dt, dlam):
    """dg of a stage: dt x e + t x (c dlambda B + c lambda G dx - c B0 dlambda0), by_start = (dlambda0, whether there is
    a gradient)."""
    dlam0, want_gradient = by_start
    t, e, b, b0 = stages.t[stage], stages.e[stage], stages.B[place], stages.B[START]
    a0 = CURVATURE * (dlam * b[0] - dlam0 * b0[0])
    a1 = CURVATURE * (dlam * b[1] - dlam0 * b0[1])
    a2 = CURVATURE * (dlam * b[2] - dlam0 * b0[2])
    if want_gradient:
        v0, v1, v2 = times(stages.G[place], scaled(CURVATURE * t[LAMBDA], dx))
        a0, a1, a2 = a0 + v0, a1 + v1, a2 + v2
    p0, p1, p2 = cross(dt, (e[0], e[1], e[2]))
    q0, q1, q2 = cross((t[0], t[1], t[2]), (a0, a1, a2))
    return p0 + q0, p1 + q1, p2 + q2


@inlined
def move_derivatives(J, h, y, norm, want_gradient, stages):
    """The columns of J (7 x 5) through the step; y and norm are those after `move`, `by_lambda` was called before
    it."""
    half_turn, half_shift = stages.M[HALF, TURN], stages.M[HALF, SHIFT]
    turn, shift, D = stages.M[WHOLE, TURN], stages.M[WHOLE, SHIFT], stages.by_lambda
    t = direction(y)
    for c in range(5):
        x, dt, lam = (J[X, c], J[Y, c], J[Z, c]), (J[TX, c], J[TY, c], J[TZ, c]), J[FREE_QOP, c]
        f1, f2, f3, f4 = loss_derivatives(stages.f, h, lam)
        g1 = 0.0, 0.0, 0.0
        if want_gradient:
            g1 = varied(stages, 0, START, (lam, True), x, dt, lam)
        by_start = lam, want_gradient
        xh = plus(plus(plus(x, 1.0, times(half_shift, dt)), lam, row(D, HALF_SHIFT)), h * h / 8, g1)
        th = plus(times(half_turn, dt), lam, row(D, HALF_TURN))
        t2 = plus(th, 0.5 * h, times(half_turn, g1))
        g2 = varied(stages, 1, MIDDLE, by_start, xh, t2, lam + 0.5 * h * f1)
        g3 = varied(stages, 2, MIDDLE, by_start, xh, plus(th, 0.5 * h, g2), lam + 0.5 * h * f2)
        last = plus(times(half_turn, g3), lam, row(D, OF_LAST))
        xe = plus(plus(x, 1.0, times(shift, dt)), lam, row(D, WHOLE_SHIFT))
        te = plus(times(turn, dt), lam, row(D, WHOLE_TURN))
        both = plus(g2, 1.0, g3)
        x4 = plus(xe, h * h / 2, last)
        xe = plus(plus(plus(xe, lam, row(D, SHIFT_OF_BOTH)), h / 3, times(half_shift, both)), h / 6, times(shift, g1))
        if stages.nudge[0] != 0.0:
            x4 = xe
        g4 = varied(stages, 3, END, by_start, x4, plus(te, h, last), lam + h * f3)
        turned = plus(times(half_turn, both), lam, row(D, OF_BOTH))
        te = plus(plus(plus(te, h / 3, turned), h / 6, g4), h / 6, times(turn, g1))
        along = te[0] * t[0] + te[1] * t[1] + te[2] * t[2]
        J[X, c], J[Y, c], J[Z, c] = xe
        J[TX, c] = norm * (te[0] - along * t[0])
        J[TY, c] = norm * (te[1] - along * t[1])
        J[TZ, c] = norm * (te[2] - along * t[2])
        J[FREE_QOP, c] += h / 6 * (f1 + 2 * f2 + 2 * f3 + f4)
