"""Results of Muid that a basf2 file holds: KLMMuidLikelihoods, or Muids of older releases, as identification writes
them. A track without one, or which did not reach the muon detector, has NaN; so have all ln L of a junk track.

Muids number outcomes otherwise (1 and 2 stop, 3 and 4 leave, barrel and endcap) and do not say which endcap: their
outcome is made anew from the last layers and the side of the track."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from muonkit.core.arrays import AnyArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.io.basf2.rows import Columns, Rows, first_rows, relate
from muonkit.io.basf2.tracks import FIT, FITS, PLACES, TRACKS, chosen_fits, track_counts
from muonkit.io.basf2.tree import EventTree, OpenTree

RECORDS = ("KLMMuidLikelihoods", "Muids")
SPECIES = ("e", "mu", "pi", "K", "p", "d")
TOGETHER, APART = "m_LogL", tuple(f"m_LogL_{name}" for name in SPECIES)
FORWARD, JUNK, OUTCOME = "m_IsForward", "m_JunkPDFValue", "m_Outcome"
NUMBERS = {
    "outcome": OUTCOME,
    "ext_layer_pattern": "m_ExtLayerPattern",
    "hit_layer_pattern": "m_HitLayerPattern",
    "barrel_ext_layer": "m_BarrelExtLayer",
    "endcap_ext_layer": "m_EndcapExtLayer",
    "barrel_hit_layer": "m_BarrelHitLayer",
    "endcap_hit_layer": "m_EndcapHitLayer",
    "chi2": "m_ChiSquared",
    "ndof": "m_DegreesOfFreedom",
}
UNSET = -1e19  # ln L: Muid leaves -1e20 where it computed none
LEFT = (3, 4)  # outcomes of Muids that left the detector


@dataclass(frozen=True)
class RecordRows(Rows):
    """A row for every track; array: the name of the records."""

    array: str = RECORDS[0]
    names: ClassVar[tuple[str, ...]] = (
        *("status", *NUMBERS, "is_forward", "junk"),
        *(f"logL_{name}" for name in SPECIES),
        *(f"p_{name}" for name in SPECIES),
    )

    def columns(self, here: OpenTree, entries: slice) -> tuple[IntArray, Columns]:
        tracks = here.read(TRACKS, (PLACES,), entries)[PLACES].counts
        found = here.read(self.array, members(self.tree, self.array), entries)
        records = found[OUTCOME].counts
        row = relate(here, relation(self.array), entries, tracks, records)
        values = {name: _of(one.values.astype(np.float64), row) for name, one in found.items()}
        if FORWARD not in values:
            values |= mended(values, sides(here, entries))
        return tracks, record_table(values)


def records_of(tree: EventTree) -> str | None:
    """The name of the records of a file, None if it has none that tracks lead to."""
    known = (name for name in RECORDS if tree.has(name) and tree.has(relation(name)))
    return next(known, None)


def open_record_rows(tree: EventTree) -> RecordRows:
    """The records of a file. Raises InputError if it has none."""
    array = records_of(tree)
    if array is None:
        raise InputError(
            f"{tree.name}: has no {' or '.join(RECORDS)} with a relation from {TRACKS}. Give a cdst, or identify its "
            "tracks."
        )
    tree.require(TRACKS, PLACES)
    tree.require(array, *members(tree, array))
    return RecordRows(tree, first_rows(tree, track_counts(tree)), array)


def relation(array: str) -> str:
    """The relation from tracks to these records."""
    return f"{TRACKS}To{array}"


def members(tree: EventTree, array: str) -> tuple[str, ...]:
    """Those that are read, in either form."""
    together = (TOGETHER,) if tree.has(array, TOGETHER) else APART
    forward = (FORWARD,) if tree.has(array, FORWARD) else ()
    return (*NUMBERS.values(), JUNK, *together, *forward)


def record_table(values: dict[str, AnyArray]) -> Columns:
    """The columns (k,) of members (k,), NaN for tracks without a record."""
    log = values[TOGETHER] if TOGETHER in values else np.column_stack([values[name] for name in APART])
    computed = np.any(log > UNSET, axis=1)
    log = np.where(computed[:, None], np.where(log > UNSET, log, -np.inf), np.nan)
    p = probabilities(log)
    junk = (values[OUTCOME] > 0) & ((values[JUNK] != 0) | ~computed)
    table: Columns = {"status": np.zeros(len(log), dtype=np.int64)}
    table |= {name: values[member] for name, member in NUMBERS.items()}
    table |= {"is_forward": values[FORWARD], "junk": np.where(values[OUTCOME] > 0, junk, np.nan)}
    table |= {f"logL_{name}": log[:, i] for i, name in enumerate(SPECIES)}
    return table | {f"p_{name}": p[:, i] for i, name in enumerate(SPECIES)}


def probabilities(log: FloatArray) -> FloatArray:
    """Likelihoods over their sum (k, 6), NaN where there are none."""
    with np.errstate(invalid="ignore"):
        relative = np.exp(log - np.max(log, axis=1, keepdims=True))
    return relative / relative.sum(axis=1, keepdims=True)


def sides(here: OpenTree, entries: slice) -> FloatArray:
    """Tan lambda of every track, NaN without a fit."""
    places, fits = here.read(TRACKS, (PLACES,), entries)[PLACES], here.read(FITS, FIT, entries)
    pdg = np.abs(fits["m_pdg"].values.astype(np.int64))
    row = chosen_fits(places.counts, places.values.astype(np.int64), fits["m_pdg"].counts, pdg)
    return _of(fits["m_tau"].values[:, 4].astype(np.float64), row)


def mended(values: dict[str, AnyArray], tan_lambda: FloatArray) -> dict[str, AnyArray]:
    """Side and outcome of records that do not say them: in the numbers of today."""
    known = np.isfinite(values[OUTCOME])
    barrel, endcap = values[NUMBERS["barrel_ext_layer"]], values[NUMBERS["endcap_ext_layer"]]
    forward, left = tan_lambda > 0, np.isin(values[OUTCOME], LEFT)
    alone = np.where(left, np.where(forward, 4, 6), np.where(forward, 2, 5))
    behind = np.where(left, np.where(forward, 37, 52), np.where(forward, 7, 22)) + barrel
    ended = np.where(endcap < 0, np.where(left, 3, 1), np.where(barrel < 0, alone, behind))
    outcome = np.where((barrel < 0) & (endcap < 0), 0, ended)
    return {
        FORWARD: np.where(known, forward, np.nan),
        OUTCOME: np.where(known, outcome, np.nan),
    }


def _of(values: AnyArray, row: IntArray) -> AnyArray:
    """Values in these rows (k, ...), NaN for row -1."""
    if not len(values):
        return np.full((len(row), *values.shape[1:]), np.nan)
    there = (row >= 0).reshape(-1, *(1,) * (values.ndim - 1))
    return np.where(there, values[row], np.nan)
