"""One step of a free state and of its derivatives: Runge-Kutta-Nystrom of fourth order around a helix.

    x'' = t' = c lambda t x B(x),   lambda' = f(lambda),   lambda = q/p,   ' = d/ds

With omega = c lambda0 B0 of the start of the step, t' = t x omega + g, and g = t x (c lambda B - omega) is small: it is
integrated by the classical stages in the frame that turns with the helix (Lawson, SIAM J. Numer. Anal. 4 (1967) 372),
so a step in a constant field is exact whatever its length, and without a field this is the scheme of Lund et al., J.
Instrum. 4 (2009) P04001. The derivatives are those of the step itself, with the gradient of the field and the energy
loss."""

import math
from typing import NamedTuple

from muonkit.core.arrays import AnyArray
from muonkit.core.compiled import inlined, shared
from muonkit.core.units import CURVATURE
from muonkit.detector.kernels import field
from muonkit.transport.kernels.rotation import matrices, times, vector

CHANCE = 0.05  # of g: the least error, for the difference of g may vanish by chance


class Work(NamedTuple):
    """Scratch of one step; place 0, 1, 2: start, middle, end; stage 0 ... 3.

    B (3, 3), G (3, 3, 3): field and gradient at the places; M (2, 3, 3, 3): R, H, dH/da of half and of the whole step;
    t (4, 4): direction and lambda of the stages; e (4, 3): c lambda B - omega; g (4, 3); f (4, 2): lambda' and its
    derivative; k (2, 3): t' at start and end; sums (2, 3): R(h/2) g3 and R(h/2)(g2 + g3); by_lambda (7, 3):
    derivatives of what `try_step` and `move` compute by lambda0, at fixed t; nudge (1,): of the step that was tried."""

    B: AnyArray
    G: AnyArray
    M: AnyArray
    t: AnyArray
    e: AnyArray
    g: AnyArray
    f: AnyArray
    k: AnyArray
    sums: AnyArray
    by_lambda: AnyArray
    nudge: AnyArray


@inlined
def loss_rate(loss, material, qop, f):
    """f = (lambda', d lambda'/d lambda) [1/GeV/cm] of the mean energy loss; negative steps gain energy."""
    f[0] = 0.0
    f[1] = 0.0
    if material == 0:
        return
    w = abs(qop)
    p = 1.0 / w
    S, dS = stopping(loss, material, p)
    E = math.sqrt(p * p + loss.mass * loss.mass)
    rate = S * E * w * w * w
    f[0] = rate if qop > 0 else -rate
    f[1] = 3.0 * S * E * w * w - w * dS * E - S / E


@inlined
def stopping(loss, material, p):
    """Mean energy loss [GeV/cm] and its derivative by p: cubic Hermite in u = ln p; the twin of `tables.stopping`."""
    position = (math.log(p) - loss.u_min) / loss.du
    i = min(max(int(position), 0), loss.value.shape[1] - 2)
    s = position - i
    a, b = loss.value[material, i], loss.value[material, i + 1]
    da, db = loss.slope[material, i] * loss.du, loss.slope[material, i + 1] * loss.du
    c2, c3 = 3 * (b - a) - 2 * da - db, 2 * (a - b) + da + db
    value = a + s * (da + s * (c2 + s * c3))
    slope = (da + s * (2 * c2 + 3 * s * c3)) / loss.du
    return value, slope / p


@inlined
def put(row, v):
    """row[:] = v"""
    row[0], row[1], row[2] = v


@inlined
def bend(y, w, place, k):
    """k = c lambda t x B at the end of a step or at its start."""
    b = w.B[place]
    f = CURVATURE * y[6]
    put(k, vector(f * y[3], f * y[4], f * y[5], b[0], b[1], b[2]))


@inlined
def start(y, e, det, loss, material, want_gradient, w):
    """Field, k = dt/ds and lambda' at the point, looked up `e` [cm] further on; False outside the map."""
    inside = field(det.field, y[0] + e * y[3], y[1] + e * y[4], y[2] + e * y[5], w.B[0], w.G[0], want_gradient)
    loss_rate(loss, material, y[6], w.f[0])
    bend(y, w, 0, w.k[0])
    w.t[0, 0], w.t[0, 1], w.t[0, 2], w.t[0, 3] = y[3], y[4], y[5], y[6]
    return inside


