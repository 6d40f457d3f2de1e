"""Thick volumes as blocks of parallel slices: iron and gaps, crystals, coils.

A block is a ring between two z planes, round or a regular polygon, in slices along rho or along z. With z' = z - z0:

    rho = hypot(x, y) if round,  max over sides s of n_s.(x, y) if polygonal,  n_s = (cos, sin)(phi0 + 2 pi s / sides)

The sides of a polygon may be narrower than from corner to corner: it is then a box in front of each side. A block
between two cones is one slice; its inner and outer rho are linear in z'. Blocks do not overlap; what lies outside of
all of them is vacuum (material 0). Lengths cm."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import FloatArray, IntArray
from muonkit.detector.surfaces import flat_crossing, roll_crossings

ROUND, CONES = 0, -1
RHO, Z = 0, 1
NOWHERE = -1


class VolumeArrays(NamedTuple):
    """One row per block; `edges` and `material` hold the slices of all blocks one after the other.

    sides: ROUND, CONES or the number of sides; axis: slices in RHO or in Z (z'); z_min and z_max are z'. rho_min and
    rho_max are those at z_min; they grow by lean_min and lean_max per cm of z', 0 for all but cones. half_width: of the
    sides of a polygon, inf if they reach from corner to corner. hole and reach: distances from the axis between which
    all of a block lies, see `bounding`. The `count`
    slices of block b have their materials from `first[b]` on, and count + 1 rising edges from `first[b] + b` on."""

    sides: IntArray
    phi0: FloatArray
    z0: FloatArray
    axis: IntArray
    rho_min: FloatArray
    rho_max: FloatArray
    lean_min: FloatArray
    lean_max: FloatArray
    half_width: FloatArray
    hole: FloatArray
    reach: FloatArray
    z_min: FloatArray
    z_max: FloatArray
    first: IntArray
    count: IntArray  # type: ignore[assignment]  # the method of tuples is not needed here
    edges: FloatArray
    material: IntArray


def bounding(sides: int, inner: float, outer: float, half_width: float = np.inf) -> tuple[float, float]:
    """Distances from the axis [cm] between which a block lies: of the points nearest to it and farthest from it, for
    its smallest inner and largest outer rho."""
    if sides <= ROUND:
        return inner, outer
    return inner, float(np.hypot(outer, min(half_width, outer * np.tan(np.pi / sides)))) * (1 + 1e-12)


def edges_of(volumes: VolumeArrays, block: int) -> FloatArray:
    """The edges (count + 1,) [cm] of the slices of a block."""
    start = volumes.first[block] + block
    return volumes.edges[start : start + volumes.count[block] + 1]


def materials_of(volumes: VolumeArrays, block: int) -> IntArray:
    """Indices (count,) of the materials of the slices of a block."""
    return volumes.material[volumes.first[block] : volumes.first[block] + volumes.count[block]]


def sides_of(volumes: VolumeArrays, block: int) -> FloatArray:
    """Unit normals (sides, 2) of the sides of a polygonal block."""
    count = int(volumes.sides[block])
    phi = volumes.phi0[block] + 2 * np.pi * np.arange(count) / count
    return np.stack((np.cos(phi), np.sin(phi)), axis=1)


def rho(volumes: VolumeArrays, block: int, points: FloatArray) -> FloatArray:
    """The distance (...,) [cm] from the axis, as the block counts it (see the head), of points (..., 3) [cm]."""
    if volumes.sides[block] <= ROUND:
        return np.hypot(points[..., 0], points[..., 1])
    return np.max(points[..., :2] @ sides_of(volumes, block).T, axis=-1)


def walls(volumes: VolumeArrays, block: int, z: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Inner and outer rho (...,) [cm] of a block at z' (...,) [cm]."""
    up = z - volumes.z_min[block]
    inner, outer = (
        low[block] + lean[block] * up
        for low, lean in ((volumes.rho_min, volumes.lean_min), (volumes.rho_max, volumes.lean_max))
    )
    return inner, outer


def across(volumes: VolumeArrays, block: int, points: FloatArray) -> FloatArray:
    """Distance (...,) [cm] of points (..., 3) [cm] from the middle of the side of a polygon that they are in front of,
    along it."""
    normals = sides_of(volumes, block)
    facing = normals[np.argmax(points[..., :2] @ normals.T, axis=-1)]
    return np.abs(facing[..., 0] * points[..., 1] - facing[..., 1] * points[..., 0])


def slice_in(volumes: VolumeArrays, block: int, points: FloatArray) -> IntArray:
    """Index (...,) of the slice of `block` around points (..., 3) [cm]; NOWHERE outside. A slice owns its lower
    edge."""
    r, z = rho(volumes, block, points), points[..., 2] - volumes.z0[block]
    inner, outer = walls(volumes, block, z)
    within = (r >= inner) & (r < outer) & (z >= volumes.z_min[block]) & (z < volumes.z_max[block])
    if np.isfinite(volumes.half_width[block]):
        within &= across(volumes, block, points) < volumes.half_width[block]
    index = np.searchsorted(edges_of(volumes, block), r if volumes.axis[block] == RHO else z, side="right") - 1
    return np.where(within, np.clip(index, 0, volumes.count[block] - 1), NOWHERE)


def locate(volumes: VolumeArrays, points: FloatArray) -> tuple[IntArray, IntArray]:
    """Block (n,) and slice (n,) that hold points (n, 3) [cm]; NOWHERE outside of all blocks."""
    block, index = np.full(len(points), NOWHERE), np.full(len(points), NOWHERE)
    for b in range(len(volumes.sides)):
        found = slice_in(volumes, b, points)
        block[found != NOWHERE] = b
        index = np.where(found != NOWHERE, found, index)
    return block, index


def material_at(volumes: VolumeArrays, points: FloatArray) -> IntArray:
    """Index (n,) of the material at points (n, 3) [cm]; 0 (vacuum) outside of all blocks."""
    block, index = locate(volumes, points)
    if len(volumes.material) == 0:
        return np.zeros(len(points), dtype=np.int64)
    return np.where(block == NOWHERE, 0, volumes.material[volumes.first[block] + np.maximum(index, 0)])


def path_lengths(
    volumes: VolumeArrays,
    points: FloatArray,
    directions: FloatArray,
    length: FloatArray,
    n_materials: int,
    blocks: Iterable[int] | None = None,
) -> FloatArray:
    """Length (n, n_materials) [cm] in each material on straight lines from points (n, 3) [cm] along unit directions
    (n, 3) over `length` (n,) [cm]. `blocks`: only in these."""
    total = np.zeros((len(points), n_materials))
    for b in range(len(volumes.sides)) if blocks is None else blocks:
        total += _in_block(volumes, b, points, directions, length, n_materials)
    return total


def _in_block(
    volumes: VolumeArrays, block: int, points: FloatArray, directions: FloatArray, length: FloatArray, n_materials: int
) -> FloatArray:
    paths = np.clip(_crossings(volumes, block, points, directions), 0.0, length[:, None])
    paths = np.sort(np.concatenate((np.zeros((len(points), 1)), paths, length[:, None]), axis=1), axis=1)
    middles = points[:, None] + (paths[:, 1:] + paths[:, :-1])[..., None] / 2 * directions[:, None]
    index = slice_in(volumes, block, middles)
    inside = (np.diff(paths, axis=1) > 0) & (index != NOWHERE)
    material = np.where(inside, materials_of(volumes, block)[index], 0)
    total = np.zeros((len(points), n_materials))
    rows = np.broadcast_to(np.arange(len(points))[:, None], index.shape)
    np.add.at(total, (rows, material), np.where(inside, np.diff(paths, axis=1), 0.0))
    return total


def _crossings(volumes: VolumeArrays, block: int, points: FloatArray, directions: FloatArray) -> FloatArray:
    """Paths (n, k) to all edges of a block and its slices; inf or negative for those a line does not meet."""
    z_edges = np.array([volumes.z_min[block], volumes.z_max[block]])
    r_edges = np.array([volumes.rho_min[block], volumes.rho_max[block]])
    if volumes.axis[block] == RHO:
        r_edges = edges_of(volumes, block)
    else:
        z_edges = edges_of(volumes, block)
    heights = points[:, 2, None] - volumes.z0[block] - z_edges
    flat = flat_crossing(heights, np.broadcast_to(directions[:, 2, None], heights.shape))
    if volumes.sides[block] == CONES:
        return np.concatenate((flat, *_cone_crossings(volumes, block, points, directions)), axis=1)
    if volumes.sides[block] == ROUND:
        near, far = roll_crossings(points[:, None, :2], directions[:, None, :2], r_edges)
        return np.concatenate((flat, near, far), axis=1)
    normals = sides_of(volumes, block)
    heights = (points[:, :2] @ normals.T)[:, :, None] - r_edges
    slopes = np.broadcast_to((directions[:, :2] @ normals.T)[:, :, None], heights.shape)
    sides = flat_crossing(heights, slopes).reshape(len(points), -1)
    if not np.isfinite(volumes.half_width[block]):
        return np.concatenate((flat, sides), axis=1)
    along = normals @ np.array([[0.0, 1.0], [-1.0, 0.0]])
    heights = (points[:, :2] @ along.T)[:, :, None] - volumes.half_width[block] * np.array([-1.0, 1.0])
    slopes = np.broadcast_to((directions[:, :2] @ along.T)[:, :, None], heights.shape)
    return np.concatenate((flat, sides, flat_crossing(heights, slopes).reshape(len(points), -1)), axis=1)


def _cone_crossings(
    volumes: VolumeArrays, block: int, points: FloatArray, directions: FloatArray
) -> Iterator[FloatArray]:
    """Paths (n, 2) to the inner and to the outer cone of a block, and to their mirror images beyond the tips."""
    z = points[:, 2] - volumes.z0[block]
    for wall, lean in zip(walls(volumes, block, z), (volumes.lean_min[block], volumes.lean_max[block]), strict=True):
        growth = lean * directions[:, 2]
        square = np.sum(directions[:, :2] ** 2, axis=1) - growth**2
        half = np.sum(points[:, :2] * directions[:, :2], axis=1) - wall * growth
        yield quadratic_roots(square, half, np.sum(points[:, :2] ** 2, axis=1) - wall**2)


def quadratic_roots(square: FloatArray, half: FloatArray, constant: FloatArray) -> FloatArray:
    """The roots (n, 2) of square d^2 + 2 half d + constant, without cancellation; inf where there is none."""
    under = half**2 - square * constant
    larger = -(half + np.copysign(np.sqrt(np.maximum(under, 0.0)), half))
    with np.errstate(divide="ignore", invalid="ignore"):
        roots = np.stack((larger / square, constant / larger), axis=1)
    return np.where((under >= 0)[:, None] & np.isfinite(roots), roots, np.inf)
