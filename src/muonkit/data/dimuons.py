"""Pairs of opposite-sign muons, a struct of arrays. pT [GeV], phi [rad]; row i of every array is pair i."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np

from muonkit.core.arrays import AnyArray, FloatArray, IntArray
from muonkit.core.kinematics import MuonArrays


def _take(muon: MuonArrays, rows: AnyArray | slice) -> MuonArrays:
    return MuonArrays(*(column[rows] for column in muon))


def _join(muons: Sequence[MuonArrays]) -> MuonArrays:
    return MuonArrays(*(np.concatenate(columns) for columns in zip(*muons, strict=True)))


@dataclass(frozen=True, slots=True)
class Identity:
    """Run, luminosity block and event number of every pair; int64, shape (n,)."""

    run: IntArray
    luminosity_block: IntArray
    event: IntArray

    def __getitem__(self, rows: AnyArray | slice) -> Self:
        return type(self)(self.run[rows], self.luminosity_block[rows], self.event[rows])


@dataclass(frozen=True, slots=True)
class Dimuons:
    """Reconstructed pairs with weight (n,); `gen_plus`, `gen_minus` (after radiation) only in simulation."""

    plus: MuonArrays
    minus: MuonArrays
    weight: FloatArray
    identity: Identity | None = None
    gen_plus: MuonArrays | None = None
    gen_minus: MuonArrays | None = None

    def __len__(self) -> int:
        return len(self.weight)

    def __getitem__(self, rows: AnyArray | slice) -> Self:
        """The pairs selected by a mask, an index array or a slice."""
        return type(self)(
            _take(self.plus, rows),
            _take(self.minus, rows),
            self.weight[rows],
            None if self.identity is None else self.identity[rows],
            None if self.gen_plus is None else _take(self.gen_plus, rows),
            None if self.gen_minus is None else _take(self.gen_minus, rows),
        )

    def with_pt(self, plus: FloatArray, minus: FloatArray) -> Self:
        """The same pairs with other transverse momenta (n,) [GeV]."""
        return replace(self, plus=self.plus._replace(pt=plus), minus=self.minus._replace(pt=minus))


def concatenate(tables: Sequence[Dimuons]) -> Dimuons:
    """One table from many, in their order. Identity and generator muons are kept only if every table has them.
    Raises ValueError if there is no table."""
    if len(tables) == 1:
        return tables[0]

    def joined(name: str) -> MuonArrays | None:
        parts = [getattr(table, name) for table in tables]
        return None if any(part is None for part in parts) else _join(parts)

    identities = [table.identity for table in tables if table.identity is not None]
    identity = None
    if len(identities) == len(tables):
        identity = Identity(*(np.concatenate([getattr(i, f.name) for i in identities]) for f in fields(Identity)))
    weight = np.concatenate([table.weight for table in tables])
    plus, minus = _join([table.plus for table in tables]), _join([table.minus for table in tables])
    return Dimuons(plus, minus, weight, identity, joined("gen_plus"), joined("gen_minus"))
