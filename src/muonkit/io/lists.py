"""Columns with one list per event -> columns with one number per item of a list."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import awkward as ak
import numpy as np

from muonkit.core.arrays import AnyArray, BoolArray, IntArray
from muonkit.core.errors import InputError
from muonkit.io.chunks import Chunk


@dataclass(frozen=True, slots=True)
class Lists:
    """The lists of all events, one after the other. columns: name -> (k,); event (k,): number, from 0, of the event of
    an item; offsets (n + 1,): number of items before every event."""

    columns: dict[str, AnyArray]
    event: IntArray
    offsets: IntArray

    @classmethod
    def of(cls, jagged: Mapping[str, Any], chunk: Chunk) -> Self:
        """From awkward arrays with one list per event. Raises InputError if the lists of one event differ in length."""
        first, *others = jagged
        counts = ak.to_numpy(ak.num(jagged[first]))
        for other in others:
            if not np.array_equal(ak.to_numpy(ak.num(jagged[other])), counts):
                pair = f"'{chunk.names[first]}' and '{chunk.names[other]}'"
                raise InputError(f"{chunk.name}: {pair} have lists of different length. Name lists of the same muons.")
        columns = {key: plain(ak.flatten(lists)) for key, lists in jagged.items()}
        return cls(columns, np.repeat(np.arange(len(counts)), counts), np.concatenate([[0], np.cumsum(counts)]))

    def places(self, chosen: BoolArray) -> Any:
        """Positions of the chosen items (k,), as an awkward array with one list per event."""
        events = len(self.offsets) - 1
        return ak.unflatten(np.flatnonzero(chosen), np.bincount(self.event[chosen], minlength=events))


def plain(column: Any) -> AnyArray:
    """A column with one number per event, or per item, as NumPy array (n,). What is absent is NaN."""
    return np.asarray(ak.to_numpy(ak.fill_none(column, np.nan)))
