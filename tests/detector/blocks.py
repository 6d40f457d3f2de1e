"""Blocks of matter for tests, without a description."""

import numpy as np

from muonkit.detector.volumes import RHO, VolumeArrays, Z, bounding

WHOLE = {"sides", "axis", "first", "count", "material"}


def slices(edges: tuple[float, ...], materials: tuple[int, ...], axis: int = Z, sides: int = 0) -> VolumeArrays:
    """One block around the z axis, cut along Z or along RHO."""
    low, high = edges[0], edges[-1]
    rho, z = ((low, high), (-1e3, 1e3)) if axis == RHO else ((0.0, 1e3), (low, high))
    hole, reach = bounding(sides, *rho)
    own = {"rho_min": rho[0], "rho_max": rho[1], "half_width": np.inf, "hole": hole, "reach": reach}
    own |= {"z_min": z[0], "z_max": z[1], "sides": sides, "axis": axis, "count": len(materials)}
    columns = {name: np.array([own.get(name, 0)], dtype=kind(name)) for name in VolumeArrays._fields}
    columns |= {"edges": np.array(edges, dtype=np.float64), "material": np.array(materials, dtype=np.int64)}
    return VolumeArrays(**columns)


def nothing() -> VolumeArrays:
    """No thick volumes."""
    return VolumeArrays(*(np.zeros(0, kind(name)) for name in VolumeArrays._fields))


def kind(name: str) -> type:
    """Type of the numbers of a column."""
    return np.int64 if name in WHOLE else np.float64
