"""Does a payload describe tracks of known species? Sums of pieces, and a test made of them.

Layers: number of hits in every layer against the sum of the payload's probabilities over the tracks that cross it. The
covariance between layers is that of the tracks themselves, so that hadrons, whose layers are not independent, are
tested fairly; errors of the payload come on top. Transverse: probability integral of chi2, flat if the density is
right, in 20 bins; with the distance of Kolmogorov and Smirnov. Both are independent, and their chi2 are added.

-2 ln L: its sum against mean and variance that follow from the payload if layers are independent,
mean = -2 sum [p ln p + (1 - p) ln(1 - p)],  variance = 4 sum p (1 - p) ln^2(p/(1 - p))

It uses the same hits, so it stands beside the test. `correlation` says how far layers are from independent: the mean
correlation of neighbours.

With correlated layers (`likelihood.chain`) p is the probability of a hit given the layers before, and chi2 is tested
given the pattern. Mean and variance of -2 ln L are then exact, and a right payload has no correlation left."""

from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.linalg import pinvh
from scipy.special import kolmogorov
from scipy.stats import chi2 as chi2_probability
from scipy.stats import norm

from muonkit.core.additive import Additive
from muonkit.core.arrays import AnyArray, BoolArray, FloatArray, IntArray, sums
from muonkit.data.muid import BARREL_LAYERS, LAYERS, MuidTracks
from muonkit.muid.checks.sampling import hit_probability
from muonkit.muid.likelihood.chain import followed
from muonkit.muid.likelihood.chi2_distribution import chi2_distribution
from muonkit.muid.likelihood.config import LikelihoodSettings
from muonkit.muid.likelihood.hypotheses import HYPOTHESES, SIGNED, signed_number, signed_numbers
from muonkit.muid.likelihood.longitudinal import classes_of
from muonkit.muid.likelihood.outcome import region, within
from muonkit.muid.likelihood.payload import LikelihoodParameters, first_entries

PIT_BINS, GROUPS = 1000, 20  # of the probability integral: as counted, as tested
LEAST_VARIANCE = 25.0  # of the hits in a layer; layers with less are taken together
LEAST_TRACKS = 100
SMALLEST = 1e-9  # probability, in logarithms
BLOCK = 10_000  # tracks that are followed at once: the arrays are large
SINGLE = LikelihoodSettings(first_bin="power")  # every layer by itself


@dataclass(frozen=True, slots=True)
class FitCounts(Additive):
    """tracks (12,), with hits (12,), unclassified (12,); crossed, hit (12, entries): layers by class; pit (12,
    PIT_BINS); products (12, LAYERS, LAYERS): sums of products of (hit - p). With correlated layers, else None: expected
    (12, entries), sum of p; lnL (12, 2): sum of -2 ln L less its mean, and its variance."""

    tracks: IntArray
    unclassified: IntArray
    crossed: IntArray
    hit: IntArray
    pit: IntArray
    products: FloatArray
    expected: FloatArray | None = None
    lnL: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """What a payload expects of tracks of known species: p (n, LAYERS) of a hit; species (n, B) as which they may
    behave, places in HYPOTHESES, and share (n, B), given the pattern."""

    p: FloatArray
    species: IntArray
    share: FloatArray


@dataclass(frozen=True, slots=True)
class GoodnessOfFit:
    """One species, both charges: chi2, ndf of layers and transverse together, and apart; pulls (LAYERS), NaN where
    there are too few hits; distance: largest between the distributions of chi2; lnL_pull: of -2 ln L."""

    species: str
    tracks: int
    unclassified: int
    chi2: float
    ndf: int
    layers_chi2: float
    layers_ndf: int
    transverse_chi2: float
    transverse_ndf: int
    distance: float
    distance_p_value: float
    lnL_pull: float
    correlation: float
    pulls: list[float]

    @property
    def p_value(self) -> float:
        """Of chi2 and ndf; NaN if there was too little to test."""
        return float(chi2_probability.sf(self.chi2, self.ndf)) if self.ndf else float("nan")

    @property
    def layers_p_value(self) -> float:
        """Of the numbers of hits alone; NaN without degrees of freedom."""
        return float(chi2_probability.sf(self.layers_chi2, self.layers_ndf))

    @property
    def transverse_p_value(self) -> float:
        """Of the reduced chi2 alone; NaN without degrees of freedom."""
        return float(chi2_probability.sf(self.transverse_chi2, self.transverse_ndf))

    @property
    def lnL_p_value(self) -> float:
        """Of the pull of -2 ln L, both sides."""
        return float(2 * norm.sf(abs(self.lnL_pull)))

    def to_json(self) -> dict[str, Any]:
        """All fields and p-values."""
        names = ("p_value", "layers_p_value", "transverse_p_value", "lnL_p_value")
        return asdict(self) | {name: getattr(self, name) for name in names}


def goodness_of_fit(
    tracks: MuidTracks,
    species: str,
    payload: LikelihoodParameters,
    exact: bool = False,
    settings: LikelihoodSettings = SINGLE,
) -> GoodnessOfFit:
    """Test tracks that all are of one species; exact: the payload has no statistical errors."""
    number = np.full(len(tracks), HYPOTHESES.index(species))
    return judged(count_fit(tracks, number, payload, settings), species, payload, exact)


