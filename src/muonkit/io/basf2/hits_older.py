"""Hits of the KLM as older releases write them: BKLMHit2ds and EKLMHit2ds, one array for the barrel and one for the
endcaps, instead of KLMHit2ds.

BKLMHit2d packs its place in m_ModuleID (lowest bit first): 6 bits the first strip that measures phi, 1 plane, 4 layer,
3 sector, 1 section, 6 the last strip that measures phi; bit 24: out of time; all numbers from 0. m_ZStrips has 6 bits
for the first and 6 for the last strip that measures z. The bit of the section changed its meaning between versions of
the class, so the section is that of the position. EKLMHit2d numbers layers and sectors from 1, sections from 1
(backward), and comes from one strip of each plane. Source: headers of the classes in the public basf2 sources."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import AnyArray, BoolArray, IntArray
from muonkit.data.klm import BARREL, ENDCAP
from muonkit.io.basf2.hits import HITS, HitRows, open_hit_rows
from muonkit.io.basf2.rows import Columns, first_rows
from muonkit.io.basf2.tree import EventTree, OpenTree

BKLM, EKLM = "BKLMHit2ds", "EKLMHit2ds"
PACKED, POSITION = ("m_ModuleID", "m_ZStrips", "m_Time"), "m_GlobalPosition"
ENDCAP_PLACE, ENDCAP_POINT = ("m_Section", "m_Sector", "m_Layer"), ("m_globalX", "m_globalY", "m_globalZ", "m_Time")
FIRST_PHI, LAYER, SECTOR, LAST_PHI, LATE = (0, 6), (7, 4), (11, 3), (15, 6), (24, 1)  # lowest bit, number of bits
FIRST_Z, LAST_Z = (0, 6), (6, 6)
MIDDLE = 47.0  # cm: z between the halves of the barrel


class Found(NamedTuple):
    """entry (k,): of every hit; columns (k,); late (k,): hits that Muid leaves out."""

    entry: IntArray
    columns: Columns
    late: BoolArray


@dataclass(frozen=True)
class OlderHitRows(HitRows):
    """The same rows from the arrays of older releases, barrel first; arrays: those that the file has."""

    arrays: tuple[str, ...] = (BKLM, EKLM)

    def columns(self, here: OpenTree, entries: slice) -> tuple[IntArray, Columns]:
        parts = [READ[array](here, entries) for array in self.arrays]
        entry = np.concatenate([part.entry[~part.late] for part in parts])
        order: IntArray = np.argsort(entry, kind="stable")
        together = {
            name: np.concatenate([part.columns[name][~part.late] for part in parts])[order] for name in self.names
        }
        return np.bincount(entry, minlength=entries.stop - entries.start), together


def open_any_hit_rows(tree: EventTree) -> HitRows:
    """The hits of a file of any release. Raises InputError if it has none."""
    arrays = tuple(name for name in (BKLM, EKLM) if tree.has(name))
    if tree.has(HITS) or not arrays:
        return open_hit_rows(tree)
    n = len(tree.events)
    with tree.opened() as here:
        parts = [READ[array](here, slice(0, n)) for array in arrays]
    kept = np.concatenate([part.entry[~part.late] for part in parts])
    left_out = sum(int(part.late.sum()) for part in parts)
    return OlderHitRows(tree, first_rows(tree, np.bincount(kept, minlength=n)), left_out, arrays)


def older_notes(rows: HitRows) -> tuple[str, ...]:
    """A line about what hits of an older release do not say."""
    if not isinstance(rows, OlderHitRows):
        return ()
    name, lacks = rows.tree.name, [array for array in (BKLM, EKLM) if array not in rows.arrays]
    used = f"{name}: {' and '.join(rows.arrays)} of an older release are used"
    return (used + (f"; there are no {lacks[0]}, so that all of their layers look missed" if lacks else ""),)


def barrel(here: OpenTree, entries: slice) -> Found:
    """Hits of the barrel. Raises InputError if a member is missing."""
    found = here.read(BKLM, (*PACKED, POSITION), entries)
    module, strips = (found[name].values.astype(np.int64) for name in PACKED[:2])
    position = found[POSITION].values.astype(np.float64)
    columns: Columns = {
        "region": np.full(len(module), BARREL),
        "section": (position[:, 2] > MIDDLE).astype(np.int64),
        "sector": bits(module, SECTOR) + 1,
        "layer": bits(module, LAYER),
        **dict(zip("xyz", position.T, strict=True)),
        "t": found["m_Time"].values.astype(np.float64),
        "width_phi": np.maximum(bits(module, LAST_PHI) - bits(module, FIRST_PHI), 0) + 1,
        "width_z": np.maximum(bits(strips, LAST_Z) - bits(strips, FIRST_Z), 0) + 1,
    }
    return Found(_entry(found["m_Time"].counts), columns, bits(module, LATE) == 1)


def endcap(here: OpenTree, entries: slice) -> Found:
    """Hits of the endcaps. Raises InputError if a member is missing."""
    found = here.read(EKLM, (*ENDCAP_PLACE, *ENDCAP_POINT), entries)
    section, sector, layer = (found[name].values.astype(np.int64) for name in ENDCAP_PLACE)
    place = {"region": np.full(len(section), ENDCAP), "section": section - 1, "sector": sector, "layer": layer - 1}
    point = {to: found[name].values.astype(np.float64) for to, name in zip("xyzt", ENDCAP_POINT, strict=True)}
    width = dict.fromkeys(("width_phi", "width_z"), np.ones(len(section), dtype=np.int64))
    return Found(_entry(found["m_Time"].counts), {**place, **point, **width}, np.zeros(len(section), dtype=np.bool_))


READ: dict[str, Callable[[OpenTree, slice], Found]] = {BKLM: barrel, EKLM: endcap}


def bits(values: IntArray, where: tuple[int, int]) -> IntArray:
    """A few bits (k,) of packed numbers (k,), from the lowest one and so many."""
    lowest, number = where
    return (values >> lowest) & ((1 << number) - 1)


def _entry(counts: AnyArray) -> IntArray:
    return np.repeat(np.arange(len(counts)), counts)
