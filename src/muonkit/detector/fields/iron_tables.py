"""The numbers of `KLMIron`: from TOML (`descriptions/klm_field.toml` comes with muonkit), or from the plain text table
of the Belle II software, with the geometry of the shipped TOML."""

from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field, Strict

from muonkit.core import limits
from muonkit.core.arrays import FloatArray
from muonkit.core.config import Section, load
from muonkit.core.errors import InputError
from muonkit.detector.bounds import Coordinate, Size
from muonkit.detector.fields.iron import Barrel, Endcap, KLMIron
from muonkit.detector.kernels.iron import BARREL_PIECES, ENDCAP_PIECES

SHIPPED = files("muonkit.detector") / "descriptions" / "klm_field.toml"
BARREL_COLUMNS, ENDCAP_COLUMNS = 11, 9
MOST_NUMBER = 1e4  # cm, T/cm, T
Entry = Annotated[float, Strict(), Field(ge=-MOST_NUMBER, le=MOST_NUMBER)]
Piece = tuple[Entry, Entry, Entry]
Plates = tuple[tuple[Piece, ...], ...]


def _pieces(count: int) -> AfterValidator:
    def check(plates: Plates) -> Plates:
        for k, plate in enumerate(plates):
            ends = [piece[0] for piece in plate]
            if len(plate) != count or ends != sorted(ends):
                raise ValueError(f"plate {k}: needs {count} pieces [end, slope, intercept] with rising ends")
        return plates

    return AfterValidator(check)


class BarrelTable(Section):
    """See `iron.Barrel`; pieces in |z|."""

    first: Size
    pitch: Size
    thickness: Size
    outer: Size
    half_length: Size
    Bz: Annotated[Plates, Field(min_length=1), _pieces(BARREL_PIECES)]
    Br: Annotated[Plates, Field(min_length=1), _pieces(BARREL_PIECES)]

    def build(self) -> Barrel:
        """The barrel with its tables (plates, pieces, 3). Raises InputError if they differ in length."""
        if len(self.Bz) != len(self.Br):
            raise InputError(f"barrel: {len(self.Bz)} plates in Bz, {len(self.Br)} in Br; give the same")
        tables = np.array(self.Bz), np.array(self.Br)
        return Barrel(self.first, self.pitch, self.thickness, self.outer, self.half_length, *tables)


class EndcapTable(Section):
    """See `iron.Endcap`; pieces in r."""

    first: Size
    pitch: Size
    thickness: Size
    r_min: Size
    iron_Bz: Annotated[Plates, Field(min_length=2), _pieces(ENDCAP_PIECES)]
    iron_Br: Annotated[Plates, Field(min_length=2), _pieces(ENDCAP_PIECES)]
    gap_Bz: Annotated[Plates, Field(min_length=1), _pieces(ENDCAP_PIECES)]
    gap_Br: Annotated[Plates, Field(min_length=1), _pieces(ENDCAP_PIECES)]

    def build(self) -> Endcap:
        """The endcaps with their tables (plates, pieces, 3). Raises InputError if they do not fit together in
        length."""
        plates = len(self.iron_Bz)
        if (len(self.iron_Br), len(self.gap_Bz), len(self.gap_Br)) != (plates, plates - 1, plates - 1):
            raise InputError(f"endcap: {plates} plates in iron_Bz ask for as many in iron_Br and one gap fewer")
        tables = [np.array(table) for table in (self.iron_Bz, self.iron_Br, self.gap_Bz, self.gap_Br)]
        return Endcap(self.first, self.pitch, self.thickness, self.r_min, *tables)


class IronTable(Section):
    """A file with the field in the iron."""

    title: str = ""
    source: str = ""
    z0: Coordinate
    barrel: BarrelTable
    endcap: EndcapTable


def read_iron(path: Path | None, where: str, z0: float | None = None) -> KLMIron:
    """The field in the iron of a `.toml` file, of a plain text table, or (None) the shipped one; `z0` [cm] replaces the
    z0 of the file. Raises InputError, with the key `where`, if the file is absent or faulty."""
    if path is not None and not path.is_file():
        raise InputError(f"{where}: {path}: there is no such file. Leave the key out for the shipped field.")
    if path is not None and path.suffix == ".toml":
        return _from_toml(path, where, z0)
    with as_file(SHIPPED) as shipped:
        field = _from_toml(Path(shipped), where, z0)
    return field if path is None else _with_text(field, path, where)


def _from_toml(path: Path, where: str, z0: float | None) -> KLMIron:
    table = load(path, IronTable)
    try:
        return KLMIron(table.z0 if z0 is None else z0, table.barrel.build(), table.endcap.build())
    except InputError as error:
        raise InputError([f"{where}: {path}: {fault}" for fault in error.faults]) from error


def _with_text(field: KLMIron, path: Path, where: str) -> KLMIron:
    """The geometry of `field` with the numbers of a plain text table.

    Rows of the barrel: plate, ends of the first piece of Bz and of Br, slope and intercept of Bz, twice, and of Br,
    twice. Rows of the endcap: 0 gap or 1 iron, plate, piece, ends for Bz and Br, slope and intercept of Bz and of Br;
    the gap of a plate is the one in front of it."""
    plates = len(field.barrel.Bz), len(field.endcap.iron_Bz)
    try:
        lines = limits.read_text(path, what="table of the field in the iron").splitlines()
        rows = [np.array(line.split(), np.float64) for line in lines if ":" not in line]
        barrel = np.stack([row for row in rows if len(row) == BARREL_COLUMNS]).reshape(plates[0], -1)
        endcap = np.stack([row for row in rows if len(row) == ENDCAP_COLUMNS]).reshape(2, plates[1], ENDCAP_PIECES, -1)
    except (OSError, ValueError) as error:
        shape = f"{plates[0]} rows of the barrel and {2 * ENDCAP_PIECES * plates[1]} of the endcaps"
        raise InputError(f"{where}: {path}: is not a table of {shape} ({error})") from error
    if not all(np.all(np.abs(part) <= MOST_NUMBER) for part in (barrel, endcap)):
        raise InputError(f"{where}: {path}: it has numbers that are not finite or no lengths in cm and fields in tesla")
    return replace(field, barrel=_barrel(field.barrel, barrel), endcap=_endcap(field.endcap, endcap))


def _barrel(barrel: Barrel, rows: FloatArray) -> Barrel:
    far = np.full(len(rows), barrel.half_length)

    def table(end: int, first: int) -> FloatArray:
        inner = rows[:, [end, first, first + 1]]
        return np.stack([inner, np.stack([far, rows[:, first + 2], rows[:, first + 3]], axis=1)], axis=1)

    return replace(barrel, Bz=table(1, 3), Br=table(2, 7))


def _endcap(endcap: Endcap, rows: FloatArray) -> Endcap:
    Bz, Br = rows[..., [3, 5, 6]], rows[..., [4, 7, 8]]
    return replace(endcap, iron_Bz=Bz[1], iron_Br=Br[1], gap_Bz=Bz[0, 1:], gap_Br=Br[0, 1:])
