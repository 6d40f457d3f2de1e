"""The material of a detector against theta, beside a table of another program."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from muonkit.core.arrays import BoolArray, FloatArray
from muonkit.report.style import BLUE, GREY, INK, WIDTH, head, styled

LABELS = {"X0": r"$x/X_0$", "lambda": r"$x/\lambda_I$", "MeV": "loss of a 1 GeV muon [MeV]"}


@styled
def against_theta(
    theta: FloatArray,
    table: Mapping[str, Sequence[float]],
    detector: Mapping[str, Sequence[float]],
    crack: BoolArray,
    title: str,
) -> Figure:
    """One panel per measure, on a logarithmic scale; cracks of the table are grey. All (n,)."""
    figure = Figure(figsize=(WIDTH * 1.4, 7.5), layout="constrained")
    panels = figure.subplots(len(table), 1, sharex=True)
    for axes, (name, values) in zip(panels, table.items(), strict=True):
        axes.plot(theta, values, "o", color=INK, markersize=2.5, label="table")
        axes.plot(theta, detector[name], color=BLUE, linewidth=1.0, label="this description")
        axes.set_yscale("log")
        axes.set_ylabel(LABELS[name])
        for low, high in _spans(theta, crack):
            axes.axvspan(low, high, color=GREY, alpha=0.25, linewidth=0)
    panels[-1].set_xlabel(r"$\theta$ [deg]")
    panels[0].legend()
    head(panels[0], title, r"mean over $\phi$, in front of the sensors; grey: cracks of the table")
    return figure


def _spans(theta: FloatArray, crack: BoolArray) -> list[tuple[float, float]]:
    """From half way to the angle before to half way to the one behind."""
    edges = np.concatenate((theta[:1], (theta[1:] + theta[:-1]) / 2, theta[-1:]))
    return [(float(edges[i]), float(edges[i + 1])) for i in np.flatnonzero(crack)]
