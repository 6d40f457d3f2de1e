"""Figures of `performance`: parts of its results in, a `Figure` out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from muonkit.core.arrays import FloatArray, IntArray
from muonkit.muid.checks.goodness import GoodnessOfFit
from muonkit.muid.likelihood.hypotheses import HYPOTHESES
from muonkit.muid.performance.boxes import Boxes
from muonkit.muid.performance.config import Performance
from muonkit.muid.performance.confusion import COLUMNS, shares
from muonkit.muid.performance.layers import DIFFERENCES
from muonkit.muid.performance.rates import IN_FLIGHT, OTHER, Passed, PassedBins, rate
from muonkit.muid.performance.result import LIKELIHOOD, RatesAgainst, ScoreResult, cut_name
from muonkit.muid.performance.roc import GRID
from muonkit.report.labels import SPECIES
from muonkit.report.muid import COLOURS
from muonkit.report.style import BLUE, GREY, HEIGHT, INK, ORANGE, WIDTH, blank, head, sized, styled

SYMBOL = {"p": "$p$ [GeV]", "theta": r"$\theta$ [deg]", "phi": r"$\phi$ [deg]"}
CUTS = (INK, BLUE, ORANGE, "#009E73", "#CC79A7")
FAKES_TIMES = 10
TOP = 1.4  # of an axis that holds efficiencies and ten times the fake rate, below the legend


def _points(axes: Axes, edges: FloatArray, counts: PassedBins, factor: float = 1.0, **look: Any) -> None:
    """Rates with Clopper-Pearson intervals at the centres of bins; bins without tracks are left out."""
    found = rate(*counts)
    there = ~np.isnan(found.value)
    value, low, high = (factor * values[there] for values in found)
    centres = ((edges[1:] + edges[:-1]) / 2)[there]
    errors = np.maximum([value - low, high - value], 0)
    axes.errorbar(centres, value, errors, **({"ms": 2.6, "lw": 0.9, "elinewidth": 0.7} | look))


@styled
def rates(axis: RatesAgainst, pair: tuple[str, str], label: str) -> Figure:
    """Efficiency of the signal, and ten times the fake rate of the background, for all cuts."""
    figure, axes = blank(WIDTH * 1.25, HEIGHT * 1.15)
    edges = np.array(axis.edges)
    signal, background = pair
    for i, (colour, cut) in enumerate(zip(_cycle(axis.cuts), axis.cuts, strict=True)):
        text = _above(cut)
        counts = {name: axis.counts[HYPOTHESES.index(name)].of_cut(i) for name in pair}
        _points(axes, edges, counts[signal], fmt="o-", color=colour, label=f"{SPECIES[signal]}, {text}")
        fakes = f"{FAKES_TIMES} x {SPECIES[background]}, {text}"
        _points(axes, edges, counts[background], FAKES_TIMES, fmt="s--", mfc="w", color=colour, label=fakes)
    axes.set(xlim=(edges[0], edges[-1]), ylim=(0, TOP), xlabel=SYMBOL[axis.name])
    axes.set_ylabel(f"efficiency, {FAKES_TIMES} x fake rate")
    axes.legend(ncols=3, fontsize=6.5, loc="upper center", frameon=True, framealpha=0.9, edgecolor="w")
    head(axes, label)
    return figure


def _above(cut: float) -> str:
    return rf"$\Delta > {cut_name(cut)}$"


def _cycle(items: Any) -> list[str]:
    return [CUTS[i % len(CUTS)] for i in range(len(items))]


@styled
def inefficiency(counts: Passed, config: Performance, label: str) -> Figure:
    """Inefficiency of the first cut in phi and theta; boundaries of sectors in phi, the chimney as a box."""
    figure, axes = blank(WIDTH * 1.4, HEIGHT * 1.25)
    passed, total = (values.astype(np.float64) for values in counts.of_cut(0))
    share = np.where(total > 0, 1 - passed / np.maximum(total, 1), np.nan)
    edges, drawing = (config.binning.phi, config.binning.theta), config.drawing
    # white: no tracks
    mesh = axes.pcolormesh(*edges, np.ma.masked_invalid(share), cmap="viridis", vmin=0, vmax=_top(share))
    for phi in drawing.sector_boundaries:
        axes.axvline(phi, color="w", lw=0.7, ls=":")
    if drawing.chimney is not None:
        low, high, theta, theta_high = drawing.chimney
        axes.add_patch(Rectangle((low, theta), high - low, theta_high - theta, fill=False, ec=ORANGE, lw=1.1))
    figure.colorbar(mesh, ax=axes, label=f"inefficiency of {SPECIES[config.signal]}")
    axes.set(xlim=(edges[0][0], edges[0][-1]), ylim=(edges[1][0], edges[1][-1]))
    axes.set(xlabel=SYMBOL["phi"], ylabel=SYMBOL["theta"])
    head(axes, label, _above(config.cuts[0]))
    return figure


def _top(share: FloatArray) -> float:
    """End of the colour scale: few bins are beyond."""
    there = share[~np.isnan(share)]
    return min(1.0, max(0.1, float(np.quantile(there, 0.98)))) if len(there) else 1.0


@styled
def boxes(found: tuple[Boxes, Boxes], p: Sequence[float], pair: tuple[str, str], label: str) -> Figure:
    """Delta against p: least, quartiles, median, greatest; the mean as a circle."""
    figure = sized(WIDTH * 2, HEIGHT * 1.15)
    edges = np.array(p)
    for axes, name, of_species in zip(figure.subplots(1, 2, sharey=True), pair, found, strict=True):
        _boxes(axes, edges, of_species, COLOURS[name])
        axes.axhline(0, color=GREY, lw=0.6)
        axes.set(xlim=(edges[0], edges[-1]), xlabel=SYMBOL["p"])
        head(axes, label, f"true {SPECIES[name]}")
    figure.axes[0].set_ylabel(rf"$\Delta = \ln L_{{{_math(pair[0])}}} - \ln L_{{{_math(pair[1])}}}$")
    return figure


def _math(species: str) -> str:
    return {"mu": r"\mu", "pi": r"\pi"}.get(species, species)


def _boxes(axes: Axes, edges: FloatArray, found: Boxes, colour: str) -> None:
    ends = (found.least, found.lower_quartile, found.median, found.upper_quartile, found.greatest)
    values = np.column_stack((*ends, found.mean))
    keys = ("whislo", "q1", "med", "q3", "whishi", "mean")
    there = np.flatnonzero(~np.isnan(values).any(axis=1))
    if not len(there):
        return
    line, width = {"color": colour, "linewidth": 0.8}, np.diff(edges)[there] * 0.7
    axes.bxp(
        [dict(zip(keys, values[i], strict=True)) | {"fliers": []} for i in there],
        positions=((edges[1:] + edges[:-1]) / 2)[there],
        widths=width,
        manage_ticks=False,
        showmeans=True,
        showfliers=False,
        boxprops=line,
        capprops=line,
        whiskerprops=line | {"linestyle": ":"},
        medianprops={"color": INK, "linewidth": 1.6},
        meanprops={"marker": "o", "markersize": 3, "markerfacecolor": "w", "markeredgecolor": colour},
    )


@styled
def roc(score: ScoreResult, pair: tuple[str, str], label: str) -> Figure:
    """Fake rate against efficiency in bins of p."""
    figure, axes = blank(WIDTH * 1.25, HEIGHT * 1.15)
    for i, one in enumerate(score.curves):
        colour = INK if i == len(score.curves) - 1 else _shade(i, len(score.curves) - 1)
        if np.isfinite(one.auc):
            text = f"{one.p[0]:g}-{one.p[1]:g} GeV: AUC {one.auc:.4f} ± {one.auc_error:.4f}"
            fake = np.maximum(one.fake, 1e-5)
            axes.plot(GRID, fake, color=colour, label=text, lw=1.6 if colour == INK else 1.1)
    axes.set_yscale("log")
    axes.set(xlim=(0.5, 1), ylim=(1e-4, 1))
    axes.set(xlabel=f"efficiency of {SPECIES[pair[0]]}", ylabel=f"fake rate of {SPECIES[pair[1]]}")
    axes.legend(fontsize=7, loc="lower left")
    head(axes, label, _score_name(score.name))
    return figure


def _shade(i: int, n: int) -> Any:
    from matplotlib import colormaps

    return colormaps["viridis"](i / max(n - 1, 1) * 0.92)


def _score_name(score: str) -> str:
    return "likelihood" if score == LIKELIHOOD else score


@styled
def working_points(scores: Sequence[ScoreResult], efficiency: float, pair: tuple[str, str], label: str) -> Figure:
    """Fake rate at one efficiency against p, for every score; open: the efficiency cannot be had."""
    figure, axes = blank(WIDTH * 1.25, HEIGHT * 1.15)
    for colour, score in zip(_cycle(scores), scores, strict=True):
        name: str | None = _score_name(score.name)
        for curve, one in zip(score.curves[:-1], score.points[:-1], strict=True):
            if not np.isfinite(one.fake):
                continue
            low, high = curve.p
            errors = np.maximum([[one.fake - one.low], [one.high - one.fake]], 0)
            look: dict[str, Any] = {"fmt": "o", "ms": 3.5, "color": colour, "mfc": colour if one.reached else "w"}
            axes.errorbar((low + high) / 2, one.fake, errors, [[(high - low) / 2]] * 2, label=name, **look)
            name = None
    axes.set_ylim(0, None)
    axes.set(xlabel=SYMBOL["p"], ylabel=f"fake rate of {SPECIES[pair[1]]}")
    if axes.get_legend_handles_labels()[1]:
        axes.legend()
    head(axes, label, f"at {efficiency:.0%} {SPECIES[pair[0]]} efficiency")
    return figure


@styled
def confusion(matrix: IntArray, label: str) -> Figure:
    """Shares of the tracks (6, 7) of every true species by the most probable one."""
    figure, axes = blank(WIDTH * 1.25, HEIGHT * 1.15)
    found = shares(matrix)
    axes.imshow(np.nan_to_num(found), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(found):
        text = "-" if np.isnan(share) else f"{share:.3f}"
        axes.text(column, row, text, ha="center", va="center", fontsize=7.5, color="w" if share > 0.5 else INK)
    axes.set_xticks(range(len(COLUMNS)), [SPECIES.get(name, name) for name in COLUMNS])
    axes.set_yticks(range(len(HYPOTHESES)), [SPECIES[name] for name in HYPOTHESES])
    axes.minorticks_off()
    axes.tick_params(length=0)
    axes.set(xlabel="most probable", ylabel="true")
    head(axes, label)
    return figure


@styled
def fakes(axis: RatesAgainst, signal: str, label: str) -> Figure:
    """Fake rates of all other species against p, for the first cut."""
    figure, axes = blank(WIDTH * 1.25, HEIGHT * 1.15)
    edges = np.array(axis.edges)
    for i, name in enumerate(HYPOTHESES):
        counts = axis.counts[i].of_cut(0)
        if name != signal and counts.total.any():
            _points(axes, edges, counts, fmt="o-", color=COLOURS[name], label=SPECIES[name])
    axes.set(xlim=(edges[0], edges[-1]), xlabel=SYMBOL["p"], ylabel=f"share identified as {SPECIES[signal]}")
    axes.set_ylim(0, None)
    axes.legend(ncols=3)
    head(axes, label, _above(axis.cuts[0]))
    return figure


@styled
def decays(ends: Passed, config: Performance, hadrons: Sequence[str], label: str) -> Figure:
    """Fake rates against p of hadrons, for the first cut: all, and those that did not decay in flight."""
    figure, axes = blank(WIDTH * 1.25, HEIGHT * 1.15)
    edges = np.array(config.binning.p)
    for name in hadrons:
        place = HYPOTHESES.index(name)
        decayed, others = (ends[place, end].of_cut(0) for end in (IN_FLIGHT, OTHER))
        everyone = PassedBins(decayed.passed + others.passed, decayed.total + others.total)
        if everyone.total.any():
            look: dict[str, Any] = {"color": COLOURS[name]}
            _points(axes, edges, everyone, fmt="o-", label=f"{SPECIES[name]}, all", **look)
            _points(axes, edges, others, fmt="s--", mfc="w", label=f"{SPECIES[name]}, no decay", **look)
    axes.set(xlim=(edges[0], edges[-1]), xlabel=SYMBOL["p"], ylabel="fake rate")
    axes.set_ylim(0, None)
    axes.legend(ncols=2)
    head(axes, label, _above(config.cuts[0]))
    return figure


@styled
def differences(found: IntArray, pair: tuple[str, str], label: str) -> Figure:
    """Last extrapolated layer - last layer with a hit; found (6, DIFFERENCES): numbers of tracks."""
    figure, axes = blank(WIDTH * 1.25, HEIGHT * 1.15)
    steps = np.append(DIFFERENCES, DIFFERENCES[-1] + 1) - 0.5
    for name in pair:
        tracks = found[HYPOTHESES.index(name)].astype(np.float64)
        axes.stairs(tracks / max(tracks.sum(), 1), steps, color=COLOURS[name], lw=1.3, label=SPECIES[name])
    axes.set_yscale("log")
    axes.set(xlim=(steps[0], steps[-1]), ylim=(1e-4, 2), xlabel="last extrapolated - last hit layer", ylabel="share")
    axes.legend()
    head(axes, label)
    return figure


@styled
def layer_pulls(fits: Sequence[GoodnessOfFit], label: str) -> Figure:
    """Numbers of hits against the payload: pulls by layer and species."""
    figure, axes = blank(WIDTH * 1.25, HEIGHT * 1.15)
    for one in fits:
        place = np.arange(len(one.pulls))
        axes.plot(place, one.pulls, ".-", lw=0.8, color=COLOURS[one.species], label=SPECIES[one.species])
    axes.axhline(0, color=GREY, lw=0.6)
    axes.set(xlabel="layer (endcap from 15)", ylabel=r"hits: (found - expected)/$\sigma$")
    axes.legend(ncols=3)
    head(axes, label)
    return figure
