"""The page of module corrections: how large they are, and what tracks hardly see."""

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from muonkit.alignment.parameters import NAMES, SIZE, TRANSLATION
from muonkit.alignment.solve import Corrections
from muonkit.core.arrays import BoolArray
from muonkit.detector.detector import Detector
from muonkit.report.alignment import weak_modes
from muonkit.report.page import Picture
from muonkit.report.style import BLUE, GREY, HEIGHT, ORANGE, WIDTH, head, styled, svg

COLOURS = (BLUE, ORANGE, "#009E73", "#CC79A7", "#56B4E9", "#E69F00", GREY)
BINS, MOST = 60, 6  # groups of surfaces that have a colour
UM = 1e4  # of a cm


@styled
def shifts(found: Corrections, detector: Detector) -> Figure:
    """Translations of the surfaces that tracks met, a histogram for the first part of their names."""
    kinds = [kind for kind in range(TRANSLATION.start, TRANSLATION.stop) if fitted(found)[:, kind].any()]
    figure = Figure(figsize=(max(len(kinds), 1) * WIDTH, HEIGHT), layout="constrained")
    panels = figure.subplots(1, max(len(kinds), 1), squeeze=False)[0]
    for panel, kind in zip(panels, kinds, strict=False):
        values, name = UM * found.values[:, kind], NAMES[kind]
        reach = np.abs(values[fitted(found)[:, kind]]).max(initial=1e-3)
        edges = np.linspace(-reach, reach, BINS + 1)
        for (group, rows), colour in zip(groups(detector, fitted(found)[:, kind]).items(), COLOURS, strict=False):
            panel.hist(values[rows], bins=edges.tolist(), histtype="step", color=colour, label=group)
        panel.set_xlabel(rf"{name} [$\mu$m]")
        panel.set_ylabel("surfaces")
        panel.legend()
    head(panels[0], detector.title, "corrections")
    return figure


def fitted(found: Corrections) -> BoolArray:
    """Which parameters (n, 8) were fitted, of surfaces that tracks met."""
    return ~np.asarray(found.fixed, dtype=np.bool_) & (found.met > 0)[:, None]


def groups(detector: Detector, rows: BoolArray) -> dict[str, BoolArray]:
    """Rows (n,) by the first part of the names; the largest groups."""
    names = np.array([name.partition("/")[0] for name in detector.layers])
    known, count = np.unique(names[rows], return_counts=True)
    return {str(name): rows & (names == name) for name in known[np.argsort(-count)][:MOST]}


def page(found: Corrections, detector: Detector, text: str) -> str:
    """One self-contained page; `text`: the report."""
    environment = Environment(
        loader=PackageLoader("muonkit.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    caption = "Corrections of where the surfaces are, in their own frames"
    pictures = [Picture(svg(shifts(found, detector)), caption)]
    if found.modes is not None:
        caption = "What tracks hardly see: the information of the tracks over that of the priors, and the weakest modes"
        pictures.append(Picture(svg(weak_modes(found.modes, detector)), caption))
    return environment.get_template("align.html.j2").render(
        title=detector.title, text=text, pictures=pictures, parameters=SIZE * len(found.layers)
    )
