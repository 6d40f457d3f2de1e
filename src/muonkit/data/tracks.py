"""Track states, structs of arrays: bound to surfaces of a detector, or free in space."""

from dataclasses import dataclass
from typing import Self

from muonkit.core.arrays import AnyArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class BoundStates:
    """States on surfaces. surface (n,): index in the detector; parameters (n, 5): loc0, loc1 [cm], phi, theta [rad],
    q/p [1/GeV]; covariance (n, 5, 5) of the parameters, or None."""

    surface: IntArray
    parameters: FloatArray
    covariance: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.surface)

    def __getitem__(self, rows: AnyArray | slice) -> Self:
        covariance = None if self.covariance is None else self.covariance[rows]
        return type(self)(self.surface[rows], self.parameters[rows], covariance)


@dataclass(frozen=True, slots=True)
class FreeStates:
    """States in space. position (n, 3) [cm], momentum (n, 3) [GeV], charge (n,) +1 or -1; covariance (n, 6, 6) of
    (x, y, z, px, py, pz), or None."""

    position: FloatArray
    momentum: FloatArray
    charge: FloatArray
    covariance: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.charge)

    def __getitem__(self, rows: AnyArray | slice) -> Self:
        covariance = None if self.covariance is None else self.covariance[rows]
        return type(self)(self.position[rows], self.momentum[rows], self.charge[rows], covariance)


@dataclass(frozen=True, slots=True)
class Perigees:
    """Tracks at their closest point to the beam line x = y = 0. parameters (n, 5): d0, z0 [cm], phi, theta [rad], q/p
    [1/GeV], with d0 = -x sin phi + y cos phi; covariance (n, 5, 5)."""

    parameters: FloatArray
    covariance: FloatArray

    def __len__(self) -> int:
        return len(self.parameters)

    def __getitem__(self, rows: AnyArray | slice) -> Self:
        return type(self)(self.parameters[rows], self.covariance[rows])


@dataclass(frozen=True, slots=True)
class Helices:
    """Tracks at their closest point to the axis x = y = 0, as Belle II stores them. parameters (n, 5): d0 [cm], phi0
    [rad], omega [1/cm], z0 [cm], tan lambda; the point is (d0 sin phi0, -d0 cos phi0, z0), omega has the sign of the
    charge; covariance (n, 5, 5); hypothesis (n,): PDG code of the species in the fit, 0 for a track without a fit,
    which has NaN."""

    parameters: FloatArray
    covariance: FloatArray
    hypothesis: IntArray

    def __len__(self) -> int:
        return len(self.parameters)

    def __getitem__(self, rows: AnyArray | slice) -> Self:
        return type(self)(self.parameters[rows], self.covariance[rows], self.hypothesis[rows])
