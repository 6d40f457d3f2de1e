"""Tracks with their true species and momentum, as the counting needs them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from muonkit.core.arrays import AnyArray, BoolArray, FloatArray, IntArray
from muonkit.core.particles import species
from muonkit.data.klm import KLMTruth
from muonkit.data.muid import LAYERS, MuidTracks
from muonkit.muid.likelihood.hypotheses import HYPOTHESES, LEPTONS
from muonkit.muid.likelihood.outcome import NOT_REACHED
from muonkit.muid.performance.config import Performance, TrackSelection
from muonkit.muid.performance.score import TRANSFORMS, delta
from muonkit.muid.tracker_decays import in_tracker

MOST = 1 << 31  # of a number of layers or hits, an outcome or a bit pattern: more is none
NUMBERS = (
    *("outcome", "is_forward", "ext_layer_pattern", "hit_layer_pattern"),
    *("barrel_ext_layer", "endcap_ext_layer", "barrel_hit_layer", "endcap_hit_layer", "ndof"),
)
UNKNOWN = -1  # species: none of the six


@dataclass(frozen=True, slots=True)
class LabelledTracks:
    """species (n,): place in HYPOTHESES; p [GeV], theta, phi [deg] (n,): true, where the particle begins; fate (n,),
    see `data.klm`; in_tracker (n,): whether it decayed inside of the tracker; scores (n, 1 + others): Delta, then other
    scores; probability (n, 6), NaN if not computed; tracks: what the extrapolation left, charge from the truth."""

    species: IntArray
    p: FloatArray
    theta: FloatArray
    phi: FloatArray
    fate: IntArray
    in_tracker: BoolArray
    scores: FloatArray
    probability: FloatArray
    tracks: MuidTracks

    def __len__(self) -> int:
        return len(self.p)

    def __getitem__(self, rows: AnyArray | slice) -> Self:
        """The tracks selected by a mask, an index array or a slice."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))


def needed(config: Performance) -> tuple[str, ...]:
    """Columns of the identified table."""
    both = (f"logL_{config.signal}", f"logL_{config.background}")
    probabilities = (f"p_{name}" for name in HYPOTHESES)
    others = (choice.column for choice in config.score)
    return ("event", "track", "status", *NUMBERS, "chi2", "junk", *both, *probabilities, *others)


def labelled(table: Mapping[str, AnyArray], truth: KLMTruth, config: Performance) -> LabelledTracks:
    """Rows of an identified table, NaN for what was not computed, with their truth (n), row by row the same tracks."""
    number = species_of(truth.pdg_id)
    p = np.linalg.norm(truth.momentum, axis=1)
    x, y, z = truth.momentum.T
    theta, phi = np.degrees(np.arctan2(np.hypot(x, y), z)), np.degrees(np.arctan2(y, x))
    probability = np.column_stack([table[f"p_{name}"] for name in HYPOTHESES])
    tracks = muid_tracks(table, charge_of(truth.pdg_id))
    inside = in_tracker(truth, config.selection.tracker)
    return LabelledTracks(number, p, theta, phi, truth.fate, inside, scores(table, config), probability, tracks)


def scores(table: Mapping[str, AnyArray], config: Performance) -> FloatArray:
    """Delta and all other scores (n, 1 + others)."""
    fails = np.equal(table["junk"], 1) if config.selection.junk == "fail" else np.zeros(len(table["junk"]), np.bool_)
    difference = delta(table[f"logL_{config.signal}"], table[f"logL_{config.background}"], fails)
    others = (TRANSFORMS[choice.transform](table[choice.column]) for choice in config.score)
    return np.column_stack([difference, *others])


def muid_tracks(table: Mapping[str, AnyArray], charge: FloatArray) -> MuidTracks:
    """As identification saw them; efficiencies are not in the table and taken as 1."""
    default = dict.fromkeys(NUMBERS, 0) | {name: -1 for name in NUMBERS if name.endswith("layer")}
    columns: dict[str, AnyArray] = {}
    for name in NUMBERS:
        values = np.nan_to_num(table[name].astype(np.float64), nan=default[name])
        columns[name] = np.clip(values, -MOST, MOST).astype(np.int64)
    columns["is_forward"] = columns["is_forward"] == 1
    ones = np.broadcast_to(1.0, (len(charge), LAYERS))
    return MuidTracks(charge, chi2=table["chi2"], efficiency=ones, status=table["status"], **columns)


def species_of(pdg_id: IntArray) -> IntArray:
    """Place in HYPOTHESES (n,) of PDG codes; UNKNOWN for others."""
    found = np.full(len(pdg_id), UNKNOWN)
    for place, name in enumerate(HYPOTHESES):
        found[np.abs(pdg_id) == abs(species(name).pdg_id)] = place
    return found


def charge_of(pdg_id: IntArray) -> FloatArray:
    """+1 or -1 (n,); a lepton with a positive code is negative."""
    lepton = np.isin(np.abs(pdg_id), [abs(species(name).pdg_id) for name in LEPTONS])
    return np.where((pdg_id > 0) != lepton, 1.0, -1.0)


def wanted(tracks: LabelledTracks, selection: TrackSelection) -> BoolArray:
    """Which tracks (n,) are not left out because of a decay in the tracker, or because nothing is known of them."""
    decayed = tracks.in_tracker & (selection.tracker_decays == "drop")
    return ~(decayed | (uninformed(tracks) & (selection.uninformed == "drop")))


def uninformed(tracks: LabelledTracks) -> BoolArray:
    """Which tracks (n,) reach the muon detector and cross no layer that works: dead strips or none, all the way."""
    return np.asarray((tracks.tracks.outcome > NOT_REACHED) & (tracks.tracks.ext_layer_pattern == 0))


def selected(tracks: LabelledTracks, selection: TrackSelection) -> BoolArray:
    """Which tracks count (n,), if they are wanted."""
    within = (tracks.p >= selection.p[0]) & (tracks.p < selection.p[1]) & (tracks.species != UNKNOWN)
    within &= (tracks.theta >= selection.theta[0]) & (tracks.theta < selection.theta[1])
    return np.asarray(within & ((tracks.tracks.outcome > NOT_REACHED) | (not selection.reached)))


def endcap_sides(tracks: LabelledTracks) -> IntArray:
    """Tracks that cross layers of an endcap, and how many of them (2,) do so in the half that the truth points to: all
    but a few, if the truth is theirs."""
    crossed = (tracks.tracks.endcap_ext_layer >= 0) & np.isfinite(tracks.theta)
    agree = crossed & (tracks.tracks.is_forward == (tracks.theta < 90))
    return np.array([crossed.sum(), agree.sum()])
