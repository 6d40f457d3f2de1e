"""The muons of NanoAOD in the columns that were chosen for them, such as those of the fit with the beam spot.

With [input.fallback] a muon that is bad in these columns has pT, eta, phi and charge of the standard ones, all four: it
is a muon of one fit. The choice is made muon by muon; pairs of muons from both sources are counted."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from muonkit.core.arrays import AnyArray, BoolArray, FloatArray
from muonkit.io.checks import check_charges, examine
from muonkit.io.chunks import BadRows, Chunk
from muonkit.io.lists import Lists
from muonkit.io.names import NANO, PT_FACTOR, REQUIRE, STANDARD, of_muons


@dataclass(frozen=True, slots=True)
class ChosenMuons:
    """The muons of all events of a piece, by the canonical names of their columns. Of every muon (k,): whether it is
    valid; whether it has the standard columns although others were chosen; the content of the column that holds
    corrected pT, and by what that is multiplied to give pT [GeV]. bad: what is wrong with muons."""

    lists: Lists
    good: BoolArray
    fell_back: BoolArray
    stored: AnyArray
    unit: FloatArray
    bad: tuple[BadRows, ...]


def chosen_muons(raw: Mapping[str, Any], chunk: Chunk) -> ChosenMuons:
    """The muons of a piece. `raw`: canonical name -> awkward array, one entry per event. Raises InputError if the lists
    of one event differ in length, or if charges are unsigned and hold -1."""
    found = Lists.of({key: raw[key] for key in raw if of_muons(key)}, chunk)
    columns, rows = found.columns, found.event + chunk.start
    check_charges(columns, chunk)
    chosen = {key: columns[key] for key in (*NANO, PT_FACTOR) if key in columns}
    stored, unit = columns["Muon_pt"], np.ones(len(rows))
    if PT_FACTOR in columns:
        stored, unit = columns[PT_FACTOR], columns["Muon_pt"].astype(np.float64)
    if chunk.fallback is None:
        good, bad = examine(chosen, chunk, rows)
        return ChosenMuons(
            replace(found, columns=_used(chosen)), good, np.zeros(len(rows), np.bool_), stored, unit, bad
        )
    fell_back = ~examine(chosen, chunk, rows)[0]
    for condition in chunk.fallback.conditions:
        fell_back |= ~condition.holds(columns[REQUIRE + condition.column])
    standard = {key: columns.get(STANDARD + key, columns[key]) for key in NANO}
    used = {key: np.where(fell_back, standard[key], column) for key, column in _used(chosen).items()}
    good, bad = examine(used, chunk, rows)
    return ChosenMuons(replace(found, columns=used), good, fell_back & good, stored, unit, bad)


def _used(chosen: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    used = {key: chosen[key] for key in NANO}
    if PT_FACTOR in chosen:
        with np.errstate(invalid="ignore", over="ignore"):  # such muons are bad
            used["Muon_pt"] = used["Muon_pt"].astype(np.float64) * chosen[PT_FACTOR]
    return used
