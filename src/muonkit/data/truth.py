"""What really happened to simulated tracks, a struct of arrays. The fit never sees it."""

from dataclasses import dataclass
from typing import Self

from muonkit.core.arrays import AnyArray, FloatArray, IntArray
from muonkit.data.hits import select


@dataclass(frozen=True, slots=True)
class Truth:
    """Per track: vertex (n, 3) [cm], momentum (n, 3) [GeV], charge (n,), status (n,), see `simulation.kernels`. Per
    crossing of a surface, of track i rows offsets[i] ... offsets[i + 1] - 1: surface (k,), position (k, 3), direction
    (k, 3), qop (k,) [1/GeV], all as the track arrives, before the matter of the surface acts."""

    vertex: FloatArray
    momentum: FloatArray
    charge: FloatArray
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
        return type(self)(
            self.vertex[tracks],
            self.momentum[tracks],
            self.charge[tracks],
            self.status[tracks],
            offsets,
            self.surface[rows],
            self.position[rows],
            self.direction[rows],
            self.qop[rows],
        )
