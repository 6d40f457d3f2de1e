"""Layers of modules: planes around the beam that overlap, so that no straight line from (0, 0, z0) finds a crack.

A barrel has ladders around z, and every ladder has modules along z. On a disc stand rings of trapezoids. The axis u of
a module points along phi, v along z (barrel) or outwards (disc); w = u x v. Neighbours stand before and behind each
other, by `stagger` around z, by half of it along z or along r. Ladders that are turned around their own axis overlap as
the blades of a turbine do.

Names are LAYER/ladder 3/module 5 and LAYER/ring 2/module 5, with /mono and /stereo where there are partners."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from muonkit.core.arrays import AnyArray, BoolArray, FloatArray, IntArray
from muonkit.detector.layers import Barrel, Endcap
from muonkit.detector.surfaces import PLANE, TRAPEZOID

Layer = Barrel | Endcap
PARTNERS = ("mono", "stereo")
STEEPEST = 10.0  # r/|z|: a disc in the middle of the detector would have to be infinitely large


@dataclass(frozen=True, slots=True, eq=False)
class Modules:
    """All modules of one copy of a layer, on one side: its name, their names (n,); center (n, 3) [cm]; axes (n, 3, 3);
    kind and bounds as in `SurfaceArrays`; stereo (n,): which are partners behind others; shared (n,): by how many the
    matter of the layer is shared."""

    copy: int
    name: str
    names: tuple[str, ...]
    kind: int
    center: FloatArray
    axes: FloatArray
    bounds: FloatArray
    stereo: BoolArray
    shared: IntArray


def pieces(layer: Layer, names: list[tuple[int, int, str]]) -> Iterator[Modules]:
    """The modules of a layer, copy by copy and side by side, for names (copy, side, name) of these."""
    for copy, side, name in names:
        yield _barrel(layer, copy, name) if isinstance(layer, Barrel) else _endcap(layer, copy, side, name)


def _barrel(layer: Barrel, copy: int, name: str) -> Modules:
    ladders, count = layer.at("ladders", copy), layer.modules
    ladder, module = (part.ravel() for part in np.meshgrid(np.arange(ladders), np.arange(count), indexing="ij"))
    low, high = layer.at("z", copy)
    phi = np.radians(layer.at("phi0_deg", copy)) + 2 * np.pi * ladder / ladders
    radius = layer.at("radius", copy) + _staggered(layer, ladder, module)
    z = low + (module + 0.5) * (high - low) / count
    outwards, around = _polar(phi)
    center = radius[:, None] * outwards + np.array([0, 0, 1.0]) * (layer.z0 + z)[:, None]
    cos, sin = np.cos(np.radians(layer.tilt_deg)), np.sin(np.radians(layer.tilt_deg))
    up = np.broadcast_to([0.0, 0, 1], center.shape)
    axes = np.stack((cos * around - sin * outwards, up, cos * outwards + sin * around), axis=1)
    half_width, half_length = barrel_size(layer, copy)
    bounds = np.tile([-half_width, half_width, -half_length, half_length], (len(phi), 1))
    whole = [f"{name}/ladder {j + 1}/module {m + 1}" for j, m in zip(ladder.tolist(), module.tolist(), strict=True)]
    paired = np.full(len(phi), layer.at("stereo_mrad", copy) != 0)
    return _with_partners(layer, (copy, name), PLANE, whole, (center, axes, bounds), axes[:, 2], paired)


def barrel_size(layer: Barrel, copy: int) -> tuple[float, float]:
    """Half width and half length [cm] of the modules of a copy."""
    radius, (low, high) = layer.at("radius", copy), layer.at("z", copy)
    behind = layer.gap if layer.at("stereo_mrad", copy) else 0.0
    far, near = radius + 0.75 * layer.stagger + behind, radius - 0.75 * layer.stagger
    cos = np.cos(np.radians(layer.tilt_deg))
    tan = np.tan(2 * np.pi / layer.at("ladders", copy))
    # both edges of a plane at distance R are seen from 0 under the angle of 2 w R cos / (R^2 - w^2)
    half_width = far * (np.hypot(cos, tan) - cos) / tan + layer.overlap / 2
    shadow = max(abs(low), abs(high)) * layer.stagger / 2 / (near * cos)
    return float(half_width), float((high - low) / layer.modules + layer.overlap + shadow) / 2


def _endcap(layer: Endcap, copy: int, side: int, name: str) -> Modules:
    ring = np.repeat(np.arange(len(layer.rings)), [count for _, _, count in layer.rings])
    module = np.concatenate([np.arange(count) for _, _, count in layer.rings])
    inner, outer, petals = np.array(layer.rings, dtype=np.float64)[ring].T
    depth = layer.at("z", copy) + _staggered(layer, module, ring)
    outwards, around = _polar(np.radians(layer.at("phi0_deg", copy)) + 2 * np.pi * module / petals)
    middle, bounds = endcap_size(layer, copy, inner, outer, np.pi / petals)
    away = np.broadcast_to([0.0, 0, side], outwards.shape)
    center = middle[:, None] * outwards + away * depth[:, None] + np.array([0, 0, layer.z0])
    axes = np.stack((around, outwards, np.cross(around, outwards)), axis=1)
    whole = [f"{name}/ring {k + 1}/module {m + 1}" for k, m in zip(ring.tolist(), module.tolist(), strict=True)]
    chosen = np.isin(ring + 1, layer.stereo_rings) if layer.stereo_rings else np.ones(len(ring), np.bool_)
    paired = chosen & (layer.at("stereo_mrad", copy) != 0)
    return _with_partners(layer, (copy, name), TRAPEZOID, whole, (center, axes, bounds), away, paired)


def endcap_size(
    layer: Endcap, copy: int, inner: FloatArray, outer: FloatArray, half: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Middle radius (n,) and bounds (n, 4) [cm] of petals from `inner` to `outer` (n,) within +- half (n,) [rad]."""
    middle = (inner + outer) / 2
    steep = outer / np.maximum(abs(layer.at("z", copy)), outer / STEEPEST)
    more = (layer.overlap + 1.5 * steep * layer.stagger) / 2
    grows = np.tan(half)
    return middle, np.column_stack(
        (middle * grows + layer.overlap / 2, grows, inner * np.cos(half) - middle - more, outer - middle + more)
    )


