"""Detectors as TOML, `schema = 1`: what a file may contain, and the messages about its faults.

    name, title, envelope = { r, z = [low, high] }      transport stops where the envelope ends
    [field]                                             see `field`
    [materials.NAME]                                    see `material`; those of the library need not be defined
    [[layers]]   shape = "cylinder" | "disc" | "plane"  thin surfaces, with material and with sensors, or without
                 shape = "barrel" | "endcap"            many planes that overlap: the modules of a layer
    [[volumes]]  shape = "ring" | "polygon"             thick blocks in slices along rho or z
                 shape = "cones"                        thick blocks between two cones

Where a layer takes a number, it also takes a list. It then describes one surface per entry. With `sectors` the surface
is repeated around z, with `both_sides` also at -z. In the name of a layer `{n}`, `{sector}` and `{side}` stand for the
number, the sector and the side of a surface. Lengths are in cm, unless the key ends in `_um`, `_deg` or `_mrad`."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from muonkit.core import config
from muonkit.core.config import Section
from muonkit.core.errors import InputError
from muonkit.core.files import plain_name
from muonkit.detector.bounds import (
    MOST_BLOCKS,
    MOST_SLICES,
    MOST_SURFACES,
    Coordinate,
    Count,
    Name,
    Number,
    Size,
    Span,
    Title,
)
from muonkit.detector.field import FieldSection
from muonkit.detector.layers import MANY, AnyLayer, Ranges
from muonkit.detector.material import MaterialSection


class Slice(Section):
    """So much of one material [cm]."""

    material: Name
    thickness: Size


class Repeat(Section):
    """The same slices several times."""

    repeat: Count
    of: tuple[Slice, ...] = MANY


def _kind_of_slice(value: Any) -> str:
    return "Repeat" if isinstance(value, Repeat) or (isinstance(value, dict) and "repeat" in value) else "Slice"


AnySlice = Annotated[Annotated[Slice, Tag("Slice")] | Annotated[Repeat, Tag("Repeat")], Discriminator(_kind_of_slice)]


class Volume(Section):
    """A block, or one per entry of `rho` and `z`; z is relative to z0. Filled with `material`, or with `slices` along
    rho outwards or along z upwards. A polygon has its first side at `phi0_deg`; with `half_width` it is a box in front
    of each side. Cones go in straight lines from `rho` at the lower end of z to `rho_end` at the upper."""

    name: Name
    shape: Literal["ring", "polygon", "cones"] = "ring"
    sides: int | None = Field(None, ge=3, le=24, strict=True)
    phi0_deg: Number = 0.0
    half_width: Size | None = None
    z0: Coordinate = 0.0
    rho: Ranges
    rho_end: Ranges | None = None
    z: Ranges
    along: Literal["rho", "z"] = "rho"
    material: Name | None = None
    slices: tuple[AnySlice, ...] = Field((), max_length=10_000)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if (self.material is None) == (not self.slices):
            raise ValueError("give either material or slices")
        if self.count > MOST_SLICES:
            raise ValueError(f"slices: {self.count} with repeats, more than {MOST_SLICES}; describe fewer")
        if (self.sides is not None) != (self.shape == "polygon"):
            raise ValueError("a polygon needs sides, a ring has none")
        if (self.rho_end is not None) != (self.shape == "cones"):
            raise ValueError("cones need rho_end, other shapes have none")
        for key, size in (("rho", len(self.rho)), ("rho_end", len(self.rho_end or self.rho)), ("z", len(self.z))):
            if size not in (1, self.blocks):
                raise ValueError(f"{key} has {size} entries where others have {self.blocks}; give one, or equally many")
        return self

    @model_validator(mode="after")
    def _one_slice_where_walls_are_not_straight(self) -> Self:
        if self.slices and (self.shape == "cones" or self.half_width is not None):
            raise ValueError("cones and narrow sides have no slices; give a material, and a volume for each")
        if self.half_width is not None:
            if self.sides is None:
                raise ValueError("half_width: only the sides of a polygon have one")
            widest = min(low for low, _ in self.rho) * math.tan(math.pi / self.sides)
            if self.half_width > widest + 1e-6:
                raise ValueError(f"half_width: sides reach {widest:.6g} cm from their middle to a corner; give less")
        return self

    @model_validator(mode="after")
    def _slices_fill_the_block(self) -> Self:
        total = sum(one.thickness for one in self.stack)  # within bounds: `_makes_sense` comes first
        for low, high in getattr(self, self.along) if self.slices else ():
            if abs(total - (high - low)) > 1e-6:
                raise ValueError(f"slices add up to {total:.8g} cm, but {self.along} spans {high - low:.8g} cm")
        if min(low for low, _ in (*self.rho, *(self.rho_end or ()))) < 0:
            raise ValueError("rho: must not be negative")
        return self

    @property
    def count(self) -> int:
        """How many slices a block has, with repeats."""
        return max(1, sum(part.repeat * len(part.of) if isinstance(part, Repeat) else 1 for part in self.slices))

    @property
    def blocks(self) -> int:
        """How many blocks the lists describe."""
        return max(len(self.rho), len(self.rho_end or ()), len(self.z))

    @property
    def stack(self) -> tuple[Slice, ...]:
        """The slices one by one, with repeats written out."""
        nested = [part.of * part.repeat if isinstance(part, Repeat) else (part,) for part in self.slices]
        return tuple(one for part in nested for one in part)


class Envelope(Section):
    """The cylinder in which tracks are followed [cm]."""

    r: Size
    z: Span


class Description(Section):
    """A detector file."""

    schema_: Literal[1] = Field(alias="schema")
    name: Name
    title: Title
    envelope: Envelope
    field: FieldSection
    materials: dict[Name, MaterialSection] = Field(default_factory=dict, max_length=1000)
    layers: tuple[AnyLayer, ...] = Field((), max_length=10_000)
    volumes: tuple[Volume, ...] = Field((), max_length=MOST_BLOCKS)

    @field_validator("name")
    @classmethod
    def _can_be_part_of_the_name_of_a_file(cls, name: str) -> str:
        try:
            return plain_name(name, "a detector")
        except InputError as error:
            raise ValueError(str(error)) from error

    @model_validator(mode="after")
    def _can_be_held(self) -> Self:
        surfaces = sum(layer.surfaces for layer in self.layers)
        blocks = sum(volume.blocks for volume in self.volumes)
        slices = sum(volume.blocks * volume.count for volume in self.volumes)
        for what, number, most in (
            ("layers", surfaces, MOST_SURFACES), ("volumes", blocks, MOST_BLOCKS), ("slices", slices, MOST_SLICES)
        ):  # fmt: skip
            if number > most:
                raise ValueError(f"{what}: with all copies {number}, more than {most}; describe fewer")
        return self

    @property
    def files(self) -> tuple[str, ...]:
        """The field maps that it names, relative to its own file."""
        return tuple(_named_files(self.field.model_dump()))


def _named_files(content: Any) -> Iterator[str]:
    """The values of all keys `file`."""
    parts = content.values() if isinstance(content, dict) else content if isinstance(content, list | tuple) else ()
    if isinstance(content, dict) and isinstance(content.get("file"), str):
        yield content["file"]
    for part in parts:
        yield from _named_files(part)


def load(path: Path) -> Description:
    """Read and check a detector file.
    Raises InputError, with one line per fault (file, key, reason), if it cannot be read, is not TOML, is too large or
    nested too deep, or does not fit the schema."""
    return config.load(path, Description)


def parse(text: str, name: str) -> Description:
    """Check the text of a detector file called `name`. Raises InputError as `load`."""
    return config.parse(text, Description, name)
