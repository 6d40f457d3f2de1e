"""PdfCounts -> probabilities of a hit in every layer of every class, with their uncertainties.

In classes that saw only one region, layers that are neither the innermost nor the last follow

    p(layer) = A exp(-B layer)                                                                              (20)

fitted to hits among crossings (binomial likelihood); the fit replaces what was counted where both agree or hits are
few. A class with few tracks leans on the profile of all last layers of its outcome, which counts as `pseudo` tracks.
Behind the barrel the profile of each part is that of all classes of a group (which leans on tracks that saw only this
part), scaled to the hits of the class, beside what was counted: Beta distributions throughout, since most of these
classes hold a few tracks. Tracks with holes in their layers count there, as most muons of these classes have some."""

from dataclasses import dataclass

import numpy as np
from iminuit import Minuit
from scipy.optimize import isotonic_regression

from muonkit.core.arrays import AnyArray, FloatArray, IntArray
from muonkit.data.muid import BARREL_LAYERS
from muonkit.muid.build.config import LongitudinalFit
from muonkit.muid.build.count import MUONS, PdfCounts
from muonkit.muid.likelihood.hypotheses import SIGNED
from muonkit.muid.likelihood.outcome import (
    EXIT_BACKWARD,
    EXIT_BARREL,
    EXIT_FORWARD,
    OVERLAP_STOP_FORWARD,
    STOP_BACKWARD,
    STOP_BARREL,
    STOP_FORWARD,
    class_index,
    classes,
    number_of_last_layers,
)
from muonkit.muid.likelihood.payload import first_entries

START = {  # A, B per layer, by place of the signed hypothesis: with these the fits begin
    0: (0.035, 1.65),
    2: (0.20, 0.45),
    4: (0.05, 0.36),
    6: (0.29, 0.30),
    8: (0.33, 0.23),
    10: (0.97, 0.005),
}
LIMITS = ((1e-5, 0.9999), (-0.05, 4.0))  # of A, of B
LEAST = 1e-5  # probabilities stay that far from 0 and 1
OVERLAP_ENDCAPS = (STOP_FORWARD, STOP_BACKWARD, EXIT_FORWARD, EXIT_BACKWARD)


@dataclass(frozen=True, slots=True)
class Profile:
    """p and its standard deviation (layers,)."""

    p: FloatArray
    error: FloatArray


def tables(counts: PdfCounts, fit: LongitudinalFit) -> tuple[FloatArray, FloatArray]:
    """Probabilities and uncertainties (12, entries)."""
    p, error = (np.zeros(counts.hit.shape) for _ in range(2))
    for hypothesis in range(SIGNED):
        hit, crossed = counts.hit[hypothesis], counts.crossed[hypothesis]
        single = {pair: single_region(hypothesis, pair, hit, crossed, fit) for pair in classes() if pair[0] < 7}
        groups = [overlap_references(hypothesis, group, hit, crossed, fit) for group in range(len(OVERLAP_ENDCAPS))]
        for place, pair in enumerate(classes()):
            rows = slice(*first_entries()[place : place + 2])
            if pair in single:
                whole = single[pair]
            else:
                group = (pair[0] - OVERLAP_STOP_FORWARD) // BARREL_LAYERS
                whole = overlap(hypothesis, pair, hit[rows], crossed[rows], groups[group], fit)
            p[hypothesis, rows], error[hypothesis, rows] = whole.p, whole.error
    return np.clip(p, LEAST, 1 - LEAST), error


def counted(hit: FloatArray, crossed: FloatArray, prior: FloatArray, pseudo: float) -> Profile:
    """Mean and standard deviation of Beta distributions: hits among crossings and `pseudo` tracks of the prior."""
    a, n = hit + pseudo * prior, crossed + pseudo
    p = a / n
    return Profile(p, np.sqrt(p * (1 - p) / (n + 1)))


def layers_of(outcome: int, last: int, values: IntArray) -> IntArray:
    """The part (last + 1,) of a table that belongs to the region of a class with one region."""
    return values[: last + 1] if outcome in (STOP_BARREL, EXIT_BARREL) else values[BARREL_LAYERS:]


