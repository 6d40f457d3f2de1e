"""What truly happened to simulated particles, a struct of arrays. The fit never sees it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from muonkit.core.arrays import AnyArray, FloatArray, IntArray
from muonkit.core.particles import PDG_ID, SPECIES
from muonkit.data.hits import select

GUN = "gun"
PARENTS = (GUN, *PDG_ID)
ENDS = ("left", "stopped", "looping", "out_of_map", "step_limit", "interacted", "decayed")
WORDS = {"parent": PARENTS, "species": SPECIES, "end": ENDS}
"""What columns of words may hold; the tables have the position in these tuples."""

PER_TRACK = ("vertex", "momentum", "charge", "pdg_id", "status")
PER_CROSSING = ("surface", "position", "direction", "qop")


@dataclass(frozen=True, slots=True)
class Truth:
    """Per track: vertex (n, 3) [cm], momentum (n, 3) [GeV] and charge (n,) there, pdg_id (n,), status (n,): why it
    ended, see `simulation.step`. Per crossing of a surface, in the order of the track, rows offsets[i] ...
    offsets[i + 1] - 1 of track i: surface (k,), position (k, 3) [cm], direction (k, 3), qop (k,) [1/GeV], as the
    particle arrives, before the matter of the surface acts."""

    vertex: FloatArray
    momentum: FloatArray
    charge: FloatArray
    pdg_id: IntArray
    status: IntArray
    offsets: IntArray
    surface: IntArray
    position: FloatArray
    direction: FloatArray
    qop: FloatArray

    def __len__(self) -> int:
        return len(self.charge)

    def __getitem__(self, tracks: AnyArray | slice) -> Self:
        """The tracks selected by a mask, an index array or a slice."""
        offsets, rows = select(self.offsets, tracks)
        columns = {name: getattr(self, name)[tracks] for name in PER_TRACK}
        columns |= {name: getattr(self, name)[rows] for name in PER_CROSSING}
        return type(self)(offsets=offsets, **columns)

    @property
    def track(self) -> IntArray:
        """Number of the track of every crossing (k,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))


def concatenate(tables: Sequence[Truth]) -> Truth:
    """The tracks of many tables, one after the other. Raises ValueError if there is no table."""
    count = np.concatenate([np.diff(table.offsets) for table in tables])
    columns = {name: np.concatenate([getattr(table, name) for table in tables]) for name in PER_TRACK + PER_CROSSING}
    return Truth(offsets=np.concatenate(([0], np.cumsum(count))), **columns)


@dataclass(frozen=True, slots=True)
class TrackTruth:
    """Where simulated tracks begin, after the radiation of the decay. event (n,), track (n,) in the event; parent (n,),
    species (n,): positions in PARENTS and SPECIES; charge (n,); position (n, 3) [cm], momentum (n, 3) [GeV];
    parent_mass (n,) [GeV], before radiation, NaN for a gun; end (n,): position in ENDS."""

    event: IntArray
    track: IntArray
    parent: IntArray
    species: IntArray
    charge: IntArray
    position: FloatArray
    momentum: FloatArray
    parent_mass: FloatArray
    end: IntArray

    def __len__(self) -> int:
        return len(self.event)

    def __getitem__(self, rows: AnyArray | slice) -> Self:
        """The tracks selected by a mask, an index array or a slice."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))
