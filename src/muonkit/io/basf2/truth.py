"""What the tracks of a simulated basf2 file truly are: the particle that the heaviest relation leads to.

How it ended follows from its daughters: one from a decay makes it decayed, one from a process with a nucleus makes it
interacted (numbers of processes are those of Geant4); without either it stopped, or left the detector."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from muonkit.core.arrays import AnyArray, BoolArray, FloatArray, IntArray
from muonkit.data.klm import DECAYED, INTERACTED, LEFT, STOPPED
from muonkit.io.basf2.rows import Columns, Rows, first_rows, relate, starts_of
from muonkit.io.basf2.tracks import PLACES, TRACKS, track_counts
from muonkit.io.basf2.tree import EventTree, OpenTree

PARTICLES, TRACKS_TO_PARTICLES = "MCParticles", "TracksToMCParticles"
PDG, PROCESS, FIRST, LAST = "m_pdg", "m_secondaryPhysicsProcess", "m_firstDaughter", "m_lastDaughter"
BEGIN = ("m_productionVertex_x", "m_productionVertex_y", "m_productionVertex_z")
MOMENTUM = ("m_momentum_x", "m_momentum_y", "m_momentum_z")
END = ("m_decayVertex_x", "m_decayVertex_y", "m_decayVertex_z")
MEMBERS = (PDG, PROCESS, FIRST, LAST, *BEGIN, *MOMENTUM, *END)
DECAY, NUCLEAR = 201, (111, 121, 131, 132, 133, 151, 161)
LIGHT = (11, 12, 14, 16, 22)  # electrons, neutrinos, photons
OUTSIDE = 380.0  # cm from the axis, or from the middle along it: behind the last plate
UNKNOWN = 0  # the code of a track without a particle


@dataclass(frozen=True)
class TruthRows(Rows):
    """A row for every track, as in `io.klm.TRUTH_COLUMNS`; pdg_id UNKNOWN and NaN for one without a particle."""

    names: ClassVar[tuple[str, ...]] = (
        *("pdg_id", "x", "y", "z", "px", "py", "pz"),
        *("fate", "end_x", "end_y", "end_z", "soft_p"),
    )

    def columns(self, here: OpenTree, entries: slice) -> tuple[IntArray, Columns]:
        tracks = here.read(TRACKS, (PLACES,), entries)[PLACES].counts
        found = here.read(PARTICLES, MEMBERS, entries)
        particles = found[PDG].counts
        values = {name: one.values for name, one in found.items()}
        row = relate(here, TRACKS_TO_PARTICLES, entries, tracks, particles)
        table = particle_table(values, particles)
        return tracks, {name: _of(column, row) for name, column in table.items()}


def open_truth_rows(tree: EventTree) -> TruthRows:
    """The truth of a file. Raises InputError if it is not simulation."""
    tree.require(TRACKS, PLACES)
    tree.require(PARTICLES, *MEMBERS)
    tree.require(TRACKS_TO_PARTICLES, "m_from", "m_to", "m_weights")
    return TruthRows(tree, first_rows(tree, track_counts(tree)))


def particle_table(values: dict[str, AnyArray], counts: IntArray) -> Columns:
    """The columns of all particles (k,), `counts` (n,) of them in every entry."""
    three = [
        dict(
            zip((f"{prefix}{axis}" for axis in "xyz"), (values[name].astype(np.float64) for name in names), strict=True)
        )
        for prefix, names in (("", BEGIN), ("p", MOMENTUM), ("end_", END))
    ]
    momentum = np.sqrt(sum(column**2 for column in three[1].values()))
    fate, soft = fates(values, counts, momentum)
    return {"pdg_id": values[PDG].astype(np.int64)} | three[0] | three[1] | {"fate": fate} | three[2] | {"soft_p": soft}


def fates(values: dict[str, AnyArray], counts: IntArray, momentum: FloatArray) -> tuple[IntArray, FloatArray]:
    """How every particle ended (k,), and the momentum [GeV] (k,) of its light daughters."""
    process, light = values[PROCESS].astype(np.int64), np.isin(np.abs(values[PDG].astype(np.int64)), LIGHT)
    start = np.repeat(starts_of(counts), counts)
    low, high = _daughters(values, start, np.repeat(counts, counts))

    def among(daughters: AnyArray) -> FloatArray:
        sums = np.concatenate(([0.0], np.cumsum(daughters)))
        return np.asarray(sums[high] - sums[low])

    decayed, interacted = among(process == DECAY) > 0, among(np.isin(process, NUCLEAR)) > 0
    away = np.where(left_detector(values), LEFT, STOPPED)
    fate = np.where(decayed, DECAYED, np.where(interacted, INTERACTED, away))
    return fate, among(np.where(light, momentum, 0.0))


def _daughters(values: dict[str, AnyArray], start: IntArray, number: IntArray) -> tuple[IntArray, IntArray]:
    """First and behind the last daughter (k,) of every particle; basf2 counts them from 1, 0 is none."""
    first, last = (values[name].astype(np.int64) for name in (FIRST, LAST))
    some = (first > 0) & (last >= first) & (last <= number)
    return np.where(some, start + first - 1, 0), np.where(some, start + last, 0)


def left_detector(values: dict[str, AnyArray]) -> BoolArray:
    """Whether the particles end behind the muon detector (k,)."""
    x, y, z = (values[name].astype(np.float64) for name in END)
    return np.asarray((np.hypot(x, y) > OUTSIDE) | (np.abs(z - 47.0) > OUTSIDE))


def _of(column: AnyArray, row: IntArray) -> AnyArray:
    """Values of the particles in these rows (k,), what stands for nothing where there is none."""
    nothing = np.nan if column.dtype.kind == "f" else UNKNOWN
    if not len(column):
        return np.full(len(row), nothing)
    return np.where(row >= 0, column[row], nothing)
