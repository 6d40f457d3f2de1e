"""Figures of corrections against each other: differences (charges, momenta, eta, phi) in, a `Figure` out."""

import warnings
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from muonkit.core.arrays import FloatArray
from muonkit.report.style import BLUE, HEIGHT, INK, ORANGE, WIDTH, head, styled

COLOURS = {-1: (BLUE, "μ⁻"), 1: (ORANGE, "μ⁺")}
AXIS = r"ratio $-$ 1 "
Words = tuple[str, str, str]  # what is drawn, against what, and the unit
LONGEST = 60  # letters of a head


@styled
def profile(values: FloatArray, charges: Sequence[int], pt: FloatArray, eta: FloatArray, words: Words) -> Figure:
    """Against eta, a panel for each pT [GeV]: the mean over phi as a line, all values over phi as a band."""
    figure = Figure(figsize=(WIDTH * 1.5, HEIGHT * (0.35 + 0.55 * len(pt))), layout="constrained")
    panels = figure.subplots(len(pt), 1, sharex=True, squeeze=False)[:, 0]
    for j, axes in enumerate(panels):
        axes.axhline(0, color=INK, linewidth=0.7, linestyle=(0, (4, 3)), zorder=0)
        for i, charge in enumerate(charges):
            _band(axes, eta, values[i, j], charge)
        axes.set_ylabel(AXIS + words[2], fontsize=8)
        axes.text(0.02, 0.93, f"$p_T$ = {pt[j]:g} GeV", transform=axes.transAxes, va="top", fontsize=8.5)
    low, high = panels[0].get_ylim()
    panels[0].set_ylim(low, high + 0.2 * (high - low))
    panels[0].legend(loc="upper right", ncols=2)
    panels[-1].set_xlabel(r"$\eta$")
    panels[-1].set_xlim(eta[0], eta[-1])
    _head(panels[0], words)
    return figure


def _band(axes: Axes, eta: FloatArray, values: FloatArray, charge: int) -> None:
    colour, label = COLOURS[charge]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a row that no file covers: it stays empty
        mean, low, high = np.nanmean(values, axis=1), np.nanmin(values, axis=1), np.nanmax(values, axis=1)
    axes.fill_between(eta, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.plot(eta, mean, color=colour, label=label)


@styled
def maps(
    values: FloatArray,
    charges: Sequence[int],
    pt: FloatArray,
    places: tuple[FloatArray, FloatArray],
    words: Words,
) -> Figure:
    """Against eta and phi, a panel for each charge (rows) and pT [GeV] (columns), all of one colour scale."""
    width = WIDTH * (0.3 + 0.75 * len(pt))
    figure = Figure(figsize=(width, HEIGHT * 1.7), layout="constrained")
    panels = figure.subplots(len(charges), len(pt), sharex=True, sharey=True, squeeze=False)
    finite = np.abs(values[np.isfinite(values)])
    reach = max(float(np.quantile(finite, 0.995)), 1e-3) if len(finite) else 1.0
    for i, charge in enumerate(charges):
        for j, axes in enumerate(panels[i]):
            image = axes.pcolormesh(*places, values[i, j].T, cmap="RdBu_r", vmin=-reach, vmax=reach, rasterized=True)
            axes.set_title(f"{COLOURS[charge][1]}, $p_T$ = {pt[j]:g} GeV")
            axes.set_xlabel(r"$\eta$")
        panels[i, 0].set_ylabel(r"$\phi$ [rad]")
    figure.colorbar(image, ax=panels, shrink=0.9, pad=0.02, extend="both").set_label(AXIS + words[2], loc="center")
    figure.suptitle("  ".join(_drawable(word) for word in words[:2]), fontweight="bold", fontsize=9.5)
    return figure


def _head(axes: Axes, words: Words) -> None:
    head(axes, *(_drawable(word) for word in words[:2]))


def _drawable(words: str) -> str:
    """Names of files may have any letters: those that do not print are left out, and $ does not begin mathtext."""
    shown = "".join(letter for letter in words if letter.isprintable())
    return (shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}...").replace("$", r"\$")
