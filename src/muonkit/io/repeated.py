"""Pairs that stand in the files twice, as in two primary datasets that share events.

A pair is named by a 64-bit hash of run, luminosity block and event (where the files have them) and of pT, eta and phi
of both muons in single precision. So two pairs of one event differ, and a pair is found again in another kind
of file.

Only hashes that are divisible by `one_in` are kept, which is one pair in so many, the same ones in every file. With
one_in = 1, up to KEPT pairs, every repeated pair is counted. Beyond that memory stays bounded (8 bytes for each of KEPT
hashes, and their sorting), and the number of repeated pairs is an estimate: N repeated pairs are overlooked with the
probability (1 - 1/one_in)^N. A pair that was reconstructed again, with other momenta, is another pair. Two different
pairs have the same hash with the probability 2^-64."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from muonkit.core.arrays import AnyArray, IntArray
from muonkit.data.dimuons import Dimuons

KEPT = 4_000_000
Hashes = npt.NDArray[np.uint64]


def one_in(rows: int) -> int:
    """One pair in how many is looked at, in files with `rows` rows."""
    return max(1, -(-rows // KEPT))


def hashes(table: Dimuons, keep_one_in: int) -> Hashes:
    """The hashes (k,) of those pairs of a table that are looked at."""
    state: Hashes = np.zeros(len(table), dtype=np.uint64)
    where = table.identity
    event = [] if where is None else [where.run, where.luminosity_block, where.event]
    numbers = [column.astype(np.int64).view(np.uint64) for column in event]
    for bits in (*numbers, *map(_bits, (*table.plus, *table.minus))):
        state = _mixed(state ^ bits)
    return state[state % np.uint64(keep_one_in) == 0]


def _bits(column: AnyArray) -> Hashes:
    with np.errstate(over="ignore"):
        single = column.astype(np.float32) + np.float32(0)  # -0 becomes 0
    return single.view(np.uint32).astype(np.uint64)


def _mixed(state: Hashes) -> Hashes:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014): every bit depends on all bits."""
    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


@dataclass(frozen=True, slots=True)
class Repeats:
    """How many pairs stand in the files before: `between` (file, file before, pairs); `looked_at`: pairs that were
    compared; `one_in`: one pair in so many was."""

    between: tuple[tuple[str, str, int], ...]
    looked_at: int
    one_in: int = 1

    @property
    def pairs(self) -> int:
        """Number of repeated pairs; an estimate if not all were looked at."""
        return self.one_in * sum(count for *_, count in self.between)

    @property
    def share(self) -> float:
        """Share of repeated pairs among all."""
        return sum(count for *_, count in self.between) / self.looked_at if self.looked_at else 0.0

    def described(self) -> list[str]:
        """One line for every two files that share pairs."""
        about = "about " if self.one_in > 1 else ""
        lines = []
        for later, earlier, count in self.between:
            number = f"{about}{count * self.one_in}"
            pairs = f"{number} pair stands" if number == "1" else f"{number} pairs stand"
            where = "in the file twice" if later == earlier else f"in {earlier} too"
            lines.append(f"{later}: {pairs} {where} (same event, same muons)")
        return lines


def repeats(parts: Sequence[tuple[str, Hashes]], keep_one_in: int) -> Repeats:
    """Compare the hashes of pieces, each with the name of its file, in the order of the files."""
    files = list(dict.fromkeys(name for name, _ in parts))
    number = {name: i for i, name in enumerate(files)}
    every = np.concatenate([found for _, found in parts]) if parts else np.zeros(0, dtype=np.uint64)
    file = np.repeat([number[name] for name, _ in parts], [len(found) for _, found in parts]).astype(np.int64)
    order = np.argsort(every, kind="stable")  # equal ones stay in the order of the files
    again = np.flatnonzero(every[order][1:] == every[order][:-1])
    earlier, later = file[order[again]], file[order[again + 1]]
    return Repeats(_between(files, later, earlier), len(every), keep_one_in)


def _between(files: list[str], later: IntArray, earlier: IntArray) -> tuple[tuple[str, str, int], ...]:
    pairs = sorted(zip(later.tolist(), earlier.tolist(), strict=True))
    return tuple((files[a], files[b], len(list(same))) for (a, b), same in groupby(pairs))