@inlined
def slopes_at_end(y, loss, material, w):
    """k and lambda' where the step ends, on its own side of a face."""
    put(w.k[0], (w.k[1, 0], w.k[1, 1], w.k[1, 2]))
    loss_rate(loss, material, y[6], w.f[0])


@inlined
def residual(w, n, place, lam):
    """Stage n, whose direction stands in w.t: e = c lambda B - omega and g = t x e."""
    t, e, b, b0 = w.t[n], w.e[n], w.B[place], w.B[0]
    t[3] = lam
    f, f0 = CURVATURE * lam, CURVATURE * w.t[0, 3]
    for i in range(3):
        e[i] = f * b[i] - f0 * b0[i]
    put(w.g[n], vector(t[0], t[1], t[2], e[0], e[1], e[2]))


@shared
def try_step(y, h, nudge, det, loss, material, want_gradient, w):
    """The stages of a step h [cm] that `start` began; the error of its direction, or -1 outside the field map.

    With a nudge, the field of the last stage is looked up that far [cm] before the end of the step and not at the
    classical place, which may lie behind the face of a volume where the field jumps. The step is then of third order
    in the gradient of the field, and the error is estimated as ever."""
    w.nudge[0] = nudge
    f, g, t, b0, lam = w.f, w.g, w.t, w.B[0], y[6]
    a = CURVATURE * lam
    R1, H1, R2, H2 = w.M[0, 0], w.M[0, 1], w.M[1, 0], w.M[1, 1]
    matrices(a * b0[0], a * b0[1], a * b0[2], 0.5 * h, R1, H1, w.M[0, 2])
    matrices(a * b0[0], a * b0[1], a * b0[2], h, R2, H2, w.M[1, 2])
    x0, x1, x2 = times(H1, y[3], y[4], y[5])
    inside = field(det.field, y[0] + x0, y[1] + x1, y[2] + x2, w.B[1], w.G[1], want_gradient)
    put(t[1], times(R1, y[3], y[4], y[5]))
    loss_rate(loss, material, lam + 0.5 * h * f[0, 0], f[1])
    residual(w, 1, 1, lam + 0.5 * h * f[0, 0])
    for i in range(3):
        t[2, i] = t[1, i] + 0.5 * h * g[1, i]
    loss_rate(loss, material, lam + 0.5 * h * f[1, 0], f[2])
    residual(w, 2, 1, lam + 0.5 * h * f[1, 0])
    last, both = w.sums[0], w.sums[1]
    put(last, times(R1, g[2, 0], g[2, 1], g[2, 2]))
    put(both, times(R1, g[1, 0] + g[2, 0], g[1, 1] + g[2, 1], g[1, 2] + g[2, 2]))
    put(t[3], times(R2, y[3], y[4], y[5]))
    for i in range(3):
        t[3, i] += h * last[i]
    x0, x1, x2 = last_place(y, h, nudge, w)
    inside &= field(det.field, x0, x1, x2, w.B[2], w.G[2], want_gradient)
    loss_rate(loss, material, lam + h * f[2, 0], f[3])
    residual(w, 3, 2, lam + h * f[2, 0])
    if not inside:
        return -1.0
    error, size = 0.0, 0.0
    for i in range(3):
        error += abs(g[3, i] - both[i])
        size += abs(g[3, i]) + abs(both[i])
    return abs(h) / 6 * max(error, CHANCE * size)


@inlined
def last_place(y, h, nudge, w):
    """Where the last stage looks up the field."""
    t = w.t[3]
    if nudge != 0.0:
        x0, x1, x2 = end_position(y, h, w)
        return x0 - nudge * t[0], x1 - nudge * t[1], x2 - nudge * t[2]
    x0, x1, x2 = times(w.M[1, 1], y[3], y[4], y[5])
    q, last = 0.5 * h * h, w.sums[0]
    return y[0] + x0 + q * last[0], y[1] + x1 + q * last[1], y[2] + x2 + q * last[2]


