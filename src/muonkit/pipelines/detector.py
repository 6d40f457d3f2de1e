"""A detector file -> what is in it, in words, numbers and pictures."""

from pathlib import Path
from typing import Any

import numpy as np

from muonkit.core.arrays import FloatArray
from muonkit.core.files import atomic
from muonkit.detector.detector import Detector, directions, load_detector, material_budget, measured
from muonkit.report import detector as pictures

ETA = np.linspace(-3, 3, 241)
SHOWN = np.arange(-2.5, 2.75, 0.5)  # rows of the table


def show(name: str, out: Path | None = None) -> dict[str, Any]:
    """Describe a shipped detector or a file; with `out`, draw it there. Raises InputError with one line per fault."""
    detector = load_detector(name)
    found = describe(detector)
    found["figures"] = [str(path) for path in draw(detector, out)] if out else []
    return found | {"text": _text(found)}


def describe(detector: Detector) -> dict[str, Any]:
    """Names, sizes, parts and the material budget."""
    r_max, z_min, z_max = detector.envelope
    field = detector.field.value(np.zeros((1, 3)))[0]
    return {
        "name": detector.name,
        "title": detector.title,
        "envelope_cm": {"r": r_max, "z": [z_min, z_max]},
        "field_at_origin_T": [round(float(component), 9) for component in field],
        "surfaces": len(detector.layers),
        "sensors": int(np.sum(detector.surfaces.n_measured > 0)),
        "blocks": len(detector.blocks),
        "materials": [material.name for material in detector.materials],
        "parts": _parts(detector),
        "budget": _budget(detector, SHOWN),
    }


def draw(detector: Detector, out: Path) -> list[Path]:
    """Three figures in `out`: along the beam, across it, material against eta."""
    budget = material_budget(detector, directions(ETA))
    figures = {
        "rz": pictures.longitudinal(detector),
        "xy": pictures.transverse(detector, pictures.barrel(detector)),
        "material": pictures.material_budget(ETA, budget, detector.title),
    }
    paths = []
    for name, figure in figures.items():
        paths.append(out / f"{detector.name}-{name}.png")
        with atomic(paths[-1]) as temporary:
            figure.savefig(temporary, dpi=160, format="png")
    return paths


def _parts(detector: Detector) -> dict[str, dict[str, int]]:
    """Surfaces, sensors and blocks by the first part of their names."""
    parts: dict[str, dict[str, int]] = {}
    for name, sensors in zip(detector.layers, detector.surfaces.n_measured > 0, strict=True):
        part = parts.setdefault(name.partition("/")[0], {"surfaces": 0, "sensors": 0, "blocks": 0})
        part["surfaces"] += 1
        part["sensors"] += int(sensors)
    for name in detector.blocks:
        part = parts.setdefault(name.partition("/")[0], {"surfaces": 0, "sensors": 0, "blocks": 0})
        part["blocks"] += 1
    return parts


def _budget(detector: Detector, eta: FloatArray) -> dict[str, Any]:
    """Sensors crossed and x/X0, in total and by part, on straight lines from the origin at phi = 0."""
    lines = directions(eta)
    budget = material_budget(detector, lines)
    return {
        "eta": eta.tolist(),
        "sensors_crossed": measured(detector, lines).tolist(),
        "x_over_X0": np.round(sum(budget.values(), np.zeros(len(eta))), 6).tolist(),
        "x_over_X0_by_part": {name: np.round(values, 6).tolist() for name, values in budget.items()},
    }


def _text(found: dict[str, Any]) -> str:
    envelope, budget = found["envelope_cm"], found["budget"]
    B = ", ".join(f"{component:.4g}" for component in found["field_at_origin_T"])
    lines = [
        f"{found['title']} ({found['name']})",
        f"envelope   r < {envelope['r']:g} cm, {envelope['z'][0]:g} < z < {envelope['z'][1]:g} cm",
        f"field      ({B}) T in the origin",
        f"contents   {found['surfaces']} surfaces, {found['sensors']} with sensors; {found['blocks']} blocks",
        f"materials  {', '.join(found['materials'])}",
        "",
        f"{'part':24}{'surfaces':>9}{'sensors':>9}{'blocks':>9}",
        *(f"{name:24}{n['surfaces']:9}{n['sensors']:9}{n['blocks']:9}" for name, n in found["parts"].items()),
        "",
        f"{'eta':>6}{'sensors crossed':>18}{'x/X0':>9}",
    ]
    rows = zip(budget["eta"], budget["sensors_crossed"], budget["x_over_X0"], strict=True)
    lines += [f"{eta:6.1f}{sensors:18}{total:9.3f}" for eta, sensors, total in rows]
    return "\n".join([*lines, *found["figures"]])
