"""Corrections of a detector as a JSON file: a surface a line, with the values and errors of what was fitted.

A value that is not there was not fitted and is 0. The file knows the description that it corrects by its checksum."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np

from muonkit.alignment.harmonics import FieldCorrection
from muonkit.alignment.parameters import NAMES, SIZE
from muonkit.alignment.solve import Corrections
from muonkit.core.errors import InputError
from muonkit.core.files import write_text
from muonkit.core.limits import parse_json, read_bytes, reading, shown
from muonkit.core.plain import plain, plain_fields, rebuilt
from muonkit.detector.detector import Detector

FORMAT, VERSION = "muonkit module corrections", 1
KIND = "file of module corrections"
BY_SURFACE = ("layers", "values", "asked", "found", "covariance", "met", "fixed")
ELSEWHERE = ("modes", "field")


def write_corrections(path: Path, found: Corrections, detector: Detector, provenance: dict[str, Any]) -> None:
    """Write the corrections of a described detector. Raises OSError if the folder cannot be written."""
    head = {
        "format": FORMAT,
        "version": VERSION,
        "detector": {"name": detector.name, "checksum": detector.checksum},
        "units": {"u, v, w": "cm", "alpha, beta, gamma": "rad", "field, material": "relative"},
        "provenance": provenance,
        "field": _field(found),
        "sums": {name: plain(getattr(found, name)) for name in _others()},
    }
    begin = json.dumps(head, indent=1, allow_nan=False).removesuffix("\n}")
    rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(row, allow_nan=False)}" for name, row in _rows(found).items())
    write_text(path, f'{begin},\n "surfaces": {{\n{rows}\n }}\n}}\n')


def _field(found: Corrections) -> dict[str, Any] | None:
    """The correction of the field with the names of its coefficients."""
    if found.field is None:
        return None
    return {"names": list(found.field.harmonics.names), **plain_fields(found.field)}


def _others() -> list[str]:
    return [field.name for field in fields(Corrections) if field.name not in (*BY_SURFACE, *ELSEWHERE)]


def _rows(found: Corrections) -> dict[str, dict[str, float]]:
    """Per surface the tracks that met it, values of what was fitted, and errors of what was asked."""
    errors: dict[int, dict[str, float]] = {}
    for index, error in zip(found.asked.tolist(), found.errors.tolist(), strict=True):
        errors.setdefault(index // SIZE, {})[f"{NAMES[index % SIZE]}_error"] = error
    rows = {}
    for i, name in enumerate(found.layers):
        kinds = np.flatnonzero(~np.asarray(found.fixed[i], dtype=np.bool_)).tolist()
        values = {NAMES[kind]: float(found.values[i, kind]) for kind in kinds}
        rows[name] = {"tracks": int(found.met[i]), **values, **errors.get(i, {})}
    return rows


def read_corrections(path: Path, detector: Detector) -> Corrections:
    """The corrections of a described detector; errors without their correlations. Raises InputError, one line, if the
    file cannot be read, is damaged, or corrects another detector."""
    content = parse_json(read_bytes(path, what=KIND), str(path))
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path}: is no {KIND}; make one with `muonkit align`")
    if content.get("version") != VERSION:
        found = shown(repr(content.get("version")), 20)
        raise InputError(f"{path}: has version {found} of the format, known is {VERSION}; make it again")
    with reading(str(path), KIND):
        _require_same(path, content["detector"], detector)
        _require_surfaces(path, content["surfaces"], detector)
        rows = [content["surfaces"][name] for name in detector.layers]
        return _of_rows(content["sums"], rows, _read_field(content["field"]), detector)


def _require_same(path: Path, made_for: dict[str, str], detector: Detector) -> None:
    if made_for["checksum"] != detector.checksum:
        theirs = f"'{shown(made_for['name'], 60)}' (checksum {shown(made_for['checksum'][:12])})"
        raise InputError(
            f"{path}: corrects the detector {theirs}, but the one given is '{detector.name}' "
            f"({detector.checksum[:12]}). Give the same description."
        )


def _require_surfaces(path: Path, surfaces: dict[str, Any], detector: Detector) -> None:
    missing = [name for name in detector.layers if name not in surfaces]
    strange = sorted(set(surfaces) - set(detector.layers))
    if missing or strange:
        what = f"has no surface '{missing[0]}'" if missing else f"has a surface '{shown(strange[0], 60)}' too many"
        raise InputError(f"{path}: {what}: it does not fit {detector.name}. Make it again with `muonkit align`.")


def _read_field(content: Any) -> FieldCorrection | None:
    """Raises ValueError for another number of coefficients than the order says, and for what is no finite number."""
    if content is None:
        return None
    field = rebuilt(FieldCorrection, content)
    terms = len(field.harmonics)
    if field.values.shape != (terms,) or field.covariance.shape != (terms, terms):
        raise ValueError(f"the field must have {terms} coefficients with their covariance")
    if not np.isfinite(np.append(field.values, field.covariance)).all():
        raise ValueError("coefficients of the field must be finite numbers")
    return field


def _of_rows(
    sums: dict[str, Any], rows: list[dict[str, float]], field: FieldCorrection | None, detector: Detector
) -> Corrections:
    """Raises ValueError for what is no finite number."""
    values = np.array([[row.get(name, 0.0) for name in NAMES] for row in rows], dtype=np.float64)
    fixed = np.array([[name not in row for name in NAMES] for row in rows])
    errors = np.array([[row.get(f"{name}_error", np.nan) for name in NAMES] for row in rows], dtype=np.float64)
    met = np.array([row["tracks"] for row in rows], dtype=np.int64)
    asked = np.flatnonzero(np.isfinite(errors))
    if not np.isfinite(values).all() or (met < 0).any():
        raise ValueError("values must be finite numbers, and numbers of tracks 0 or more")
    hints = get_type_hints(Corrections)
    others: dict[str, Any] = {name: rebuilt(hints[name], sums[name]) for name in _others()}
    covariance = np.diag(errors.reshape(-1)[asked] ** 2)
    found = values.reshape(-1)[asked]
    return Corrections(detector.layers, values, asked, found, covariance, met, fixed, **others, field=field)