@inlined
def end_position(y, h, w):
    """Where the step that was tried ends."""
    g, H1 = w.g, w.M[0, 1]
    a0, a1, a2 = times(w.M[1, 1], y[3], y[4], y[5])
    b0, b1, b2 = times(H1, g[1, 0] + g[2, 0], g[1, 1] + g[2, 1], g[1, 2] + g[2, 2])
    q = h / 3
    return y[0] + a0 + q * b0, y[1] + a1 + q * b1, y[2] + a2 + q * b2


@inlined
def by_lambda(y, h, w):
    """Derivatives by lambda0 at fixed t, for the derivatives of the step: omega turns with lambda."""
    b0, out = w.B[0], w.by_lambda
    c0, c1, c2 = CURVATURE * b0[0], CURVATURE * b0[1], CURVATURE * b0[2]
    rate = math.copysign(math.sqrt(c0 * c0 + c1 * c1 + c2 * c2), y[6])
    D1, D2, g = w.M[0, 2], w.M[1, 2], w.g
    put(out[0], times(D1, rate * y[3], rate * y[4], rate * y[5]))  # H(h/2) t
    put(out[1], times(D2, rate * y[3], rate * y[4], rate * y[5]))  # H(h) t
    s = 0.5 * h
    t1, last, both = w.t[1], w.sums[0], w.sums[1]
    put(out[2], vector(s * t1[0], s * t1[1], s * t1[2], c0, c1, c2))  # R(h/2) t
    r0, r1, r2 = times(w.M[1, 0], h * y[3], h * y[4], h * y[5])
    put(out[3], vector(r0, r1, r2, c0, c1, c2))  # R(h) t
    put(out[4], vector(s * last[0], s * last[1], s * last[2], c0, c1, c2))  # R(h/2) g3
    put(out[5], vector(s * both[0], s * both[1], s * both[2], c0, c1, c2))  # R(h/2) (g2 + g3)
    q = rate * h / 3
    put(out[6], times(D1, q * (g[1, 0] + g[2, 0]), q * (g[1, 1] + g[2, 1]), q * (g[1, 2] + g[2, 2])))


@inlined
def move(y, h, w):
    """Complete the step that `try_step` evaluated; the direction is brought back to length 1, the factor is
    returned."""
    f, g, both = w.f, w.g, w.sums[1]
    x0, x1, x2 = end_position(y, h, w)
    r0, r1, r2 = times(w.M[1, 0], y[3], y[4], y[5])
    r0 += h / 6 * (2 * both[0] + g[3, 0])
    r1 += h / 6 * (2 * both[1] + g[3, 1])
    r2 += h / 6 * (2 * both[2] + g[3, 2])
    norm = 1 / math.sqrt(r0 * r0 + r1 * r1 + r2 * r2)
    y[0], y[1], y[2], y[3], y[4], y[5] = x0, x1, x2, norm * r0, norm * r1, norm * r2
    y[6] += h / 6 * (f[0, 0] + 2 * f[1, 0] + 2 * f[2, 0] + f[3, 0])
    bend(y, w, 2, w.k[1])
    return norm


@inlined
def without_field(want_gradient, w):
    """Whether there is neither field nor gradient at the three places of the step."""
    for place in range(3):
        for i in range(3):
            if w.B[place, i] != 0.0:
                return False
            if want_gradient:
                for j in range(3):
                    if w.G[place, i, j] != 0.0:
                        return False
    return True


@inlined
def fly(y, J, h, w):
    """`move` and `move_derivatives` of a step without field: straight on, with loss."""
    f = w.f
    for i in range(3):
        y[i] += h * y[3 + i]
        w.k[1, i] = 0.0
    y[6] += h / 6 * (f[0, 0] + 2 * f[1, 0] + 2 * f[2, 0] + f[3, 0])
    for c in range(5):
        for i in range(3):
            J[i, c] += h * J[3 + i, c]
        J[6, c] += h / 6 * loss_derivative(f, h, J[6, c])


@inlined
def loss_derivative(f, h, lam):
    """Six times the mean derivative of lambda' over the step, for a deviation `lam` at its start."""
    f1 = f[0, 1] * lam
    f2 = f[1, 1] * (lam + 0.5 * h * f1)
    f3 = f[2, 1] * (lam + 0.5 * h * f2)
    return f1 + 2 * f2 + 2 * f3 + f[3, 1] * (lam + h * f3)


