"""What both engines leave: crossings of sensors by charged particles, and the truth of every primary."""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from muonkit.core.arrays import AnyArray, FloatArray, IntArray
from muonkit.detector.detector import Detector
from muonkit.detector.surfaces import DISC, PLANE, inside
from muonkit.simulation.kernels.indices import MASS, PX, TIME


@dataclass(frozen=True, slots=True)
class Crossings:
    """track (k,): row of the primary; surface (k,); position (k, 3) [cm]; momentum (k, 3) [GeV]; mass (k,) [GeV]; time
    (k,) [ns]; sorted by track."""

    track: IntArray
    surface: IntArray
    position: FloatArray
    momentum: FloatArray
    mass: FloatArray
    time: FloatArray

    def __len__(self) -> int:
        return len(self.track)

    def __getitem__(self, rows: AnyArray | slice) -> Self:
        """The crossings selected by a mask, an index array or a slice."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))


NOTHING, NOWHERE = np.zeros(0, dtype=np.int64), np.zeros((0, 3))
NO_CROSSINGS = Crossings(NOTHING, NOTHING, NOWHERE, NOWHERE, np.zeros(0), np.zeros(0))


@dataclass(frozen=True, slots=True)
class Simulated:
    """crossings of n primaries; begin (n, 6): position [cm] and momentum [GeV] of the charged particle that leaves the
    tracker, charge (n,) its charge, 0 if there is none; fate (n,), end (n, 3) [cm], soft (n,) [GeV]: see `KLMTruth`."""

    crossings: Crossings
    begin: FloatArray
    charge: FloatArray
    fate: IntArray
    end: FloatArray
    soft: FloatArray


def joined(one: Crossings, other: Crossings) -> Crossings:
    """Both, one behind the other."""
    names = Crossings.__slots__
    return Crossings(*(np.concatenate((getattr(one, name), getattr(other, name))) for name in names))


def from_rows(track: IntArray, surface: IntArray, rows: FloatArray) -> Crossings:
    """From the numbers of an engine: position, momentum, mass, time (k, 8 or more)."""
    numbers = rows[:, :PX], rows[:, PX:MASS], rows[:, MASS], rows[:, TIME]
    return Crossings(track, surface, *(column.copy() for column in numbers))


def surface_at(detector: Detector, position: FloatArray) -> IntArray:
    """The sensor in whose bounds each point (k, 3) lies, -1 for none."""
    S = detector.surfaces
    found = np.full(len(position), -1)
    for i in np.flatnonzero((S.n_measured > 0) & ((S.kind == PLANE) | (S.kind == DISC))):
        local = (position - S.center[i]) @ S.axes[i].T
        found[(np.abs(local[:, 2]) < 1e-3) & inside(S, np.full(len(local), i), local[:, :2])] = i
    return found
