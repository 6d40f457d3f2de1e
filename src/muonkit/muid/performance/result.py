"""Sums -> results: rates, curves, boxes and cuts with their errors. They begin here as objects; performance.json, whose
keys they have in `to_json`, is written of them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from muonkit.core.arrays import FloatArray, IntArray
from muonkit.muid.checks.goodness import GoodnessOfFit, judged
from muonkit.muid.likelihood.hypotheses import HYPOTHESES
from muonkit.muid.likelihood.payload import LikelihoodParameters
from muonkit.muid.performance.boxes import Boxes, boxes
from muonkit.muid.performance.config import Performance
from muonkit.muid.performance.confusion import COLUMNS, shares
from muonkit.muid.performance.counts import DELTA, PerformanceCounts, fines
from muonkit.muid.performance.cuts import CutTable, cut_table
from muonkit.muid.performance.fine import Fine
from muonkit.muid.performance.layers import DIFFERENCES
from muonkit.muid.performance.rates import IN_FLIGHT, OTHER, Passed, Rate, rate
from muonkit.muid.performance.roc import GRID, WorkingPoint, auc, curve, working_point

Content = dict[str, Any]
UNITS = {"p": "GeV", "theta": "deg", "phi": "deg"}
LIKELIHOOD = "delta"  # the name of the score that all have, Delta


def cut_name(cut: float) -> str:
    """How a cut is named."""
    return f"{cut:g}"


def by_species(values: IntArray) -> dict[str, Any]:
    """Numbers (6, ...) by name."""
    return dict(zip(HYPOTHESES, values.tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class RatesAgainst:
    """Numbers of tracks against p [GeV], theta or phi [deg]: edges (bins + 1,), counts by cut, species and bin."""

    name: str
    edges: tuple[float, ...]
    cuts: tuple[float, ...]
    counts: Passed

    def to_json(self) -> Content:
        """By names of cuts and species."""
        by_cut = {
            cut_name(cut): {name: self.counts[s].of_cut(i).to_json() for s, name in enumerate(HYPOTHESES)}
            for i, cut in enumerate(self.cuts)
        }
        return {"edges": list(self.edges), "unit": UNITS[self.name], "cuts": by_cut}


@dataclass(frozen=True, slots=True)
class OverallRates:
    """Of all selected tracks within the edges of p: counts and rates with their intervals, by cut and species."""

    cuts: tuple[float, ...]
    counts: Passed
    rates: Rate

    def of(self, cut: int, species: str) -> tuple[float, float, float]:
        """The rate, and the ends of its interval; NaN without tracks."""
        value, low, high = (float(values[cut, HYPOTHESES.index(species)]) for values in self.rates)
        return value, low, high

    def to_json(self) -> Content:
        """By names of cuts and species."""
        return {
            cut_name(cut): {name: self._one(i, s, name) for s, name in enumerate(HYPOTHESES)}
            for i, cut in enumerate(self.cuts)
        }

    def _one(self, cut: int, s: int, name: str) -> Content:
        value, low, high = self.of(cut, name)
        counts = {"passed": int(self.counts.passed[cut, s]), "total": int(self.counts.total[s])}
        return counts | {"rate": value, "low": low, "high": high}


@dataclass(frozen=True, slots=True)
class RocInBin:
    """Of one score in a bin of p [GeV]: numbers of tracks, AUC and its error, fake rates (k,) at efficiencies GRID."""

    p: tuple[float, float]
    signal: int
    background: int
    auc: float
    auc_error: float
    fake: FloatArray

    def to_json(self) -> Content:
        """As fields, with lists."""
        return {
            "p": list(self.p),
            "signal": self.signal,
            "background": self.background,
            "auc": self.auc,
            "auc_error": self.auc_error,
            "fake": self.fake.tolist(),
        }


@dataclass(frozen=True, slots=True)
class ScoreResult:
    """Of one score: ROC curves and working points in bins of p; the last of each is of all of them."""

    name: str
    curves: tuple[RocInBin, ...]
    points: tuple[WorkingPoint, ...]

    def points_to_json(self) -> list[Content]:
        """The working points with their bins."""
        return [{"p": list(one.p)} | asdict(point) for one, point in zip(self.curves, self.points, strict=True)]


@dataclass(frozen=True, slots=True)
class TrackNumbers:
    """read (7,): by species, others last; reached, selected, without_score, uninformed (6,)."""

    read: IntArray
    reached: IntArray
    selected: IntArray
    without_score: IntArray
    uninformed: IntArray

    def to_json(self) -> Content:
        """By names of species."""
        return {
            "read": by_species(self.read[: len(HYPOTHESES)]) | {"others": int(self.read[-1])},
            "reached": by_species(self.reached),
            "selected": by_species(self.selected),
            "without_score": by_species(self.without_score),
            "uninformed": by_species(self.uninformed),
        }


@dataclass(frozen=True, slots=True)
class PerformanceNumbers:
    """All that is made of the sums. map: of the signal, by cut in (theta, phi); confusion (6, 7), see that module;
    boxes: of signal and background; differences (6, DIFFERENCES), see `layers`; decays: by cut, species, OTHER or
    IN_FLIGHT, and p; tracker_decays: by cut and species, tracks of primaries that decayed inside of the tracker, which
    are selected unless they are dropped; goodness: of the payload, by species, empty without one."""

    config: Performance
    p: RatesAgainst
    theta: RatesAgainst
    phi: RatesAgainst
    overall: OverallRates
    map: Passed
    scores: tuple[ScoreResult, ...]
    confusion: IntArray
    boxes: tuple[Boxes, Boxes]
    differences: IntArray
    decays: Passed
    tracker_decays: Passed
    cuts: tuple[CutTable, ...]
    goodness: tuple[GoodnessOfFit, ...]
    tracks: TrackNumbers

    def to_json(self) -> Content:
        """The sections of performance.json; NaN is None."""
        config, of_p = self.config, {"edges": list(self.config.binning.p), "unit": "GeV"}
        pair = (config.signal, config.background)
        content: Content = {
            "p": self.p.to_json(),
            "theta": self.theta.to_json(),
            "phi": self.phi.to_json(),
            "overall": self.overall.to_json(),
            "map": self._map(),
            "roc": self._roc(),
            "working_points": {score.name: score.points_to_json() for score in self.scores},
            "confusion": self._confusion(),
            "boxes": of_p | {name: one.to_json() for name, one in zip(pair, self.boxes, strict=True)},
            "diff_layer": {"difference": DIFFERENCES.tolist(), "tracks": by_species(self.differences)},
            "decays": of_p
            | {"cuts": {cut_name(cut): self._decays(i) for i, cut in enumerate(config.cuts)}}
            | {"in_tracker": {cut_name(cut): self._tracker_decays(i) for i, cut in enumerate(config.cuts)}},
            "cuts": [table.to_json() for table in self.cuts],
            "goodness_of_fit": [one.to_json() for one in self.goodness],
            "selection": self._selection(),
        }
        finite: Content = plain(content)
        return finite

    def _map(self) -> Content:
        binning, cuts = self.config.binning, self.config.cuts
        edges: Content = {"theta_edges": list(binning.theta), "phi_edges": list(binning.phi)}
        by_cut = {cut_name(cut): self.map.of_cut(i).to_json() for i, cut in enumerate(cuts)}
        return edges | {"species": self.config.signal, "cuts": by_cut}

    def _roc(self) -> Content:
        curves = {score.name: [one.to_json() for one in score.curves] for score in self.scores}
        return {"efficiency": GRID.tolist(), "scores": curves}

    def _confusion(self) -> Content:
        names: Content = {"true": list(HYPOTHESES), "found": list(COLUMNS)}
        return names | {"tracks": self.confusion.tolist(), "shares": shares(self.confusion).tolist()}

    def _decays(self, cut: int) -> Content:
        return {
            name: {
                "decayed": self.decays[s, IN_FLIGHT].of_cut(cut).to_json(),
                "others": self.decays[s, OTHER].of_cut(cut).to_json(),
            }
            for s, name in enumerate(HYPOTHESES)
        }

    def _tracker_decays(self, cut: int) -> Content:
        passed, total = self.tracker_decays.of_cut(cut)
        return {name: {"passed": int(passed[s]), "total": int(total[s])} for s, name in enumerate(HYPOTHESES)}

    def _selection(self) -> Content:
        config = self.config
        names: Content = {"signal": config.signal, "background": config.background, "cuts": list(config.cuts)}
        return config.selection.model_dump(mode="json") | names | {"tracks": self.tracks.to_json()}


def numbers(
    counts: PerformanceCounts, config: Performance, payload: LikelihoodParameters | None = None
) -> PerformanceNumbers:
    """All results of the sums; payload: the one whose test was counted."""
    rates, pair = counts.rates, (HYPOTHESES.index(config.signal), HYPOTHESES.index(config.background))
    signal, background = (boxes(counts.boxes, species, DELTA) for species in pair)
    return PerformanceNumbers(
        config=config,
        p=RatesAgainst("p", config.binning.p, config.cuts, rates.p),
        theta=RatesAgainst("theta", config.binning.theta, config.cuts, rates.theta),
        phi=RatesAgainst("phi", config.binning.phi, config.cuts, rates.phi),
        overall=overall(rates.p, config.cuts),
        map=rates.map,
        scores=scores(counts.roc, config),
        confusion=counts.confusion,
        boxes=(signal, background),
        differences=counts.differences,
        decays=rates.ends,
        tracker_decays=counts.tracker_decays,
        cuts=cut_tables(counts.cuts, config),
        goodness=goodness(counts, config, payload),
        tracks=TrackNumbers(counts.read, counts.reached, counts.selected, counts.without_score, counts.uninformed),
    )


def overall(against_p: Passed, cuts: tuple[float, ...]) -> OverallRates:
    """Sums over the bins of p, and their rates."""
    counts = Passed(against_p.passed.sum(axis=-1), against_p.total.sum(axis=-1))
    of_cuts = [rate(*counts.of_cut(i)) for i in range(len(cuts))]
    return OverallRates(cuts, counts, Rate(*(np.stack(values) for values in zip(*of_cuts, strict=True))))


def p_ranges(config: Performance) -> list[tuple[float, float]]:
    """The bins of p of ROC curves, and all of them together."""
    edges = config.binning.roc_p
    return [*pairwise(edges), (edges[0], edges[-1])]


def scores(histograms: IntArray, config: Performance) -> tuple[ScoreResult, ...]:
    """Of fine histograms (scores, 6, bins of p, CELLS), Delta first."""
    names = [LIKELIHOOD, *(choice.column for choice in config.score)]
    return tuple(
        score_result(name, fine, of_score, config)
        for name, fine, of_score in zip(names, fines(config), histograms, strict=True)
    )


def score_result(name: str, fine: Fine, histograms: IntArray, config: Performance) -> ScoreResult:
    """Of fine histograms (6, bins of p, CELLS)."""
    signal, background = (
        [*histograms[species], histograms[species].sum(axis=0)]
        for species in (HYPOTHESES.index(config.signal), HYPOTHESES.index(config.background))
    )
    curves = tuple(
        RocInBin(p, int(s.sum()), int(b.sum()), *auc(s, b), curve(s, b).at(GRID))
        for p, s, b in zip(p_ranges(config), signal, background, strict=True)
    )
    points = (working_point(s, b, config.working_point, fine) for s, b in zip(signal, background, strict=True))
    return ScoreResult(name, curves, tuple(points))


def cut_tables(histograms: IntArray, config: Performance) -> tuple[CutTable, ...]:
    """The cuts for every wanted efficiency, of fine histograms (np, nt, CELLS)."""
    edges = np.array(config.binning.cuts_p), np.array(config.binning.cuts_theta)
    return tuple(cut_table(histograms, share, *edges, DELTA, config.min_muons) for share in config.efficiencies)


def goodness(
    counts: PerformanceCounts, config: Performance, payload: LikelihoodParameters | None
) -> tuple[GoodnessOfFit, ...]:
    """The test of the payload by species; empty without a payload."""
    if counts.fit is None or payload is None or config.payload is None:
        return ()
    found = (judged(counts.fit, name, payload, config.payload.exact) for name in HYPOTHESES)
    return tuple(one for one in found if one.tracks)


def plain(value: Any) -> Any:
    """The same of what JSON has: None for NaN and infinity."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


@dataclass(frozen=True, slots=True)
class SampleNumbers:
    """A table and the truth of its tracks, by names of files; tracks of the truth that the table does not have."""

    identified: str
    truth: str
    tracks: int
    truth_without_track: int


@dataclass(frozen=True, slots=True)
class PerformanceSummary:
    """The content of performance.json: numbers, of which samples, what is doubtful about them, provenance."""

    numbers: PerformanceNumbers
    samples: Sequence[SampleNumbers]
    doubts: Sequence[str]
    provenance: Content

    def to_json(self) -> Content:
        """As it stands in the file."""
        return self.numbers.to_json() | {
            "samples": [asdict(sample) for sample in self.samples],
            "doubts": list(self.doubts),
            "provenance": self.provenance,
        }
