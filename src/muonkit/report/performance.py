"""All figures of `performance`, by name, and as files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from muonkit.core.files import atomic
from muonkit.muid.performance.config import Performance
from muonkit.report import performance_figures as draw
from muonkit.report.style import STYLE

Content = dict[str, Any]
HADRONS = ("pi", "K", "p")


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure and what it shows."""

    figure: Figure
    caption: str


def pictures(content: Content, config: Performance) -> dict[str, Drawn]:
    """Every figure, by the name of its file."""
    pair, label = (config.signal, config.background), config.drawing.label
    found = {f"efficiency_{name}": _rates(content, name, pair, label) for name in ("p", "theta", "phi")}
    found["inefficiency_map"] = Drawn(
        draw.inefficiency(content["map"], config.drawing.sector_boundaries, config.drawing.chimney, label),
        "Inefficiency in φ and θ; dotted lines: boundaries of the sectors, box: chimney; white: no tracks",
    )
    found["delta_boxes"] = Drawn(
        draw.boxes(content["boxes"], pair, label),
        "Δ against p: least and greatest (dotted), quartiles (box), median (bar), mean (circle)",
    )
    for score in content["roc"]["scores"]:
        found[f"roc_{score}"] = Drawn(draw.roc(content["roc"], score, pair, label), f"ROC curves of {score}")
    found["working_point"] = Drawn(
        draw.working_points(content["working_points"], config.working_point, pair, label),
        "Fake rate at one efficiency against p; open: too many muons have no score for this efficiency",
    )
    found["fakes"] = Drawn(draw.species(content["p"], config.signal, label), "Fake rates of all other species")
    found["decays"] = Drawn(
        draw.decays(content["decays"], [name for name in HADRONS if name != config.signal], label),
        "Fake rates of hadrons, all and those that did not decay in flight",
    )
    found["confusion"] = Drawn(draw.confusion(content["confusion"], label), "True against most probable species")
    found["diff_layer"] = Drawn(
        draw.differences(content["diff_layer"], pair, label), "Last extrapolated layer - last layer with a hit"
    )
    if content["goodness_of_fit"]:
        caption = "Numbers of hits in every layer against the payload"
        found["goodness_of_fit"] = Drawn(draw.layer_pulls(content["goodness_of_fit"], label), caption)
    return found


def _rates(content: Content, name: str, pair: tuple[str, str], label: str) -> Drawn:
    caption = f"Efficiency (solid) and ten times the fake rate (dashed) against {name}"
    return Drawn(draw.rates(content[name], name, pair, label), caption)


def write_pictures(folder: Path, drawn: dict[str, Drawn]) -> list[str]:
    """One PNG for every figure, atomically; their paths."""
    paths = []
    for name, one in drawn.items():
        path = folder / f"{name}.png"
        with atomic(path) as temporary, mpl.rc_context(STYLE):
            one.figure.savefig(temporary, format="png", dpi=160)
        paths.append(str(path))
    return paths
