"""Pictures of an alignment: its weak modes."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from muonkit.alignment.modes import Modes
from muonkit.alignment.parameters import FIELD, MATERIAL, SIZE, TRANSLATION
from muonkit.core.arrays import FloatArray
from muonkit.detector.detector import Detector
from muonkit.detector.surfaces import CYLINDER, DISC
from muonkit.report.style import BLUE, GREY, HEIGHT, ORANGE, WIDTH, head, styled

DRAWN = 3  # modes whose displacements are drawn
LABEL = 34  # letters
SMALLEST = 1e-3  # um


@styled
def weak_modes(modes: Modes, detector: Detector) -> Figure:
    """The information of the tracks on every mode, and how the weakest ones move the surfaces."""
    figure = Figure(figsize=(2 * WIDTH, HEIGHT + 0.22 * len(modes.names)), layout="constrained")
    count = min(DRAWN, len(modes.names))
    left, right = np.asarray(figure.subfigures(1, 2, width_ratios=(1.2, 1))).tolist()
    axes = left.subplots()
    _information(axes, modes)
    head(axes, detector.title, "weak modes")
    for place, panel in enumerate(np.atleast_1d(right.subplots(count, sharex=True))):
        _displacements(panel, modes.vectors[place], detector)
        panel.set_title(f"{place + 1}: {_short(modes.names[place])}", loc="left")
        if place == count - 1:
            panel.set_xlabel("z [cm]" if _along_z(detector) else "r [cm]")
    return figure


def _information(axes: Axes, modes: Modes) -> None:
    place = np.arange(len(modes.names))
    lowest = max(float(modes.information[modes.information > 0].min(initial=1.0)), 1e-12)
    axes.barh(place, np.maximum(modes.information, lowest), color=BLUE, height=0.6)
    axes.axvline(1, color=GREY, linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yticks(place, [f"{number + 1}: {_short(name)}" for number, name in enumerate(modes.names)])
    axes.tick_params(axis="y", which="minor", left=False, right=False)
    axes.invert_yaxis()
    axes.set_xlabel("information of the tracks / of the priors")


def _displacements(axes: Axes, vector: FloatArray, detector: Detector) -> None:
    """Global displacements of the centres of the surfaces; the field, where a mode has none."""
    values, where = vector.reshape(-1, SIZE), _where(detector)
    moves = 1e4 * np.einsum("nij,ni->nj", detector.surfaces.axes, values[:, TRANSLATION])
    if np.abs(moves).max() > SMALLEST:
        curves = {rf"$\Delta {axis}$": moves[:, place] for place, axis in enumerate("xyz")}
        axes.set_ylabel(r"shift [$\mu$m]")
    else:
        curves = {"field": 1e3 * values[:, FIELD], "material": 1e3 * values[:, MATERIAL]}
        axes.set_ylabel("share [$10^{-3}$]")
    for (name, curve), colour in zip(curves.items(), (BLUE, ORANGE, GREY), strict=False):
        axes.plot(where, curve, ".", color=colour, markersize=4, label=name)
    axes.legend(ncols=len(curves))


def _along_z(detector: Detector) -> bool:
    return bool(np.ptp(detector.surfaces.center[:, 2]) > 0)


def _where(detector: Detector) -> FloatArray:
    """z of every surface (n,), or its distance from the beam where all lie at one z."""
    S = detector.surfaces
    if _along_z(detector):
        return S.center[:, 2]
    r = np.hypot(S.center[:, 0], S.center[:, 1])
    return np.where(S.kind == CYLINDER, S.radius, np.where(S.kind == DISC, S.bounds[:, :2].mean(axis=1), r))


def _short(name: str) -> str:
    return name if len(name) <= LABEL else f"{name[: LABEL - 3]}..."
