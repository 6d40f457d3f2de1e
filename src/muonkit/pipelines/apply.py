"""Corrections onto a file of muons: the scale of data, or the smearing of simulation.

Simulation is smeared with noise (`smear`), or its response is stretched about the generated pT (`stretch`). In the
second case muons without a generated muon get noise."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from muonkit.calibration.export import Corrections
from muonkit.calibration.quantities import REFERENCES
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
    of a pT that no muons of the calibration had; held: corrected like a muon of the pT where the model ends. unmatched:
    without generated muon, smeared with noise instead of stretched. fell_back: with the standard columns of NanoAOD in
    place of the chosen ones. dropped: columns and objects that could not be
    written."""

    file: Path
    rows: int
    muons: int
    outside: int
    extrapolated: int
    held: int
    unmatched: int
    unchanged: int
    fell_back: int
    warnings: tuple[str, ...]
    dropped: tuple[str, ...]

    def report(self) -> str:
        kept = self.outside + self.unchanged
        lines = [f"{self.file}: {self.rows} rows read, {self.muons} muons written, {self.muons - kept} corrected"]
        lines += [f"{self.outside} outside the eta range, kept as they are"] if self.outside else []
        lines += [f"{self.extrapolated} extrapolated from the pT of the calibration"] if self.extrapolated else []
        lines += [f"{self.held} beyond the model, corrected as at its end"] if self.held else []
        lines += [f"{self.unmatched} without generated muon, smeared with noise"] if self.unmatched else []
        lines += [f"{self.fell_back} with the standard columns in place of the chosen ones"] if self.fell_back else []
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
    correction: str = "scale",
    slim: bool = False,
) -> ApplyResult:
    """Write the muons of `place_in` with corrected pT, the old one kept as *_original. `correction`: scale, smear or
    stretch. `slim`: only muons, run, luminosity block, event and weight, instead of all columns and trees.

    Raises InputError for corrections or a file that cannot be used, or of which too many muons are not valid,
    and while another run writes `path_out`."""
    check_output(path_out, [corrections_path, *([place_in] if isinstance(place_in, Path) else [])])
    corrections = Corrections.open(corrections_path, variation)
    _require_variation(corrections, correction)
    choice = _choice(place_in, table)
    corrector = _Corrector(corrections, correction, place_in)
    with alone(path_out):
        done = rewrite(place_in, path_out, choice, corrector, slim, correction == "stretch")
    reach = corrector.reach
    counts = (reach.outside, reach.extrapolated, reach.held, corrector.unmatched, done.unchanged, done.fell_back)
    warnings = (*done.warnings, *_notes(corrections, correction))
    return ApplyResult(path_out, done.rows, done.muons, *counts, warnings, done.dropped)


def _notes(corrections: Corrections, correction: str) -> tuple[str, ...]:
    if correction != "scale" or corrections.reference == "truth":
        return ()
    return (f"the corrections are relative to {REFERENCES['simulation']}",)


@dataclass(slots=True)
class _Corrector:
    """pT -> corrected pT of one kind of correction; counts how far it reaches, and muons without generated muon."""

    corrections: Corrections
    correction: str
    place: Place
    reach: ReachCounts = field(default_factory=ReachCounts)
    unmatched: int = 0

    def __call__(self, muons: MuonRows) -> FloatArray:
        """Corrected pT (n,) [GeV]. Raises InputError if random numbers cannot be told apart."""
        return muons.pt * {"scale": self._scaled, "smear": self._smeared, "stretch": self._stretched}[self.correction](
            muons
        )

    def _scaled(self, muons: MuonRows) -> FloatArray:
        self._count("scale", muons.pt, muons.eta)
        return self.corrections.factor(muons.pt, muons.eta, muons.charge, phi=muons.phi)

    def _smeared(self, muons: MuonRows) -> FloatArray:
        self._count("smear", muons.pt, muons.eta)
        _require_identity(muons, self.place)
        return self.corrections.smearing(muons.pt, muons.eta, muons.phi, muons.run, muons.luminosity_block, muons.event)

    def _stretched(self, muons: MuonRows) -> FloatArray:
        known = np.isfinite(muons.gen_pt)
        factor, found, others = np.empty(len(known)), muons[known], muons[~known]
        self._count("stretch", found.gen_pt, found.eta)
        factor[known] = self.corrections.stretching(found.pt, found.eta, found.gen_pt, found.charge)
        self.unmatched += len(others.pt)
        if len(others.pt):
            factor[~known] = self._smeared(others)
        return factor

    def _count(self, correction: str, pt: FloatArray, eta: FloatArray) -> None:
        self.reach += ReachCounts.of(self.corrections.validity(correction, pt, eta))


def _require_variation(corrections: Corrections, correction: str) -> None:
    """Raises InputError if the correction lacks the variation: the resolution was not fitted."""
    if corrections.variation not in corrections.variations_of(correction):
        raise InputError(
            f"{corrections.path}: '{correction}' has no variation '{corrections.variation}', since the resolution of "
            'data was not fitted. Add "a" and "c" to fit.parameters, or use nominal.'
        )


def _choice(place: Place, table: Table) -> Input:
    """The file as an [input]. Raises InputError if it cannot be read, or for a value that is not allowed."""
    content = {
        "data": (str(place),),
        "format": table.file_format or recognised(place, table.tree, table.columns),
        "tree": table.tree,
        "columns": dict(table.columns),
        "max_bad_share": table.max_bad_share,
        "fallback": table.fallback,
    }
    try:
        return Input.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{place}: {_described(fault)}" for fault in error.errors()) from error


def _described(fault: Mapping[str, Any]) -> str:
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg'].removeprefix('Value error, ')}"


def _require_identity(muons: MuonRows, place: Place) -> None:
    if len(muons.event) and not np.any(muons.event):
        raise InputError(
            f"{place}: smearing needs run, luminosityBlock and event, or muons of the same eta and phi would share "
            "random numbers"
        )
