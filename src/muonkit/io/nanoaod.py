"""NanoAOD, events with lists of muons -> Dimuons: one pair for every mu+ mu- of an event. In simulation each muon
needs its generator muon (status 1, same charge): Muon_genPartIdx if it is there, else the nearest within dR < 0.05."""

from collections.abc import Mapping
from typing import Any

import awkward as ak
import numpy as np

from muonkit.core.arrays import AnyArray, BoolArray, FloatArray, IntArray
from muonkit.core.kinematics import MuonArrays
from muonkit.data.dimuons import Dimuons
from muonkit.io.checks import examine
from muonkit.io.chosen import chosen_muons
from muonkit.io.chunks import Checked, Chunk, Summary
from muonkit.io.lists import Lists, plain
from muonkit.io.names import IDENTITY, NANO, NANO_GENERATOR, NANO_MATCH
from muonkit.io.pairs import identity, integers, weight

MUON = 13
MAX_DR = 0.05


def dimuons(raw: Mapping[str, Any], chunk: Chunk) -> Checked:
    """The good pairs of a chunk of events, and what was found. `raw`: canonical name -> awkward array, one entry per
    event. Raises InputError if the lists of one event differ in length, or if charges are unsigned and hold -1."""
    chosen = chosen_muons(raw, chunk)
    muons, good = chosen.lists, chosen.good
    events = {key: plain(raw[key]) for key in (*IDENTITY, "weight") if key in raw}
    good_event, bad_events = examine(events, chunk) if events else (np.ones(len(muons.offsets) - 1, np.bool_), ())
    good = good & good_event[muons.event]
    plus, minus = crossed(muons.places(good & _charged(muons, 1)), muons.places(good & _charged(muons, -1)))
    counts = [np.bincount(muons.event[good & _charged(muons, q)], minlength=len(good_event)) for q in (1, -1)]
    same_sign = int(sum((n * (n - 1) // 2).sum() for n in counts))
    table = _table(muons, plus, minus, events)
    mixed = chosen.fell_back[plus] != chosen.fell_back[minus]
    unmatched = 0
    if chunk.simulation:
        generator = truth(muons, raw, chunk)
        matched = np.isfinite(generator.pt[plus]) & np.isfinite(generator.pt[minus])
        unmatched = int((~matched).sum())
        pair = (MuonArrays(*(column[at] for column in generator)) for at in (plus, minus))
        table, mixed = _with_truth(table, *pair)[matched], mixed[matched]
    fell_back = int((chosen.fell_back & good).sum())
    bad = chosen.bad + bad_events
    summary = Summary(len(good), int((~good).sum()), bad, same_sign, unmatched, fell_back, int(mixed.sum()))
    return Checked(table, summary)


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
