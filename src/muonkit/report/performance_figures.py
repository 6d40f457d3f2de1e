"""Figures of `performance`: parts of performance.json in, a `Figure` out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from muonkit.core.arrays import FloatArray
from muonkit.muid.performance.rates import rate
from muonkit.muid.performance.result import numbers
from muonkit.report.labels import SPECIES
from muonkit.report.muid import COLOURS
from muonkit.report.style import BLUE, GREY, HEIGHT, INK, ORANGE, WIDTH, blank, head, sized, styled

Content = dict[str, Any]
SYMBOL = {"p": "$p$ [GeV]", "theta": r"$\theta$ [deg]", "phi": r"$\phi$ [deg]"}
CUTS = (INK, BLUE, ORANGE, "#009E73", "#CC79A7")
FAKES_TIMES = 10
TOP = 1.4  # of an axis that holds efficiencies and ten times the fake rate, below the legend


def _points(axes: Axes, edges: FloatArray, counts: Content, factor: float = 1.0, **look: Any) -> None:
    """Rates with Clopper-Pearson intervals at the centres of bins; bins without tracks are left out."""
    found = rate(np.array(counts["passed"]), np.array(counts["total"]))
    there = ~np.isnan(found.value)
    value, low, high = (factor * values[there] for values in found)
    centres = ((edges[1:] + edges[:-1]) / 2)[there]
    errors = np.maximum([value - low, high - value], 0)
    axes.errorbar(centres, value, errors, **({"ms": 2.6, "lw": 0.9, "elinewidth": 0.7} | look))


@styled
def rates(axis: Content, name: str, pair: tuple[str, str], label: str) -> Figure:
    """Efficiency of the signal, and ten times the fake rate of the background, for all cuts."""
    figure, axes = blank(WIDTH * 1.25, HEIGHT * 1.15)
    edges = np.array(axis["edges"])
    signal, background = pair
    for colour, (cut, by_species) in zip(_cycle(axis["cuts"]), axis["cuts"].items(), strict=True):
        text = rf"$\Delta > {cut}$"
        _points(axes, edges, by_species[signal], fmt="o-", color=colour, label=f"{SPECIES[signal]}, {text}")
        fakes = f"{FAKES_TIMES} x {SPECIES[background]}, {text}"
        _points(axes, edges, by_species[background], FAKES_TIMES, fmt="s--", mfc="w", color=colour, label=fakes)
    axes.set(xlim=(edges[0], edges[-1]), ylim=(0, TOP), xlabel=SYMBOL[name])
    axes.set_ylabel(f"efficiency, {FAKES_TIMES} x fake rate")
    axes.legend(ncols=3, fontsize=6.5, loc="upper center", frameon=True, framealpha=0.9, edgecolor="w")
    head(axes, label)
    return figure


def _cycle(items: Any) -> list[str]:
    return [CUTS[i % len(CUTS)] for i in range(len(items))]


@styled
def inefficiency(content: Content, boundaries: Sequence[float], chimney: Sequence[float] | None, label: str) -> Figure:
    """Inefficiency of the first cut in phi and theta; boundaries of sectors in phi, the chimney as a box."""
    figure, axes = blank(WIDTH * 1.4, HEIGHT * 1.25)
    cut, counts = next(iter(content["cuts"].items()))
    passed, total = (np.array(counts[name], dtype=np.float64) for name in ("passed", "total"))
    share = np.where(total > 0, 1 - passed / np.maximum(total, 1), np.nan)
    edges = content["phi_edges"], content["theta_edges"]
    # white: no tracks
    mesh = axes.pcolormesh(*edges, np.ma.masked_invalid(share), cmap="viridis", vmin=0, vmax=_top(share))
    for phi in boundaries:
        axes.axvline(phi, color="w", lw=0.7, ls=":")
    if chimney is not None:
        low, high, theta, theta_high = chimney
        axes.add_patch(Rectangle((low, theta), high - low, theta_high - theta, fill=False, ec=ORANGE, lw=1.1))
    figure.colorbar(mesh, ax=axes, label=f"inefficiency of {SPECIES[content['species']]}")
    axes.set(xlim=(edges[0][0], edges[0][-1]), ylim=(edges[1][0], edges[1][-1]))
    axes.set(xlabel=SYMBOL["phi"], ylabel=SYMBOL["theta"])
    head(axes, label, rf"$\Delta > {cut}$")
    return figure


def _top(share: FloatArray) -> float:
    """End of the colour scale: few bins are beyond."""
    there = share[~np.isnan(share)]
    return min(1.0, max(0.1, float(np.quantile(there, 0.98)))) if len(there) else 1.0


@styled
def boxes(content: Content, pair: tuple[str, str], label: str) -> Figure:
    """Delta against p: least, quartiles, median, greatest; the mean as a circle."""
    figure = sized(WIDTH * 2, HEIGHT * 1.15)
    edges = np.array(content["edges"])
    for axes, name in zip(figure.subplots(1, 2, sharey=True), pair, strict=True):
        _boxes(axes, edges, content[name], COLOURS[name])
        axes.axhline(0, color=GREY, lw=0.6)
        axes.set(xlim=(edges[0], edges[-1]), xlabel=SYMBOL["p"])
        head(axes, label, f"true {SPECIES[name]}")
    figure.axes[0].set_ylabel(rf"$\Delta = \ln L_{{{_math(pair[0])}}} - \ln L_{{{_math(pair[1])}}}$")
    return figure


def _math(species: str) -> str:
    return {"mu": r"\mu", "pi": r"\pi"}.get(species, species)


def _boxes(axes: Axes, edges: FloatArray, content: Content, colour: str) -> None:
    names = ("min", "lower_quartile", "median", "upper_quartile", "max", "mean")
    values = np.column_stack([numbers(content[name]) for name in names])
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
def roc(content: Content, score: str, pair: tuple[str, str], label: str) -> Figure:
    """Fake rate against efficiency in bins of p."""
    figure, axes = blank(WIDTH * 1.25, HEIGHT * 1.15)
    curves = content["scores"][score]
    for i, one in enumerate(curves):
        colour = INK if i == len(curves) - 1 else _shade(i, len(curves) - 1)
        if one["auc"] is not None:
            text = f"{one['p'][0]:g}-{one['p'][1]:g} GeV: AUC {one['auc']:.4f} ± {one['auc_error']:.4f}"
            fake = np.maximum(numbers(one["fake"]), 1e-5)
            axes.plot(content["efficiency"], fake, color=colour, label=text, lw=1.6 if colour == INK else 1.1)
    axes.set_yscale("log")
    axes.set(xlim=(0.5, 1), ylim=(1e-4, 1))
    axes.set(xlabel=f"efficiency of {SPECIES[pair[0]]}", ylabel=f"fake rate of {SPECIES[pair[1]]}")
    axes.legend(fontsize=7, loc="lower left")
    head(axes, label, _score_name(score))
    return figure


def _shade(i: int, n: int) -> Any:
    from matplotlib import colormaps

    return colormaps["viridis"](i / max(n - 1, 1) * 0.92)


def _score_name(score: str) -> str:
    return "likelihood" if score == "delta" else score


@styled
def working_points(content: Content, efficiency: float, pair: tuple[str, str], label: str) -> Figure:
    """Fake rate at one efficiency against p, for every score; open: the efficiency cannot be had."""
    figure, axes = blank(WIDTH * 1.25, HEIGHT * 1.15)
    for colour, (score, every) in zip(_cycle(content), content.items(), strict=True):
        points = [one for one in every[:-1] if one["fake"] is not None]
        name: str | None = _score_name(score)
        for one in points:
            (low, high), fake = one["p"], one["fake"]
            errors = np.maximum([[fake - one["low"]], [one["high"] - fake]], 0)
            fill = colour if one["reached"] else "w"
            spread = [[(high - low) / 2]] * 2
            axes.errorbar((low + high) / 2, fake, errors, spread, fmt="o", ms=3.5, color=colour, mfc=fill, label=name)
            name = None
    axes.set_ylim(0, None)
    axes.set(xlabel=SYMBOL["p"], ylabel=f"fake rate of {SPECIES[pair[1]]}")
    if axes.get_legend_handles_labels()[1]:
        axes.legend()
    head(axes, label, f"at {efficiency:.0%} {SPECIES[pair[0]]} efficiency")
    return figure


@styled
def confusion(content: Content, label: str) -> Figure:
    """Shares of the tracks of every true species by the most probable one."""
    figure, axes = blank(WIDTH * 1.25, HEIGHT * 1.15)
    shares = np.array([numbers(row) for row in content["shares"]])
    axes.imshow(np.nan_to_num(shares), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        text = "-" if np.isnan(share) else f"{share:.3f}"
        axes.text(column, row, text, ha="center", va="center", fontsize=7.5, color="w" if share > 0.5 else INK)
    axes.set_xticks(range(len(content["found"])), [SPECIES.get(name, name) for name in content["found"]])
    axes.set_yticks(range(len(content["true"])), [SPECIES[name] for name in content["true"]])
    axes.minorticks_off()
    axes.tick_params(length=0)
    axes.set(xlabel="most probable", ylabel="true")
    head(axes, label)
    return figure


@styled
def species(axis: Content, signal: str, label: str) -> Figure:
    """Fake rates of all other species against p, for the first cut."""
    figure, axes = blank(WIDTH * 1.25, HEIGHT * 1.15)
    edges = np.array(axis["edges"])
    cut, by_species = next(iter(axis["cuts"].items()))
    for name, counts in by_species.items():
        if name != signal and sum(counts["total"]):
            _points(axes, edges, counts, fmt="o-", color=COLOURS[name], label=SPECIES[name])
    axes.set(xlim=(edges[0], edges[-1]), xlabel=SYMBOL["p"], ylabel=f"share identified as {SPECIES[signal]}")
    axes.set_ylim(0, None)
    axes.legend(ncols=3)
    head(axes, label, rf"$\Delta > {cut}$")
    return figure


@styled
def decays(content: Content, hadrons: Sequence[str], label: str) -> Figure:
    """Fake rates against p of hadrons: all, and those that did not decay in flight."""
    figure, axes = blank(WIDTH * 1.25, HEIGHT * 1.15)
    edges = np.array(content["edges"])
    cut, by_species = next(iter(content["cuts"].items()))
    for name in hadrons:
        ends = by_species[name]
        everyone = {k: np.add(ends["decayed"][k], ends["others"][k]) for k in ("passed", "total")}
        if everyone["total"].sum():
            look: dict[str, Any] = {"color": COLOURS[name]}
            _points(axes, edges, everyone, fmt="o-", label=f"{SPECIES[name]}, all", **look)
            _points(axes, edges, ends["others"], fmt="s--", mfc="w", label=f"{SPECIES[name]}, no decay", **look)
    axes.set(xlim=(edges[0], edges[-1]), xlabel=SYMBOL["p"], ylabel="fake rate")
    axes.set_ylim(0, None)
    axes.legend(ncols=2)
    head(axes, label, rf"$\Delta > {cut}$")
    return figure


@styled
def differences(content: Content, pair: tuple[str, str], label: str) -> Figure:
    """Last extrapolated layer - last layer with a hit."""
    figure, axes = blank(WIDTH * 1.25, HEIGHT * 1.15)
    steps = np.array([*content["difference"], content["difference"][-1] + 1]) - 0.5
    for name in pair:
        tracks = np.array(content["tracks"][name], dtype=np.float64)
        axes.stairs(tracks / max(tracks.sum(), 1), steps, color=COLOURS[name], lw=1.3, label=SPECIES[name])
    axes.set_yscale("log")
    axes.set(xlim=(steps[0], steps[-1]), ylim=(1e-4, 2), xlabel="last extrapolated - last hit layer", ylabel="share")
    axes.legend()
    head(axes, label)
    return figure


@styled
def layer_pulls(content: Sequence[Content], label: str) -> Figure:
    """Numbers of hits against the payload: pulls by layer and species."""
    figure, axes = blank(WIDTH * 1.25, HEIGHT * 1.15)
    for one in content:
        pulls = numbers(one["pulls"])
        axes.plot(
            np.arange(len(pulls)), pulls, ".-", lw=0.8, color=COLOURS[one["species"]], label=SPECIES[one["species"]]
        )
    axes.axhline(0, color=GREY, lw=0.6)
    axes.set(xlabel="layer (endcap from 15)", ylabel=r"hits: (found - expected)/$\sigma$")
    axes.legend(ncols=3)
    head(axes, label)
    return figure
