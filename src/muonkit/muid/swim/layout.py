"""Where the planes of the muon detector are, for the kernels.

A region is the thick volume in which its planes stand; without one, it is the whole envelope."""

from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.data.klm import BACKWARD, BARREL, ENDCAP, FORWARD, SECTIONS
from muonkit.data.muid import BARREL_LAYERS, ENDCAP_LAYERS
from muonkit.detector.detector import Detector
from muonkit.detector.planes import QUADRANTS, plane_names
from muonkit.detector.strips import chambers
from muonkit.detector.surfaces import CYLINDER, DISC, WHOLE
from muonkit.detector.volumes import NOWHERE, ROUND, locate

MISSING = -1


class LayoutArrays(NamedTuple):
    """What the kernels see.

    z0 [cm]: between backward and forward; phi0: azimuth of barrel sector 1; barrel (2, sectors, 15): surface by
    section, sector, layer, or MISSING; endcap (2, 4, 14): the same by section, quadrant in the order of azimuth, layer;
    barrel_last, endcap_last (2,): outermost layer of a section; barrel_region (4,), endcap_region (2, 4): r_min, r_max,
    z_min, z_max [cm], z relative to z0; grows (surfaces,): whether the variance of a hit grows with its cluster; holds
    (slices + 1,): whether planes stand in a slice of a volume, the last: outside of all."""

    z0: float
    phi0: float
    barrel: IntArray
    endcap: IntArray
    barrel_last: IntArray
    endcap_last: IntArray
    barrel_region: FloatArray
    endcap_region: FloatArray
    grows: BoolArray
    holds: BoolArray


def build_layout(detector: Detector, first_rpc_layer: int) -> LayoutArrays:
    """The layout of a detector; barrel layers from `first_rpc_layer` on are resistive plate chambers.

    Raises InputError if names or planes do not make sense."""
    planes = plane_names(detector)
    if np.any(detector.surfaces.kind[[plane.surface for plane in planes]] == CYLINDER):
        raise InputError(f"{detector.name}: a muon detector is made of planes and discs, not of cylinders")
    barrel = [plane for plane in planes if plane.region == BARREL]
    endcap = [plane for plane in planes if plane.region == ENDCAP]
    by_sector = np.full((2, max((p.sector for p in barrel), default=1), BARREL_LAYERS), MISSING)
    by_quadrant = np.full((2, QUADRANTS, ENDCAP_LAYERS), MISSING)
    for plane in barrel:
        by_sector[plane.section, plane.sector - 1, plane.layer] = plane.surface
    for plane in endcap:
        by_quadrant[plane.section, _quadrants(detector, plane.surface), plane.layer] = plane.surface
    _require_quadrants(detector, by_quadrant)
    z0, barrel_region = _region(detector, by_sector)
    ends = [_region(detector, by_quadrant[section]) for section in (BACKWARD, FORWARD)]
    if not barrel:
        z0 = next(z for (z, _), row in zip(ends, by_quadrant, strict=True) if np.any(row != MISSING))
    return LayoutArrays(
        z0,
        _first_azimuth(detector, by_sector),
        by_sector,
        by_quadrant,
        np.array([_last(by_sector)] * 2),
        np.array([_last(section) for section in by_quadrant]),
        barrel_region,
        np.stack([region for _, region in ends]),
        chambers(detector, first_rpc_layer),
        _holds(detector, np.array([plane.surface for plane in planes])),
    )


def _quadrants(detector: Detector, surface: int) -> list[int]:
    """The quadrants, 0 to 3 in the order of azimuth, that an endcap plane covers."""
    S = detector.surfaces
    if S.kind[surface] == DISC and S.bounds[surface, 3] == WHOLE:
        return list(range(QUADRANTS))
    x, y = (S.axes[surface, 0] + S.axes[surface, 1])[:2]
    return [int(np.arctan2(y, x) // (np.pi / 2)) % QUADRANTS]


def _require_quadrants(detector: Detector, by_quadrant: IntArray) -> None:
    there = by_quadrant != MISSING
    lacking = np.argwhere(there.any(axis=1) & ~there.all(axis=1))
    if len(lacking):
        section, layer = lacking[0]
        name = f"endcap/{SECTIONS[section]}/SECTOR/{layer:02d}"
        raise InputError(f"{detector.name}: layer {name} does not cover all quadrants; give a disc, or four of them")


def _on_planes(detector: Detector, surfaces: IntArray) -> FloatArray:
    """A point (n, 3) of every surface that is surely within its bounds."""
    S = detector.surfaces
    point: FloatArray = S.center[surfaces] + S.bounds[surfaces][:, :1] * S.axes[surfaces, 0]
    return point


def _holds(detector: Detector, surfaces: IntArray) -> BoolArray:
    V = detector.volumes
    holds = np.zeros(len(V.material) + 1, dtype=np.bool_)
    block, part = locate(V, _on_planes(detector, surfaces))
    holds[np.where(block == NOWHERE, -1, V.first[block] + part)] = True
    return holds


def _last(surfaces: IntArray) -> int:
    """The outermost layer that exists, -1 if none."""
    there = np.flatnonzero(np.any(np.atleast_2d(surfaces.reshape(-1, surfaces.shape[-1])) != MISSING, axis=0))
    return int(there[-1]) if len(there) else -1


def _region(detector: Detector, surfaces: IntArray) -> tuple[float, FloatArray]:
    """z0 and (r_min, r_max, z_min, z_max) of the volume around the planes."""
    there = surfaces[surfaces != MISSING]
    r, low, high = detector.envelope
    if not len(there):
        return 0.0, np.array([0.0, 0.0, 0.0, 0.0])
    blocks = {int(block) for block in locate(detector.volumes, _on_planes(detector, there))[0]}
    if blocks == {NOWHERE}:
        return 0.0, np.array([0.0, r, low, high])
    if len(blocks) > 1:
        names = ", ".join(detector.layers[i] for i in there[:2])
        raise InputError(f"{detector.name}: the planes of one region ({names}, ...) stand in different volumes")
    return _box(detector, blocks.pop())


def _box(detector: Detector, block: int) -> tuple[float, FloatArray]:
    V = detector.volumes
    corner = 1.0 if V.sides[block] == ROUND else 1 / np.cos(np.pi / V.sides[block])
    box = np.array([V.rho_min[block], V.rho_max[block] * corner, V.z_min[block], V.z_max[block]])
    return float(V.z0[block]), box


def _first_azimuth(detector: Detector, by_sector: IntArray) -> float:
    """Azimuth of sector 1. Raises InputError if the planes of a sector do not look its way."""
    sectors = by_sector.shape[1]
    w = detector.surfaces.axes[by_sector, 2]
    phi = np.arctan2(w[..., 1], w[..., 0])
    there = by_sector != MISSING
    if not np.any(there):
        return 0.0
    section, layer = np.argwhere(there[:, 0])[0]
    first = float(phi[section, 0, layer])
    wanted = first + 2 * np.pi * np.arange(sectors)[:, None] / sectors
    off = np.abs(np.angle(np.exp(1j * (phi - wanted)))) > 1e-6
    if np.any(there & off):
        raise InputError(f"{detector.name}: barrel sectors must follow each other every {360 / sectors:g} degrees")
    return first
