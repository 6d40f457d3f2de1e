"""[input] of `calibrate`, `validate` and `apply`: where the muons are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

from pydantic import Field

from muonkit.core.config import Label, Section

Format = Literal["dimuon", "cms-csv", "nanoaod"]


class Input(Section):
    """Where the muons are. `columns` maps a column of the format to its name in the files. `label` is the name of the
    data in figures. What `simulation_format`, `simulation_tree` and `simulation_columns` do not say is as in data."""

    data: tuple[str, ...] = Field(min_length=1)
    simulation: tuple[str, ...] = ()
    format: Format = "dimuon"
    tree: str | None = None
    columns: dict[str, str] = Field({})
    simulation_format: Format | None = None
    simulation_tree: str | None = None
    simulation_columns: dict[str, str] | None = None
    label: Label = ""
    chunk_size: int = Field(500_000, ge=1)
    max_bad_share: float = Field(0.01, ge=0, le=1)

    def of_simulation(self) -> Self:
        """The same with format, tree and columns of the simulation.

        Names of columns in data do not hold for a simulation of another format."""
        file_format = self.simulation_format or self.format
        columns = self.columns if file_format == self.format else {}
        return self.model_copy(
            update={
                "format": file_format,
                "tree": self.simulation_tree or self.tree,
                "columns": columns if self.simulation_columns is None else self.simulation_columns,
            }
        )


@dataclass(frozen=True, slots=True)
class Table:
    """How one file is read: its format, recognised if None; its tree (ROOT), chosen if None; names of columns as in
    [input.columns]; the share of bad muons above which it is refused."""

    file_format: str | None = None
    tree: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    max_bad_share: float = Input.model_fields["max_bad_share"].default
