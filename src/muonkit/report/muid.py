"""Pictures of identification: one track in its event."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from muonkit.core.arrays import FloatArray
from muonkit.data.klm import KLMHits
from muonkit.detector.detector import Detector
from muonkit.muid.explain import ExplainedTrack
from muonkit.muid.likelihood.hypotheses import HYPOTHESES
from muonkit.report.detector import longitudinal_block, reach, transverse_block
from muonkit.report.labels import SPECIES
from muonkit.report.style import BLUE, GREY, INK, ORANGE, head, styled

COLOURS = dict(zip(HYPOTHESES, ("#CC79A7", BLUE, ORANGE, "#009E73", "#E69F00", "#56B4E9"), strict=True))


@styled
def event_picture(detector: Detector, track: ExplainedTrack, hits: KLMHits, start: FloatArray, title: str) -> Figure:
    """x-y and r-z with the hits of the event, the predicted points and their gates; and how ln P of each hypothesis,
    relative to the muon's, grows layer by layer. start (3,): where the extrapolation begins."""
    figure = Figure(figsize=(13.5, 4.9), layout="constrained")
    across, along, growth = figure.subplots(1, 3, gridspec_kw={"width_ratios": [1.0, 1.25, 1.0]})
    points = _points(track)
    way = np.concatenate((start[None], points))
    _across(across, detector, hits, way)
    _along(along, detector, hits, way)
    _growth(growth, track)
    matched = np.array([layer.chi2 == layer.chi2 for layer in track.layers], dtype=bool)
    for axes, xy in ((across, points[:, :2]), (along, _rz(points))):
        for chosen, colour, label in ((matched, BLUE, "predicted, hit"), (~matched, ORANGE, "predicted, no hit")):
            axes.plot(*xy[chosen].T, "o", mfc="none", mec=colour, ms=6, lw=0, label=label, zorder=6)
    across.legend(loc="upper left", fontsize=7)
    head(across, title)
    return figure


def _points(track: ExplainedTrack) -> FloatArray:
    position = track.found.layers.position[0]
    points: FloatArray = position[~np.isnan(position[:, 0])].reshape(-1, 3)
    return points


def _rz(points: FloatArray) -> FloatArray:
    return np.column_stack((points[:, 2], np.hypot(points[:, 0], points[:, 1])))


def _across(axes: Axes, detector: Detector, hits: KLMHits, way: FloatArray) -> None:
    for block in range(len(detector.blocks)):
        transverse_block(axes, detector, block, float(way[min(1, len(way) - 1), 2]))
    axes.plot(hits.position[:, 0], hits.position[:, 1], ".", color=INK, ms=3, label="hits", zorder=5)
    axes.plot(way[:, 0], way[:, 1], "-", color=BLUE, lw=0.8, zorder=4)
    r_max = reach(detector)
    axes.set(xlim=(-r_max, r_max), ylim=(-r_max, r_max), xlabel="x [cm]", ylabel="y [cm]", aspect="equal")


def _along(axes: Axes, detector: Detector, hits: KLMHits, way: FloatArray) -> None:
    for block in range(len(detector.blocks)):
        longitudinal_block(axes, detector, block)
    axes.plot(*_rz(hits.position).T, ".", color=INK, ms=3, zorder=5)
    axes.plot(*_rz(way).T, "-", color=BLUE, lw=0.8, zorder=4)
    axes.set(xlim=detector.envelope[1:], ylim=(0, reach(detector)), xlabel="z [cm]", ylabel="r [cm]")


def _growth(axes: Axes, track: ExplainedTrack) -> None:
    """Sums of ln P from the first layer on, the reduced chi2 last, relative to the muon."""
    terms = np.array([layer.terms for layer in track.layers]).reshape(-1, len(HYPOTHESES))
    total = np.cumsum(np.concatenate((terms, track.transverse[None])), axis=0)
    with np.errstate(invalid="ignore"):
        relative = total - total[:, [HYPOTHESES.index("mu")]]
    steps = np.arange(len(relative))
    for i, name in enumerate(HYPOTHESES):
        axes.plot(steps, relative[:, i], ".-", ms=3, color=COLOURS[name], label=SPECIES[name])
    labels = [layer.name.rpartition("/")[2] for layer in track.layers]
    axes.set_xticks(steps, [*labels, r"$\chi^2$"], fontsize=6)
    axes.axhline(0, color=GREY, lw=0.6)
    axes.set(xlabel="layer", ylabel=r"$\ln P - \ln P_\mu$, summed")
    axes.legend(ncols=2)
