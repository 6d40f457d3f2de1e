"""Where the field maps of a detector end inside its envelope. Outside of its maps a field is not known, and tracks end
there; so a map has to cover the envelope (or its `region` in it), or the description says that the field is 0 outside.

What is covered does not change between the edges of envelope, region and map. So points beside these edges and between
them find every gap."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray
from muonkit.detector.bounds import MOST_FIELD
from muonkit.detector.fields.base import Field
from muonkit.detector.fields.combine import Box, Confined, Cylinder, Scaled, Sum
from muonkit.detector.fields.maps import MapRZ, MapXYZ
from muonkit.detector.fields.sections import FieldPart, MapSection, SampledSection, SumSection

Envelope = tuple[float, float, float]
AZIMUTHS: FloatArray = np.arange(64, dtype=np.float64) * (np.pi / 32)
BESIDE = 1e-6  # cm
SINGULAR = 0.01  # of the points: the edge of a current sheet, where B has no limit
OTHER_UNIT = 8.0  # times larger or smaller than the envelope: likely another unit


@dataclass(frozen=True, slots=True, eq=False)
class PlacedMap:
    """A map in the field of a detector. `key` in the description, `file` ("" if it is sampled), the `grid`, the whole
    `part` of the field, the `region` that it is for, what `outside` says, whether the unit of lengths is said."""

    key: str
    file: str
    grid: MapRZ | MapXYZ
    part: Field
    region: Cylinder | Box
    outside: str
    unit_said: bool

    def missing(self, points: FloatArray) -> BoolArray:
        """Which points (n, 3) [cm] are in the region, but not on the grid, (n,)."""
        return self.region.contains(points) & ~self.grid.inside(points)

    def reach(self) -> str:
        """What the grid covers, in words."""
        names, edges = ("r", "z") if isinstance(self.grid, MapRZ) else ("x", "y", "z"), self.grid.reach()
        spans = zip(names, edges[::2], edges[1::2], strict=True)
        return ", ".join(f"{name} = {low:.6g} to {high:.6g}" for name, low, high in spans) + " cm"


def maps_of(section: FieldPart, field: Field, key: str = "field") -> Iterator[PlacedMap]:
    """The maps in a field that was built from `section`."""
    if isinstance(section, SumSection):
        for i, (inner, part) in enumerate(zip(section.parts, _parts(field), strict=True)):
            yield from maps_of(inner, part, f"{key}.parts.{i}")
    if isinstance(section, MapSection | SampledSection):
        region, grid = section.region.build() if section.region else Cylinder(), _bare(field)
        file, said = "", True
        if isinstance(section, MapSection):
            file, said = section.file, section.length_unit is not None
        assert isinstance(grid, MapRZ | MapXYZ)
        yield PlacedMap(key, file, grid, field, region, section.outside, said)


def _bare(field: Field) -> Field:
    while isinstance(field, Scaled | Confined):
        field = field.field
    return field


def _parts(field: Field) -> tuple[Field, ...]:
    total = _bare(field)
    return total.parts if isinstance(total, Sum) else ()


def ends_inside(placed: PlacedMap, envelope: Envelope) -> bool:
    """Whether the map leaves a part of the envelope (r_max, z_min, z_max) [cm] without field."""
    return bool(np.any(placed.missing(_edges(placed, envelope))))


def missing_share(placed: PlacedMap, envelope: Envelope) -> float:
    """Share of the volume of the envelope that the map leaves without field; 0 if it covers all of it."""
    if not ends_inside(placed, envelope):
        return 0.0
    return float(np.mean(placed.missing(volume_points(envelope))))


def volume_points(envelope: Envelope) -> FloatArray:
    """Points (n, 3) [cm] that fill the envelope evenly."""
    r_max, z_min, z_max = envelope
    r, z = r_max * np.sqrt((np.arange(40) + 0.5) / 40), z_min + (z_max - z_min) * (np.arange(80) + 0.5) / 80
    return cylindrical(r, AZIMUTHS[::4] + 0.01, z)


def cylindrical(r: FloatArray, phi: FloatArray, z: FloatArray) -> FloatArray:
    """All points (n, 3) with these radii, azimuths and z, z running fastest."""
    a, b, c = (part.ravel() for part in np.meshgrid(r, phi, z, indexing="ij"))
    return np.stack([a * np.cos(b), a * np.sin(b), c], axis=1)


def _edges(placed: PlacedMap, envelope: Envelope) -> FloatArray:
    r_max, z_min, z_max = envelope
    grid, region = placed.grid.reach(), placed.region.bounds
    z = _probes((*grid[-2:], *region[-2:]), z_min, z_max)
    flat = isinstance(placed.grid, MapRZ) and isinstance(placed.region, Cylinder)
    r = _probes((*(grid[:2] if isinstance(placed.grid, MapRZ) else ()), *region[:2]), 0.0, r_max)
    found = [cylindrical(r, AZIMUTHS[:1] if flat else AZIMUTHS, z)]
    if not flat:
        boxes = [edges for edges in (grid, region) if len(edges) == 6]
        x, y = (_probes([one for edges in boxes for one in edges[k : k + 2]], -r_max, r_max) for k in (0, 2))
        inner = np.stack(np.meshgrid(x, y, z, indexing="ij"), axis=-1).reshape(-1, 3)
        found.append(inner[np.hypot(inner[:, 0], inner[:, 1]) <= r_max])
    return np.concatenate(found)


def _probes(values: Iterable[float], low: float, high: float) -> FloatArray:
    """Points beside the edges between `low` and `high`, and between them; none on an edge, where rounding decides."""
    edges = np.array(sorted({low, high, *(value for value in values if low < value < high)}))
    between = [(a + b) / 2 for a, b in pairwise(edges)]
    return np.unique(np.clip(np.concatenate([edges - BESIDE, edges + BESIDE, between]), low + BESIDE, high - BESIDE))


def faults(maps: Iterable[PlacedMap], field: Field, envelope: Envelope) -> Iterator[str]:
    """One line for each map that ends inside the envelope and does not say so, or whose size points to another unit;
    one if the field is larger than any magnet's."""
    for placed in maps:
        name = f"{placed.key}: {placed.file}" if placed.file else placed.key
        if placed.outside == "error" and ends_inside(placed, envelope):
            yield f"{name}: {gap(placed, envelope)}; {_way_out(placed, envelope)}"
        elif not placed.unit_said and _ratio(placed, envelope) > OTHER_UNIT:
            yield (
                f"{name}: reaches over {placed.reach()}, {OTHER_UNIT:g} times further than the envelope; if the file "
                'has mm, say length_unit = "mm", if it has cm, "cm"'
            )
    yield from _too_strong(field, envelope)


