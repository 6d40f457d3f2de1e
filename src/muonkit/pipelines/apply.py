"""Corrections onto a file of muons: the scale of data, or the smearing of simulation."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from muonkit.calibration.export import Corrections
from muonkit.calibration.reach import ReachCounts
from muonkit.core.arrays import FloatArray
from muonkit.core.errors import InputError
from muonkit.core.files import check_output
from muonkit.core.plain import plain_fields
from muonkit.core.result import Result
from muonkit.io.config import Input, Table
from muonkit.io.corrected import MuonRows, rewrite
from muonkit.io.places import Place
from muonkit.io.source import recognised
from muonkit.run.alone import alone


@dataclass(frozen=True, slots=True)
class ApplyResult(Result):
    """The file that was written. rows: rows (events for NanoAOD) that were read; muons: written; outside: outside the
    eta range of the corrections; unchanged: not valid, for the reasons in `warnings`; both keep their pT. extrapolated:
    of a pT that no muons of the calibration had; held: corrected like a muon of the pT where the model ends. dropped:
    columns and objects that could not be written."""

    file: Path
    rows: int
    muons: int
    outside: int
    extrapolated: int
    held: int
    unchanged: int
    warnings: tuple[str, ...]
    dropped: tuple[str, ...]

    def report(self) -> str:
        kept = self.outside + self.unchanged
        lines = [f"{self.file}: {self.rows} rows read, {self.muons} muons written, {self.muons - kept} corrected"]
        lines += [f"{self.outside} outside the eta range, kept as they are"] if self.outside else []
        lines += [f"{self.extrapolated} extrapolated from the pT of the calibration"] if self.extrapolated else []
        lines += [f"{self.held} beyond the model, corrected as at its end"] if self.held else []
        lines += [f"{self.unchanged} not valid, kept as they are"] if self.unchanged else []
        lines += self.warnings
        return "\n".join([*lines, *(f"column {name} could not be written and was dropped" for name in self.dropped)])

    def to_json(self) -> dict[str, Any]:
        return plain_fields(self) | {"file": str(self.file), "text": str(self)}


def apply(
    corrections_path: Path,
    place_in: Place,
    path_out: Path,
    table: Table,
    variation: str = "nominal",
    smear: bool = False,
    slim: bool = False,
) -> ApplyResult:
    """Write the muons of `place_in` with corrected (or smeared) pT, the old one kept as *_original. `slim`: only muons,
    run, luminosity block, event and weight, instead of all columns and trees.

    Raises InputError for corrections or a file that cannot be used, or of which too many muons are not valid,
    and while another run writes `path_out`."""
    check_output(path_out, [corrections_path, *([place_in] if isinstance(place_in, Path) else [])])
    corrections = Corrections.open(corrections_path, variation)
    choice = _choice(place_in, table)
    reach = ReachCounts()

    def corrected(muons: MuonRows) -> FloatArray:
        nonlocal reach
        reach += ReachCounts.of(corrections.validity("smear" if smear else "scale", muons.pt, muons.eta))
        if smear:
            _require_identity(muons, place_in)
            return muons.pt * corrections.smearing(
                muons.pt, muons.eta, muons.run, muons.luminosity_block, muons.event, muons.index
            )
        return muons.pt * corrections.factor(muons.pt, muons.eta, muons.charge)

    with alone(path_out):
        done = rewrite(place_in, path_out, choice, corrected, slim)
    counts = (reach.outside, reach.extrapolated, reach.held, done.unchanged)
    return ApplyResult(path_out, done.rows, done.muons, *counts, done.warnings, done.dropped)


def _choice(place: Place, table: Table) -> Input:
    """The file as an [input]. Raises InputError if it cannot be read, or for a value that is not allowed."""
    content = {
        "data": (str(place),),
        "format": table.file_format or recognised(place, table.tree, table.columns),
        "tree": table.tree,
        "columns": dict(table.columns),
        "max_bad_share": table.max_bad_share,
    }
    try:
        return Input.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{place}: {fault['loc'][0]}: {fault['msg']}" for fault in error.errors()) from error


def _require_identity(muons: MuonRows, place: Place) -> None:
    if len(muons.event) and not np.any(muons.event):
        raise InputError(
            f"{place}: smearing needs run, luminosityBlock and event, or all muons would share random numbers"
        )