def _staggered(layer: Layer, first: IntArray, second: IntArray) -> FloatArray:
    staggered: FloatArray = layer.stagger * (first % 2 - 0.5 + (second % 2 - 0.5) / 2)
    return staggered


def _polar(phi: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Unit vectors (n, 3) outwards and along growing phi."""
    cos, sin, zero = np.cos(phi), np.sin(phi), np.zeros(len(phi))
    return np.column_stack((cos, sin, zero)), np.column_stack((-sin, cos, zero))


def _with_partners(
    layer: Layer,
    which: tuple[int, str],
    kind: int,
    names: list[str],
    places: tuple[FloatArray, FloatArray, FloatArray],
    behind: FloatArray,
    paired: BoolArray,
) -> Modules:
    """Every module that is paired, followed by its partner `gap` behind it."""
    row = np.repeat(np.arange(len(names)), 1 + paired)
    stereo = np.concatenate(([False], row[1:] == row[:-1]))
    center, axes, bounds = (part[row] for part in places)
    center = center + np.where(stereo, layer.gap, 0.0)[:, None] * behind[row]
    whole = [
        f"{names[i]}/{PARTNERS[one]}" if paired[i] else names[i] for i, one in zip(row, stereo.astype(int), strict=True)
    ]
    return Modules(*which, tuple(whole), kind, center, axes, bounds, stereo, 1 + paired[row].astype(np.int64))


def corners(kind: AnyArray, center: FloatArray, axes: FloatArray, bounds: FloatArray) -> FloatArray:
    """Corners (n, 4, 3) [cm] of planes and trapezoids, one after the other around."""
    first, second = bounds[:, [0, 1, 1, 0]].copy(), bounds[:, [2, 2, 3, 3]]
    half = bounds[:, :1] + bounds[:, 1:2] * second
    first = np.where((kind == TRAPEZOID)[:, None], half * np.array([-1, 1, 1, -1]), first)
    corner: FloatArray = center[:, None] + first[..., None] * axes[:, None, 0] + second[..., None] * axes[:, None, 1]
    return corner


def nearest(corner: FloatArray) -> FloatArray:
    """Distance (n,) [cm] from the z axis of planes with these corners (n, 4, 3), seen along z as areas."""
    a, b = corner[..., :2], np.roll(corner[..., :2], -1, axis=1)
    side = b - a
    size2 = np.maximum((side**2).sum(axis=2), 1e-300)
    along = np.clip(-(a * side).sum(axis=2) / size2, 0, 1)
    distance = np.linalg.norm(a + along[..., None] * side, axis=2).min(axis=1)
    turn = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    around = (turn > 0).all(axis=1) | (turn < 0).all(axis=1)
    return np.where(around, 0.0, distance)
