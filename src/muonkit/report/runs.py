"""What changes from run to run: the scale of slices of runs, and the parameters of run periods. Figures."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from muonkit.calibration.binning import MuonBins
from muonkit.calibration.drift import Drift
from muonkit.calibration.periods import Period
from muonkit.calibration.quantities import QUANTITIES
from muonkit.report.style import BLUE, HEIGHT, INK, WIDTH, blank, head, styled

SPREAD = 0.3  # of the distance of two periods, over which the points of the eta bins are spread
LABELS = 5  # on an axis: run numbers are long


@styled
def drift(found: Drift, sample: str, decay: str = "") -> Figure:
    """Deviation of the scale of every slice of runs from the mean."""
    figure, axes = blank()
    values, errors = (np.array([getattr(each, name) for each in found.slices]) * 1e5 for name in ("scale", "error"))
    axes.axhline(0, color=INK, linewidth=0.7, linestyle=(0, (4, 3)), zorder=0)
    axes.errorbar(np.arange(len(values)), values, errors, fmt="o", color=BLUE, markersize=4.5, elinewidth=1.6)
    _run_axis(axes, [each.first for each in found.slices])
    axes.set_ylabel("scale - mean [$10^{-5}$]")
    head(axes, sample, decay)
    return figure


@styled
def periods(name: str, found: Sequence[Period], bins: MuonBins, sample: str, decay: str = "") -> Figure:
    """One parameter against the run period, with a colour for every bin of muons."""
    from matplotlib import colormaps

    quantity, labels = QUANTITIES[name], labels_of(bins)
    figure, axes = blank(WIDTH * 1.5, HEIGHT * 1.1)
    places = np.array([i for i, each in enumerate(found) if name in each.values])
    values, errors = (
        np.array([getattr(each, which)[name] for each in found if name in each.values]) * quantity.factor
        for which in ("values", "errors")
    )
    for i in range(bins.count):
        colour, shift = colormaps["viridis"]((i + 0.5) / bins.count), SPREAD * ((i + 0.5) / bins.count - 0.5)
        label = labels[i] if i in (0, bins.count - 1) else None
        axes.errorbar(places + shift, values[:, i], errors[:, i], fmt="o", color=colour, markersize=3, label=label)
    _run_axis(axes, [each.first for each in found])
    axes.set_ylabel(quantity.axis)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.2 * (high - low))
    axes.legend(loc="upper center", ncols=2)
    head(axes, sample, decay)
    return figure


def labels_of(bins: MuonBins) -> list[str]:
    """The range of every bin (count,), in mathtext."""
    found = []
    for place in zip(*bins.along(np.arange(bins.count)).values(), strict=True):
        ranges = zip(bins.axes.items(), place, strict=True)
        found.append(", ".join(rf"$\{axis}$ {edges[i]:g} to {edges[i + 1]:g}" for (axis, edges), i in ranges))
    return found


def _run_axis(axes: Axes, first: Sequence[int]) -> None:
    places = np.arange(len(first))[:: 1 + (len(first) - 1) // LABELS]
    axes.set_xticks(places, [str(first[i]) for i in places])
    axes.tick_params(axis="x", which="minor", bottom=False, top=False)
    axes.set_xlim(-0.5, len(first) - 0.5)
    axes.set_xlabel("first run")
