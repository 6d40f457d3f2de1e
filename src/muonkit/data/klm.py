"""What the muon detector (KLM) saw, and the tracks that come to it, structs of arrays."""

from dataclasses import dataclass, fields
from typing import Self

from muonkit.core.arrays import AnyArray, FloatArray, IntArray
from muonkit.data.tracks import FreeStates

BARREL, ENDCAP = 0, 1
BACKWARD, FORWARD = 0, 1
REGIONS = ("barrel", "endcap")
SECTIONS = ("bwd", "fwd")
LEFT, STOPPED, DECAYED, INTERACTED = range(4)
FATES = ("left", "stopped", "decayed", "interacted")


@dataclass(frozen=True, slots=True)
class KLMHits:
    """Two-dimensional hits. event (k,), from 2^63 on its bits; region (k,): BARREL or ENDCAP; section (k,): BACKWARD or
    FORWARD; sector (k,) from 1; layer (k,) from 0; position (k, 3) [cm]; time (k,) [ns]; width (k, 2): strips in the
    cluster that measures phi, and in the one that measures z (endcap: the two planes)."""

    event: IntArray
    region: IntArray
    section: IntArray
    sector: IntArray
    layer: IntArray
    position: FloatArray
    time: FloatArray
    width: FloatArray

    def __len__(self) -> int:
        return len(self.event)

    def __getitem__(self, rows: AnyArray | slice) -> Self:
        """The hits selected by a mask, an index array or a slice."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class Candidates:
    """Tracks to be identified. event (n,), track (n,): their numbers, from 2^63 on their bits; states: at the outermost
    measured point, with covariance. halves (n, 2): of the two halves of the track in the tracker, fitted apart, the
    chi2 of their difference (5 degrees of freedom) and its pull in 1/pT, positive where the outer one has less
    momentum; NaN where nobody compared them, None where nobody did for any track."""

    event: IntArray
    track: IntArray
    states: FreeStates
    halves: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.event)

    def __getitem__(self, rows: AnyArray | slice) -> Self:
        """The tracks selected by a mask, an index array or a slice."""
        halves = None if self.halves is None else self.halves[rows]
        return type(self)(self.event[rows], self.track[rows], self.states[rows], halves)


@dataclass(frozen=True, slots=True)
class KLMTruth:
    """What a simulated track truly is, kept apart from what identification reads. event (n,), track (n,): its numbers;
    pdg_id (n,), signed; position (n, 3) [cm] and momentum (n, 3) [GeV] where the particle begins; fate (n,): how it
    ended, LEFT the detector, STOPPED, DECAYED in flight or INTERACTED with a nucleus, at end (n, 3) [cm]; soft (n,)
    [GeV]: summed momentum of electrons, neutrinos and photons that it decayed into or radiated at once."""

    event: IntArray
    track: IntArray
    pdg_id: IntArray
    position: FloatArray
    momentum: FloatArray
    fate: IntArray
    end: FloatArray
    soft: FloatArray

    def __len__(self) -> int:
        return len(self.event)

    def __getitem__(self, rows: AnyArray | slice) -> Self:
        """The tracks selected by a mask, an index array or a slice."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))
