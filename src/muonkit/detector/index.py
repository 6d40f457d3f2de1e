"""Where the modules of a layer are: a regular grid over azimuth and z (barrel) or r (endcap), so that the search for
crossed sensors does not grow with their number. It follows from the planes as they stand, also when they are moved."""

from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.detector.modules import corners, nearest
from muonkit.detector.surfaces import SurfaceArrays

MOST_CELLS = 100_000  # of one layer
HALF = 0.5  # |n_z|, below which a module stands along the beam


class ModuleIndex(NamedTuple):
    """alone (m,): surfaces that belong to no layer of modules; layer_of (n,): layer of every surface, -1 alone. Per
    layer: shell (g, 4) [cm]: r_min, r_max, z_min, z_max of its modules; radial (g,): whether its grid goes along r, not
    z; cells (g, 2): along azimuth, from -pi, and along z or r; low, step (g,) [cm] of the latter; first (g,): number of
    its first cell. Modules that reach into cell c: entries[offsets[c]:offsets[c + 1]].
    reach (n, 4): azimuth of the middle of every module and half of its width [rad], from where to where it reaches
    along z or r [cm]."""

    alone: IntArray
    layer_of: IntArray
    shell: FloatArray
    radial: BoolArray
    cells: IntArray
    low: FloatArray
    step: FloatArray
    first: IntArray
    offsets: IntArray
    entries: IntArray
    reach: FloatArray


class Reach(NamedTuple):
    """From where to where planes reach: r (n, 2), z (n, 2) [cm], phi (n, 2) [rad], the first in [-pi, pi)."""

    r: FloatArray
    z: FloatArray
    phi: FloatArray


def reach(surfaces: SurfaceArrays, ids: IntArray) -> Reach:
    """How far planes and trapezoids `ids` (n,) reach; one that the axis goes through, all around."""
    corner = corners(surfaces.kind[ids], surfaces.center[ids], surfaces.axes[ids], surfaces.bounds[ids])
    inner, outer = nearest(corner), np.hypot(corner[..., 0], corner[..., 1]).max(axis=1)
    middle = np.arctan2(surfaces.center[ids, 1], surfaces.center[ids, 0])
    phi = np.arctan2(corner[..., 1], corner[..., 0]) - middle[:, None]
    phi = (phi + np.pi) % (2 * np.pi) - np.pi
    low, high = middle + phi.min(axis=1), middle + phi.max(axis=1)
    around = inner <= 0
    low, high = np.where(around, -np.pi, low), np.where(around, np.pi, high)
    turns = 2 * np.pi * np.floor((low + np.pi) / (2 * np.pi))
    z = np.stack((corner[..., 2].min(axis=1), corner[..., 2].max(axis=1)), axis=1)
    return Reach(np.stack((inner, outer), axis=1), z, np.stack((low - turns, high - turns), axis=1))


def module_index(surfaces: SurfaceArrays, layer_of: IntArray) -> ModuleIndex:
    """The index of all layers of modules. `layer_of` (n,): see `ModuleIndex`."""
    grids = [_grid(surfaces, np.flatnonzero(layer_of == g)) for g in range(int(layer_of.max(initial=-1)) + 1)]
    count = np.concatenate([np.zeros(0, np.int64), *(grid.filled for grid in grids)])
    size = np.array([grid.cells.prod() for grid in grids], dtype=np.int64)
    return ModuleIndex(
        alone=np.flatnonzero(layer_of < 0).astype(np.int64),
        layer_of=layer_of.astype(np.int64),
        shell=np.array([grid.shell for grid in grids], dtype=np.float64).reshape(-1, 4),
        radial=np.array([grid.radial for grid in grids], dtype=np.bool_),
        cells=np.array([grid.cells for grid in grids], dtype=np.int64).reshape(-1, 2),
        low=np.array([grid.low for grid in grids], dtype=np.float64),
        step=np.array([grid.step for grid in grids], dtype=np.float64),
        first=(np.cumsum(size) - size).astype(np.int64),
        offsets=np.concatenate(([0], np.cumsum(count))).astype(np.int64),
        entries=np.concatenate([np.zeros(0, np.int64), *(grid.entries for grid in grids)]),
        reach=_reaches(surfaces, layer_of, np.array([grid.radial for grid in grids], dtype=np.bool_)),
    )


def _reaches(surfaces: SurfaceArrays, layer_of: IntArray, radial: BoolArray) -> FloatArray:
    found, ids = np.zeros((len(layer_of), 4)), np.flatnonzero(layer_of >= 0)
    there = reach(surfaces, ids)
    found[ids, 0], found[ids, 1] = there.phi.mean(axis=1), np.diff(there.phi, axis=1)[:, 0] / 2
    found[ids, 2:] = np.where(radial[layer_of[ids]][:, None], there.r, there.z)
    return found


class _Grid(NamedTuple):
    shell: FloatArray
    radial: bool
    cells: IntArray
    low: float
    step: float
    filled: IntArray
    entries: IntArray


def _grid(surfaces: SurfaceArrays, ids: IntArray) -> _Grid:
    """The grid of one layer, with cells about as large as its modules."""
    there = reach(surfaces, ids)
    radial = bool(np.median(np.abs(surfaces.axes[ids, 2, 2])) > HALF)
    along = there.r if radial else there.z
    low, high = float(along[:, 0].min()), float(along[:, 1].max())
    around = int(np.clip(np.ceil(2 * np.pi / np.median(there.phi[:, 1] - there.phi[:, 0])), 1, MOST_CELLS))
    count = int(np.clip(np.ceil((high - low) / np.median(along[:, 1] - along[:, 0])), 1, MOST_CELLS // around))
    step = (high - low) / count
    begin = np.floor((there.phi + np.pi) * (around / (2 * np.pi))).astype(np.int64)
    cell = np.clip(np.floor((along - low) / step).astype(np.int64), 0, count - 1)
    entries, places = _spread(ids, begin, cell, (around, count))
    order = np.argsort(places, kind="stable")
    shell = np.array([there.r[:, 0].min(), there.r[:, 1].max(), there.z[:, 0].min(), there.z[:, 1].max()])
    return _Grid(
        shell,
        radial,
        np.array([around, count]),
        low,
        step,
        np.bincount(places, minlength=around * count),
        entries[order],
    )


def _spread(ids: IntArray, phi: IntArray, along: IntArray, cells: tuple[int, int]) -> tuple[IntArray, IntArray]:
    """Every module, once for each cell between the first and last ones phi (n, 2) and along (n, 2); and the cell."""
    wide = np.minimum(phi[:, 1] - phi[:, 0] + 1, cells[0])
    long = along[:, 1] - along[:, 0] + 1
    row = np.repeat(np.arange(len(ids)), wide * long)
    number = np.arange(len(row)) - np.repeat(np.cumsum(wide * long) - wide * long, wide * long)
    j = (phi[row, 0] + number // long[row]) % cells[0]
    return ids[row], j * cells[1] + along[row, 0] + number % long[row]