def count_fit(
    tracks: MuidTracks, species: IntArray, payload: LikelihoodParameters, settings: LikelihoodSettings = SINGLE
) -> FitCounts:
    """Sums over one piece of tracks of known species (n,), places in HYPOTHESES. Raises InputError for a payload that
    lacks tables which the settings need."""
    hypothesis, position = signed_numbers(tracks.charge)[np.arange(len(species)), species], classes_of(tracks)
    usual = position >= 0
    rows, h = tracks[usual], hypothesis[usual]
    ext = _bits(rows.ext_layer_pattern) & within(rows.barrel_ext_layer, rows.endcap_ext_layer)
    hit = ext & _bits(rows.hit_layer_pattern)
    entry = first_entries()[position[usual]][:, None] + np.arange(LAYERS)
    expected = expectation(rows, species[usual], payload, settings)
    residual = np.where(ext, hit - expected.p, 0.0)
    return FitCounts(
        tracks=np.bincount(h, minlength=SIGNED),
        unclassified=np.bincount(hypothesis[~usual], minlength=SIGNED),
        crossed=_by_entry(h, entry, ext),
        hit=_by_entry(h, entry, hit),
        pit=_integrals(rows, h, expected, payload, settings.first_bin),
        products=np.stack([_products(residual[h == i]) for i in range(SIGNED)]),
        expected=_by_entry(h, entry, ext, expected.p) if settings.correlated else None,
        lnL=_lnL(h, residual, expected.p) if settings.correlated else None,
    )


def expectation(
    tracks: MuidTracks, species: IntArray, payload: LikelihoodParameters, settings: LikelihoodSettings
) -> Expected:
    """What the payload expects of tracks that have a class."""
    if not settings.correlated:
        own = signed_numbers(tracks.charge)[np.arange(len(species)), species]
        return Expected(hit_probability(payload, own, classes_of(tracks)), species[:, None], np.ones((len(species), 1)))
    p, share = np.zeros((len(tracks), LAYERS)), np.zeros((len(tracks), len(HYPOTHESES)))
    for begin in range(0, len(tracks), BLOCK):
        rows = slice(begin, begin + BLOCK)
        found, which = followed(tracks[rows], payload, settings.floor), species[rows]
        each = np.arange(len(which))
        p[rows], share[rows] = found.predicted[each, :, which], found.share[each, which]
    return Expected(p, np.tile(np.arange(len(HYPOTHESES)), (len(tracks), 1)), share)


def _products(residual: FloatArray) -> FloatArray:
    """Sum (LAYERS, LAYERS) of products over tracks."""
    return np.asarray(np.einsum("ni,nj->ij", residual, residual))  # BLAS would start threads, and wait for them


def _bits(pattern: IntArray) -> BoolArray:
    return np.asarray(pattern[:, None] >> np.arange(LAYERS) & 1 == 1)


def _by_entry(hypothesis: IntArray, entry: IntArray, which: BoolArray, weight: FloatArray | None = None) -> AnyArray:
    """Number (12, entries) of layers that are true in `which` (n, LAYERS), or sum of their weights (n, LAYERS)."""
    entries = int(first_entries()[-1])
    flat = (hypothesis[:, None] * entries + entry)[which]
    weights = None if weight is None else weight[which]
    return np.bincount(flat, weights, minlength=SIGNED * entries).reshape(SIGNED, entries)


def _lnL(hypothesis: IntArray, residual: FloatArray, p: FloatArray) -> FloatArray:
    """Sums (12, 2) of -2 ln L less its mean, and of its variance, see the head of this file."""
    slope = _slope(p)
    excess, variance = -2 * slope * residual, 4 * slope**2 * p * (1 - p)  # 0 where nothing is crossed: p is 0
    return np.column_stack([np.bincount(hypothesis, each.sum(axis=1), SIGNED) for each in (excess, variance)])


def _slope(p: FloatArray) -> FloatArray:
    """ln p/(1 - p)."""
    safe = np.clip(p, SMALLEST, 1 - SMALLEST)
    return np.asarray(np.log(safe) - np.log1p(-safe))


def _integrals(
    tracks: MuidTracks, hypothesis: IntArray, expected: Expected, payload: LikelihoodParameters, first_bin: str
) -> IntArray:
    """Histogram (12, PIT_BINS) of the probability of a smaller chi2, for tracks with hits."""
    fine = (tracks.ndof > 0) & (tracks.ndof <= 2 * LAYERS) & (tracks.chi2 >= 0) & np.isfinite(tracks.chi2)
    rows, h, distribution = tracks[fine], hypothesis[fine], chi2_distribution(payload, first_bin)
    D, k = region(rows.barrel_ext_layer, rows.endcap_ext_layer), rows.ndof // 2 - 1
    u = np.zeros(len(h))
    for species, share in zip(expected.species[fine].T, expected.share[fine].T, strict=True):
        of_species = signed_numbers(rows.charge)[np.arange(len(h)), species]
        u += share * distribution.cdf(rows.chi2 / rows.ndof, (of_species, D, k))
    column = np.clip((u * PIT_BINS).astype(np.int64), 0, PIT_BINS - 1)
    return np.bincount(h * PIT_BINS + column, minlength=SIGNED * PIT_BINS).reshape(SIGNED, PIT_BINS)


