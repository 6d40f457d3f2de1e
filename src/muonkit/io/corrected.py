"""Files of muons with corrected pT, in the format of the input. The old pT is kept as NAME_original. Every other column
stays as it is, also masses such as `M`, which belong to the old momenta."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import awkward as ak
import numpy as np

from muonkit.core.arrays import AnyArray, BoolArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.files import atomic
from muonkit.io import copying, copying_root, source
from muonkit.io.chunks import Chunk
from muonkit.io.config import Input
from muonkit.io.layout import kind_of
from muonkit.io.names import IDENTITY, NANO, PT, mapping_faults
from muonkit.io.nanoaod import Lists


@dataclass(frozen=True, slots=True)
class MuonRows:
    """One row per muon: pT [GeV], eta, phi [rad], charge; run, luminosity block and event of its event (0 where the
    file has none); index: place of the muon in its event or pair (dimuon: 0 plus, 1 minus; cms-csv: as numbered)."""

    pt: FloatArray
    eta: FloatArray
    phi: FloatArray
    charge: IntArray
    run: IntArray
    luminosity_block: IntArray
    event: IntArray
    index: IntArray

    def __getitem__(self, rows: BoolArray) -> Self:
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class CopySummary:
    """Rows (events for NanoAOD) and muons written. unchanged: muons that keep their pT because they are not valid (not
    finite, pT <= 0, charge not +1 or -1). dropped: columns and objects that could not be written. has_identity: whether
    the file has run and event."""

    rows: int
    muons: int
    unchanged: int
    dropped: tuple[str, ...]
    has_identity: bool


Correct = Callable[[MuonRows], FloatArray]


def rewrite(path_in: Path, path_out: Path, choice: Input, correct: Correct) -> CopySummary:
    """Write `path_in` with pT replaced by `correct(muons)` (n,) [GeV], chunk by chunk, atomically.

    Raises InputError if the input is faulty or already corrected, or if the output is of another kind or is the
    input."""
    _check_paths(path_in, path_out)
    chunks = _chunks(path_in, choice)
    source.read(chunks[0])  # for its check of the units
    counts = np.zeros(2, dtype=np.int64)

    def corrected(chunk: Chunk) -> dict[str, FloatArray]:
        muons, names = _muons(chunk)
        pt, good = _apply(muons, correct)
        counts[:] += len(good), (~good).sum()
        return dict(zip(names, np.split(pt, len(names)), strict=True))

    with atomic(path_out) as temporary:
        copy = {"Parquet": copying.parquet_file, "CSV": copying.csv_file, "ROOT": copying_root.root_file}
        dropped = copy[str(kind_of(path_in))](temporary, chunks, corrected)
    has_identity = {"run", "event"} <= set(chunks[0].names)
    return CopySummary(chunks[-1].stop, int(counts[0]), int(counts[1]), dropped, has_identity)


def _check_paths(path_in: Path, path_out: Path) -> None:
    kind_in, kind_out = kind_of(path_in), kind_of(path_out)
    if kind_in is not None and kind_in != kind_out:
        raise InputError(f"{path_out}: {path_in.name} is a {kind_in} file. Give the output the same ending.")
    if path_out.exists() and path_in.exists() and path_out.samefile(path_in):
        raise InputError(f"{path_out}: would overwrite its own input. Give another name.")


def _chunks(path: Path, choice: Input) -> list[Chunk]:
    faults = mapping_faults(choice)
    if faults:
        raise InputError(faults)
    if path.is_file() and kind_of(path) == "ROOT":  # all branches are in memory at once, so rows are fewer
        size = copying_root.entries(path, str(path), choice.tree)
        choice = choice.model_copy(update={"chunk_size": min(choice.chunk_size, size)})
    _check_fresh(path, choice)
    return source.inspect(path, str(path), choice, False)


def _check_fresh(path: Path, choice: Input) -> None:
    present = [name.strip() for name in source.layout(path, str(path), choice).columns]
    for key in PT[choice.format]:
        original = f"{choice.columns.get(key, key)}_original"
        if original in present:
            raise InputError(f"{path}: is already corrected (has '{original}'). Give the file it was made from.")


def _apply(muons: MuonRows, correct: Correct) -> tuple[FloatArray, BoolArray]:
    good = np.isfinite(muons.pt) & np.isfinite(muons.eta) & np.isfinite(muons.phi) & (muons.pt > 0)
    good &= np.abs(muons.charge) == 1
    pt = muons.pt.copy()
    pt[good] = correct(muons[good])
    return pt, good


def _muons(chunk: Chunk) -> tuple[MuonRows, list[str]]:
    """The muons of a piece, one block of rows per pT column, and the names of these columns."""
    names = [chunk.names[key] for key in PT[chunk.format]]
    if chunk.format == "nanoaod":
        return _listed(chunk), names
    raw = source.flat(chunk)
    rows = chunk.stop - chunk.start
    if chunk.format == "dimuon":
        blocks = [[raw[f"{sign}_{name}"] for name in ("pt", "eta", "phi")] for sign in ("plus", "minus")]
        charges = [np.ones(rows), -np.ones(rows)]
    else:
        blocks = [[raw[f"{name}{number}"] for name in ("pt", "eta", "phi")] for number in "12"]
        charges = [raw["Q1"], raw["Q2"]]
    pt, eta, phi = (np.concatenate(columns).astype(np.float64) for columns in zip(*blocks, strict=True))
    run, luminosity_block, event = (np.tile(column, 2) for column in _identity(raw, rows))
    charge, index = _integers(np.concatenate(charges)), np.repeat([0, 1], rows)
    return MuonRows(pt, eta, phi, charge, run, luminosity_block, event, index), names


def _listed(chunk: Chunk) -> MuonRows:
    raw = source.jagged(chunk)
    muons = Lists.of({key: raw[key] for key in NANO}, chunk)
    events = {key: ak.to_numpy(raw[key]) for key in IDENTITY if key in raw}
    run, luminosity_block, event = (column[muons.event] for column in _identity(events, chunk.stop - chunk.start))
    pt, eta, phi = (muons.columns[key].astype(np.float64) for key in NANO[:3])
    charge, index = _integers(muons.columns["Muon_charge"]), np.arange(len(muons.event)) - muons.offsets[muons.event]
    return MuonRows(pt, eta, phi, charge, run, luminosity_block, event, index)


def _identity(columns: Mapping[str, AnyArray], rows: int) -> list[IntArray]:
    return [_integers(columns[key]) if key in columns else np.zeros(rows, dtype=np.int64) for key in IDENTITY]


def _integers(column: AnyArray) -> IntArray:
    """int64, with 0 for what is not finite."""
    return np.where(np.isfinite(column), column, 0).astype(np.int64)
