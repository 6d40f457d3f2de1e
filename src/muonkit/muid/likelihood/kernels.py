"""Six log-likelihoods of every track. The twin of `longitudinal`, `chain` and `transverse`.

Tables stand so that what one track needs of the six hypotheses of its charge is side by side.

Letters: h hypothesis; as in `transverse`, D region, k = ndof/2, x = chi2/ndof, d distance of x from the centre of its
bin; as in `chain`, j the species that a particle behaves as. `row` is the number of a track, `side` its charge: 0
positive, 1 negative."""

import math
from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import AnyArray
from muonkit.core.compiled import compiled, inlined
from muonkit.data.muid import BARREL_LAYERS, ENDCAP_LAYERS, LAYERS
from muonkit.muid.likelihood import hypotheses
from muonkit.muid.likelihood.chain import LEAST_EFFICIENCY
from muonkit.muid.likelihood.longitudinal import OUTERMOST_BACKWARD, OUTERMOST_BARREL, OUTERMOST_FORWARD
from muonkit.muid.likelihood.outcome import (
    BARREL_ONLY,
    BOTH,
    ENDCAP_ONLY,
    EXIT_BARREL,
    NOT_REACHED,
    OUTCOMES,
    OVERLAP_STOP_FORWARD,
    STOP_BARREL,
)
from muonkit.muid.likelihood.payload import ORDERS
from muonkit.muid.likelihood.spline import BINS, WIDTH
from muonkit.muid.likelihood.transverse import FIRST_BINS, LEAST

SIX = len(hypotheses.HYPOTHESES)
CLAMP, POWER = FIRST_BINS.index("clamp"), FIRST_BINS.index("power")


class Tables(NamedTuple):
    """class_index (67, 16); first (829 + 1,); p, log_hit, log_miss (entries, 2 charges, 6); spline (3, 18, 100, 2, 6,
    4); threshold, scale_x, log_scale_y (3, 18, 2, 6); log_norm (3, LAYERS, 2, 6); signal (entries, 2, 6, 4), empty if
    layers are independent; behaviour (2, 6, 6)."""

    class_index: AnyArray
    first: AnyArray
    p: AnyArray
    log_hit: AnyArray
    log_miss: AnyArray
    spline: AnyArray
    threshold: AnyArray
    scale_x: AnyArray
    log_scale_y: AnyArray
    log_norm: AnyArray
    signal: AnyArray
    behaviour: AnyArray


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


class LikelihoodRules(NamedTuple):
    """Whether layers are correlated, and whether every missing hit counts; index in FIRST_BINS; logarithm of the sum of
    the six below which a track is junk, and whether junk keeps its likelihoods."""

    correlated: bool
    strict: bool
    first_bin: int
    log_junk: float
    keep_junk: bool


class LikelihoodOut(NamedTuple):
    """What is written: log_pdf, probability (n, 6), junk (n,)."""

    log_pdf: AnyArray
    probability: AnyArray
    junk: AnyArray


@inlined
def class_of(tables, tracks, row):
    """Class of a track, -1 if it has none: also where outcome and last layers contradict each other."""
    barrel, endcap, code = tracks.barrel[row], tracks.endcap[row], tracks.outcome[row]
    if code <= NOT_REACHED or code >= OUTCOMES or barrel >= BARREL_LAYERS or endcap >= ENDCAP_LAYERS:
        return -1
    if code in (STOP_BARREL, EXIT_BARREL):
        return tables.class_index[code, barrel] if barrel >= 0 and endcap == -1 else -1
    behind = (code - OVERLAP_STOP_FORWARD) % BARREL_LAYERS if code >= OVERLAP_STOP_FORWARD else -1
    return tables.class_index[code, endcap] if barrel == behind and endcap >= 0 else -1


