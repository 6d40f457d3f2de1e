"""[input] of `calibrate`, `validate` and `apply`: where the muons are."""

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import AfterValidator, Field

from muonkit.core.arrays import AnyArray, BoolArray
from muonkit.core.config import Label, Section

Format = Literal["dimuon", "cms-csv", "nanoaod"]
SHORT = {"pt": "Muon_pt", "eta": "Muon_eta", "phi": "Muon_phi", "charge": "Muon_charge"}  # of columns of NanoAOD
COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Condition(NamedTuple):
    """What a column must fulfil: its name in the file, a key of COMPARED, a number."""

    column: str
    sign: str
    limit: float

    @classmethod
    def of(cls, text: str) -> Self:
        """From a text such as "Muon_bsConstrainedChi2 < 10". Raises ValueError if it is no such text."""
        found = re.fullmatch(r"\s*([^\s<>=]+)\s*(<=|>=|<|>)\s*(\S+)\s*", text)
        try:
            limit = float(found[3]) if found else math.nan
        except ValueError:
            limit = math.nan
        if found is None or not math.isfinite(limit):
            raise ValueError(f"write COLUMN < NUMBER (or <=, >, >=), not {text[:60]!r}")
        return cls(found[1], found[2], limit)

    def holds(self, values: AnyArray) -> BoolArray:
        """For which of the values (n,) it holds; for none that is NaN."""
        mask: BoolArray = COMPARED[self.sign](values, self.limit)
        return mask


def is_condition(text: str) -> str:
    """The text, if it is a condition. Raises ValueError otherwise."""
    Condition.of(text)
    return text


class Fallback(Section):
    """Which muons of NanoAOD take the standard columns: those that are no muons in the columns that were chosen, and
    those for which a text of `require` does not hold. Above `max_share` of all muons, the run is refused."""

    require: tuple[Annotated[str, AfterValidator(is_condition)], ...] = ()
    max_share: float = Field(0.05, ge=0, le=1)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What must hold of a muon."""
        return tuple(map(Condition.of, self.require))


class Input(Section):
    """Where the muons are. `columns` maps a column of the format to its name in the files. `label` is the name of the
    data in figures. `fallback`: for muons that are bad in the columns that were chosen. What `simulation_format`,
    `simulation_tree`, `simulation_columns` and `simulation_fallback` do not say is as in data."""

    data: tuple[str, ...] = Field(min_length=1)
    simulation: tuple[str, ...] = ()
    format: Format = "dimuon"
    tree: str | None = None
    columns: dict[str, str] = Field({})
    fallback: Fallback | None = None
    simulation_format: Format | None = None
    simulation_tree: str | None = None
    simulation_columns: dict[str, str] | None = None
    simulation_fallback: Fallback | None = None
    label: Label = ""
    chunk_size: int = Field(500_000, ge=1)
    max_bad_share: float = Field(0.01, ge=0, le=1)

    def of_simulation(self) -> Self:
        """The same with format, tree and columns of the simulation.

        Names of columns in data do not hold for a simulation of another format."""
        file_format = self.simulation_format or self.format
        columns, fallback = (self.columns, self.fallback) if file_format == self.format else ({}, None)
        columns = columns if self.simulation_columns is None else self.simulation_columns
        return self.model_copy(
            update={
                "format": file_format,
                "tree": self.simulation_tree or self.tree,
                "columns": columns,
                "fallback": self.simulation_fallback or (fallback if columns else None),
            }
        )

    @property
    def names(self) -> dict[str, str]:
        """Column of the format -> its name in the files, where one was chosen."""
        short = SHORT if self.format == "nanoaod" else {}
        return {short.get(key, key): name for key, name in self.columns.items()}


@dataclass(frozen=True, slots=True)
class Table:
    """How one file is read: its format, recognised if None; its tree (ROOT), chosen if None; names of columns as in
    [input.columns]; the share of bad muons above which it is refused; [input.fallback]."""

    file_format: str | None = None
    tree: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    max_bad_share: float = Input.model_fields["max_bad_share"].default
    fallback: Mapping[str, Any] | None = None
