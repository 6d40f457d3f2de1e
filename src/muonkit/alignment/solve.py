"""From the sums of all tracks to corrections p = S x, (S N S + 1) x = S b, with errors of what is asked.

Errors need a column of the inverse each, so they are made for what is asked alone."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from muonkit.alignment.config import AlignmentSettings
from muonkit.alignment.harmonics import FieldCorrection
from muonkit.alignment.modes import Modes, weak_modes
from muonkit.alignment.parameters import APART, NAMES, SIZE, label, unit_of
from muonkit.alignment.solver import Solver
from muonkit.alignment.system import NormalSystem
from muonkit.core.arrays import AnyArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.result import Result
from muonkit.detector.detector import Detector

LINES = 20  # of parameters in a report, or of surfaces in a message


@dataclass(frozen=True)
class Corrections(Result):
    """How the real detector differs from its description: values (n, 8), see `parameters`; asked (k,): parameters of
    which found (k,) and covariance (k, k) are known, of those that are tied the first; met (n,): tracks that met each
    surface; fixed (n, 8): not fitted; lost: tracks that were fitted but not used; chi2, ndf of the tracks before; gain:
    by how much chi2 falls, priors included; field: a correction of the map; levels: what was tied, of every kind."""

    layers: tuple[str, ...]
    values: FloatArray
    asked: IntArray
    found: FloatArray
    covariance: FloatArray
    met: IntArray
    fixed: AnyArray
    tracks: int
    lost: int
    chi2: float
    ndf: int
    gain: float
    modes: Modes | None = None
    field: FieldCorrection | None = None
    levels: tuple[str, ...] = APART

    @property
    def errors(self) -> FloatArray:
        """Standard deviations (k,) of what was asked."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def names(self) -> tuple[str, ...]:
        """What was asked, in words (k,)."""
        terms = self.field.harmonics.names if self.field is not None else ()
        return tuple(label(int(index), self.layers, terms, self.levels) for index in self.asked)

    @property
    def message(self) -> str:
        unmet = [name for name, met in zip(self.layers, self.met, strict=True) if met == 0]
        if not unmet:
            return ""
        names = ", ".join(unmet[:LINES]) + (", ..." if len(unmet) > LINES else "")
        return f"No track met {len(unmet)} of {len(self.layers)} surfaces, which stay as described: {names}"

    def report(self) -> str:
        """The largest corrections among those with errors."""
        lines = [
            f"Tracks               {self.tracks}" + (f" ({self.lost} more could not be followed)" if self.lost else ""),
            f"chi2/ndf             {self.chi2:.1f}/{self.ndf}, falls by {self.gain:.1f}",
        ]
        errors, names = self.errors, self.names
        order = np.argsort(-np.abs(self.found) / np.where(errors > 0, errors, np.inf))
        for place in order[:LINES]:
            unit = unit_of(int(self.asked[place]), len(self.layers))
            lines.append(f"  {names[place]:<30}{self.found[place]:12.3g} +- {errors[place]:.2g} {unit}".rstrip())
        if self.field is not None:
            lines.append(str(self.field))
        if self.modes is not None:
            lines.append(str(self.modes))
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Everything but the covariance between what was asked."""
        return {
            "parameters": list(NAMES),
            "values": {name: row.tolist() for name, row in zip(self.layers, self.values, strict=True)},
            "found": dict(zip(self.names, self.found.tolist(), strict=True)),
            "errors": dict(zip(self.names, self.errors.tolist(), strict=True)),
            "field": None if self.field is None else self.field.to_json(),
            "tracks": {name: int(met) for name, met in zip(self.layers, self.met, strict=True)},
            "lost": self.lost,
            "chi2": self.chi2,
            "ndf": self.ndf,
            "gain": self.gain,
        }


def solve(
    system: NormalSystem,
    detector: Detector,
    settings: AlignmentSettings = AlignmentSettings(),
    asked: IntArray | Literal["all", "none"] = "none",
    modes: int = 0,
) -> Corrections:
    """Corrections from the sums of all tracks, with the covariance of the parameters that are `asked` for, indices of
    `parameters`, and so many weak modes.

    Raises InputError for sums of another detector, without tracks, an index that does not exist, and, with the names of
    parameters, a singular system."""
    solver = Solver(system, detector, settings)
    wanted = _wanted(asked, solver)
    right = solver.scale * solver.system.rhs.reshape(-1)
    x = solver(right)
    found, size = solver.scale * x, SIZE * len(detector.layers)
    fixed = ~solver.ties.reached(solver.scale > 0)
    return Corrections(
        detector.layers,
        solver.ties.forth(found)[:size].reshape(-1, SIZE),
        wanted,
        found[wanted],
        _covariance(solver, wanted),
        system.met,
        fixed[:size].reshape(-1, SIZE),
        system.tracks,
        system.lost,
        system.chi2,
        system.ndf,
        float(right @ x),
        weak_modes(solver.scaled(), detector, solver.named, modes) if modes else None,
        _field(solver, found),
        settings.groups.levels(),
    )


def _covariance(solver: Solver, wanted: IntArray) -> FloatArray:
    """Of parameters (k,), (k, k)."""
    columns = np.zeros((len(wanted), len(wanted)))
    for place, index in enumerate(wanted):
        unit = np.zeros(len(solver.scale))
        unit[index] = 1.0
        columns[place] = solver(unit)[wanted] * solver.scale[wanted] * solver.scale[index]
        if solver.unseen[index]:
            columns[place, place] = solver.width[index] ** 2
    return (columns + columns.T) / 2


def _field(solver: Solver, found: FloatArray) -> FieldCorrection | None:
    """The correction of the map, if one was asked for."""
    harmonics, first = solver.system.harmonics, SIZE * solver.ties.surfaces
    if harmonics is None or solver.settings.field_order is None:
        return None
    places = first + np.arange(len(harmonics))
    return FieldCorrection(harmonics, found[places], _covariance(solver, places))


def _wanted(asked: IntArray | Literal["all", "none"], solver: Solver) -> IntArray:
    if isinstance(asked, str):
        return np.flatnonzero(solver.scale > 0) if asked == "all" else np.zeros(0, dtype=np.int64)
    wanted = np.asarray(asked, dtype=np.int64).reshape(-1)
    if ((wanted < 0) | (wanted >= len(solver.scale))).any():
        raise InputError(f"alignment: asked: parameters are numbered from 0 to {len(solver.scale) - 1}")
    return solver.ties.first[wanted]
