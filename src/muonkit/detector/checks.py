"""Faults of a description that only the whole detector shows: unknown materials, names that are used twice, layers
outside of the envelope, surfaces in one place, volumes that overlap."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from difflib import get_close_matches
from itertools import combinations, product

import numpy as np

from muonkit.core.arrays import FloatArray
from muonkit.detector.assembly import VACUUM, Block, Placement, blocks, lean, modules, places
from muonkit.detector.description import Description, Envelope
from muonkit.detector.modules import Modules, corners
from muonkit.detector.surfaces import CYLINDER, DISC, QUADRANT
from muonkit.detector.volumes import ROUND

TOLERANCE = 1e-6  # cm
PLACE = 1e-4  # cm, and of directions: surfaces nearer to each other stand in one place
COLUMNS = 14  # that say where a surface stands

Surfaces = Sequence[tuple[Sequence[Placement], Sequence[Modules]]]
"""Of every layer: the surfaces that stand alone, and the modules."""


def faults(description: Description, materials: Collection[str]) -> list[str]:
    """One line per fault: key and reason. Empty if all is well. `materials`: the known names."""
    found = list(_patterns(description))
    if found:
        return found
    surfaces = [(list(places(layer)), list(modules(layer))) for layer in description.layers]
    return [
        *_unknown(description, materials),
        *_outside(description, surfaces),
        *_twice(description, surfaces),
        *_in_one_place(surfaces),
        *_overlaps(description),
    ]


def _patterns(description: Description) -> Iterator[str]:
    for layer in description.layers:
        try:
            next(places(layer), None)
            next(modules(layer), None)
        except (TypeError, ValueError):
            yield f'layers "{layer.name}": name: has no {{sector}} or {{side}} to be written so; use {{n}}'
        if layer.material == VACUUM and layer.x0 is not None:
            yield f'layers "{layer.name}": x0: vacuum has no radiation length; give a material'


def _unknown(description: Description, materials: Collection[str]) -> Iterator[str]:
    used = [(f'layers "{layer.name}"', layer.material) for layer in description.layers if layer.material]
    for volume in description.volumes:
        names = [volume.material] if volume.material else [one.material for one in volume.stack]
        used += [(f'volumes "{volume.name}"', name) for name in names]
    for key, name in dict.fromkeys(used):
        if name not in materials:
            close = get_close_matches(name, materials, n=1, cutoff=0.65)
            hint = f"did you mean '{close[0]}'?" if close else f"define it in [materials.{name}]"
            yield f"{key}: material '{name}' is unknown; {hint}"


def _twice(description: Description, surfaces: Surfaces) -> Iterator[str]:
    layers = Counter(place.name for alone, _ in surfaces for place in alone)
    layers.update(name for _, pieces in surfaces for piece in pieces for name in piece.names)
    volumes = Counter(block.name for volume in description.volumes for block in blocks(volume))
    for key, names in (("layers", layers), ("volumes", volumes)):
        used = {name: count for name, count in names.items() if count > 1}
        for name, count in list(used.items())[:1]:
            more = f", and {len(used) - 1} more names are used several times" if len(used) > 1 else ""
            yield f'{key} "{name}": the name is used {count} times{more}; put {{n}}, {{sector}} or {{side}} in it'


def _in_one_place(surfaces: Surfaces) -> Iterator[str]:
    """Surfaces that stand where another one stands: a track would meet one of them only."""
    names: list[str] = []
    rows = [np.zeros((0, COLUMNS))]
    for alone, pieces in surfaces:
        for place in alone:
            names.append(place.name)
            is_quadrant = place.kind == DISC and place.bounds[3] == QUADRANT
            axes = place.axes + place.axes[1] if is_quadrant else place.axes  # u + v points into it
            rows.append(_stand(place.center[None], axes[None], place.radius, np.array([place.bounds])))
        for piece in pieces:
            names += piece.names
            rows.append(_stand(piece.center, piece.axes, 0.0, piece.bounds))
    stands = np.concatenate(rows)
    order = np.lexsort(stands.T)
    same = np.flatnonzero(np.all(stands[order[1:]] == stands[order[:-1]], axis=1))
    if len(same):
        one, other = (names[order[same[0] + step]] for step in (0, 1))
        more = f", and {len(same) - 1} more so" if len(same) > 1 else ""
        yield f'layers "{other}": stands where "{one}" stands{more}; move it by its thickness'


def _stand(center: FloatArray, axes: FloatArray, radius: float, bounds: FloatArray) -> FloatArray:
    """Where surfaces stand, as rows (n, COLUMNS) that are equal if they stand in the same place."""
    rows = np.column_stack((center, axes[:, 0], np.abs(axes[:, 2]), np.full(len(center), radius), bounds))
    return np.asarray(np.round(rows / PLACE) + 0.0, dtype=np.float64)


def _outside(description: Description, surfaces: Surfaces) -> Iterator[str]:
    envelope = description.envelope
    for alone, pieces in surfaces:
        reaches = [(place.name, _reach(place)) for place in alone]
        reaches += [(piece.name, _reach_of_all(piece)) for piece in pieces]
        for name, (r, low, high) in reaches:
            if not _within(r, low, high, envelope):
                yield f'layers "{name}": reaches {_said(r, low, high)}, outside of the envelope ({_of(envelope)})'
    for volume in description.volumes:
        for block in blocks(volume):
            r, (low, high) = _widest(block), block.z
            if not _within(r, low + block.z0, high + block.z0, envelope):
                reach = _said(r, low + block.z0, high + block.z0)
                yield f'volumes "{block.name}": reaches {reach}, outside of the envelope ({_of(envelope)})'


def _within(r: float, low: float, high: float, envelope: Envelope) -> bool:
    inside = low >= envelope.z[0] - TOLERANCE and high <= envelope.z[1] + TOLERANCE
    return inside and r <= envelope.r + TOLERANCE


def _said(r: float, low: float, high: float) -> str:
    return f"r = {r:g}, z = {low:g} to {high:g} cm"


def _of(envelope: Envelope) -> str:
    return _said(envelope.r, *envelope.z)


def _reach(place: Placement) -> tuple[float, float, float]:
    """Largest r, lowest and highest z of a surface."""
    z = float(place.center[2])
    if place.kind == CYLINDER:
        return place.radius, z + place.bounds[2], z + place.bounds[3]
    if place.kind == DISC:
        return place.bounds[1], z, z
    corners = _corners(place)
    return float(np.hypot(*corners[:, :2].T).max()), float(corners[:, 2].min()), float(corners[:, 2].max())


def _reach_of_all(piece: Modules) -> tuple[float, float, float]:
    """The same of the modules of a layer."""
    corner = corners(np.full(len(piece.center), piece.kind), piece.center, piece.axes, piece.bounds).reshape(-1, 3)
    return float(np.hypot(*corner[:, :2].T).max()), float(corner[:, 2].min()), float(corner[:, 2].max())


def _corners(place: Placement) -> FloatArray:
    local = np.array(list(product(place.bounds[:2], place.bounds[2:])))
    return place.center + local @ place.axes[:2]


def _overlaps(description: Description) -> Iterator[str]:
    found = [block for volume in description.volumes for block in blocks(volume)]
    for one, other in combinations(found, 2):
        low = max(one.z[0] + one.z0, other.z[0] + other.z0)
        high = min(one.z[1] + one.z0, other.z[1] + other.z0)
        if high - low > TOLERANCE and not _apart(one, other, (low, high)):
            yield f'volumes "{one.name}" and "{other.name}" overlap between z = {low:g} and {high:g} cm'


def _apart(one: Block, other: Block, ends: tuple[float, float]) -> bool:
    """Walls are straight along z, so it is enough to look at both ends of what they share of it."""
    if _beside(one, other):
        return True
    return any(all(_around(inner, outer, z) for z in ends) for inner, outer in ((one, other), (other, one)))


def _around(inner: Block, outer: Block, z: float) -> bool:
    hole = _wall(outer, 0, z) + TOLERANCE
    if inner.sides <= ROUND or (inner.sides, inner.phi0) == (outer.sides, outer.phi0):
        return _wall(inner, 1, z) <= hole
    corners = _outline(inner, z)
    if outer.sides <= ROUND:
        return bool(np.hypot(*corners.T).max() <= hole)
    return bool((corners @ _normals(outer).T).max() <= hole)


def _widest(block: Block) -> float:
    """The largest distance from the axis."""
    if block.sides <= ROUND:
        return max(block.rho[1], block.rho_end[1])
    return float(np.hypot(*_outline(block, block.z0 + block.z[0]).T).max())


def _wall(block: Block, wall: int, z: float) -> float:
    """The inner (0) or outer (1) rho of a block at z."""
    return block.rho[wall] + lean(block, wall) * (z - block.z0 - block.z[0])


def _normals(block: Block) -> FloatArray:
    phi = block.phi0 + 2 * np.pi * np.arange(block.sides) / block.sides
    return np.stack((np.cos(phi), np.sin(phi)), axis=1)


def _outline(block: Block, z: float) -> FloatArray:
    """The outer corners (n, 2) of a polygon at z."""
    return np.concatenate(_boxes(block, _wall(block, 1, z)))


def _boxes(block: Block, *rhos: float) -> FloatArray:
    """Of each side of a polygon (sides, n, 2): where the ends of the side are at each rho."""
    normals = _normals(block)
    ends = [(rho, sign * min(block.half_width, rho * np.tan(np.pi / block.sides))) for rho in rhos for sign in (-1, 1)]
    return np.stack([rho * normals + u * _across(block) for rho, u in ends], axis=1)


def _beside(one: Block, other: Block) -> bool:
    """Whether both are boxes, and a straight line can be drawn between any two of them."""
    if not max(one.half_width, other.half_width) < np.inf:
        return False
    directions = np.concatenate([f(block) for block in (one, other) for f in (_normals, _across)])
    first, second = (_boxes(block, *block.rho) @ directions.T for block in (one, other))
    below = first.max(axis=1)[:, None] <= second.min(axis=1) + TOLERANCE
    above = second.max(axis=1) <= first.min(axis=1)[:, None] + TOLERANCE
    return bool((below | above).any(axis=2).all())


def _across(block: Block) -> FloatArray:
    """Unit vectors (sides, 2) along the sides."""
    normals = _normals(block)
    return np.stack((-normals[:, 1], normals[:, 0]), axis=1)
