"""The page of a study: the scale left after each stage, in one figure and one table."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any, Protocol

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from muonkit.calibration.verdict import Verdict
from muonkit.report.labels import resonance
from muonkit.report.page import Picture
from muonkit.report.style import BLUE, GREY, HEIGHT, INK, ORANGE, WIDTH, blank, head, styled, svg

COLOURS = (BLUE, ORANGE, "#009E73", "#CC79A7", "#56B4E9", "#E69F00", GREY)
MARKERS = "os^vD<>"
LINEAR = 10.0  # in 1e-5: below, the axis is linear
PAGES = {"calibrate": "report.html", "validate": "report.html", "modules": "align.html"}  # of steps, in their folders
LETTERS = 16  # of the name of a stage in one line
SPREAD = 0.35  # of the distance between stages, between samples


class StageLeft(Protocol):
    """A stage: its name, whether it is only to compare, and (value, error) of the scale left by sample."""

    @property
    def name(self) -> str: ...
    @property
    def aside(self) -> bool: ...
    @property
    def left(self) -> Mapping[str, tuple[float | None, float | None]]: ...


@styled
def scale_left(stages: Sequence[StageLeft]) -> Figure:
    """Scale left in 1e-5 against the stages, a series for each sample."""
    figure, axes = blank(1.6 * WIDTH, 1.2 * HEIGHT)
    samples = list(stages[0].left)
    axes.axhline(0, color=INK, linewidth=0.7, linestyle=(0, (4, 3)), zorder=0)
    for number, sample in enumerate(samples):
        values = np.array([stage.left[sample] for stage in stages], dtype=np.float64) * 1e5  # None becomes NaN
        x = np.arange(len(stages)) + SPREAD * ((number + 0.5) / len(samples) - 0.5)
        look: Any = {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)]}
        axes.errorbar(x, values[:, 0], values[:, 1], linewidth=0.8, markersize=5, label=resonance(sample), **look)
    axes.set_yscale("symlog", linthresh=LINEAR)
    axes.set_xticks(range(len(stages)), [fill(stage.name, LETTERS) for stage in stages])
    axes.minorticks_off()
    axes.set_xlim(-0.5, len(stages) - 0.5)
    axes.set_ylabel(r"scale left [$10^{-5}$]")
    axes.legend(loc="best")
    head(axes, "Simulation", "from hits to corrections")
    return figure


def page(
    stages: Sequence[StageLeft], rows: list[list[str]], verdict: Verdict, counts: list[str], steps: list[str]
) -> str:
    """One self-contained page."""
    environment = Environment(
        loader=PackageLoader("muonkit.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    caption = (
        "Scale left after each stage, reconstructed over true momentum minus 1. Linear between ±10, else a logarithm."
    )
    chain = [stage for stage in stages if not stage.aside]
    return environment.get_template("study.html.j2").render(
        heads=[resonance(sample) for sample in stages[0].left],
        rows=rows,
        verdict=verdict,
        counts=counts,
        steps=steps,
        reports={name: PAGES[name.partition("-")[0]] for name in steps if name.partition("-")[0] in PAGES},
        picture=Picture(svg(scale_left(chain)), caption),
    )
