"""Figures of a payload, those of the documentation of Belle II's muon identification, and a page with them."""

from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import gamma

from muonkit.data.muid import BARREL_LAYERS
from muonkit.muid.build.count import PdfCounts
from muonkit.muid.build.transverse import CENTRES, EDGES
from muonkit.muid.likelihood.hypotheses import HYPOTHESES, signed_number
from muonkit.muid.likelihood.outcome import (
    BARREL_ONLY,
    EXIT_BARREL,
    EXIT_FORWARD,
    OVERLAP_EXIT_FORWARD,
    OVERLAP_STOP_FORWARD,
    class_index,
    classes,
)
from muonkit.muid.likelihood.payload import LikelihoodParameters, first_entries
from muonkit.report.labels import SPECIES
from muonkit.report.page import Picture
from muonkit.report.style import BLUE, GREY, ORANGE, blank, head, sized, styled, svg

SHOWN = {"mu": BLUE, "pi": ORANGE}
NDOF = (2, 6, 10)


@styled
def longitudinal(payload: LikelihoodParameters, outcome: int, last: int) -> Figure:
    """Probability of a hit in every layer of a class, of muons and pions, both charges."""
    figure, axes = blank()
    rows = np.arange(*first_entries()[class_index()[outcome, last] :][:2])
    for species, colour in SHOWN.items():
        for charge, look in ((1, "o"), (-1, "s")):
            h = signed_number(species, charge)
            used = payload.crossed[h, rows] > 0
            bits = np.flatnonzero(used)
            p, error = (table[h, rows][used].astype(float) for table in (payload.longitudinal, payload.uncertainty))
            label = f"{SPECIES[species]}{'⁺' if charge > 0 else '⁻'}"
            fill = colour if charge > 0 else "white"
            axes.errorbar(bits, p, error, fmt=look, ms=4, lw=1, color=colour, mfc=fill, label=label)
    finish(axes, payload, outcome, last)
    return figure


def finish(axes: Axes, payload: LikelihoodParameters, outcome: int, last: int) -> None:
    """Axes, and what the tracks are."""
    axes.set_yscale("log")
    axes.set_ylim(2e-3, 1.6)
    axes.set_xlabel("layer (endcap layers from 15)")
    axes.set_ylabel("probability of a hit")
    n = int(payload.tracks[signed_number("mu", 1), class_index()[outcome, last]])
    axes.legend(loc="lower left", ncols=2, title=f"{what(outcome)},\nlast layer {last}; {n} μ⁺", title_fontsize=8.5)
    head(axes, "Simulation")


def what(outcome: int) -> str:
    """An outcome in words."""
    words = {EXIT_BARREL: "left the barrel", EXIT_FORWARD: "left the forward endcap"}
    if outcome >= OVERLAP_STOP_FORWARD:
        return f"barrel layer {(outcome - OVERLAP_STOP_FORWARD) % BARREL_LAYERS}, then an endcap"
    return words.get(outcome, f"outcome {outcome}")


@styled
def reduced_chi2(payload: LikelihoodParameters, counts: PdfCounts | None, species: str, ndof: int) -> Figure:
    """Histogram of reduced chi2 of a species in the barrel, if counts are there, the density of the payload, where its
    tail begins, and the ideal."""
    figure = sized()
    axes = figure.add_subplot()
    k, h = ndof // 2, signed_number(species, 1)
    if counts is not None:
        n = counts.chi2[h, BARREL_ONLY, k - 1]
        total, width = max(int(n.sum()), 1), EDGES[1]
        label = f"{total} {SPECIES[species]}⁺"
        axes.step(EDGES[:-1], n[:-1] / total / width, where="post", color=GREY, lw=1, label=label)
    density = np.exp(payload.log_density[h, BARREL_ONLY, k - 1])
    axes.plot(CENTRES, density, color=SHOWN[species], label="PDF")
    axes.plot(CENTRES, gamma.pdf(CENTRES, k, scale=1 / k), "--", color=GREY, label="ideal χ²")
    axes.axvline(payload.threshold[h, BARREL_ONLY, k - 1], color=GREY, ls=":", label="gamma density from here")
    axes.set_yscale("log")
    axes.set_ylim(1e-4, 5)
    axes.set_xlabel("χ²/ndof")
    axes.set_ylabel("density")
    axes.legend(loc="upper right")
    head(axes, "Simulation", f"ndof = {ndof}")
    return figure


def fullest_overlap(payload: LikelihoodParameters) -> tuple[int, int]:
    """The class of tracks that left the forward endcap behind the barrel which most muons have."""
    pairs = [pair for pair in classes() if OVERLAP_EXIT_FORWARD <= pair[0] < OVERLAP_EXIT_FORWARD + BARREL_LAYERS]
    muons = payload.tracks[signed_number("mu", 1)]
    return max(pairs, key=lambda pair: int(muons[class_index()[pair]]))


def pictures(payload: LikelihoodParameters, counts: PdfCounts) -> list[Picture]:
    """All figures, with captions."""
    made = []
    for outcome, last in ((EXIT_BARREL, 14), (EXIT_FORWARD, 13), fullest_overlap(payload)):
        caption = f"Probability of a hit by layer, of tracks that {what(outcome)}, last layer {last}"
        made.append(Picture(svg(longitudinal(payload, outcome, last)), caption))
    for ndof in NDOF:
        for species in SHOWN:
            caption = f"Reduced χ² of {SPECIES[species]}⁺ with {ndof} degrees of freedom, in the barrel"
            made.append(Picture(svg(reduced_chi2(payload, counts, species, ndof)), caption))
    return made


def page(payload: LikelihoodParameters, counts: PdfCounts, name: str) -> str:
    """One self-contained page."""
    environment = Environment(
        loader=PackageLoader("muonkit.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    template = environment.get_template("pdfs.html.j2")
    return template.render(
        name=name, checksum=payload.checksum(), rows=rows(counts), pictures=pictures(payload, counts),
        samples=payload.provenance.get("samples", {}),
    )  # fmt: skip


def rows(counts: PdfCounts) -> list[list[Any]]:
    """Numbers of tracks by signed hypothesis: seen, selected, with holes, classes with 100 tracks or more."""
    out = []
    for species in HYPOTHESES:
        for charge, sign in ((1, "⁺"), (-1, "⁻")):
            h = signed_number(species, charge)
            numbers = (
                counts.seen[h],
                counts.selected[h].sum(),
                counts.with_holes[h].sum(),
                (counts.tracks[h] >= 100).sum(),
            )
            out.append([SPECIES[species] + sign, *(int(number) for number in numbers)])
    return out
