"""Corrections onto a file of muons: the scale of data, or the smearing of simulation."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from muonkit.calibration.export import Corrections
from muonkit.core.arrays import FloatArray
from muonkit.core.errors import InputError
from muonkit.core.plain import plain_fields
from muonkit.core.result import Result
from muonkit.io.config import Input
from muonkit.io.corrected import MuonRows, rewrite
from muonkit.io.source import recognised


@dataclass(frozen=True, slots=True)
class ApplyResult(Result):
    """The file that was written: muons in it, those outside the eta range of the corrections, columns left out."""

    file: Path
    muons: int
    outside: int
    dropped: tuple[str, ...]

    def report(self) -> str:
        lines = [f"{self.file}: {self.muons} muons written"]
        lines += [f"{self.outside} outside the eta range, kept as they are"] if self.outside else []
        return "\n".join([*lines, *(f"column {name} could not be written and was dropped" for name in self.dropped)])

    def to_json(self) -> dict[str, Any]:
        return plain_fields(self) | {"file": str(self.file), "text": str(self)}


def apply(
    corrections_path: Path, path_in: Path, path_out: Path, file_format: str | None, variation: str, smear: bool
) -> ApplyResult:
    """Write the muons of `path_in` with corrected (or smeared) pT, the old one kept as *_original.

    `file_format`: recognised if None. Raises InputError for corrections or a file that cannot be used."""
    corrections = Corrections.open(corrections_path, variation)
    choice = Input.model_validate({"data": (str(path_in),), "format": file_format or recognised(path_in)})
    outside = 0

    def corrected(muons: MuonRows) -> FloatArray:
        nonlocal outside
        outside += int((~corrections.inside(muons.eta)).sum())
        if smear:
            _require_identity(muons, path_in)
            return muons.pt * corrections.smearing(
                muons.pt, muons.eta, muons.run, muons.luminosity_block, muons.event, muons.index
            )
        return muons.pt * corrections.factor(muons.pt, muons.eta, muons.charge)

    summary = rewrite(path_in, path_out, choice, corrected)
    return ApplyResult(path_out, summary.muons, outside, tuple(summary.dropped))


def _require_identity(muons: MuonRows, path: Path) -> None:
    if len(muons.event) and not np.any(muons.event):
        raise InputError(
            f"{path}: smearing needs run, luminosityBlock and event, or all muons would share random numbers"
        )
