"""NanoAOD, events with lists of muons -> Dimuons: one pair for every mu+ mu- of an event. In simulation each muon
needs its generator muon (status 1, same charge): Muon_genPartIdx if it is there, else the nearest within dR < 0.05."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import awkward as ak
import numpy as np

from muonkit.core.arrays import AnyArray, BoolArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.kinematics import MuonArrays
from muonkit.data.dimuons import Dimuons
from muonkit.io.checks import check_charges, examine
from muonkit.io.chunks import Checked, Chunk, Summary
from muonkit.io.names import IDENTITY, NANO, NANO_GENERATOR, NANO_MATCH
from muonkit.io.pairs import identity, integers, weight

MUON = 13
MAX_DR = 0.05


@dataclass(frozen=True, slots=True)
class Lists:
    """The lists of all events, one after the other. columns: name -> (k,); event (k,): number, from 0, of the event of
    an item; offsets (n + 1,): number of items before every event."""

    columns: dict[str, AnyArray]
    event: IntArray
    offsets: IntArray

    @classmethod
    def of(cls, jagged: Mapping[str, Any], chunk: Chunk) -> Self:
        """From awkward arrays with one list per event. Raises InputError if the lists of one event differ in length."""
        first, *others = jagged
        counts = ak.to_numpy(ak.num(jagged[first]))
        for other in others:
            if not np.array_equal(ak.to_numpy(ak.num(jagged[other])), counts):
                pair = f"'{chunk.names[first]}' and '{chunk.names[other]}'"
                raise InputError(f"{chunk.name}: {pair} have lists of different length. Name lists of the same muons.")
        columns = {key: plain(ak.flatten(lists)) for key, lists in jagged.items()}
        return cls(columns, np.repeat(np.arange(len(counts)), counts), np.concatenate([[0], np.cumsum(counts)]))

    def places(self, chosen: BoolArray) -> Any:
        """Positions of the chosen items (k,), as an awkward array with one list per event."""
        events = len(self.offsets) - 1
        return ak.unflatten(np.flatnonzero(chosen), np.bincount(self.event[chosen], minlength=events))


def plain(column: Any) -> AnyArray:
    """A column with one number per event, or per item, as NumPy array (n,). What is absent is NaN."""
    return np.asarray(ak.to_numpy(ak.fill_none(column, np.nan)))


def dimuons(raw: Mapping[str, Any], chunk: Chunk) -> Checked:
    """The good pairs of a chunk of events, and what was found. `raw`: canonical name -> awkward array, one entry per
    event. Raises InputError if the lists of one event differ in length, or if charges are unsigned and hold -1."""
    muons = Lists.of({key: raw[key] for key in NANO}, chunk)
    check_charges(muons.columns, chunk)
    events = {key: plain(raw[key]) for key in (*IDENTITY, "weight") if key in raw}
    good, bad = examine(muons.columns, chunk, muons.event + chunk.start)
    good_event, bad_events = examine(events, chunk) if events else (np.ones(len(muons.offsets) - 1, np.bool_), ())
    good &= good_event[muons.event]
    plus, minus = crossed(muons.places(good & _charged(muons, 1)), muons.places(good & _charged(muons, -1)))
    counts = [np.bincount(muons.event[good & _charged(muons, q)], minlength=len(good_event)) for q in (1, -1)]
    same_sign = int(sum((n * (n - 1) // 2).sum() for n in counts))
    table = _table(muons, plus, minus, events)
    unmatched = 0
    if chunk.simulation:
        generator = truth(muons, raw, chunk)
        matched = np.isfinite(generator.pt[plus]) & np.isfinite(generator.pt[minus])
        unmatched = int((~matched).sum())
        table = _with_truth(table, *(MuonArrays(*(column[at] for column in generator)) for at in (plus, minus)))[
            matched
        ]
    return Checked(table, Summary(len(good), int((~good).sum()), bad + bad_events, same_sign, unmatched))


def crossed(first: Any, second: Any) -> tuple[IntArray, IntArray]:
    """All combinations, event by event, of an item of one list and an item of the other: two arrays (pairs,)."""
    one, other = ak.unzip(ak.flatten(ak.cartesian([first, second])))
    return ak.to_numpy(one).astype(np.int64), ak.to_numpy(other).astype(np.int64)


def _charged(muons: Lists, charge: int) -> BoolArray:
    return muons.columns["Muon_charge"] == charge


def _muon(muons: Lists, places: IntArray) -> MuonArrays:
    return MuonArrays(*(muons.columns[key][places].astype(np.float64) for key in NANO[:3]))


def _table(muons: Lists, plus: IntArray, minus: IntArray, events: Mapping[str, AnyArray]) -> Dimuons:
    columns = {key: column[muons.event[plus]] for key, column in events.items()}
    pairs = len(plus)
    return Dimuons(_muon(muons, plus), _muon(muons, minus), weight(columns, pairs), identity(columns, pairs))


def _with_truth(table: Dimuons, plus: MuonArrays, minus: MuonArrays) -> Dimuons:
    return Dimuons(table.plus, table.minus, table.weight, table.identity, plus, minus)


def truth(muons: Lists, raw: Mapping[str, Any], chunk: Chunk) -> MuonArrays:
    """The generator muon, pT [GeV], eta, phi [rad], of every muon (k,); NaN where there is none.
    Raises InputError if the lists of generator particles of one event differ in length."""
    particles = Lists.of({key: raw[key] for key in NANO_GENERATOR}, chunk)
    if NANO_MATCH in raw:
        places = _by_index(muons, integers(plain(ak.flatten(raw[NANO_MATCH]))), particles)
    else:
        places = _nearest(muons, particles)
    found = places >= 0
    columns = []
    for key in NANO_GENERATOR[:3]:
        column = np.full(len(places), np.nan)
        column[found] = particles.columns[key][places[found]]
        columns.append(column)
    return MuonArrays(*columns)


def _is_muon(particles: Lists, places: IntArray, charge: AnyArray) -> BoolArray:
    # the PDG number of mu- is +13
    same = integers(particles.columns["GenPart_pdgId"][places]) == -MUON * integers(charge)
    return same & (particles.columns["GenPart_status"][places] == 1)


def _by_index(muons: Lists, index: AnyArray, particles: Lists) -> IntArray:
    counts = np.diff(particles.offsets)[muons.event]
    found = (index >= 0) & (index < counts)
    places = np.where(found, particles.offsets[muons.event] + index, -1)
    found[found] = _is_muon(particles, places[found], muons.columns["Muon_charge"][found])
    return np.where(found, places, -1)


def _nearest(muons: Lists, particles: Lists) -> IntArray:
    final = np.abs(integers(particles.columns["GenPart_pdgId"])) == MUON
    muon, particle = crossed(muons.places(np.ones(len(muons.event), np.bool_)), particles.places(final))
    distance = _dr(muons, muon, particles, particle)
    near = (distance < MAX_DR) & _is_muon(particles, particle, muons.columns["Muon_charge"][muon])
    muon, particle, distance = muon[near], particle[near], distance[near]
    order = np.lexsort((distance, muon))
    first, where = np.unique(muon[order], return_index=True)
    places = np.full(len(muons.event), -1)
    places[first] = particle[order][where]
    return places


def _dr(muons: Lists, muon: IntArray, particles: Lists, particle: IntArray) -> FloatArray:
    eta = muons.columns["Muon_eta"][muon].astype(np.float64) - particles.columns["GenPart_eta"][particle]
    phi = muons.columns["Muon_phi"][muon].astype(np.float64) - particles.columns["GenPart_phi"][particle]
    return np.hypot(eta, np.mod(phi + np.pi, 2 * np.pi) - np.pi)
