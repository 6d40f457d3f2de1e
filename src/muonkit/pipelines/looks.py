"""What is looked for in the pairs while they are counted: pairs that stand in the files twice, and a cut on
reconstructed pT, which biases the scale. Every piece gives small sums; the decision is made from all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Self

import numpy as np

from muonkit.calibration.accumulate import CountSettings, pair_masses
from muonkit.calibration.drift import RunPairs
from muonkit.calibration.export import Corrections
from muonkit.calibration.reach import PtCounts, ReachCounts, selected_pairs
from muonkit.core.arrays import FloatArray
from muonkit.data.dimuons import Dimuons
from muonkit.io.repeated import Hashes, hashes

EDGE = 0.01  # relative width in which a cut on reconstructed pT shows as a cliff
PAIRS = 1000  # fewer pairs show no cliff
NEAR = 5  # muons that make a cliff
FOR_RANGE = 20_000  # pairs of a piece that show the range of pT


@dataclass(frozen=True, slots=True)
class Softest:
    """The softer muons of the pairs in the mass window: number of pairs, and all pT [GeV], as measured and as
    pT/m x m_resonance, that are less than EDGE above the lowest one. Each (k,)."""

    pairs: int
    pt: FloatArray
    scaled: FloatArray

    @classmethod
    def of(cls, table: Dimuons, settings: CountSettings) -> Self:
        """Those of the pairs of one piece."""
        masses = pair_masses(table)
        window = (masses >= settings.window[0]) & (masses < settings.window[1])
        softer = np.minimum(table.plus.pt, table.minus.pt)[window]
        return cls(len(softer), _lowest(softer), _lowest(softer * settings.pole / masses[window]))

    def __add__(self, other: Self) -> Self:
        joined = (np.concatenate(both) for both in ((self.pt, other.pt), (self.scaled, other.scaled)))
        return type(self)(self.pairs + other.pairs, *map(_lowest, joined))

    def above(self, limit: float) -> bool:
        """Whether there are muons, and none at or below `limit` [GeV]."""
        return len(self.pt) > 0 and float(self.pt.min()) > limit

    def is_cut(self, limit: float) -> bool:
        """Whether pT was cut above `limit` [GeV]. A cliff in pT/m is a cut that does no harm."""
        enough = self.pairs >= PAIRS and len(self.pt) >= NEAR
        return enough and self.above(limit) and len(self.scaled) <= len(self.pt)


def _lowest(pt: FloatArray) -> FloatArray:
    return pt[pt < pt.min() * (1 + EDGE)] if len(pt) else pt


@dataclass(frozen=True, slots=True)
class Looked:
    """What one piece of a file shows: the hashes of its pairs, its softest muons, its runs, and, of the pairs that are
    selected, the pT of some muons, and how many muons corrections reach."""

    hashes: Hashes
    softest: Softest
    pt: PtCounts
    reach: ReachCounts
    runs: RunPairs

    @classmethod
    def at(cls, table: Dimuons, settings: CountSettings, one_in: int, corrections: Corrections | None = None) -> Self:
        """Look at the pairs of a piece; `one_in`: see `io.repeated`; `corrections`: those to be tested."""
        some = selected_pairs(table[:: max(1, len(table) // FOR_RANGE)], settings)
        reach = ReachCounts()
        if corrections is not None:
            reach = corrections.reach_of(selected_pairs(table, settings))
        softest, pt = Softest.of(table, settings), PtCounts.of(some, settings)
        return cls(hashes(table, one_in), softest, pt, reach, RunPairs.of(table))


def reconstructed_cut(pieces: Sequence[tuple[str, Softest]], chosen: CountSettings) -> str | None:
    """A warning if the pairs were cut in reconstructed pT above the dilation-invariant cut. `pieces`: each with the
    name of its file.

    Such a cut biases the scale by 2e-4 at 1 % resolution. A sample that was not cut has muons below
    scaled_pt_min x (window's low end)/m_resonance, and no cliff at its smallest pT. A cut belongs to a file: muons of a
    file that was not cut would hide the cliff in another one. Files that are too small to show a cliff are looked at
    together, without those that have muons below that pT."""
    limit = chosen.scaled_pt[0] * chosen.window[0] / chosen.pole
    files: dict[str, Softest] = {}
    for name, found in pieces:
        files[name] = files[name] + found if name in files else found
    cut = {name: found for name, found in files.items() if found.is_cut(limit)}
    small = {name: found for name, found in files.items() if found.above(limit) and name not in cut}
    if small and (together := reduce(add, small.values())).is_cut(limit):
        cut |= dict.fromkeys(small, together)
    if not cut:
        return None
    lowest = max(float(found.pt.min()) for found in cut.values())
    first, more = next(iter(cut)), len(cut) - 1
    where = "" if len(cut) == len(files) else f" of {first}" + (f" and {more} more files" if more else "")
    return (
        f"the pairs{where} seem to be cut at reconstructed pT = {lowest:.3g} GeV, which biases the scale by about "
        f"2e-4; use selection.scaled_pt_min of at least {lowest * chosen.pole / chosen.window[0]:.3g} GeV"
    )
