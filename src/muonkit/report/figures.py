"""Figures of a calibration: arrays in, a `Figure` out. Axes carry symbol and unit, the head says what the sample is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy.special import ndtr

from muonkit.calibration.binning import MuonBins
from muonkit.calibration.quantities import QUANTITIES, Quantity
from muonkit.core.arrays import FloatArray
from muonkit.report.style import BLUE, GREY, HEIGHT, INK, ORANGE, WIDTH, blank, head, sized, styled

LOOK: dict[str, Any] = {
    "fitted": {"color": BLUE, "marker": "o", "markerfacecolor": BLUE},
    "before": {"color": GREY, "marker": "o", "markerfacecolor": GREY},
    "after": {"color": BLUE, "marker": "s", "markerfacecolor": BLUE},
    "other half": {"color": ORANGE, "marker": "^", "markerfacecolor": "white"},
}
SHIFT = 0.22  # of a bin, between series


@dataclass(frozen=True, slots=True)
class Series:
    """Values per bin of muons with errors; `total` errors, if any, are drawn outside `errors`; `look`: LOOK."""

    label: str
    values: FloatArray
    errors: FloatArray
    total: FloatArray | None = None
    look: str = "fitted"


@dataclass(frozen=True, slots=True)
class MassSpectrum:
    """Entries per mass bin and their variances, fitted curve and its background, in the same bins; edges [GeV].

    The variances are the entries, unless some have weights below 0."""

    edges: FloatArray
    counts: FloatArray
    variances: FloatArray
    model: FloatArray
    background: FloatArray
    lines: tuple[str, ...] = ()

    @property
    def pulls(self) -> FloatArray:
        """(data - fit) per expected standard deviation."""
        expected = self.model + (self.variances - self.counts)
        return (self.counts - self.model) / np.sqrt(np.maximum(expected, 1e-12))

    @property
    def errors(self) -> FloatArray:
        """Standard deviations of the entries."""
        return np.sqrt(np.maximum(self.variances, 0))


@styled
def parameter(
    name: str, bins: MuonBins, series: Sequence[Series], sample: str, decay: str = "", band: Series | None = None
) -> Figure:
    """One parameter against eta, bins of phi side by side; `band` is drawn as steps behind the points."""
    quantity = QUANTITIES[name]
    figure, axes = blank()
    _zero(axes, bins.steps, 0.0)
    if band is not None:
        _band(axes, bins.steps, band, quantity.factor)
    _points(axes, bins.steps, series, quantity)
    _bin_axis(axes, bins)
    axes.set_ylabel(quantity.axis)
    head(axes, sample, decay)
    _legend(axes, len(series) + (band is not None))
    return figure


def _zero(axes: Axes, steps: FloatArray, value: float) -> None:
    axes.hlines(value, steps[0], steps[-1], color=INK, linewidth=0.7, linestyle=(0, (4, 3)), zorder=0)


def _band(axes: Axes, steps: FloatArray, band: Series, factor: float) -> None:
    low, high = ((band.values + sign * band.errors) * factor for sign in (-1, 1))
    axes.stairs(high, steps, baseline=low, fill=True, color=GREY, alpha=0.3, linewidth=0, label=band.label)
    axes.stairs(band.values * factor, steps, baseline=None, color=GREY, linewidth=1.2)


def _points(axes: Axes, steps: FloatArray, series: Sequence[Series], quantity: Quantity) -> None:
    centres, widths = (steps[1:] + steps[:-1]) / 2, np.diff(steps)
    for i, one in enumerate(series):
        x = centres + (i - (len(series) - 1) / 2) * SHIFT * widths
        y, factor, look = one.values * quantity.factor, quantity.factor, LOOK[one.look]
        if one.total is not None:
            axes.errorbar(x, y, one.total * factor, fmt="none", ecolor=look["color"], elinewidth=0.9, capsize=2.5)
        free = one.errors > 0
        axes.errorbar(
            x[free], y[free], one.errors[free] * factor, linestyle="none", markersize=4.5, elinewidth=1.6,
            label=one.label, **look,
        )  # fmt: skip
        # a parameter at its limit has no error: a cross, so that it is not taken for an exact value
        axes.plot(x[~free], y[~free], linestyle="none", marker="x", color=look["color"], markersize=5)


def _bin_axis(axes: Axes, bins: MuonBins) -> None:
    """The axis of eta; lines part the eta bins if there are bins of phi in them."""
    axes.set_xlim(bins.eta_edges[0], bins.eta_edges[-1])
    parted = "phi" in bins.axes
    axes.set_xlabel(r"$\eta$, in each bin $\phi$ from left to right" if parted else r"$\eta$")
    for edge in bins.eta_edges[1:-1] if parted else ():
        axes.axvline(edge, color=GREY, linewidth=0.6, zorder=0)


def _legend(axes: Axes, entries: int) -> None:
    if entries < 2:
        return
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.2 * (high - low))
    axes.legend(loc="upper center", ncols=entries, columnspacing=1.0, handletextpad=0.4)


@styled
def pulls(values: FloatArray, sample: str, decay: str = "") -> Figure:
    """Pulls of the cells with the unit Gaussian they should follow; those outside +-5 are counted in the end bins."""
    figure, axes = blank()
    edges = np.linspace(-5, 5, 41 if len(values) >= 200 else 21)
    counts, _ = np.histogram(np.clip(values, -4.999, 4.999), edges)
    axes.stairs(counts, edges, fill=True, color=BLUE, alpha=0.25, linewidth=0)
    axes.stairs(counts, edges, color=BLUE, linewidth=1.2, label=f"{len(values)} cells")
    x = np.linspace(-5, 5, 401)
    width = edges[1] - edges[0]
    unit = len(values) * (ndtr(x + width / 2) - ndtr(x - width / 2))
    axes.plot(x, unit, color=ORANGE, label="unit Gaussian")
    axes.set_xlabel(r"pull of $\mu$ per cell")
    axes.set_ylabel(f"cells / {width:g}")
    axes.set_xlim(-5, 5)
    axes.set_ylim(0, 1.35 * max(float(counts.max()), float(unit.max()), 1))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.legend(loc="upper right")
    axes.text(0.04, 0.95, _moments(values), transform=axes.transAxes, va="top", fontsize=8.5)
    head(axes, sample, decay)
    return figure


def _moments(values: FloatArray) -> str:
    if len(values) < 2:
        return "too few cells"
    spread = float(values.std(ddof=1))
    error = spread / np.sqrt(len(values))
    return f"mean  {values.mean():.3f} ± {error:.3f}\nwidth {spread:.3f} ± {error / np.sqrt(2):.3f}"


@styled
def correlation(matrix: FloatArray, names: Sequence[str], sample: str, decay: str = "") -> Figure:
    """Correlation matrix, one block per parameter, bins rising inside each."""
    figure = Figure(figsize=(5.6, 4.9), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
    letters = [name.partition("_")[0] for name in names]
    starts = [i for i, letter in enumerate(letters) if i == 0 or letter != letters[i - 1]]
    ends = [*starts[1:], len(names)]
    centres = [(start + end - 1) / 2 for start, end in zip(starts, ends, strict=True)]
    ticks = [f"${letters[start]}$" for start in starts]
    for axis, set_label in ((axes.xaxis, axes.set_xlabel), (axes.yaxis, axes.set_ylabel)):
        axis.set_ticks(centres, ticks)
        axis.set_tick_params(which="both", length=0)
        set_label(r"parameter, $\eta$ bins rising", loc="center")
    for start in starts[1:]:
        axes.axhline(start - 0.5, color=INK, linewidth=0.6)
        axes.axvline(start - 0.5, color=INK, linewidth=0.6)
    bar = figure.colorbar(image, ax=axes, shrink=0.9, pad=0.02)
    bar.set_label("correlation", loc="center")
    head(axes, sample, decay)
    return figure


@styled
def mass(spectrum: MassSpectrum, sample: str, decay: str = "") -> Figure:
    """Mass spectrum of a cell with its fit, and the pulls below."""
    figure = sized(WIDTH, HEIGHT * 1.2)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    _fit(upper, spectrum)
    head(upper, sample, decay)
    centres = (spectrum.edges[1:] + spectrum.edges[:-1]) / 2
    lower.axhspan(-1, 1, color=GREY, alpha=0.18, linewidth=0)
    lower.axhline(0, color=INK, linewidth=0.7)
    lower.plot(centres, spectrum.pulls, "o", color=INK, markersize=2)
    reach = max(3.5, 1.15 * float(np.abs(spectrum.pulls).max()))
    lower.set_ylim(-reach, reach)
    lower.set_ylabel("pull", loc="center")
    lower.set_xlabel(r"$m_{\mu\mu}$ [GeV]")
    figure.align_ylabels()
    return figure


def _fit(axes: Axes, spectrum: MassSpectrum) -> None:
    edges, counts = spectrum.edges, spectrum.counts
    centres = (edges[1:] + edges[:-1]) / 2
    axes.stairs(spectrum.background, edges, fill=True, color=GREY, alpha=0.35, linewidth=0, label="background")
    axes.plot(centres, spectrum.model, color=ORANGE, label="fit", zorder=2)
    axes.errorbar(
        centres, counts, spectrum.errors, fmt="o", color=INK, markersize=2.2, elinewidth=0.8, label="pairs", zorder=3
    )
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, 1.25 * max(float((counts + spectrum.errors).max()), float(spectrum.model.max()), 1))
    width = float(edges[1] - edges[0])
    axes.set_ylabel(f"pairs / {width * 1e3:.3g} MeV")
    axes.legend(loc="upper right")
    axes.text(0.04, 0.95, "\n".join(spectrum.lines), transform=axes.transAxes, va="top", fontsize=8, linespacing=1.45)


@styled
def scale(bins: MuonBins, before: Series, after: Series, sample: str, decay: str = "") -> Figure:
    """Momentum scale left per bin of muons against 1; inner bars: statistics, outer: with those of the corrections."""
    figure, axes = blank(WIDTH * 1.5, HEIGHT * 1.1)
    _zero(axes, bins.steps, 0.0)
    shifted = [replace(one, values=one.values - 1) for one in (before, after)]
    quantity = Quantity(r"p/p_{\mathrm{true}} - 1", "$10^{-3}$", "10⁻³", 1e3, "scale left")
    _points(axes, bins.steps, shifted, quantity)
    _bin_axis(axes, bins)
    axes.set_ylabel(quantity.axis)
    head(axes, sample, decay)
    _legend(axes, 2)
    return figure