def pooled(outcome: int, hit: IntArray, crossed: IntArray, start: tuple[float, float]) -> FloatArray:
    """Profile (15,) of all last layers of an outcome together: the innermost, those between by a fit."""
    total = np.zeros((2, BARREL_LAYERS))
    for last in range(number_of_last_layers(outcome)):
        rows = rows_of(outcome, last)
        for i, values in enumerate((hit[rows], crossed[rows])):
            part = layers_of(outcome, last, values)
            total[i, : len(part) - 1] += part[:-1]
    inner = slice(inner_from(outcome), BARREL_LAYERS)
    A, B, _ = exponential(np.arange(BARREL_LAYERS)[inner], total[0, inner], total[1, inner], start)
    profile = A * np.exp(-B * np.arange(BARREL_LAYERS))
    raw = (total[0] + profile) / (total[1] + 1)
    profile[: inner.start] = raw[: inner.start]
    return np.clip(profile, LEAST, 1 - LEAST)


def rows_of(outcome: int, last: int) -> slice:
    """Where the table of a class stands."""
    place = int(class_index()[outcome, last])
    return slice(*first_entries()[place : place + 2])


def inner_from(outcome: int) -> int:
    """The first layer that a fit takes: layers 0 and 1 of the barrel, 0 of the endcaps have other detectors or nothing
    in front."""
    return 2 if outcome in (STOP_BARREL, EXIT_BARREL) else 1


def exponential(
    layer: AnyArray, hit: FloatArray, crossed: FloatArray, start: tuple[float, float]
) -> tuple[float, float, FloatArray]:
    """A, B of eq. 20 and their covariance; with one layer B stays, with none both."""
    used = crossed > 0
    x, h, n = layer[used], hit[used], crossed[used]
    if len(x) == 0:
        return *start, np.diag([1.0, 1.0])

    def loss(A: float, B: float) -> float:
        p = np.clip(A * np.exp(-B * x), LEAST, 1 - LEAST)
        return float(-2 * np.sum(h * np.log(p) + (n - h) * np.log1p(-p)))

    minuit = Minuit(loss, A=min(max(float((h + 0.5).sum() / (n + 1).sum()), 0.02), 0.98), B=start[1])
    minuit.limits["A"], minuit.limits["B"] = LIMITS
    minuit.errordef = Minuit.LEAST_SQUARES  # of -2 ln L
    minuit.fixed["B"] = len(x) < 2 or h.sum() == 0
    minuit.migrad()
    covariance = np.diag([1.0, 1.0]) if minuit.covariance is None else np.asarray(minuit.covariance)
    return float(minuit.values["A"]), float(minuit.values["B"]), covariance


