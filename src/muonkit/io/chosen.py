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
    """The muons of all events of a piece: `lists` by the canonical names of their columns; `read`: all columns (k,) as
    they are in the file. Of every muon (k,): whether it is valid; whether it has the standard columns although others
    were chosen. bad: what is wrong with muons."""

    lists: Lists
    read: Mapping[str, AnyArray]
    good: BoolArray
    fell_back: BoolArray
    bad: tuple[BadRows, ...]

    @property
    def stored(self) -> AnyArray:
        """The content (k,) of the column that holds corrected pT."""
        return self.read.get(PT_FACTOR, self.read["Muon_pt"])

    @property
    def unit(self) -> FloatArray:
        """By what that column is multiplied to give pT [GeV] (k,)."""
        pt = self.read["Muon_pt"]
        return pt.astype(np.float64) if PT_FACTOR in self.read else np.ones(len(pt))


def chosen_muons(raw: Mapping[str, Any], chunk: Chunk) -> ChosenMuons:
    """The muons of a piece. `raw`: canonical name -> awkward array, one entry per event. Raises InputError if the lists
    of one event differ in length, or if charges are unsigned and hold -1."""
    found = Lists.of({key: raw[key] for key in raw if of_muons(key)}, chunk)
    read, rows = found.columns, found.event + chunk.start
    check_charges(read, chunk)
    chosen = {key: read[key] for key in (*NANO, PT_FACTOR) if key in read}
    used, examined, fell_back = _used(chosen), chosen, np.zeros(len(rows), np.bool_)
    if chunk.fallback is not None:
        fell_back = _fails(chosen, read, chunk)
        used = {key: np.where(fell_back, read.get(STANDARD + key, read[key]), used[key]) for key in NANO}
        examined = used
    good, bad = examine(examined, chunk, rows)
    return ChosenMuons(replace(found, columns=used), read, good, fell_back & good, bad)


def _fails(chosen: Mapping[str, AnyArray], read: Mapping[str, AnyArray], chunk: Chunk) -> BoolArray:
    """Which muons (k,) are none in the chosen columns, or do not fulfil the conditions."""
    good, _ = examine(chosen, chunk)
    for condition in chunk.fallback.conditions if chunk.fallback else ():
        good &= condition.holds(read[REQUIRE + condition.column])
    return ~good


def _used(chosen: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    """The columns of NANO, with pT as the product where it is relative."""
    used = {key: chosen[key] for key in NANO}
    if PT_FACTOR in chosen:
        with np.errstate(invalid="ignore", over="ignore"):  # such muons are bad
            used["Muon_pt"] = used["Muon_pt"].astype(np.float64) * chosen[PT_FACTOR]
    return used
