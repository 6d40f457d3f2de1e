"""Rochester corrections, a text file, to correctionlib JSON."""

import json
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from muonkit.calibration import rochester, rochester_file
from muonkit.core.errors import InputError, PhysicsError
from muonkit.core.files import check_output, write_gzip, write_text
from muonkit.core.plain import plain_fields
from muonkit.core.result import Result
from muonkit.data.rochester import Rochester
from muonkit.io.rochester import parse_rochester, read_source
from muonkit.run.alone import alone

SET_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
NO_RESOLUTION = "no lines R, T, F: simulation_spread and simulation_smear are left out"


@dataclass(frozen=True, slots=True)
class ConvertResult(Result):
    """The file that was written, its corrections and their variations; difference: the largest, relative, between the
    file and the formulas, over so many evaluations; notes: what is not in the file, or not as one may expect."""

    file: Path
    corrections: tuple[str, ...]
    variations: tuple[str, ...]
    difference: float
    evaluations: int
    notes: tuple[str, ...]

    def report(self) -> str:
        names, more = ", ".join(self.variations[:5]), len(self.variations) - 5
        lines = [
            f"{self.file}: {', '.join(self.corrections)}",
            f"{len(self.variations)} variations: {names}{f' and {more} more' if more > 0 else ''}",
            f"{self.evaluations} evaluations agree with the formulas to {self.difference:.0e}",
        ]
        return "\n".join([*lines, *self.notes])

    def to_json(self) -> dict[str, Any]:
        return plain_fields(self) | {"file": str(self.file), "text": str(self)}


def convert(place_in: Path, path_out: Path, sets: tuple[str, ...] = ()) -> ConvertResult:
    """Write the corrections of a text file as correctionlib JSON, gzipped if the name says so. `sets`: names of the
    sets of variations after the default, in place of those that the collaboration gives them.

    Raises InputError for a file or a name that cannot be used, and while another run writes `path_out`; PhysicsError
    if the JSON does not agree with the formulas to 1e-6."""
    check_output(path_out, [place_in])
    _check_names(path_out, sets)
    source = read_source(place_in)
    table = parse_rochester(source, str(place_in))
    variations = rochester.variations(table, sets)
    content = rochester_file.build(table, variations, _description(place_in.name, source, table))
    text = json.dumps(content)
    check = _checked(text, table, variations)
    with alone(path_out):
        if path_out.name.lower().endswith(".gz"):
            write_gzip(path_out, text.encode())
        else:
            write_text(path_out, text)
    names = tuple(correction["name"] for correction in content["corrections"])
    notes = tuple(_notes(table, variations))
    return ConvertResult(path_out, names, tuple(variations), check.difference, check.evaluations, notes)


def _check_names(path_out: Path, sets: tuple[str, ...]) -> None:
    """Raises InputError."""
    bad = [name for name in sets if not SET_NAME.fullmatch(name)]
    faults = [f"--sets: {name[:40]!r} is not a name of letters, digits, - and _" for name in bad]
    if not path_out.name.lower().endswith((".json", ".json.gz")):
        faults.append(f"{path_out}: give a name that ends with .json or .json.gz")
    if faults:
        raise InputError(faults)


def _checked(text: str, table: Rochester, variations: dict[str, int]) -> rochester_file.Check:
    """The JSON, read by correctionlib, against the formulas. Raises PhysicsError if they differ."""
    import correctionlib

    check = rochester_file.compare(correctionlib.CorrectionSet.from_string(text), table, variations)
    if not check.difference <= rochester_file.TOLERANCE:
        raise PhysicsError(
            f"{check.where}: correctionlib differs from the formulas by {check.difference:.1e}; nothing was written. "
            "Look for numbers of an unusual size in the file."
        )
    return check


def _description(name: str, text: str, table: Rochester) -> str:
    edges, digest = table.eta_edges, sha256(text.encode()).hexdigest()
    return (
        f"Rochester corrections of muons, converted by muonkit from {name} (sha256 {digest[:16]}). "
        f"eta {edges[0]:g} to {edges[-1]:g}; muons beyond belong to the outermost bins. "
        "Error of a result: quadratic sum over the sets of variations of the mean squared shift."
    )


def _notes(table: Rochester, variations: dict[str, int]) -> list[str]:
    if table.resolution is None:
        return [NO_RESOLUTION]
    shapeless, narrow = rochester.counts(table, variations)
    bins = len(variations) * table.resolution.width[0].size
    notes = [f"{shapeless} of {bins} bins of |eta| and layers have no shape: no smearing there"] if shapeless else []
    rows = len(variations) * (len(table.resolution.eta_edges) - 1)
    return [*notes, *([f"data is not wider in {narrow} of {rows} bins of |eta|: no smearing there"] if narrow else [])]
