"""From a description to arrays: layers are copied, placed and named; blocks are cut into slices."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from muonkit.core.arrays import FloatArray, IntArray
from muonkit.detector.description import Description, Slice, Volume
from muonkit.detector.layers import Cylinder, Disc, Endcap, Layer, ModuleLayer, Plane
from muonkit.detector.material import Material
from muonkit.detector.modules import Modules, pieces
from muonkit.detector.surfaces import CYLINDER, DISC, PLANE, QUADRANT, WHOLE, SurfaceArrays
from muonkit.detector.volumes import CONES, RHO, ROUND, VolumeArrays, Z, bounding

MICROMETRE = 1e-4  # cm
VACUUM = "vacuum"
SIDES = {1: "fwd", -1: "bwd"}
"""Names of the two sides, by the sign of z."""


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Placement:
    """A surface: its name, its position, and how far it reaches. center (3,) [cm]; axes (3, 3); radius [cm] and bounds
    [cm] as in `SurfaceArrays`."""

    name: str
    kind: int
    center: FloatArray
    axes: FloatArray
    radius: float
    bounds: tuple[float, float, float, float]
    copy: int


@dataclass(frozen=True, slots=True)
class Block:
    """A thick volume: its name, its shape, and its slices as edges [cm] and materials. rho, rho_end and z: (low, high)
    [cm], z relative to z0; rho is that at the lower, rho_end that at the upper end."""

    name: str
    sides: int
    phi0: float
    z0: float
    axis: int
    rho: tuple[float, float]
    rho_end: tuple[float, float]
    half_width: float
    z: tuple[float, float]
    edges: tuple[float, ...]
    materials: tuple[str, ...]


def places(layer: Layer) -> Iterator[Placement]:
    """All surfaces of a layer that is none of modules, copy by copy; in a copy by side or by sector.
    Raises TypeError or ValueError if the pattern of its name formats a sector or a side that is not there."""
    for copy in range(layer.copies):
        match layer:
            case Cylinder():
                yield from _cylinders(layer, copy)
            case Disc():
                yield from _discs(layer, copy)
            case Plane():
                yield from _planes(layer, copy)


def _cylinders(layer: Cylinder, copy: int) -> Iterator[Placement]:
    radius, z = pick(layer.radius, copy), pick(layer.z, copy)
    reach = np.pi * radius / layer.sectors
    for sector in layer.numbers:
        axes = np.eye(3) @ _turned(layer, sector).T
        name = named(layer, copy, sector if layer.sectors > 1 else None)
        yield Placement(name, CYLINDER, np.array([0, 0, layer.z0]), axes, radius, (-reach, reach, *z), copy)


def _discs(layer: Disc, copy: int) -> Iterator[Placement]:
    for side in (1, -1) if layer.both_sides else (1,):
        center = np.array([0, 0, layer.z0 + side * pick(layer.z, copy)])
        bounds, said = (*pick(layer.r, copy), pick(layer.cross, copy)), SIDES[side] if layer.both_sides else None
        if not layer.quadrants:
            yield Placement(named(layer, copy, side=said), DISC, center, np.eye(3), 0.0, (*bounds, WHOLE), copy)
        for sector, signs in enumerate(layer.quadrants, 1):
            x, y = (1.0 if sign == "+" else -1.0 for sign in signs)
            name = named(layer, copy, sector, said)
            yield Placement(name, DISC, center, np.diag((x, y, x * y)), 0.0, (*bounds, QUADRANT), copy)


def _planes(layer: Plane, copy: int) -> Iterator[Placement]:
    normal, u = np.array(layer.normal), np.array(layer.u)
    across = pick(layer.across or tuple((-half, half) for half in layer.half_width or ()), copy)
    for sector in layer.numbers:
        turn = _turned(layer, sector)
        axes = np.stack((u, np.cross(normal, u), normal)) @ turn.T
        center = pick(layer.distance, copy) * axes[2] + np.array([0, 0, layer.z0])
        name = named(layer, copy, sector if layer.sectors > 1 else None)
        yield Placement(name, PLANE, center, axes, 0.0, (*across, *pick(layer.span, copy)), copy)


def modules(layer: Layer) -> Iterator[Modules]:
    """The modules of a layer, copy by copy; in a copy by side. None for a layer of other surfaces.
    Raises TypeError or ValueError if the pattern of its name formats a sector or a side that is not there."""
    if isinstance(layer, ModuleLayer):
        both = isinstance(layer, Endcap) and layer.both_sides
        sides = SIDES if both else {1: None}
        yield from pieces(
            layer,  # type: ignore[arg-type]
            [
                (copy, side, named(layer, copy, side=said))
                for copy in range(layer.copies)
                for side, said in sides.items()
            ],
        )


def _turned(layer: Cylinder | Plane, sector: int) -> FloatArray:
    phi = np.radians(layer.phi0_deg) + 2 * np.pi * (sector - 1) / layer.sectors
    return np.array([[np.cos(phi), -np.sin(phi), 0], [np.sin(phi), np.cos(phi), 0], [0, 0, 1]])


def pick(values: Sequence[T], copy: int) -> T:
    """The value of one copy. A single value holds for all copies."""
    return values[copy] if len(values) > 1 else values[0]


def named(layer: Layer, copy: int, sector: int | None = None, side: str | None = None) -> str:
    """The name of a copy. Without a pattern in the name of the layer, side, number and sector are appended where there
    are several. Raises TypeError or ValueError if the pattern formats a sector or a side that is not there."""
    number = layer.first + copy
    if "{" in layer.name:
        return layer.name.format(n=number, sector=sector, side=side)
    parts = (side, number if layer.copies > 1 else None, sector)
    return "/".join([layer.name, *(str(part) for part in parts if part is not None)])


def surface_arrays(
    description: Description, materials: Mapping[str, Material], order: Sequence[str]
) -> tuple[SurfaceArrays, tuple[str, ...], IntArray]:
    """All surfaces, one per row, their names, and the number (n,) of the layer of modules that each belongs to, -1 for
    one that stands alone. `order`: the names of the detector's materials, by index.
    Raises KeyError or ValueError if a material is not among them."""
    tables: list[SurfaceArrays] = []
    names: list[str] = []
    layer_of: list[int] = []
    groups = 0
    for layer in description.layers:
        material = order.index(layer.material or VACUUM)
        alone = list(places(layer))
        if alone:
            tables.append(_alone(layer, alone, material, materials))
            names += [place.name for place in alone]
            layer_of += [-1] * len(alone)
        for piece in modules(layer):
            tables.append(_together(layer, piece, material, materials))
            names += piece.names
            layer_of += [groups] * len(piece.names)
            groups += 1
    return _joined(tables), tuple(names), np.array(layer_of, dtype=np.int64)


def _alone(layer: Layer, found: Sequence[Placement], material: int, materials: Mapping[str, Material]) -> SurfaceArrays:
    sensors = [_sensors(layer, place.copy) for place in found]
    return SurfaceArrays(
        kind=np.array([place.kind for place in found]),
        center=np.array([place.center for place in found]),
        axes=np.array([place.axes for place in found]),
        radius=np.array([place.radius for place in found]),
        bounds=np.array([place.bounds for place in found]),
        material=np.full(len(found), material),
        thickness=np.array([_thickness(layer, place.copy, materials) for place in found]),
        n_measured=np.array([count for count, _, _ in sensors]),
        projection=np.array([projection for _, projection, _ in sensors]),
        sigma=np.array([sigma for _, _, sigma in sensors]),
    )


def _together(layer: Layer, found: Modules, material: int, materials: Mapping[str, Material]) -> SurfaceArrays:
    n = len(found.names)
    count, turned, sigma = _sensors(layer, found.copy)
    _, plain, _ = _sensors(layer.model_copy(update={"stereo_mrad": (0.0,)}), found.copy)
    return SurfaceArrays(
        kind=np.full(n, found.kind),
        center=found.center,
        axes=found.axes,
        radius=np.zeros(n),
        bounds=found.bounds,
        material=np.full(n, material),
        thickness=_thickness(layer, found.copy, materials) / found.shared,
        n_measured=np.full(n, count),
        projection=np.where(found.stereo[:, None, None], turned, plain),
        sigma=np.tile(sigma, (n, 1)),
    )


def _joined(tables: Sequence[SurfaceArrays]) -> SurfaceArrays:
    """One table of many, of the types that kernels want."""
    shapes: dict[str, tuple[int, ...]] = {
        "center": (3,), "axes": (3, 3), "bounds": (4,), "projection": (2, 2), "sigma": (2,)
    }  # fmt: skip
    columns: dict[str, Any] = {}
    for name in SurfaceArrays._fields:
        whole = name in ("kind", "material", "n_measured")
        empty = np.zeros((0, *shapes.get(name, ())), np.int64 if whole else np.float64)
        columns[name] = np.concatenate([empty, *(getattr(table, name) for table in tables)], dtype=empty.dtype)
    return SurfaceArrays(**columns)


def _thickness(layer: Layer, copy: int, materials: Mapping[str, Material]) -> float:
    if layer.material is None:
        return 0.0
    if layer.x0 is not None:
        return pick(layer.x0, copy) * materials[layer.material].X0
    if layer.thickness_um is not None:
        return pick(layer.thickness_um, copy) * MICROMETRE
    return pick(layer.thickness or (0.0,), copy)


def _sensors(layer: Layer, copy: int) -> tuple[int, FloatArray, FloatArray]:
    """How many coordinates are measured, their directions (2, 2) and resolutions (2,) [cm]."""
    unit = 1.0 if layer.resolution is not None else MICROMETRE
    values = layer.resolution or layer.resolution_um or ()
    angle = 1e-3 * pick(layer.stereo_mrad, copy)
    projection, sigma = np.zeros((2, 2)), np.zeros(2)
    directions = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    projection[: len(values)] = directions[: len(values)]
    sigma[: len(values)] = [unit * pick(one, copy) for one in values]
    return len(values), projection, sigma


def blocks(volume: Volume) -> Iterator[Block]:
    """All blocks of a volume, one per entry of `rho`, `rho_end` and `z`."""
    count = volume.blocks
    for copy in range(count):
        rho, z = pick(volume.rho, copy), pick(volume.z, copy)
        low, high = rho if volume.along == "rho" else z
        stack = volume.stack or (Slice(material=volume.material or VACUUM, thickness=high - low),)
        edges = low + np.cumsum([0.0, *(one.thickness for one in stack)])
        edges[-1] = high
        yield Block(
            name=volume.name if count == 1 else f"{volume.name}/{copy + 1}",
            sides=CONES if volume.shape == "cones" else volume.sides or ROUND,
            phi0=float(np.radians(volume.phi0_deg)),
            z0=volume.z0,
            axis=RHO if volume.along == "rho" else Z,
            rho=rho,
            rho_end=pick(volume.rho_end, copy) if volume.rho_end else rho,
            half_width=volume.half_width or np.inf,
            z=z,
            edges=tuple(edges.tolist()),
            materials=tuple(one.material for one in stack),
        )


def lean(block: Block, wall: int) -> float:
    """How much the inner (0) or outer (1) rho of a block grows per cm of z."""
    return (block.rho_end[wall] - block.rho[wall]) / (block.z[1] - block.z[0])


def bounds_of(block: Block) -> tuple[float, float]:
    """Distances from the axis between which a block lies."""
    inner, outer = min(block.rho[0], block.rho_end[0]), max(block.rho[1], block.rho_end[1])
    return bounding(block.sides, inner, outer, block.half_width)


def volume_arrays(description: Description, order: Sequence[str]) -> tuple[VolumeArrays, tuple[str, ...]]:
    """All blocks, one per row, and their names. `order`: the names of the detector's materials, by index.
    Raises ValueError if a material is not among them."""
    found = [block for volume in description.volumes for block in blocks(volume)]
    count = np.array([len(block.materials) for block in found], dtype=np.int64)
    arrays = VolumeArrays(
        sides=np.array([block.sides for block in found], dtype=np.int64),
        phi0=np.array([block.phi0 for block in found], dtype=np.float64),
        z0=np.array([block.z0 for block in found], dtype=np.float64),
        axis=np.array([block.axis for block in found], dtype=np.int64),
        rho_min=np.array([block.rho[0] for block in found], dtype=np.float64),
        rho_max=np.array([block.rho[1] for block in found], dtype=np.float64),
        lean_min=np.array([lean(block, 0) for block in found], dtype=np.float64),
        lean_max=np.array([lean(block, 1) for block in found], dtype=np.float64),
        half_width=np.array([block.half_width for block in found], dtype=np.float64),
        hole=np.array([bounds_of(block)[0] for block in found], dtype=np.float64),
        reach=np.array([bounds_of(block)[1] for block in found], dtype=np.float64),
        z_min=np.array([block.z[0] for block in found], dtype=np.float64),
        z_max=np.array([block.z[1] for block in found], dtype=np.float64),
        first=np.cumsum(count) - count,
        count=count,
        edges=np.array([edge for block in found for edge in block.edges], dtype=np.float64),
        material=np.array([order.index(name) for block in found for name in block.materials], dtype=np.int64),
    )
    return arrays, tuple(block.name for block in found)
