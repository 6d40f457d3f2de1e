"""The page of `performance`, and what the command prints."""

from collections.abc import Sequence

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from muonkit.muid.checks.goodness import GoodnessOfFit
from muonkit.muid.likelihood.hypotheses import HYPOTHESES
from muonkit.muid.performance.result import (
    OverallRates,
    PerformanceNumbers,
    PerformanceSummary,
    ScoreResult,
    TrackNumbers,
    cut_name,
)
from muonkit.report.labels import SPECIES
from muonkit.report.page import Picture
from muonkit.report.performance import Drawn
from muonkit.report.style import png, svg

AS_PIXELS = ("inefficiency_map", "confusion")  # thousands of elements


def page(content: PerformanceSummary, drawn: dict[str, Drawn], config_text: str) -> str:
    """One self-contained page."""
    environment = Environment(
        loader=PackageLoader("muonkit.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    figures = {
        name: Picture(png(one.figure) if name in AS_PIXELS else svg(one.figure), one.caption)
        for name, one in drawn.items()
    }
    numbers = content.numbers
    return environment.get_template("performance.html.j2").render(
        content=content,
        figures=figures,
        signal=SPECIES[numbers.config.signal],
        background=SPECIES[numbers.config.background],
        tracks=track_rows(numbers.tracks),
        overall=overall_rows(numbers.overall),
        points=point_rows(numbers.scores),
        roc=roc_rows(numbers.scores),
        fits=fit_rows(numbers.goodness),
        config_text=config_text,
    )


def share(value: float, low: float, high: float) -> str:
    """A rate in per cent with its errors, if it is finite."""
    if not np.isfinite([value, low, high]).all():
        return "-"
    return f"{100 * value:.2f} % (+{100 * (high - value):.2f} -{100 * (value - low):.2f})"


def number(value: float, form: str = ".3g") -> str:
    """A number, if it is finite."""
    return format(value, form) if np.isfinite(value) else "-"


def bin_of(p: tuple[float, float]) -> str:
    """A bin of p."""
    return f"{p[0]:g}-{p[1]:g}"


def track_rows(tracks: TrackNumbers) -> list[list[str]]:
    """Numbers of tracks by species."""
    columns = (tracks.read, tracks.reached, tracks.selected, tracks.without_score)
    return [[SPECIES[name], *(str(column[s]) for column in columns)] for s, name in enumerate(HYPOTHESES)]


def overall_rows(overall: OverallRates) -> list[list[str]]:
    """Rates of all species, by cut."""
    return [
        [f"Δ > {cut_name(cut)}", *(share(*overall.of(i, name)) for name in HYPOTHESES)]
        for i, cut in enumerate(overall.cuts)
    ]


def point_rows(scores: Sequence[ScoreResult]) -> list[list[str]]:
    """Working points by score and p."""
    return [
        [
            score.name,
            bin_of(curve.p),
            number(point.cut) + ("" if point.reached else " (not reached)"),
            share(point.fake, point.low, point.high),
        ]
        for score in scores
        for curve, point in zip(score.curves, score.points, strict=True)
    ]


def roc_rows(scores: Sequence[ScoreResult]) -> list[list[str]]:
    """AUC by score and p."""
    return [
        [score.name, bin_of(one.p), str(one.signal), str(one.background),
         f"{number(one.auc, '.5f')} ± {number(one.auc_error, '.5f')}"]
        for score in scores
        for one in score.curves
    ]  # fmt: skip


def fit_rows(fits: Sequence[GoodnessOfFit]) -> list[list[str]]:
    """The test of the payload by species."""
    return [
        [SPECIES[one.species], str(one.tracks), f"{number(one.chi2, '.1f')}/{one.ndf}", number(one.p_value, ".2g"),
         number(one.layers_p_value, ".2g"), number(one.transverse_p_value, ".2g"), number(one.distance, ".4f"),
         number(one.lnL_pull, "+.2f"), number(one.correlation, "+.3f")]
        for one in fits
    ]  # fmt: skip


def left_out(numbers: PerformanceNumbers, name: str) -> list[str]:
    """How many of a species decayed inside of the tracker, or cross no working layer, and what became of them."""
    s, selection = HYPOTHESES.index(name), numbers.config.selection
    passed, total = (int(counts[s]) for counts in numbers.tracker_decays.of_cut(0))
    cut = cut_name(numbers.config.cuts[0])
    words = {"drop": "left out", "keep": "among them"}
    decays = f"{total} {name} that decayed in the tracker {words[selection.tracker_decays]}"
    blind = f"{numbers.tracks.uninformed[s]} {name} that cross no working layer {words[selection.uninformed]}"
    return [f"{decays}, of which {passed} pass Delta > {cut}", blind]


def summary(content: PerformanceSummary) -> list[str]:
    """A few lines for the terminal."""
    numbers = content.numbers
    pair, selected = (numbers.config.signal, numbers.config.background), numbers.tracks.selected
    lines = [f"{selected[HYPOTHESES.index(name)]} {name} selected" for name in pair]
    lines += [line for name in pair for line in left_out(numbers, name)]
    for i, cut in enumerate(numbers.overall.cuts):
        words = (f"{name} {share(*numbers.overall.of(i, name))}" for name in pair)
        lines.append(f"Delta > {cut_name(cut):<4} " + "   ".join(words))
    lines += [score_line(score, pair[1]) for score in numbers.scores]
    lines += [
        f"payload against {one.species}: chi2/ndf {number(one.chi2, '.1f')}/{one.ndf}, p = {number(one.p_value, '.2g')}"
        for one in numbers.goodness
    ]
    return [*content.doubts, *lines]


def score_line(score: ScoreResult, background: str) -> str:
    """AUC and fake rate in all bins of p together."""
    area, point = score.curves[-1], score.points[-1]
    return (
        f"{score.name}: AUC {number(area.auc, '.4f')} ± {number(area.auc_error, '.4f')}, "
        f"{background} fakes at {point.efficiency:.0%} efficiency {share(point.fake, point.low, point.high)}"
    )
