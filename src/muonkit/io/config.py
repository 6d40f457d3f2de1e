"""[input] of `calibrate`, `validate` and `apply`: where the muons are."""

from typing import Literal

from pydantic import Field

from muonkit.core.config import Section


class Input(Section):
    """Where the muons are. `columns` maps a column of the dimuon table to its name in the file. `label` is the name of
    the data in figures."""

    data: tuple[str, ...] = Field(min_length=1)
    simulation: tuple[str, ...] = ()
    format: Literal["dimuon", "cms-csv", "nanoaod"] = "dimuon"
    tree: str | None = None
    columns: dict[str, str] = Field({})
    label: str = ""
    chunk_size: int = Field(500_000, ge=1)
    max_bad_share: float = Field(0.01, ge=0, le=1)