def single_region(
    hypothesis: int, pair: tuple[int, int], hit: IntArray, crossed: IntArray, fit: LongitudinalFit
) -> Profile:
    """The table of a class that saw one region; entries of barrel layers in front of an endcap say nothing."""
    outcome, last = pair
    start = START[hypothesis // 2 * 2]
    h, n = (layers_of(outcome, last, values[rows_of(*pair)]).astype(np.float64) for values in (hit, crossed))
    profile = counted(h, n, pooled(outcome, hit, crossed, start)[: last + 1], fit.pseudo)
    profile = fitted(profile, h, n, inner_from(outcome), start, fit)
    if outcome in (STOP_BARREL, EXIT_BARREL):
        return profile
    before = np.full(BARREL_LAYERS, 0.5)
    return Profile(np.concatenate((before, profile.p)), np.concatenate((before, profile.error)))


def fitted(
    profile: Profile, h: FloatArray, n: FloatArray, first: int, start: tuple[float, float], fit: LongitudinalFit
) -> Profile:
    """The profile with eq. 20 where it agrees with the counts, or hits are few, among the inner layers."""
    last = len(h) - 1
    inner = np.arange(first, last)
    if len(inner) < 2 or n[inner].sum() == 0:
        return profile
    A, B, covariance = exponential(inner, h[inner], n[inner], start)
    p = np.clip(A * np.exp(-B * inner), LEAST, 1 - LEAST)
    slope = np.stack((p / A, -inner * p), axis=1)
    error = np.sqrt(np.einsum("ni,ij,nj->n", slope, covariance, slope))
    expected = p * n[inner]
    agree = (h[inner] - expected) ** 2 < fit.sigmas**2 * (expected + np.maximum(1, h[inner]))
    chosen = inner[agree | (h[inner] <= fit.least)]
    new = Profile(profile.p.copy(), profile.error.copy())
    new.p[chosen], new.error[chosen] = p[chosen - first], np.minimum(error, 0.5)[chosen - first]
    return new


def overlap_references(
    hypothesis: int, group: int, hit: IntArray, crossed: IntArray, fit: LongitudinalFit
) -> tuple[FloatArray, FloatArray]:
    """Profiles (15,) that all classes of a group have in common, in the barrel and in the endcap: that of tracks that
    saw one region only, scaled, beside what was counted."""
    found = []
    for part, outcome in enumerate((EXIT_BARREL, OVERLAP_ENDCAPS[group])):
        single = pooled(outcome, hit, crossed, START[hypothesis // 2 * 2])
        h, n = group_counts(group, part, hit), group_counts(group, part, crossed)
        scale = (h.sum() + 1) / (np.sum(n * single) + 1)
        found.append(counted(h, n, np.clip(scale * single, LEAST, 1 - LEAST), fit.overlap).p)
    return found[0], found[1]


def group_counts(group: int, part: int, values: IntArray) -> FloatArray:
    """Sums (15,) by layer over all classes of a group of the barrel (part 0) or endcap (part 1) layers."""
    total = np.zeros(BARREL_LAYERS)
    for pair in classes():
        if (pair[0] - OVERLAP_STOP_FORWARD) // BARREL_LAYERS != group or pair[0] < OVERLAP_STOP_FORWARD:
            continue
        rows = values[rows_of(*pair)]
        b = (pair[0] - OVERLAP_STOP_FORWARD) % BARREL_LAYERS
        mine = rows[: b + 1] if part == 0 else rows[BARREL_LAYERS:]
        total[: len(mine)] += mine
    return total


def overlap(
    hypothesis: int, pair: tuple[int, int], hit: IntArray, crossed: IntArray, references: tuple[FloatArray, FloatArray],
    fit: LongitudinalFit,
) -> Profile:  # fmt: skip
    """The table of a class that saw barrel and endcap: entries of barrel layers beyond the last one say nothing."""
    b = (pair[0] - OVERLAP_STOP_FORWARD) % BARREL_LAYERS
    cap = fit.muon_cap if hypothesis in MUONS else fit.other_cap
    p, error = np.full(len(hit), 0.5), np.full(len(hit), 0.5)
    for rows, reference in zip((slice(0, b + 1), slice(BARREL_LAYERS, None)), references, strict=True):
        h, n = hit[rows].astype(np.float64), crossed[rows].astype(np.float64)
        found = scaled(h, n, reference[: len(h)], cap, fit)
        p[rows] = found.p if hypothesis in MUONS else falling(found)
        error[rows] = found.error
    return Profile(p, error)


def scaled(h: FloatArray, n: FloatArray, reference: FloatArray, cap: float, fit: LongitudinalFit) -> Profile:
    """Beta distributions of hits among crossings, with the reference, scaled, as a prior that counts as `overlap`
    tracks. The scale has a Gamma distribution around 1, as wide as that of `overlap_hits` hits."""
    total = h.sum() + fit.overlap_hits
    prediction = np.clip(reference * total / (np.sum(reference * n) + fit.overlap_hits), LEAST, cap)
    mine, share = counted(h, n, prediction, fit.overlap), fit.overlap / (n + fit.overlap)
    return Profile(mine.p, np.hypot(mine.error, share * prediction / np.sqrt(total)))


def falling(profile: Profile) -> FloatArray:
    """The same, not rising with the layer: the nearest such profile, weighted with the inverse variances."""
    weights = 1 / np.maximum(profile.error, 1e-6) ** 2
    return np.asarray(isotonic_regression(profile.p, weights=weights, increasing=False).x)