@inlined
def varied(w, n, place, dx, dt, dlam, dlam0, want_gradient):
    """dg of stage n: dt x e + t x (c dlambda B + c lambda G dx - c B0 dlambda0)."""
    t, e, b, b0 = w.t[n], w.e[n], w.B[place], w.B[0]
    a0 = CURVATURE * (dlam * b[0] - dlam0 * b0[0])
    a1 = CURVATURE * (dlam * b[1] - dlam0 * b0[1])
    a2 = CURVATURE * (dlam * b[2] - dlam0 * b0[2])
    if want_gradient:
        G, f = w.G[place], CURVATURE * t[3]
        v0, v1, v2 = times(G, f * dx[0], f * dx[1], f * dx[2])
        a0, a1, a2 = a0 + v0, a1 + v1, a2 + v2
    p0, p1, p2 = vector(dt[0], dt[1], dt[2], e[0], e[1], e[2])
    q0, q1, q2 = vector(t[0], t[1], t[2], a0, a1, a2)
    return p0 + q0, p1 + q1, p2 + q2


@inlined
def plus(a, s, b):
    """a + s b for vectors."""
    return a[0] + s * b[0], a[1] + s * b[1], a[2] + s * b[2]


@inlined
def row(M, i):
    """Row i of an array of vectors."""
    return M[i, 0], M[i, 1], M[i, 2]


@inlined
def move_derivatives(J, h, y, norm, want_gradient, w):
    """The columns of J (7 x 5) through the step; y and norm are those after `move`, `by_lambda` was called before
    it."""
    R1, H1, R2, H2, f, D = w.M[0, 0], w.M[0, 1], w.M[1, 0], w.M[1, 1], w.f, w.by_lambda
    t = y[3], y[4], y[5]
    for c in range(5):
        x, u, lam = (J[0, c], J[1, c], J[2, c]), (J[3, c], J[4, c], J[5, c]), J[6, c]
        f1 = f[0, 1] * lam
        f2 = f[1, 1] * (lam + 0.5 * h * f1)
        f3 = f[2, 1] * (lam + 0.5 * h * f2)
        f4 = f[3, 1] * (lam + h * f3)
        g1 = 0.0, 0.0, 0.0
        if want_gradient:
            g1 = varied(w, 0, 0, x, u, lam, lam, True)
        xh = plus(plus(plus(x, 1.0, times(H1, *u)), lam, row(D, 0)), h * h / 8, g1)
        uh = plus(times(R1, *u), lam, row(D, 2))
        g2 = varied(w, 1, 1, xh, plus(uh, 0.5 * h, times(R1, *g1)), lam + 0.5 * h * f1, lam, want_gradient)
        g3 = varied(w, 2, 1, xh, plus(uh, 0.5 * h, g2), lam + 0.5 * h * f2, lam, want_gradient)
        last = plus(times(R1, *g3), lam, row(D, 4))
        xe = plus(plus(x, 1.0, times(H2, *u)), lam, row(D, 1))
        ue = plus(times(R2, *u), lam, row(D, 3))
        both = plus(g2, 1.0, g3)
        x4 = plus(xe, h * h / 2, last)
        xe = plus(plus(plus(xe, lam, row(D, 6)), h / 3, times(H1, *both)), h / 6, times(H2, *g1))
        if w.nudge[0] != 0.0:
            x4 = xe
        g4 = varied(w, 3, 2, x4, plus(ue, h, last), lam + h * f3, lam, want_gradient)
        turned = plus(times(R1, *both), lam, row(D, 5))
        ue = plus(plus(plus(ue, h / 3, turned), h / 6, g4), h / 6, times(R2, *g1))
        along = ue[0] * t[0] + ue[1] * t[1] + ue[2] * t[2]
        J[0, c], J[1, c], J[2, c] = xe
        J[3, c] = norm * (ue[0] - along * t[0])
        J[4, c] = norm * (ue[1] - along * t[1])
        J[5, c] = norm * (ue[2] - along * t[2])
        J[6, c] += h / 6 * (f1 + 2 * f2 + 2 * f3 + f4)
