"""Measurements of tracks, structs of arrays: the hits of track i are rows offsets[i] ... offsets[i + 1] - 1."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from muonkit.core.arrays import AnyArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Hits:
    """offsets (n_tracks + 1); per hit surface (k,): index in the detector; value (k, 2) [cm]: along the measured
    directions of the surface, the second 0 where only one is measured; variance (k, 2) [cm^2]."""

    offsets: IntArray
    surface: IntArray
    value: FloatArray
    variance: FloatArray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, tracks: AnyArray | slice) -> Self:
        """The hits of the tracks selected by a mask, an index array or a slice."""
        offsets, rows = select(self.offsets, tracks)
        return type(self)(offsets, self.surface[rows], self.value[rows], self.variance[rows])

    @property
    def track(self) -> IntArray:
        """Number of the track of every hit (k,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))


@dataclass(frozen=True, slots=True)
class Sensors:
    """What the hits of a detector refer to: its name, the checksum of its description, and per surface its name, how
    many coordinates (m,) it measures, 0, 1 or 2, and from where to where (m, 2, 2) [cm] each of them reaches: the
    lowest, and the highest, of u and v."""

    detector: str
    checksum: str
    names: tuple[str, ...]
    measured: IntArray
    spans: FloatArray


@dataclass(frozen=True, slots=True)
class TrackHits:
    """The hits of tracks that have names: event (n,) and track (n,) in the event."""

    event: IntArray
    track: IntArray
    hits: Hits

    def __len__(self) -> int:
        return len(self.event)


def select(offsets: IntArray, tracks: AnyArray | slice) -> tuple[IntArray, IntArray]:
    """Offsets (m + 1,) of the m selected tracks, and the rows (k,) of their hits, in the order of the selection."""
    chosen = np.arange(len(offsets) - 1)[tracks]
    count = np.diff(offsets)[chosen]
    ends = np.concatenate(([0], np.cumsum(count)))
    rows = np.arange(ends[-1]) - np.repeat(ends[:-1] - offsets[chosen], count)
    return ends, rows


def concatenate(tables: Sequence[Hits]) -> Hits:
    """The tracks of many tables, one after the other. Raises ValueError if there is no table."""
    count = np.concatenate([np.diff(table.offsets) for table in tables])
    columns = [np.concatenate([getattr(table, name) for table in tables]) for name in ("surface", "value", "variance")]
    return Hits(np.concatenate(([0], np.cumsum(count))), *columns)
