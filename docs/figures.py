"""`make figures`: the figures of the documentation, from finished runs of the default and of the open-data examples,
of `make audit`, of `make study` and of `make performance`.

Without a folder of runs (`python docs/figures.py`): the pictures of detectors and tables alone."""

import json
import shutil
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from muonkit.calibration.audit import View
from muonkit.calibration.curvature import BiasFit
from muonkit.detector.detector import directions, load_detector, material_budget
from muonkit.muid.checks.toy import toy_payload
from muonkit.muid.explain import explain_track
from muonkit.muid.identify import Identification
from muonkit.muid.shipped import default_payload
from muonkit.report import audit, pdfs
from muonkit.report import detector as pictures
from muonkit.report.muid import event_picture
from muonkit.report.study import scale_left

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
INJECTED = Path(__file__).parents[1] / "examples" / "default" / "jpsi-data.toml"
FACTOR = {"A": (1e3, "$A$ [$10^{-3}$]"), "e": (1e3, "$e$ [MeV]"), "M": (1e5, "$M$ [$10^{-5}$ GeV$^{-1}$]")}
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#8a8f98"


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def centres(edges: list[float]) -> np.ndarray:
    return (np.array(edges)[1:] + np.array(edges)[:-1]) / 2


def points(axes: Axes, x: np.ndarray, y: Any, error: Any, color: str, label: str, marker: str = "o") -> None:
    axes.errorbar(x, y, error, fmt=marker, color=color, markersize=4, linewidth=1.2, label=label)


def head(axes: Axes, sample: str, decay: str) -> None:
    axes.set_title(sample, loc="left", fontsize=10, fontweight="bold")
    axes.set_title(decay, loc="right", fontsize=10)
    axes.set_xlabel(r"$\eta$")
    axes.axhline(0, color="black", linewidth=0.7, linestyle=(0, (4, 3)), zorder=0)


def default(out: Path) -> None:
    """A, e, M found by `make run`, what had been injected, and what is left after correction."""
    content, injected = read(out / "calibration.json"), tomllib.loads(INJECTED.read_text())["bias"]
    closed = content["closure"]["same"]
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    x = centres(content["eta_edges"])
    for axes, (name, (factor, label)) in zip(figure.subplots(1, 3), FACTOR.items(), strict=True):
        axes.stairs(
            factor * np.array(injected[name]), injected["eta_edges"], color=ORANGE, label="injected", baseline=None
        )
        error = factor * np.array(content["errors"][name])
        points(axes, x, factor * np.array(content[name]), error, BLUE, "found")
        axes.plot(x, factor * np.array(closed[name]), "s", color=GREY, markersize=4, label="left after correction")
        axes.set_ylabel(label)
        head(axes, "Simulation", r"$J/\psi\to\mu^+\mu^-$")
    figure.axes[0].legend(fontsize=8)
    figure.savefig(IMAGES / "default-parameters.png", dpi=130)


def real(out: Path) -> None:
    """Scale of real muons: J/psi of 2010 before and after, Z of 2011 before and after."""
    jpsi, z = read(out / "calibration.json"), read(out / "validation" / "validation.json")
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    x = centres(jpsi["eta_edges"])
    points(left, x - 0.06, 1e3 * np.array(jpsi["A"]), 1e3 * np.array(jpsi["errors"]["A"]), GREY, "before")
    closed = jpsi["closure"]["same"]
    points(left, x + 0.06, 1e3 * np.array(closed["A"]), 1e3 * np.array(closed["errors"]["A"]), BLUE, "after", "s")
    left.set_ylabel(r"$p/p_\mathrm{true}-1$ [$10^{-3}$]")
    head(left, "CMS Open Data 2010", r"$J/\psi\to\mu^+\mu^-$")
    for key, shift, color, marker in (("before", -0.06, GREY, "o"), ("after", 0.06, BLUE, "s")):
        values, errors = 1e3 * (np.array(z[key]["scale"]) - 1), 1e3 * np.array(z[key]["total_error"])
        points(right, centres(z[key]["eta_edges"]) + shift, values, errors, color, key, marker)
    right.set_ylabel(r"$p/p_\mathrm{true}-1$ [$10^{-3}$]")
    head(right, "CMS Open Data 2011", r"$Z\to\mu^+\mu^-$")
    left.legend(fontsize=8)
    figure.savefig(IMAGES / "real-data.png", dpi=130)