@cache
def entry_layers() -> IntArray:
    """Layer (entries,) that each longitudinal entry is about."""
    first = first_entries()
    return np.arange(first[-1]) - np.repeat(first[:-1], np.diff(first))


def judged(counts: FitCounts, species: str, payload: LikelihoodParameters, exact: bool = False) -> GoodnessOfFit:
    """The test of one species from sums."""
    rows = [signed_number(species, charge) for charge in (1, -1)]
    p = payload.longitudinal[rows].astype(np.float64)
    crossed = counts.crossed[rows].astype(np.float64)
    sigma = crossed * (0.0 if exact else payload.uncertainty[rows].astype(np.float64))
    excess = counts.hit[rows] - (crossed * p if counts.expected is None else counts.expected[rows])
    products = counts.products[rows].sum(axis=0)
    layers, ndf, pulls = _layers(_by_layer(excess), products, _by_layer(sigma**2))
    pit, entries = counts.pit[rows].sum(axis=0), float("inf") if exact else float(payload.entries[rows].sum())
    transverse, distance = _transverse(pit, entries), _distance(pit, entries)
    return GoodnessOfFit(
        species,
        int(counts.tracks[rows].sum()),
        int(counts.unclassified[rows].sum()),
        layers + transverse[0],
        ndf + transverse[1],
        layers,
        ndf,
        *transverse,
        *distance,
        _lnL_pull(excess, crossed, p, sigma) if counts.lnL is None else _pull(*counts.lnL[rows].sum(axis=0)),
        _correlation(products),
        pulls,
    )


def _by_layer(values: FloatArray) -> FloatArray:
    """Sum (LAYERS,) of values (charges, entries)."""
    return sums(entry_layers(), values.sum(axis=0), LAYERS)


def _layers(excess: FloatArray, products: FloatArray, payload: FloatArray) -> tuple[float, int, list[float]]:
    """chi2, ndf and pulls of the numbers of hits in all layers; layers with little variance are added up."""
    enough = np.diagonal(products) >= LEAST_VARIANCE
    total = products + np.diag(payload)
    groups = np.vstack([np.eye(LAYERS)[enough], ~enough])
    covariance = groups @ total @ groups.T
    if covariance[-1, -1] < LEAST_VARIANCE:
        groups, covariance = groups[:-1], covariance[:-1, :-1]
    pulls = np.where(enough, excess / np.sqrt(np.where(enough, np.diagonal(total), 1.0)), np.nan)
    if not len(groups):
        return 0.0, 0, pulls.tolist()
    inverse, rank = pinvh(covariance, return_rank=True)
    difference = groups @ excess
    return float(difference @ inverse @ difference), int(rank), pulls.tolist()


def _transverse(pit: IntArray, entries: float) -> tuple[float, int]:
    """chi2 and ndf of the probability integrals against a flat distribution."""
    n = int(pit.sum())
    if n < LEAST_TRACKS:
        return 0.0, 0
    groups, expected = pit.reshape(GROUPS, -1).sum(axis=1), n / GROUPS
    variance = expected * (1 + (n / entries if entries else 0.0))
    return float(np.sum((groups - expected) ** 2) / variance), GROUPS - 1


def _distance(pit: IntArray, entries: float) -> tuple[float, float]:
    """Distance of Kolmogorov and Smirnov at the edges of the bins, and its p-value; as of two samples, of which the
    payload's has `entries`."""
    n = int(pit.sum())
    if n < LEAST_TRACKS:
        return float("nan"), float("nan")
    distance = float(np.max(np.abs(np.cumsum(pit) / n - np.arange(1, PIT_BINS + 1) / PIT_BINS)))
    effective = n if not entries or np.isinf(entries) else n * entries / (n + entries)
    return distance, float(kolmogorov(np.sqrt(effective) * distance))


def _lnL_pull(excess: FloatArray, crossed: FloatArray, p: FloatArray, sigma: FloatArray) -> float:
    """(-2 ln L - mean)/sigma of the longitudinal likelihood, see the head of this file."""
    slope = _slope(p)
    variance = 4 * float(np.sum(slope**2 * (crossed * p * (1 - p) + sigma**2)))
    return _pull(float(-2 * np.sum(slope * excess)), variance)


def _pull(excess: float, variance: float) -> float:
    return excess / variance**0.5 if variance > 0 else float("nan")


def _correlation(products: FloatArray) -> float:
    """Mean correlation of neighbouring layers of the same region, of those with enough variance."""
    variance = np.diagonal(products)
    pairs = [i for i in range(LAYERS - 1) if i != BARREL_LAYERS - 1 and min(variance[i : i + 2]) >= LEAST_VARIANCE]
    found = [products[i, i + 1] / np.sqrt(variance[i] * variance[i + 1]) for i in pairs]
    return float(np.mean(found)) if found else float("nan")
