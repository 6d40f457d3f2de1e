"""The page of an audit of the track fit: a figure per view, A, e, M against eta, and the tables.

A view has the improved and the standard fit against the truth, what the standard fit changes beside the sum of its
approximations, and a small figure for each approximation alone, with an axis of its own."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from muonkit.calibration.audit import SUM, View
from muonkit.calibration.curvature import BiasFit, Location
from muonkit.calibration.quantities import QUANTITIES
from muonkit.calibration.verdict import Verdict
from muonkit.core.arrays import FloatArray
from muonkit.report import labels
from muonkit.report.page import Picture
from muonkit.report.style import BLUE, GREY, INK, ORANGE, head, styled, svg

COLUMNS = 3  # of small figures
LARGE, SMALL = 2.9, 1.9  # height of a row of figures [inches]
PAGE_WIDTH = 11.0
STANDARD = "standard"
LOOKS: tuple[dict[str, Any], ...] = (
    {"color": BLUE, "marker": "o", "markersize": 4},
    {"color": ORANGE, "marker": "s", "markersize": 3.5},
)
BESIDE = (0.42, 0.58)  # of a bin, where two series have their points
TICKS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)  # 1/GeV


class Audit(Protocol):
    """What the page shows of an audit."""

    @property
    def views(self) -> tuple[View, ...]: ...
    @property
    def biases(self) -> Mapping[str, tuple[BiasFit, ...]]: ...
    @property
    def heads(self) -> list[str]: ...
    @property
    def size_rows(self) -> list[tuple[str, ...]]: ...
    @property
    def spread_rows(self) -> list[tuple[str, ...]]: ...
    @property
    def bias_rows(self) -> list[tuple[str, ...]]: ...
    @property
    def pull_rows(self) -> list[tuple[str, ...]]: ...
    @property
    def lines(self) -> list[str]: ...


@styled
def view(one: View, sample: str, title: str) -> Figure:
    """k_reco/k_gen - 1 in bins of one quantity, [1e-5]."""
    alone = [model for model in one.change if model not in (STANDARD, SUM)]
    rows = -(-len(alone) // COLUMNS)
    figure = Figure(figsize=(PAGE_WIDTH, LARGE + SMALL * rows), layout="constrained")
    places = iter(_grid(figure, rows))
    _against_truth(next(places), one)
    head(figure.axes[0], sample, title)
    _against_improved(next(places), one)
    for axes, model in zip(places, alone, strict=False):
        _points(axes, one, one.change[model], LOOKS[0], model)
        axes.set_title(model, loc="left", color=INK)
    for axes in figure.axes[2 + len(alone) :]:
        axes.set_axis_off()
    if alone:
        figure.axes[2].set_ylabel(labels.CHANGE, fontsize="small")
    for axes in figure.axes:
        _axis(axes, one)
    return figure


def _grid(figure: Figure, rows: int) -> list[Axes]:
    """Two figures above, `rows` of small ones below."""
    grid = figure.add_gridspec(1 + rows, 2 * COLUMNS, height_ratios=[LARGE] + [SMALL] * rows)
    above = [figure.add_subplot(grid[0, :COLUMNS]), figure.add_subplot(grid[0, COLUMNS:])]
    return above + [
        figure.add_subplot(grid[1 + row, 2 * column : 2 * column + 2])
        for row in range(rows)
        for column in range(COLUMNS)
    ]


def _against_truth(axes: Axes, one: View) -> None:
    first = next(iter(one.shift))
    for model, look, at in zip((first, STANDARD), LOOKS, BESIDE, strict=True):
        if model in one.shift:
            _points(axes, one, one.shift[model], look, model, at)
    axes.set_ylabel(labels.SHIFT)
    axes.legend(loc="best")


def _against_improved(axes: Axes, one: View) -> None:
    if STANDARD not in one.change:
        axes.set_axis_off()
        return
    _points(axes, one, one.change[STANDARD], LOOKS[1], STANDARD)
    if SUM in one.change:
        values = [1e5 * found.value for found in one.change[SUM]]
        axes.stairs(values, one.edges, color=GREY, baseline=None, linewidth=1.4, label=SUM)
    axes.set_ylabel(labels.CHANGE)
    axes.legend(loc="best")


def _points(
    axes: Axes, one: View, found: Sequence[Location], look: dict[str, Any], label: str, at: float = 0.5
) -> None:
    values, errors = (1e5 * np.array([getattr(each, name) for each in found]) for name in ("value", "error"))
    axes.errorbar(_places(one, at), values, errors, linestyle="none", linewidth=1.0, label=label, **look)


def _places(one: View, at: float) -> FloatArray:
    """Where bins have their points: at this share of the way from edge to edge, as it is drawn."""
    low, high = one.edges[:-1], one.edges[1:]
    middle = low + at * (high - low)
    if one.name in ("eta", "phi"):
        return np.asarray(middle)
    same = low * high > 0  # sign; the bin between the charges is empty
    return np.asarray(np.where(same, low * np.where(same, high / low, 1.0) ** at, middle))


def _axis(axes: Axes, one: View) -> None:
    axes.axhline(0, color=INK, linewidth=0.7, linestyle=(0, (4, 3)), zorder=0)
    if one.name in ("k", "charge k"):
        _logarithmic(axes, one.edges)
    axes.set_xlim(one.edges[0], one.edges[-1])
    axes.set_xlabel(labels.VIEW[one.name])


def _logarithmic(axes: Axes, edges: FloatArray) -> None:
    """Curvatures are drawn on a logarithm, on either side of 0."""
    least, most = float(np.abs(edges).min()), float(np.abs(edges).max())
    axes.set_xscale("symlog", linthresh=least, linscale=0.3)
    ticks = [tick for tick in TICKS if least * 0.999 <= tick <= most * 1.001] or [least, most]
    places = ticks if edges[0] > 0 else [sign * tick for sign in (-1, 1) for tick in ticks[::2]]
    axes.set_xticks(places, [f"{place:.3g}" for place in places])
    axes.minorticks_off()
    axes.yaxis.minorticks_on()


@styled
def biases(found: Mapping[str, tuple[BiasFit, ...]], edges: FloatArray, sample: str, title: str) -> Figure:
    """A, e, M and chi2/ndf against eta, of the improved and of the standard fit."""
    models = [model for model in dict.fromkeys((next(iter(found)), STANDARD)) if model in found]
    figure = Figure(figsize=(PAGE_WIDTH / 2 * len(models), 4 * SMALL + 0.6), layout="constrained")
    panels = figure.subplots(4, len(models), sharex=True, squeeze=False)
    middle = (edges[1:] + edges[:-1]) / 2
    for column, look, model in zip(panels.T, LOOKS, models, strict=False):
        for row, (axes, name) in enumerate(zip(column, ("A", "e", "M"), strict=False)):
            factor = QUANTITIES[name].factor
            values, errors = (factor * np.array([part[row] for part in parts]) for parts in _parts(found[model]))
            axes.errorbar(middle, values, errors, linestyle="none", linewidth=1.0, **look)
            axes.axhline(0, color=INK, linewidth=0.7, linestyle=(0, (4, 3)), zorder=0)
            axes.set_ylabel(QUANTITIES[name].axis)
        _chi2(column[-1], found[model], edges, look)
        head(column[0], f"{sample}: {model}", title)
    return figure


def _parts(fits: Sequence[BiasFit]) -> tuple[list[FloatArray], list[FloatArray]]:
    return [fit.values for fit in fits], [fit.errors for fit in fits]


def _chi2(axes: Axes, fits: Sequence[BiasFit], edges: FloatArray, look: dict[str, Any]) -> None:
    """chi2/ndf, and the band in which two thirds of them are expected."""
    ndf = np.array([fit.ndf if fit.ndf else np.nan for fit in fits])
    width = np.sqrt(2 / ndf)
    axes.stairs(1 + width, edges, baseline=1 - width, fill=True, color=GREY, alpha=0.3)
    axes.plot((edges[1:] + edges[:-1]) / 2, np.array([fit.chi2 for fit in fits]) / ndf, linestyle="none", **look)
    axes.axhline(1, color=INK, linewidth=0.7, linestyle=(0, (4, 3)), zorder=0)
    axes.set_ylabel(r"$\chi^2/\mathrm{ndf}$")
    axes.set_xlabel(labels.VIEW["eta"])


CAPTION = {
    "eta": "against the generated η",
    "phi": "against the generated φ",
    "k": "against the generated curvature",
    "charge k": "against the generated curvature of both charges",
}


def pictures(found: Audit, sample: str, title: str) -> Iterator[Picture]:
    """All figures of the page."""
    for one in found.views:
        caption = f"k_reco/k_gen - 1 {CAPTION[one.name]}. Below: each approximation alone, against the improved fit"
        yield Picture(svg(view(one, sample, title)), caption)
    caption = (
        "A, e, M to apply, and χ²/ndf of their fit, against η; the band is where two thirds of χ²/ndf are expected"
    )
    yield Picture(svg(biases(found.biases, found.views[0].edges, sample, title)), caption)


def _bias_table(found: Audit) -> list[tuple[str, ...]]:
    """Of the first model: bin of eta, A, e, M with errors in the units of the figure, chi2/ndf."""
    fits = next(iter(found.biases.values()))
    return [
        (f"{low:g} to {high:g}", *_numbers(fit), f"{fit.chi2:.1f}/{fit.ndf}" if fit.ndf else "-")
        for (low, high), fit in zip(pairwise(found.views[0].edges), fits, strict=True)
    ]


def _numbers(fit: BiasFit) -> Iterator[str]:
    for name, value, error in zip(("A", "e", "M"), fit.values, fit.errors, strict=True):
        factor = QUANTITIES[name].factor
        yield f"{factor * value:.2f} ± {factor * error:.2f}" if np.isfinite(value) else "-"


def page(found: Audit, verdict: Verdict, word: str, sample: str, title: str) -> str:
    """One self-contained page; `word` is the verdict."""
    environment = Environment(
        loader=PackageLoader("muonkit.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    units = [f"{name} [{QUANTITIES[name].text_unit}]" for name in ("A", "e", "M")]
    return environment.get_template("audit.html.j2").render(
        audit=found,
        verdict=verdict,
        word=word,
        sample=sample,
        title=title,
        pictures=list(pictures(found, sample, title)),
        bias_heads=units,
        bias_table=_bias_table(found),
    )
