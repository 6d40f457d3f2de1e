"""All figures of `performance`, by name, and as files."""

from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from muonkit.core.files import atomic
from muonkit.muid.performance.result import PerformanceNumbers, RatesAgainst
from muonkit.report import performance_figures as draw
from muonkit.report.style import STYLE

HADRONS = ("pi", "K", "p")


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure and what it shows."""

    figure: Figure
    caption: str


def pictures(numbers: PerformanceNumbers) -> dict[str, Drawn]:
    """Every figure, by the name of its file."""
    config = numbers.config
    pair, label = (config.signal, config.background), config.drawing.label
    drawn = {f"efficiency_{axis.name}": _rates(axis, pair, label) for axis in (numbers.p, numbers.theta, numbers.phi)}
    drawn["inefficiency_map"] = Drawn(
        draw.inefficiency(numbers.map, config, label),
        "Inefficiency in φ and θ; dotted lines: boundaries of the sectors, box: chimney; white: no tracks",
    )
    drawn["delta_boxes"] = Drawn(
        draw.boxes(numbers.boxes, config.binning.p, pair, label),
        "Δ against p: least and greatest (dotted), quartiles (box), median (bar), mean (circle)",
    )
    for score in numbers.scores:
        drawn[f"roc_{score.name}"] = Drawn(draw.roc(score, pair, label), f"ROC curves of {score.name}")
    drawn["working_point"] = Drawn(
        draw.working_points(numbers.scores, config.working_point, pair, label),
        "Fake rate at one efficiency against p; open: too many muons have no score for this efficiency",
    )
    drawn["fakes"] = Drawn(draw.fakes(numbers.p, config.signal, label), "Fake rates of all other species")
    hadrons = [name for name in HADRONS if name != config.signal]
    drawn["decays"] = Drawn(
        draw.decays(numbers.decays, config, hadrons, label),
        "Fake rates of hadrons, all and those that did not decay in flight",
    )
    drawn["confusion"] = Drawn(draw.confusion(numbers.confusion, label), "True against most probable species")
    drawn["diff_layer"] = Drawn(
        draw.differences(numbers.differences, pair, label), "Last extrapolated layer - last layer with a hit"
    )
    if numbers.goodness:
        caption = "Numbers of hits in every layer against the payload"
        drawn["goodness_of_fit"] = Drawn(draw.layer_pulls(numbers.goodness, label), caption)
    return drawn


def _rates(axis: RatesAgainst, pair: tuple[str, str], label: str) -> Drawn:
    caption = f"Efficiency (solid) and ten times the fake rate (dashed) against {axis.name}"
    return Drawn(draw.rates(axis, pair, label), caption)


def write_pictures(folder: Path, drawn: dict[str, Drawn]) -> None:
    """One PNG for every figure, NAME.png, atomically."""
    for name, one in drawn.items():
        with atomic(folder / f"{name}.png") as temporary, mpl.rc_context(STYLE):
            one.figure.savefig(temporary, format="png", dpi=160)
