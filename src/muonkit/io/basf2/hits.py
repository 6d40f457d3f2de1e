"""Hits of the KLM in a basf2 file, with muonkit's numbers: layers from 0, sections 0 (backward) and 1 (forward).

Barrel: sections 0 and 1, sectors 1 to 8; endcap: sections 1 and 2, sectors 1 to 4; planes of strips: 0 measures z, 1
measures phi. Muid leaves out hits of the barrel with the flag `out of time`, so they make no rows."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from muonkit.core.arrays import AnyArray, BoolArray, IntArray
from muonkit.core.errors import InputError
from muonkit.data.klm import BARREL, ENDCAP
from muonkit.io.basf2.rows import Columns, Rows, first_rows
from muonkit.io.basf2.tree import EventTree, Members, OpenTree

HITS = "KLMHit2ds"
SUBDETECTOR, LATE = "m_Subdetector", "m_IsOutOfTime"
PLACE = (SUBDETECTOR, "m_Section", "m_Sector", "m_Layer", LATE)
MEASURED = ("m_GlobalX", "m_GlobalY", "m_GlobalZ", "m_Time")
STRIPS = ("m_Strip", "m_LastStrip")
BKLM, EKLM = 1, 2
Z_PLANE, PHI_PLANE = 0, 1
UNKNOWN = -1


@dataclass(frozen=True)
class HitRows(Rows):
    """A row for every hit that Muid would look at; left_out: number of the others."""

    left_out: int = 0
    names: ClassVar[tuple[str, ...]] = (
        *("region", "section", "sector", "layer", "x", "y", "z", "t", "width_phi", "width_z"),
    )

    def columns(self, here: OpenTree, entries: slice) -> tuple[IntArray, Columns]:
        found = here.read(HITS, (*PLACE, *MEASURED, *STRIPS), entries)
        kept = in_time(found)
        counts = found[LATE].counts
        entry = np.repeat(np.arange(len(counts)), counts)[kept]
        values = {name: one.values[kept] for name, one in found.items()}
        return np.bincount(entry, minlength=len(counts)), _placed(values) | _measured(values)


def open_hit_rows(tree: EventTree) -> HitRows:
    """The hits of a file. Raises InputError if it has none."""
    if not tree.has(HITS):
        raise InputError(
            f"{tree.name}: has no {HITS}: an mdst holds no hits of the muon detector. Give a cdst, or write the file "
            f"with the branch {HITS}; its tracks alone say nothing."
        )
    tree.require(HITS, *PLACE, *MEASURED, *STRIPS)
    with tree.opened() as here:
        found = here.read(HITS, (SUBDETECTOR, LATE), slice(0, len(tree.events)))
    kept, counts = in_time(found), found[LATE].counts
    entry = np.repeat(np.arange(len(counts)), counts)
    first = first_rows(tree, np.bincount(entry[kept], minlength=len(counts)))
    return HitRows(tree, first, int(np.sum(~kept)))


def in_time(found: dict[str, Members]) -> BoolArray:
    """Which hits Muid looks at (k,)."""
    late = (found[LATE].values != 0) & (found[SUBDETECTOR].values == BKLM)
    return np.asarray(~late)


def _placed(values: dict[str, AnyArray]) -> Columns:
    detector, section = values[SUBDETECTOR].astype(np.int64), values["m_Section"].astype(np.int64)
    region = np.select([detector == BKLM, detector == EKLM], [BARREL, ENDCAP], UNKNOWN)
    return {
        "region": region,
        "section": np.where(region == ENDCAP, section - 1, section),
        "sector": values["m_Sector"].astype(np.int64),
        "layer": values["m_Layer"].astype(np.int64) - 1,
    }


def _measured(values: dict[str, AnyArray]) -> Columns:
    columns = {to: values[name].astype(np.float64) for to, name in zip("xyzt", MEASURED, strict=True)}
    first, last = (values[name].astype(np.int64) for name in STRIPS)
    width = np.maximum(last - first, 0) + 1  # hits of the endcap may have no last strip
    return columns | {"width_phi": width[:, PHI_PLANE], "width_z": width[:, Z_PLANE]}
