"""Files of muons with corrected pT, in the format of the input. The old pT is kept as NAME_original. Every other column
stays as it is, also masses such as `M`, which belong to the old momenta.

Corrected pT stands in the column that pT was read from. With `pt_factor` it is the factor that changes, so that
Muon_pt x factor is the corrected pT. A muon with the standard columns in place of the chosen ones has its corrected
standard pT there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import reduce
from operator import add
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from muonkit.core.arrays import AnyArray, BoolArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.files import atomic, check_output
from muonkit.core.limits import reading
from muonkit.io import chunks as pieces
from muonkit.io import copying, copying_root, source
from muonkit.io.checks import check_charges, examine
from muonkit.io.chosen import chosen_muons
from muonkit.io.chunks import BadRows, Chunk
from muonkit.io.config import Input
from muonkit.io.layout import kind_of
from muonkit.io.lists import plain
from muonkit.io.names import IDENTITY, NANO, mapping_faults, written
from muonkit.io.nanoaod import truth
from muonkit.io.pairs import integers
from muonkit.io.places import Place, file_name


@dataclass(frozen=True, slots=True)
class MuonRows:
    """One row per muon: pT [GeV], eta, phi [rad], as stored, charge; run, luminosity block and event of its event (0
    where the file has none); gen_pt: pT [GeV] of the generated muon, NaN where none is known, or wanted."""

    pt: FloatArray
    eta: FloatArray
    phi: FloatArray
    charge: IntArray
    run: IntArray
    luminosity_block: IntArray
    event: IntArray
    gen_pt: FloatArray

    def __getitem__(self, rows: BoolArray) -> Self:
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class CopySummary:
    """Rows (events for NanoAOD) and muons written. unchanged: muons that keep their pT because they are not valid;
    warnings: one line for every reason. fell_back: muons with the standard columns in place of the chosen ones.
    dropped: columns and objects that could not be written. has_identity: whether the file has run and event."""

    rows: int
    muons: int
    unchanged: int
    dropped: tuple[str, ...]
    has_identity: bool
    fell_back: int = 0
    warnings: tuple[str, ...] = ()


Correct = Callable[[MuonRows], FloatArray]


class Muons(NamedTuple):
    """The muons of a piece (n,), one block of rows per pT column; which are valid (n,), and which have the standard
    columns in place of the chosen ones; the content of the column of pT, and by what it is multiplied to give pT [GeV];
    what is wrong with others."""

    rows: MuonRows
    good: BoolArray
    fell_back: BoolArray
    stored: AnyArray
    unit: FloatArray
    bad: tuple[BadRows, ...]


def rewrite(
    path_in: Place, path_out: Path, choice: Input, correct: Correct, slim: bool = False, generated: bool = False
) -> CopySummary:
    """Write `path_in` with pT replaced by `correct(muons)` (n,) [GeV], chunk by chunk, atomically. `slim`: only the
    columns of muons and events that are read, and no other tree. `generated`: with generated muons, which the file must
    have.

    Raises InputError if the input is faulty or already corrected, if more than choice.max_bad_share of its muons are
    not valid, or if the output is of another kind or is the input."""
    _check_paths(path_in, path_out)
    chunks = _chunks(path_in, choice, generated)
    source.read(chunks[0])  # for its check of the units
    found: list[pieces.Summary] = []

    def corrected(chunk: Chunk) -> dict[str, FloatArray]:
        with reading(chunk.name):
            muons = _listed(chunk) if chunk.format == "nanoaod" else _paired(chunk)
        bad, fell_back = int((~muons.good).sum()), int((muons.fell_back & muons.good).sum())
        found.append(pieces.Summary(len(muons.good), bad, muons.bad, fell_back=fell_back))
        names = [chunk.names[key] for key in written(chunk.names, chunk.format)]
        return dict(zip(names, np.split(_apply(muons, correct), len(names)), strict=True))

    with atomic(path_out) as temporary:
        copy = {"Parquet": copying.parquet_file, "CSV": copying.csv_file, "ROOT": copying_root.root_file}
        dropped = copy[str(kind_of(path_in))](temporary, chunks, corrected, slim)
        warnings = source.refuse(found, choice.max_bad_share, "not corrected")
        total = reduce(add, found)
        source.refuse_fallback(total, chunks[0])
    has_identity = {"run", "event"} <= set(chunks[0].names)
    counts = (chunks[-1].stop, total.rows, total.dropped)
    return CopySummary(*counts, dropped, has_identity, total.fell_back, tuple(warnings))


def _check_paths(path_in: Place, path_out: Path) -> None:
    kind_in, kind_out = kind_of(path_in), kind_of(path_out)
    if kind_in is not None and kind_in != kind_out:
        raise InputError(f"{path_out}: {file_name(path_in)} is a {kind_in} file. Give the output the same ending.")
    check_output(path_out, [path_in] if isinstance(path_in, Path) else [])


def _chunks(path: Place, choice: Input, generated: bool) -> list[Chunk]:
    faults = mapping_faults(choice)
    if faults:
        raise InputError(faults)
    _check_fresh(path, choice)
    if kind_of(path) == "ROOT":  # all branches are in memory at once, so rows are fewer
        size = copying_root.entries(path, str(path), choice.tree)
        choice = choice.model_copy(update={"chunk_size": min(choice.chunk_size, size)})
    chunks = source.inspect(path, str(path), choice, generated)
    if not chunks:
        raise InputError(f"{path}: has no rows. There is nothing to correct.")
    return chunks


def _check_fresh(path: Place, choice: Input) -> None:
    present = [name.strip() for name in source.layout(path, str(path), choice).columns]
    for key in written(choice.names, choice.format):
        name = choice.names.get(key, key)
        for original in (f"{name}_original", f"{name}_original".replace("_", ".", 1)):
            if original in present:
                raise InputError(f"{path}: is already corrected (has '{original}'). Give the file it was made from.")


def _apply(muons: Muons, correct: Correct) -> FloatArray:
    content = muons.stored.astype(np.float64)
    content[muons.good] = correct(muons.rows[muons.good]) / muons.unit[muons.good]
    return content


def _paired(chunk: Chunk) -> Muons:
    """Muons of a table with one row per pair: the first of all pairs, then the second of all."""
    raw = source.flat(chunk)
    check_charges(raw, chunk)
    rows = chunk.stop - chunk.start
    pair = [[f"{sign}_{name}" for name in ("pt", "eta", "phi")] for sign in ("plus", "minus")]
    charges = [np.ones(rows), -np.ones(rows)]
    if chunk.format == "cms-csv":
        pair = [[f"{name}{number}" for name in ("pt", "eta", "phi", "Q")] for number in "12"]
        charges = [raw["Q1"], raw["Q2"]]
    good_event, bad = _examined_events(raw, chunk, rows)
    masks = []
    for keys in pair:
        good, more = examine({key: raw[key] for key in keys}, chunk)
        masks.append(good & good_event)
        bad += more
    pt, eta, phi = (np.concatenate([raw[keys[i]] for keys in pair]).astype(np.float64) for i in range(3))
    run, luminosity_block, event = (np.tile(column, 2) for column in _identity(raw, rows))
    charge = np.concatenate([integers(column) for column in charges])
    gen_pt = _generated(raw, charge)
    muons = MuonRows(pt, eta, phi, charge, run, luminosity_block, event, gen_pt)
    good, n = np.concatenate(masks), len(pt)
    return Muons(muons, good, np.zeros(n, dtype=np.bool_), pt, np.ones(n), bad)


def _generated(raw: Mapping[str, AnyArray], charge: IntArray) -> FloatArray:
    """pT [GeV] of the generated muons (2 n,) of the same charge, of pairs (n,); NaN where there is none."""
    if "plus_gen_pt" not in raw:
        return np.full(len(charge), np.nan)
    plus, minus = (np.tile(raw[f"{sign}_gen_pt"].astype(np.float64), 2) for sign in ("plus", "minus"))
    gen_pt = np.where(charge > 0, plus, minus)
    return np.where(np.isfinite(gen_pt) & (gen_pt > 0), gen_pt, np.nan)


def _listed(chunk: Chunk) -> Muons:
    """Muons of events with lists of muons, event by event."""
    raw = source.jagged(chunk)
    chosen = chosen_muons(raw, chunk)
    muons = chosen.lists
    events = {key: plain(raw[key]) for key in IDENTITY if key in raw}
    rows = chunk.stop - chunk.start
    good_event, bad = _examined_events(events, chunk, rows)
    run, luminosity_block, event = (column[muons.event] for column in _identity(events, rows))
    pt, eta, phi = (muons.columns[key].astype(np.float64) for key in NANO[:3])
    charge = integers(muons.columns["Muon_charge"])
    gen_pt = truth(muons, raw, chunk).pt if chunk.simulation else np.full(len(pt), np.nan)
    found = MuonRows(pt, eta, phi, charge, run, luminosity_block, event, gen_pt)
    good = chosen.good & good_event[muons.event]
    return Muons(found, good, chosen.fell_back, chosen.stored, chosen.unit, bad + chosen.bad)


def _examined_events(columns: Mapping[str, AnyArray], chunk: Chunk, rows: int) -> tuple[BoolArray, tuple[BadRows, ...]]:
    events = {key: columns[key] for key in IDENTITY if key in columns}
    return examine(events, chunk) if events else (np.ones(rows, dtype=np.bool_), ())


def _identity(columns: Mapping[str, AnyArray], rows: int) -> list[IntArray]:
    return [integers(columns[key]) if key in columns else np.zeros(rows, dtype=np.int64) for key in IDENTITY]
