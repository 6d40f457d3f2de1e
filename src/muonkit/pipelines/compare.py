"""Corrections of several files on one grid of eta, phi, pT and charge: where they differ, and by how much."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from muonkit.calibration.others import LAYERS, QUANTITIES, RESOLUTION, OtherCorrections, open_corrections
from muonkit.calibration.rochester import Muons
from muonkit.core.arrays import FloatArray
from muonkit.core.errors import InputError
from muonkit.core.files import atomic, check_folder, check_outputs, write_json, write_text
from muonkit.core.plain import plain, plain_fields
from muonkit.core.result import Result, Status
from muonkit.report import compare as pictures
from muonkit.run.alone import alone

ETA_POINTS, PHI_POINTS = 48, 72
ETA_RANGE = (-2.4, 2.4)  # if the first file has none
CHARGES = (-1, 1)
PT = (6.0, 20.0, 45.0)  # GeV
MOST_PT, MOST_FILES, MOST_LAYERS = 6, 20, 100
HEAD = "sample      charge   pT/GeV  points      mean       rms   largest  at eta    phi     error"
JSON, TEXT = "comparison.json", "comparison.txt"
UNIT_LABELS = {1e-5: "[$10^{-5}$]", 1e-2: "[%]"}
UNITS = dict.fromkeys(QUANTITIES, 1e-5) | {RESOLUTION: 1e-2}


class Grid(NamedTuple):
    """Points of charge, pT [GeV], eta and phi: their arrays have the axes in this order."""

    charge: tuple[int, ...]
    pt: FloatArray
    eta: FloatArray
    phi: FloatArray

    def muons(self) -> Muons:
        """All points as muons (n,)."""
        axes = np.meshgrid(*(np.asarray(axis) for axis in self), indexing="ij")
        charge, pt, eta, phi = (axis.ravel() for axis in axes)
        return Muons(eta, phi, pt, charge.astype(np.int64))

    def shaped(self, values: FloatArray) -> FloatArray:
        """Values (n,) of muons with the axes of the grid."""
        return values.reshape([len(axis) for axis in self])


@dataclass(frozen=True, slots=True)
class DifferenceAtPt:
    """Differences, other / reference - 1, over eta and phi, of muons of one pT [GeV] and charge. sample: data or
    simulation, where corrected pT are compared, or resolution, where sigma_k/k of data are. points:
    those that both files cover, the numbers are of these; not_covered: the others; largest: in size, at `eta` and
    `phi`; error: mean error of the other file, if it has sets of variations."""

    other: str
    sample: str
    charge: int
    pt: float
    points: int
    not_covered: int
    mean: float | None
    rms: float | None
    largest: float | None
    eta: float | None
    phi: float | None
    error: float | None = None

    def line(self) -> str:
        """A row of the table."""
        head = f"{self.sample:11}{self.charge:+7d}{self.pt:9.4g}{self.points:8}"
        if not self.points:
            return f"{head}   no point that both cover"
        where = f"{self.eta:8.2f}{self.phi:7.2f}"
        numbers = (self.mean, self.rms, self.largest)
        shown = "".join(f"{value / UNITS[self.sample]:10.1f}" for value in numbers if value is not None)
        return f"{head}{shown}{where}" + (f"{self.error / UNITS[self.sample]:10.1f}" if self.error is not None else "")


@dataclass(frozen=True, slots=True)
class CompareResult(Result):
    """How files of corrections differ from the first, and the figures that show it. notes: files that have no
    corrections in common with it, and points at which a file is used beyond its range."""

    reference: str
    kind: str
    rows: tuple[DifferenceAtPt, ...]
    notes: tuple[str, ...]
    files: tuple[str, ...]

    @property
    def status(self) -> Status:
        """ATTENTION if a file could not be compared anywhere."""
        return "ATTENTION" if self.message else "DONE"

    @property
    def message(self) -> str:
        """Which files have no point in common with the first."""
        compared = {row.other for row in self.rows if row.points}
        alone = dict.fromkeys(row.other for row in self.rows if row.other not in compared)
        return "\n".join(f"{name}: covers no point that {self.reference} covers" for name in alone)

    def report(self) -> str:
        lines = []
        for other in dict.fromkeys(row.other for row in self.rows):
            lines += [
                "",
                f"{other} / {self.reference} ({self.kind}) - 1 over eta and phi, in 1e-5, of the resolution in 1e-2",
                HEAD,
            ]
            lines += [row.line() for row in self.rows if row.other == other]
        return "\n".join([*lines[1:], "", *self.notes, *self.files])

    def to_json(self) -> dict[str, Any]:
        return plain_fields(self) | {"text": str(self)}


class Difference(NamedTuple):
    """Other / reference - 1 in a sample, with the axes of the grid; NaN where one of them has no correction."""

    other: str
    sample: str
    values: FloatArray
    errors: FloatArray | None


def compare(
    first: Path, others: Sequence[Path], out: Path, pt: Sequence[float] = PT, layers: int = LAYERS
) -> CompareResult:
    """Evaluate the corrections of `first` and of `others` on one grid. Table, JSON and figures of the differences, at
    `pt` [GeV], are written to the folder `out`. layers: tracker layers of the muons, for the resolution.

    Raises InputError for files and momenta that cannot be used, and while another run writes `out`."""
    _check(others, pt, layers)
    opened = [open_corrections(path, layers) for path in (first, *others)]
    reference, rest = opened[0], opened[1:]
    grid = _grid(reference, pt)
    names = [_label(number, one) for number, one in enumerate(rest, 1)]
    found = [one for name, other in zip(names, rest, strict=True) for one in _differences(name, reference, other, grid)]
    figures = {f"{i}-{one.sample}": one for i, one in _numbered(found, names)}
    paths = [out / f"{kind}-{name}.png" for name in figures for kind in ("profile", "map")]
    check_folder(out)
    check_outputs([out / JSON, out / TEXT, *paths], [first, *others])
    rows = tuple(row for one in found for row in _rows(one, grid))
    notes = tuple(_notes([(reference.name, reference), *zip(names, rest, strict=True)], found, grid))
    result = CompareResult(reference.name, reference.kind, rows, notes, tuple(str(path) for path in paths))
    with alone(out / "run"):
        _draw(out, figures, reference, grid)
        write_text(out / TEXT, f"{result}\n")
        write_json(out / JSON, _content(result, found, grid))
    return result


def _check(others: Sequence[Path], pt: Sequence[float], layers: int) -> None:
    """Raises InputError."""
    faults = [f"--pt: {value:g} is not a momentum from 0.1 to 10000 GeV" for value in pt if not 0.1 <= value <= 1e4]
    faults += [f"--pt: {len(pt)} momenta; give 1 to {MOST_PT}"] if not 1 <= len(pt) <= MOST_PT else []
    faults += [f"{len(others)} files; give 1 to {MOST_FILES}"] if not 1 <= len(others) <= MOST_FILES else []
    faults += [] if 0 <= layers <= MOST_LAYERS else [f"--layers: {layers} is not a number from 0 to {MOST_LAYERS}"]
    if faults:
        raise InputError(faults)


def _grid(reference: OtherCorrections, pt: Sequence[float]) -> Grid:
    low, high = reference.eta_range or ETA_RANGE
    eta = low + (high - low) * (np.arange(ETA_POINTS) + 0.5) / ETA_POINTS
    phi = -np.pi + 2 * np.pi * (np.arange(PHI_POINTS) + 0.5) / PHI_POINTS
    return Grid(CHARGES, np.unique(np.array(pt, dtype=float)), eta, phi)


def _label(number: int, one: OtherCorrections) -> str:
    return f"{number}: {one.name} ({one.kind})"


def _numbered(found: Sequence[Difference], names: Sequence[str]) -> Iterator[tuple[int, Difference]]:
    yield from ((names.index(one.other) + 1, one) for one in found)


def _differences(name: str, reference: OtherCorrections, other: OtherCorrections, grid: Grid) -> Iterator[Difference]:
    muons = grid.muons()
    for sample in QUANTITIES:
        if sample in reference.factors and sample in other.factors:
            theirs, ours = other.factor(sample, muons), reference.factor(sample, muons)
            errors = other.errors[sample](muons) / theirs if sample in other.errors else None
            shaped = None if errors is None else grid.shaped(errors)
            yield Difference(name, sample, grid.shaped(theirs / ours - 1), shaped)


def _rows(one: Difference, grid: Grid) -> Iterator[DifferenceAtPt]:
    for i, charge in enumerate(grid.charge):
        for j, pt in enumerate(grid.pt):
            yield _row(one, charge, float(pt), grid, (i, j))


def _row(one: Difference, charge: int, pt: float, grid: Grid, at: tuple[int, int]) -> DifferenceAtPt:
    values = one.values[at]
    there = np.isfinite(values)
    head = (one.other, one.sample, charge, pt, int(there.sum()), int((~there).sum()))
    if not there.any():
        return DifferenceAtPt(*head, None, None, None, None, None)
    eta, phi = np.unravel_index(np.nanargmax(np.abs(values)), values.shape)
    error = None if one.errors is None else float(np.mean(one.errors[at][there]))
    mean, rms, largest = (float(value) for value in (values[there].mean(), values[there].std(), values[eta, phi]))
    return DifferenceAtPt(*head, mean, rms, largest, float(grid.eta[eta]), float(grid.phi[phi]), error)


def _notes(files: Sequence[tuple[str, OtherCorrections]], found: Sequence[Difference], grid: Grid) -> Iterator[str]:
    muons, compared = grid.muons(), {one.other for one in found}
    for number, (name, one) in enumerate(files):
        if number and name not in compared:
            yield f"{name}: has no sample in common with {files[0][0]}, nothing to compare"
        if beyond := one.beyond(muons):
            yield f"{name}: {beyond} of {len(muons.pt)} points lie beyond the pT that its corrections were made from"


def _draw(out: Path, figures: dict[str, Difference], reference: OtherCorrections, grid: Grid) -> None:
    for name, one in figures.items():
        head = (f"{one.other}, {one.sample}", f"against {reference.name}", UNIT_LABELS[UNITS[one.sample]])
        drawn = {
            "profile": pictures.profile(one.values / UNITS[one.sample], grid.charge, grid.pt, grid.eta, head),
            "map": pictures.maps(one.values / UNITS[one.sample], grid.charge, grid.pt, (grid.eta, grid.phi), head),
        }
        for kind, figure in drawn.items():
            with atomic(out / f"{kind}-{name}.png") as temporary:
                figure.savefig(temporary, dpi=160, format="png")


def _content(result: CompareResult, found: Sequence[Difference], grid: Grid) -> dict[str, Any]:
    axes = {name: plain(np.asarray(axis)) for name, axis in grid._asdict().items()}
    differences = [
        {"other": one.other, "sample": one.sample, "axes": list(axes), "difference": _listed(one.values)}
        for one in found
    ]
    return result.to_json() | {"grid": axes, "differences": differences}


def _listed(values: FloatArray) -> Any:
    """Lists with None in place of NaN, which JSON does not have."""
    return np.where(np.isfinite(values), np.round(values, 10), None).tolist()  # type: ignore[call-overload]
