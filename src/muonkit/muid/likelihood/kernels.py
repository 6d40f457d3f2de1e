"""Six log-likelihoods of every track. The twin of `muid.longitudinal` and `muid.transverse`.

Tables stand so that what one track needs of the six hypotheses of its charge is side by side."""

import math
from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import AnyArray
from muonkit.core.compiled import compiled, inlined

BARREL_LAYERS, LAYERS, OUTCOMES, LAST_LAYERS, ORDERS, BINS = 15, 29, 67, 16, 18, 100
OVERLAP = 7  # the first outcome behind the barrel
FAITHFUL, CLAMP, POWER = range(3)
WIDTH, LEAST = 0.1, 1e-9


class Tables(NamedTuple):
    """class_index (67, 16); first (829 + 1,); p, log_hit, log_miss (entries, 2 charges, 6); spline (3, 18, 100, 2, 6,
    4); threshold, scale_x, log_scale_y (3, 18, 2, 6)."""

    class_index: AnyArray
    first: AnyArray
    p: AnyArray
    log_hit: AnyArray
    log_miss: AnyArray
    spline: AnyArray
    threshold: AnyArray
    scale_x: AnyArray
    log_scale_y: AnyArray


class Columns(NamedTuple):
    """Columns of `data.muid.MuidTracks`."""

    charge: AnyArray
    outcome: AnyArray
    is_forward: AnyArray
    ext: AnyArray
    hit: AnyArray
    barrel: AnyArray
    endcap: AnyArray
    chi2: AnyArray
    ndof: AnyArray
    efficiency: AnyArray


@inlined
def class_of(t, c, n):
    """Class of track n, -1 if it has none: also where outcome and last layers contradict each other."""
    b, e, code = c.barrel[n], c.endcap[n], c.outcome[n]
    if code <= 0 or code >= OUTCOMES or b >= BARREL_LAYERS or e >= LAYERS - BARREL_LAYERS:
        return -1
    if code == 1 or code == 3:
        return t.class_index[code, b] if b >= 0 and e == -1 else -1
    behind = (code - OVERLAP) % BARREL_LAYERS if code >= OVERLAP else -1
    return t.class_index[code, e] if b == behind and e >= 0 else -1


@inlined
def miss_counts(c, n, bit, strict):
    """Whether a missing hit in a layer counts."""
    if strict:
        return True
    if bit < BARREL_LAYERS:
        return bit == BARREL_LAYERS - 1 or bit < c.barrel[n] or (bit == 0 and c.outcome[n] < OVERLAP)
    layer = bit - BARREL_LAYERS
    return layer == 0 or layer == (13 if c.is_forward[n] else 11) or layer < c.endcap[n]


@inlined
def add_longitudinal(t, c, n, first, side, strict, total):
    """Add ln P of all crossed layers up to the last."""
    b, e = c.barrel[n], c.endcap[n]
    up_to = ((1 << (b + 1)) - 1) | (((1 << (e + 1)) - 1) << BARREL_LAYERS)
    ext, hit, bit = c.ext[n] & up_to, c.hit[n], 0
    while ext >> bit:
        if not ext >> bit & 1:
            bit += 1
            continue
        i = first + bit
        if hit >> bit & 1:
            for h in range(6):
                total[h] += t.log_hit[i, side, h]
        elif miss_counts(c, n, bit, strict):
            eff = c.efficiency[n, bit]
            if eff == 1.0 or math.isnan(eff):
                for h in range(6):
                    total[h] += t.log_miss[i, side, h]
            elif eff != 0.0:
                for h in range(6):
                    total[h] += math.log1p(-t.p[i, side, h] * eff)
        bit += 1


@inlined
def add_transverse(t, c, n, side, first_bin, total):
    """Add ln f of the reduced chi2."""
    if c.ndof[n] <= 0:
        return
    if not 0 <= c.chi2[n] < math.inf:
        for h in range(6):
            total[h] = -math.inf
        return
    D = 1 if c.endcap[n] < 0 else (2 if c.barrel[n] < 0 else 0)
    k, x = c.ndof[n] // 2, c.chi2[n] / c.ndof[n]
    if k < 1:
        k = 1
    o = min(k, ORDERS) - 1
    i = min(max(int((x - WIDTH / 2) / WIDTH), 0), BINS - 1)
    d = x - WIDTH / 2 - i * WIDTH
    log_kx = math.log(k * x) if k > 1 and x > 0 else (0.0 if k == 1 else -math.inf)
    for h in range(6):
        if k > ORDERS or x > t.threshold[D, o, side, h]:
            scale = t.scale_x[D, o, side, h]
            total[h] += t.log_scale_y[D, o, side, h] - k * x * scale
            if k > 1:
                total[h] += (k - 1) * (log_kx + math.log(scale))
            continue
        s = t.spline[D, o, i, side, h]
        if d < 0 and i == 0 and first_bin == CLAMP:
            total[h] += s[0]
        elif d < 0 and i == 0 and first_bin == POWER:
            total[h] += s[0] + (k - 1) * math.log(max(x, LEAST) * 2 / WIDTH) - k * t.scale_x[D, o, side, h] * d
        else:
            total[h] += s[0] + d * (s[1] + d * (s[2] + d * s[3]))


@inlined
def normalise(total, out):
    """Shares of the six in their sum; returns the logarithm of the sum."""
    top = -math.inf
    for h in range(6):
        top = max(top, total[h])
    if top == -math.inf:
        for h in range(6):
            out[h] = math.nan
        return top
    sum_ = 0.0
    for h in range(6):
        out[h] = math.exp(total[h] - top)
        sum_ += out[h]
    for h in range(6):
        out[h] /= sum_
    return top + math.log(sum_)


@compiled
def likelihoods(t, c, strict, first_bin, log_junk, keep_junk, log_pdf, probability, junk):
    """Fill log_pdf, probability (n, 6) and junk (n,); NaN for outcome 0 and, unless they are kept, for junk."""
    for n in range(c.outcome.size):
        total = log_pdf[n]
        if c.outcome[n] == 0:
            for h in range(6):
                total[h] = math.nan
                probability[n, h] = math.nan
            continue
        position, side = class_of(t, c, n), 1 if c.charge[n] < 0 else 0
        for h in range(6):
            total[h] = 0.0 if position >= 0 else -math.inf
        if position >= 0:
            add_longitudinal(t, c, n, t.first[position], side, strict, total)
            add_transverse(t, c, n, side, first_bin, total)
        junk[n] = not normalise(total, probability[n]) >= log_junk
        if junk[n] and not keep_junk:
            for h in range(6):
                total[h] = math.nan
                probability[n, h] = math.nan


def side_by_side(values: AnyArray, order: AnyArray) -> AnyArray:
    """Tables (12, ...) as (..., 2, 6): charges and hypotheses last; order (2, 6): signed numbers."""
    return np.ascontiguousarray(np.moveaxis(values[order], (0, 1), (-2, -1)))
