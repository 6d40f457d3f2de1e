"""Counts -> probabilities of a hit in every layer of every class, with their uncertainties.

In classes that saw only one region, layers that are neither the innermost nor the last follow

    p(layer) = A exp(-B layer)                                                                              (20)

fitted to hits among crossings (binomial likelihood); the fit replaces what was counted where both agree or hits are
few. A class with few tracks leans on the profile of all last layers of its outcome, which counts as `pseudo` tracks.
Behind the barrel the profile of each part is that of tracks that saw only this part, scaled, averaged with what was
counted."""

from dataclasses import dataclass

import numpy as np
from iminuit import Minuit
from scipy.optimize import isotonic_regression

from muonkit.core.arrays import AnyArray, FloatArray, IntArray
from muonkit.data.muid import BARREL_LAYERS
from muonkit.muid.build.config import LongitudinalFit
from muonkit.muid.build.count import MUONS, Counts
from muonkit.muid.hypotheses import SIGNED
from muonkit.muid.outcome import (
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
from muonkit.muid.payload import first_entries

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
FEW = 0.2  # hits where there are none, in the scale of an overlap


@dataclass(frozen=True, slots=True)
class Profile:
    """p and its standard deviation (layers,)."""

    p: FloatArray
    error: FloatArray


def tables(counts: Counts, fit: LongitudinalFit) -> tuple[FloatArray, FloatArray]:
    """Probabilities and uncertainties (12, entries)."""
    p, error = (np.zeros(counts.hit.shape) for _ in range(2))
    for hypothesis in range(SIGNED):
        hit, crossed = counts.hit[hypothesis], counts.crossed[hypothesis]
        single = {pair: single_region(hypothesis, pair, hit, crossed, fit) for pair in classes() if pair[0] < 7}
        for place, pair in enumerate(classes()):
            rows = slice(*first_entries()[place : place + 2])
            whole = single[pair] if pair in single else overlap(hypothesis, pair, hit[rows], crossed[rows], single, fit)
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


def overlap(
    hypothesis: int, pair: tuple[int, int], hit: IntArray, crossed: IntArray, single: dict[tuple[int, int], Profile],
    fit: LongitudinalFit,
) -> Profile:  # fmt: skip
    """The table of a class that saw barrel and endcap: entries of barrel layers beyond the last one say nothing."""
    outcome, last = pair
    group, b = divmod(outcome - OVERLAP_STOP_FORWARD, BARREL_LAYERS)
    barrel = single[(EXIT_BARREL, b)]
    endcap = single[(OVERLAP_ENDCAPS[group], last)]
    cap = fit.muon_cap if hypothesis in MUONS else fit.other_cap
    p, error = np.full(len(hit), 0.5), np.full(len(hit), 0.5)
    references = (slice(0, b + 1), barrel.p), (slice(BARREL_LAYERS, None), endcap.p[BARREL_LAYERS:])
    for rows, reference in references:
        part = scaled(hit[rows].astype(np.float64), crossed[rows].astype(np.float64), reference, cap)
        p[rows] = part.p if hypothesis in MUONS else falling(part)
        error[rows] = part.error
    return Profile(p, error)


def scaled(h: FloatArray, n: FloatArray, reference: FloatArray, cap: float) -> Profile:
    """Counts averaged with the reference, scaled to the same sum; weights are the inverse variances, the reference is
    as good as its scale."""
    expected = float(np.sum(reference * n))
    total = float(h.sum()) if h.sum() > 0 else FEW
    if expected == 0:
        return Profile(np.minimum(reference, cap), np.sqrt(reference * (1 - reference) / 2))
    scale = total / expected
    prediction = np.clip(scale * reference, LEAST, cap)
    relative = 1 / np.sqrt(max(total, 1.0))
    mine = counted(h, n, prediction, 1.0)
    w_counted, w_reference = 1 / np.maximum(mine.error, 1e-6) ** 2, 1 / (relative * prediction) ** 2
    p = (w_counted * mine.p + w_reference * prediction) / (w_counted + w_reference)
    return Profile(p, 1 / np.sqrt(w_counted + w_reference))


def falling(profile: Profile) -> FloatArray:
    """The same, not rising with the layer: the nearest such profile, weighted with the inverse variances."""
    weights = 1 / np.maximum(profile.error, 1e-6) ** 2
    return np.asarray(isotonic_regression(profile.p, weights=weights, increasing=False).x)