def _too_strong(field: Field, envelope: Envelope) -> Iterator[str]:
    with np.errstate(all="ignore"):
        strength = np.linalg.norm(field.value(volume_points(envelope)[::97]), axis=1)
    if np.mean(~(strength <= MOST_FIELD)) > SINGULAR:
        most = float(np.nan_to_num(strength, nan=np.inf).max())
        yield f"field: |B| is {most:g} T inside the envelope, more than {MOST_FIELD:g} T; correct its numbers"


def gap(placed: PlacedMap, envelope: Envelope) -> str:
    """Where a map ends, in words."""
    r_max, z_min, z_max = envelope
    return (
        f"the map ends inside of the envelope: it covers {placed.reach()}, the envelope is r < {r_max:g}, "
        f"z = {z_min:g} to {z_max:g} cm; {100 * missing_share(placed, envelope):.2g} % of the volume has no field"
    )


def _way_out(placed: PlacedMap, envelope: Envelope) -> str:
    if not placed.unit_said and _ratio(placed, envelope) < 1 / OTHER_UNIT:
        return 'if the file has m, say length_unit = "m"'
    half = isinstance(placed.grid, MapRZ) and placed.grid.grid.origin[1] == 0 and not placed.grid.mirrored
    if half and envelope[1] < 0 and placed.file:
        return 'if it is one half of a symmetric map, say mirrored = true, else outside = "zero"'
    return 'give a larger map or a smaller envelope, or say outside = "zero" if there is no field'


def _ratio(placed: PlacedMap, envelope: Envelope) -> float:
    """How much further the map reaches than the envelope, in the direction in which it does so least if it is larger,
    most if it is smaller."""
    edges, (r_max, z_min, z_max) = placed.grid.reach(), envelope
    across = max(abs(edge) for edge in edges[:-2]) / r_max
    along = (edges[-1] - edges[-2]) / (z_max - z_min)
    return min(across, along) if min(across, along) > 1 else max(across, along)
