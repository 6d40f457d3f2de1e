"""Pictures of an alignment: its weak modes."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from muonkit.alignment.modes import Modes
from muonkit.alignment.parameters import FIELD, MATERIAL, SIZE, TRANSLATION
from muonkit.alignment.templates import cylindrical
from muonkit.core.arrays import FloatArray
from muonkit.detector.detector import Detector
from muonkit.report.style import BLUE, GREY, HEIGHT, ORANGE, WIDTH, head, styled

DRAWN = 3  # modes whose displacements are drawn
LABEL = 40  # letters
SMALLEST = 1e-3  # um


@styled
def weak_modes(modes: Modes, detector: Detector) -> Figure:
    """The information of the tracks on every mode, and how the weakest ones move the surfaces."""
    places = _places(detector)
    count = min(DRAWN, len(modes.names))
    figure = Figure(figsize=((1 + len(places)) * WIDTH, HEIGHT + 0.22 * len(modes.names)), layout="constrained")
    left, right = np.asarray(figure.subfigures(1, 2, width_ratios=(1.2, len(places)))).tolist()
    axes = left.subplots()
    _information(axes, modes)
    head(axes, detector.title, "weak modes")
    panels = right.subplots(count, len(places), sharex="col", sharey="row", squeeze=False)
    for number, row in enumerate(panels):
        curves, unit = _curves(modes.vectors[number], detector)
        row[0].set_title(f"{number + 1}: {_short(modes.names[number])}", loc="left")
        row[0].set_ylabel(unit)
        for panel, where in zip(row, places.values(), strict=True):
            for (name, curve), colour in zip(curves.items(), (BLUE, ORANGE, GREY), strict=False):
                panel.plot(where, curve, ".", color=colour, markersize=4, label=name)
        row[-1].legend(ncols=len(curves))
    for panel, name in zip(panels[-1], places, strict=True):
        panel.set_xlabel(f"{name} [cm]")
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


def _curves(vector: FloatArray, detector: Detector) -> tuple[dict[str, FloatArray], str]:
    """Displacements of the centres of the surfaces along r, phi and z (x, y and z on the axis), or what a mode has in
    their place; and the label of the axis."""
    values = vector.reshape(-1, SIZE)
    moves = 1e4 * np.einsum("nij,ni->nj", detector.surfaces.axes, values[:, TRANSLATION])
    if np.abs(moves).max() < SMALLEST:
        return {"field": 1e3 * values[:, FIELD], "material": 1e3 * values[:, MATERIAL]}, "share [$10^{-3}$]"
    _, _, r_hat, phi_hat = cylindrical(detector)
    axis = (r_hat == 0).all(axis=1, keepdims=True)
    along = np.where(axis, [1.0, 0.0, 0.0], r_hat), np.where(axis, [0.0, 1.0, 0.0], phi_hat)
    shifts = [(moves * direction).sum(axis=1) for direction in along]
    return {r"$\Delta r$": shifts[0], r"$r\Delta\phi$": shifts[1], r"$\Delta z$": moves[:, 2]}, r"shift [$\mu$m]"


def _places(detector: Detector) -> dict[str, FloatArray]:
    """Where the surfaces are: r, and z where it is not the same for all."""
    places = {"r": cylindrical(detector)[0]}
    z = detector.surfaces.center[:, 2]
    return places | ({"z": z} if np.ptp(z) > 0 else {})


def _short(name: str) -> str:
    return name if len(name) <= LABEL else f"{name[: LABEL - 3]}..."
