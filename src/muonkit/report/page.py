"""One self-contained page per result: verdict first, then numbers, then figures, then where it all came from."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from muonkit.core.arrays import FloatArray
from muonkit.report import figures, key, labels, masses
from muonkit.report.figures import Series
from muonkit.report.masses import CellTables
from muonkit.report.style import png, svg
from muonkit.report.verdict import Verdict, correlation_matrix

Content = dict[str, Any]
SCALE, RESOLUTION = ("A", "e", "M"), ("a", "c", "g", "d")


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure on the page: its data URI, and what it shows for those who cannot see it."""

    source: str
    caption: str


@dataclass(frozen=True, slots=True)
class Run:
    """The folder of a run as the page needs it: JSON content, cells, text of the configuration, name of the sample."""

    content: Content
    tables: CellTables
    config_text: str
    sample: str

    @property
    def decay(self) -> str:
        return labels.decay(self.content["resonance"]["name"])


def calibration_page(run: Run, verdict: Verdict, validation: Run | None = None) -> str:
    """The page of calibration.json."""
    content = run.content
    return _render(
        run,
        verdict,
        kind="Calibration",
        fit=content,
        key_rows=key.rows(key.of_calibration(content)),
        parameters=_parameters(run, content, SCALE),
        resolution=_parameters(run, content, RESOLUTION),
        at_mean=_at_mean(run) if "e" in content else None,
        closure=_closure(run),
        tests={name: content["closure"][name]["test"] for name in ("same", "split")},
        validation=_validation(validation) if validation else None,
    )


def validation_page(run: Run, verdict: Verdict) -> str:
    """The shorter page of validation.json."""
    fit = run.content["fit"]
    rows = [*key.validation_rows(key.of_validation(run.content)), *key.rows(key.of_fit(fit))]
    return _render(run, verdict, kind="Validation", fit=fit, key_rows=rows, validation=_validation(run))


def _render(run: Run, verdict: Verdict, fit: Content, **more: Any) -> str:
    environment = Environment(
        loader=PackageLoader("muonkit.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    common: Content = {
        "parameters": [], "resolution": [], "at_mean": None, "closure": [], "tests": None, "validation": None,
    }  # fmt: skip
    common |= {
        "run": run,
        "verdict": verdict,
        "resonance": labels.RESONANCE.get(run.content["resonance"]["name"], run.content["resonance"]["name"]),
        "pulls": _pulls(run),
        "matrix": _matrix(run, fit),
        "spectra": list(_spectra(run, np.array(fit["eta_edges"]))),
        "correlation_rows": key.correlation_rows(fit),
        "direction_rows": key.direction_rows(fit),
        "residual_rows": key.residual_rows(fit),
    }
    return environment.get_template("page.html.j2").render(common | more)


def _parameters(run: Run, content: Content, names: Iterable[str]) -> list[Picture]:
    edges, simulation = np.array(content["eta_edges"]), run.content["simulation"]
    pictures = []
    for name in names:
        if name in content:
            band = _series("template", simulation, name) if name in simulation else None
            figure = figures.parameter(name, edges, [_series("sample", content, name)], run.sample, run.decay, band)
            pictures.append(Picture(svg(figure), f"{name} against η ({labels.QUANTITIES[name].meaning})"))
    return pictures


def _series(label: str, content: Content, name: str, look: str = "fitted") -> Series:
    return Series(label, np.array(content[name]), np.array(content["errors"][name]), look=look)


def _at_mean(run: Run) -> Picture:
    found = run.content["diagnostics"]["A_at_mean_k"]
    series = Series("sample", np.array(found["value"]), np.array(found["error"]))
    figure = figures.parameter("A_at_mean_k", np.array(run.content["eta_edges"]), [series], run.sample, run.decay)
    return Picture(svg(figure), "A - e⟨k⟩ against η: the scale at the mean curvature of each bin")


def _closure(run: Run) -> list[Picture]:
    content, closure = run.content, run.content["closure"]
    pictures = []
    for name in SCALE:
        if name in content:
            series = [
                _series("before", content, name, "before"),
                _series("same sample", closure["same"], name, "after"),
                _series("other half", closure["split"], name, "other half"),
            ]
            figure = figures.parameter(name, np.array(content["eta_edges"]), series, run.sample, run.decay)
            pictures.append(Picture(svg(figure), f"{name} before and after the corrections"))
    return pictures


def _pulls(run: Run) -> Picture:
    return Picture(svg(figures.pulls(run.tables.pulls, run.sample, run.decay)), "Pulls of the cells")


def _matrix(run: Run, fit: Content) -> Picture:
    matrix: FloatArray = correlation_matrix(fit)
    figure = figures.correlation(matrix, fit["parameter_names"], run.sample, run.decay)
    return Picture(png(figure), "Correlation matrix of the parameters")


def _spectra(run: Run, eta_edges: FloatArray) -> Iterable[Picture]:
    for why, cell in masses.chosen(run.tables):
        spectrum = masses.spectrum(run.tables, cell, eta_edges)
        entries = f"{run.tables.cells['entries'][cell]:.0f}"
        caption = f"Cell {cell} ({why}): {entries} pairs, χ²/ndf = {run.tables.chi2_per_ndf[cell]:.2f}"
        yield Picture(svg(figures.mass(spectrum, run.sample, run.decay)), caption)


def _validation(run: Run) -> Content:
    content = run.content
    name = labels.RESONANCE.get(content["resonance"]["name"], content["resonance"]["name"])
    before, after = (_scale(content[when], when) for when in ("before", "after"))
    figure = figures.scale(np.array(content["before"]["eta_edges"]), before, after, run.sample, run.decay)
    return {
        "resonance": name,
        "figure": Picture(svg(figure), f"Momentum scale left on {name}"),
        "rows": key.validation_rows(key.of_validation(content)),
        "test": content.get("parameters", {}).get("test"),
        "warnings": content["warnings"],
    }


def _scale(content: Content, when: str) -> Series:
    values, error, total = (np.array(content[name]) for name in ("scale", "error", "total_error"))
    return Series(when, values, error, total, look=when)