@inlined
def miss_counts(tracks, row, bit, strict):
    """Whether a missing hit in a layer counts."""
    if strict:
        return True
    if bit < BARREL_LAYERS:
        innermost = bit == 0 and tracks.outcome[row] < OVERLAP_STOP_FORWARD
        return bit == OUTERMOST_BARREL or bit < tracks.barrel[row] or innermost
    layer = bit - BARREL_LAYERS
    outermost = OUTERMOST_FORWARD if tracks.is_forward[row] else OUTERMOST_BACKWARD
    return layer == 0 or layer == outermost or layer < tracks.endcap[row]


@inlined
def add_longitudinal(tables, tracks, row, position, strict, total):
    """Add ln P of all crossed layers up to the last; position: of the class of the track."""
    first, side = tables.first[position], side_of(tracks, row)
    in_barrel, in_endcap = (1 << (tracks.barrel[row] + 1)) - 1, (1 << (tracks.endcap[row] + 1)) - 1
    ext, hit, bit = tracks.ext[row] & (in_barrel | (in_endcap << BARREL_LAYERS)), tracks.hit[row], 0
    while ext >> bit:
        if not ext >> bit & 1:
            bit += 1
            continue
        entry = first + bit
        if hit >> bit & 1:
            for h in range(SIX):
                total[h] += tables.log_hit[entry, side, h]
        elif miss_counts(tracks, row, bit, strict):
            efficiency = tracks.efficiency[row, bit]
            if efficiency == 1.0 or math.isnan(efficiency):
                for h in range(SIX):
                    total[h] += tables.log_miss[entry, side, h]
            elif efficiency != 0.0:
                for h in range(SIX):
                    total[h] += math.log1p(-tables.p[entry, side, h] * efficiency)
        bit += 1


@inlined
def add_chain(tables, tracks, row, position, total):
    """Add ln P of the pattern, eq. 18b, of all six species; position: of the class of the track.

    a_st: signals s, t in the two layers before; all that is seen is in their sum."""
    first, side = tables.first[position], side_of(tracks, row)
    in_barrel, in_endcap = (1 << (tracks.barrel[row] + 1)) - 1, (1 << (tracks.endcap[row] + 1)) - 1
    inside, ext, hit = in_barrel | (in_endcap << BARREL_LAYERS), tracks.ext[row], tracks.hit[row]
    for j in range(SIX):
        a_00, a_01, a_10, a_11 = 1.0, 0.0, 0.0, 0.0
        for bit in range(LAYERS):
            if not inside >> bit & 1:
                continue
            q = tables.signal[first + bit, side, j]
            b_01, b_11 = a_00 * q[0] + a_10 * q[2], a_01 * q[1] + a_11 * q[3]
            b_00, b_10 = a_00 * (1 - q[0]) + a_10 * (1 - q[2]), a_01 * (1 - q[1]) + a_11 * (1 - q[3])
            with_signal, without = 1.0, 1.0
            if ext >> bit & 1:
                efficiency = tracks.efficiency[row, bit]
                if math.isnan(efficiency):
                    efficiency = 1.0
                if hit >> bit & 1:
                    with_signal, without = max(efficiency, LEAST_EFFICIENCY), 0.0
                else:
                    with_signal = 1 - efficiency
            a_00, a_01, a_10, a_11 = b_00 * without, b_01 * with_signal, b_10 * without, b_11 * with_signal
        total[j] += math.log(a_00 + a_01 + a_10 + a_11)


@inlined
def blend(tables, tracks, row, total, scratch):
    """Densities of six hypotheses from those of six behaviours, eq. 18c, in place."""
    side, top = side_of(tracks, row), -math.inf
    for j in range(SIX):
        top = max(top, total[j])
    if top == -math.inf:
        return
    for j in range(SIX):
        scratch[j] = math.exp(total[j] - top)
    for h in range(SIX):
        blended = 0.0
        for j in range(SIX):
            blended += tables.behaviour[side, h, j] * scratch[j]
        total[h] = top + math.log(blended)


