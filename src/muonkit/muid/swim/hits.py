"""The hits of the muon detector, as the kernels see them: those that cannot be are found, the others are sorted."""

from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.data.klm import BARREL, ENDCAP, KLMHits
from muonkit.data.muid import BARREL_LAYERS, ENDCAP_LAYERS
from muonkit.muid.swim.kernels.tuples import HitArrays
from muonkit.muid.swim.layout import MISSING, LayoutArrays


class Lost(NamedTuple):
    """Hits that tracks may not take: rows (m,) of the table, those of track i in first[i] ... first[i + 1] - 1 of first
    (n + 1,)."""

    first: IntArray
    rows: IntArray


def arrange(
    hits: KLMHits, track_event: IntArray, layout: LayoutArrays, lost: Lost | None = None
) -> tuple[HitArrays, IntArray]:
    """Hits sorted by event and slot, and the event (n,) of every track among them, -1 where it has no hits.

    The order of hits in one slot is that of the table. Raises InputError for hits that cannot be."""
    check_hits(hits, layout)
    events, number = np.unique(hits.event, return_inverse=True)
    slot = np.where(hits.region == BARREL, hits.layer, BARREL_LAYERS + ENDCAP_LAYERS * hits.section + hits.layer)
    order = np.lexsort((slot, number))
    first = np.searchsorted(number[order], np.arange(len(events) + 1))
    place = np.searchsorted(events, track_event)
    has_hits = np.isin(track_event, events)
    arrays = HitArrays(
        first,
        slot[order],
        hits.section[order],
        (hits.sector - 1)[order],
        np.ascontiguousarray(hits.position[order]),
        hits.time[order],
        np.ascontiguousarray(hits.width[order]),
        order,
        *(lost or Lost(np.zeros(len(track_event) + 1, dtype=np.int64), np.zeros(0, dtype=np.int64))),
    )
    return arrays, np.where(has_hits, place, MISSING)


def check_hits(hits: KLMHits, layout: LayoutArrays) -> None:
    """Raises InputError, one line per kind of fault, for hits that are not finite or not on a module."""
    faults = []
    for what, bad in hit_faults(hits, layout).items():
        rows = np.flatnonzero(bad)
        if len(rows):
            faults.append(f"hits: {len(rows)} of {len(bad)} {what}, the first in row {rows[0]}; remove them")
    if faults:
        raise InputError(faults)


def usable(hits: KLMHits, layout: LayoutArrays) -> tuple[KLMHits, dict[str, int]]:
    """The hits without those that cannot be, and how many had which fault."""
    faults = hit_faults(hits, layout)
    bad = np.any(list(faults.values()), axis=0)
    return hits[~bad], {what: int(np.sum(rows)) for what, rows in faults.items() if np.any(rows)}


def hit_faults(hits: KLMHits, layout: LayoutArrays) -> dict[str, BoolArray]:
    """Kind of fault -> the hits (k,) that have it."""
    measured = np.column_stack((hits.position, hits.time, hits.width))
    return {
        "are not finite": np.asarray(~np.isfinite(measured).all(axis=1)),
        "have a cluster of less than one strip": np.asarray((hits.width < 1).any(axis=1)),
        "are in a region, section, sector or layer that does not exist": module_of(hits, layout) == MISSING,
    }


def module_of(hits: KLMHits, layout: LayoutArrays) -> IntArray:
    """The surface (k,) of the module that a hit names, MISSING where there is none. In an endcap its quadrant is that
    of the position."""
    sectors = layout.barrel.shape[1]
    in_section = (hits.section >= 0) & (hits.section <= 1)
    in_barrel = (hits.region == BARREL) & (hits.sector >= 1) & (hits.sector <= sectors) & (hits.layer < BARREL_LAYERS)
    in_endcap = (hits.region == ENDCAP) & (hits.layer < ENDCAP_LAYERS)
    possible = in_section & (hits.layer >= 0) & (in_barrel | in_endcap)
    section, layer = np.where(possible, hits.section, 0), np.where(possible, hits.layer, 0)
    sector = np.where(possible & in_barrel, hits.sector - 1, 0)
    surface = np.where(
        in_barrel,
        layout.barrel[section, sector, layer],
        layout.endcap[section, quadrants(hits.position), np.minimum(layer, ENDCAP_LAYERS - 1)],
    )
    return np.where(possible, surface, MISSING)


def quadrants(position: FloatArray) -> IntArray:
    """Quadrants (k,), 0 to 3 in the order of azimuth, of points (k, 3)."""
    x, y = position[:, 0], position[:, 1]
    return np.where(y >= 0, np.where(x >= 0, 0, 1), np.where(x < 0, 2, 3))