def detectors() -> None:
    """The shipped detectors along the beam, and the material of the tracker against eta."""
    tracker, eta = load_detector("cms_like_tracker"), np.linspace(-3, 3, 241)
    budget = material_budget(tracker, directions(eta))
    drawn = {
        "cms-like-tracker-rz": pictures.longitudinal(tracker),
        "cms-like-tracker-material": pictures.material_budget(eta, budget, tracker.title),
        "belle2-like-rz": pictures.longitudinal(load_detector("belle2")),
    }
    for name, figure in drawn.items():
        figure.savefig(IMAGES / f"detector-{name}.png", dpi=130)


def alignment() -> None:
    """The weak modes of the tracker, with layers that move as bodies."""
    sys.path.insert(0, str(ROOT))
    from benchmarks.weak_modes import modes, sums

    from muonkit.report.alignment import weak_modes

    tracker = load_detector("cms_like_tracker")
    figure = weak_modes(modes(tracker, sums(tracker, 10_000), "layer", 8), tracker)
    figure.savefig(IMAGES / "alignment-weak-modes.png", dpi=100)


def explained() -> None:
    """One simulated muon of 2 GeV in the barrel, identified with the toy payload."""
    sys.path.insert(0, str(ROOT))
    from tests.muid.samples import BELLE2, YOKE, muons

    candidates, hits, truth = muons(300)
    p = np.linalg.norm(truth.momentum, axis=1)
    chosen = int(np.argmin(np.abs(p - 2) + 9 * (np.abs(truth.momentum[:, 2]) > 0.5)))
    own = hits[hits.event == chosen]
    track = explain_track(candidates[chosen : chosen + 1], 0, own, Identification(YOKE, toy_payload()))
    title = f"{BELLE2.title} simulation, {p[chosen]:.1f} GeV muon"
    figure = event_picture(BELLE2, track, own, candidates.states.position[chosen], title)
    figure.savefig(IMAGES / "identify-explained.png", dpi=110)


def tables() -> None:
    """The payload that comes with muonkit: probabilities of hits, and densities of reduced chi2."""
    payload = default_payload()
    for name, pair in {"barrel": (3, 14), "forward": (4, 13), "overlap": pdfs.fullest_overlap(payload)}.items():
        pdfs.longitudinal(payload, *pair).savefig(IMAGES / f"pdfs-{name}.png", dpi=110)
    for ndof in pdfs.NDOF:
        pdfs.reduced_chi2(payload, None, "pi", ndof).savefig(IMAGES / f"pdfs-chi2-{ndof}.png", dpi=110)


def study(folder: Path) -> None:
    """The scale left after each stage of `make study`."""
    stages = [
        SimpleNamespace(**stage, left={name: (one["value"], one["error"]) for name, one in left.items()})
        for stage, left in ((stage, stage.pop("left")) for stage in read(folder / "study.json")["stages"])
        if not stage["aside"]
    ]
    scale_left(stages).savefig(IMAGES / "study-scale-left.png", dpi=110)


def performance(folder: Path) -> None:
    """Figures of `make performance`."""
    for name in ("efficiency_p", "efficiency_theta", "efficiency_phi", "inefficiency_map", "delta_boxes", "diff_layer"):
        shutil.copy(folder / f"{name}.png", IMAGES / f"muid-{name.replace('_', '-')}.png")


def audited(out: Path) -> None:
    """Views of `make audit` against eta and charge times k, and A, e, M."""
    content, title = read(out / "curvature.json"), load_detector("cms_like_tracker").title
    views = {name: View.of_json(name, each) for name, each in content["views"].items()}
    for name in ("eta", "charge k"):
        figure = audit.view(views[name], "Simulation", title)
        figure.savefig(IMAGES / f"audit-{name.replace(' ', '-')}.png", dpi=90)
    fits = {model: tuple(map(BiasFit.of_json, found)) for model, found in content["biases"].items()}
    figure = audit.biases(fits, views["eta"].edges, "Simulation", title)
    figure.savefig(IMAGES / "audit-biases.png", dpi=90)


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    detectors()
    alignment()
    explained()
    tables()
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    for folder, draw in {"jpsi": default, "real": real, "audit/found": audited, "study": study}.items():
        if out and (out / folder).exists():
            draw(out / folder)
    if out and (out / "validation" / "performance").exists():
        performance(out / "validation" / "performance")


if __name__ == "__main__":
    main()