@inlined
def side_of(tracks, row):
    """Column of tables for the charge of a track."""
    return 1 if tracks.charge[row] < 0 else 0


@inlined
def region_of(tracks, row):
    """Region D of a track."""
    if tracks.endcap[row] < 0:
        return BARREL_ONLY
    return ENDCAP_ONLY if tracks.barrel[row] < 0 else BOTH


@inlined
def add_transverse(tables, tracks, row, first_bin, total):
    """Add ln f of the reduced chi2."""
    if tracks.ndof[row] <= 0:
        return
    if not 0 <= tracks.chi2[row] < math.inf:
        for h in range(SIX):
            total[h] = -math.inf
        return
    D, side = region_of(tracks, row), side_of(tracks, row)
    k, x = tracks.ndof[row] // 2, tracks.chi2[row] / tracks.ndof[row]
    if k < 1:
        k = 1
    order = min(k, ORDERS) - 1
    cell = min(max(int((x - WIDTH / 2) / WIDTH), 0), BINS - 1)
    d = x - WIDTH / 2 - cell * WIDTH
    log_kx = math.log(k * x) if k > 1 and x > 0 else (0.0 if k == 1 else -math.inf)
    for h in range(SIX):
        total[h] -= tables.log_norm[D, min(k, LAYERS) - 1, side, h]
        scale = tables.scale_x[D, order, side, h]
        if k > ORDERS or x > tables.threshold[D, order, side, h]:
            total[h] += tables.log_scale_y[D, order, side, h] - k * x * scale
            if k > 1:
                total[h] += (k - 1) * (log_kx + math.log(scale))
            continue
        spline = tables.spline[D, order, cell, side, h]
        if d < 0 and cell == 0 and first_bin == CLAMP:
            total[h] += spline[0]
        elif d < 0 and cell == 0 and first_bin == POWER:
            total[h] += spline[0] + (k - 1) * math.log(max(x, LEAST) * 2 / WIDTH) - k * scale * d
        else:
            total[h] += spline[0] + d * (spline[1] + d * (spline[2] + d * spline[3]))


@inlined
def normalise(total, share):
    """Shares of the six in their sum; returns the logarithm of the sum."""
    top = -math.inf
    for h in range(SIX):
        top = max(top, total[h])
    if top == -math.inf:
        for h in range(SIX):
            share[h] = math.nan
        return top
    all_six = 0.0
    for h in range(SIX):
        share[h] = math.exp(total[h] - top)
        all_six += share[h]
    for h in range(SIX):
        share[h] /= all_six
    return top + math.log(all_six)


@inlined
def clear(row, out):
    """Nothing is known of a track."""
    for h in range(SIX):
        out.log_pdf[row, h] = math.nan
        out.probability[row, h] = math.nan


@compiled
def likelihoods(tables, tracks, rules, out):
    """Fill what is written; NaN for outcome 0 and, unless they are kept, for junk."""
    for row in range(tracks.outcome.size):
        if tracks.outcome[row] == NOT_REACHED:
            clear(row, out)
            continue
        total, position = out.log_pdf[row], class_of(tables, tracks, row)
        for h in range(SIX):
            total[h] = 0.0 if position >= 0 else -math.inf
        if position >= 0:
            if rules.correlated:
                add_chain(tables, tracks, row, position, total)
            else:
                add_longitudinal(tables, tracks, row, position, rules.strict, total)
            add_transverse(tables, tracks, row, rules.first_bin, total)
            if rules.correlated:
                blend(tables, tracks, row, total, out.probability[row])
        out.junk[row] = not normalise(total, out.probability[row]) >= rules.log_junk
        if out.junk[row] and not rules.keep_junk:
            clear(row, out)


def side_by_side(values: AnyArray, order: AnyArray) -> AnyArray:
    """Tables (12, ...) as (..., 2, 6): charges and hypotheses last; order (2, 6): signed numbers."""
    return np.ascontiguousarray(np.moveaxis(values[order], (0, 1), (-2, -1)))
