"""Detectors as TOML, `schema = 1`: what a file may contain, and the messages about its faults.

    name, title, envelope = { r, z = [low, high] }      transport stops where the envelope ends
    [field]                                             see `field`
    [materials.NAME]                                    see `material`; those of the library need not be defined
    [[layers]]   shape = "cylinder" | "disc" | "plane"  thin surfaces, with material and with sensors, or without
    [[volumes]]  shape = "ring" | "polygon"             thick blocks in slices along rho or z

Where a layer takes a number, it also takes a list. It then describes one surface per entry. With `sectors` the surface
is repeated around z, with `both_sides` also at -z. In the name of a layer `{n}`, `{sector}` and `{side}` stand for the
number, the sector and the side of a surface. Lengths are in cm, unless the key ends in `_um`, `_deg` or `_mrad`."""

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from muonkit.core.config import Section, read_text
from muonkit.core.errors import InputError
from muonkit.core.limits import parse_toml
from muonkit.detector.field import FieldSection
from muonkit.detector.material import MaterialSection


def _listed(value: Any) -> Any:
    """One number stands for a list of one."""
    return (value,) if isinstance(value, int | float) else value


def _paired(value: Any) -> Any:
    """One [low, high] stands for a list of one."""
    one = isinstance(value, list | tuple) and value and all(isinstance(part, int | float) for part in value)
    return (value,) if one else value


def _rising(value: tuple[float, float]) -> tuple[float, float]:
    if not value[0] < value[1]:
        raise ValueError(f"must rise, but {value[0]:g} is followed by {value[1]:g}")
    return value


Range = Annotated[tuple[float, float], AfterValidator(_rising)]
Ranges = Annotated[tuple[Range, ...], BeforeValidator(_paired), Field(min_length=1)]
Numbers = Annotated[tuple[float, ...], BeforeValidator(_listed), Field(min_length=1)]
Lengths = Annotated[tuple[Annotated[float, Field(ge=0)], ...], BeforeValidator(_listed), Field(min_length=1)]
Positive = Annotated[tuple[Annotated[float, Field(gt=0)], ...], BeforeValidator(_listed), Field(min_length=1)]
Resolution = Annotated[tuple[Positive, ...], BeforeValidator(_listed), Field(min_length=1, max_length=2)]
Vector = tuple[float, float, float]


class Layer(Section):
    """What all layers have. Material: one of `thickness` [cm], `thickness_um`, `x0` [radiation lengths], at normal
    incidence. Sensors: `resolution` [cm] or `resolution_um` of one or two local coordinates, turned by `stereo_mrad`.
    Copies are counted from `first`."""

    PER_COPY: ClassVar[tuple[str, ...]] = ("thickness", "thickness_um", "x0", "stereo_mrad")

    name: str = Field(min_length=1)
    z0: float = 0.0
    first: int = 1
    material: str | None = None
    thickness: Lengths | None = None
    thickness_um: Lengths | None = None
    x0: Lengths | None = None
    resolution: Resolution | None = None
    resolution_um: Resolution | None = None
    stereo_mrad: Numbers = (0.0,)

    @model_validator(mode="after")
    def _material_and_sensors_are_said_once(self) -> Self:
        given = [key for key in ("thickness", "thickness_um", "x0") if getattr(self, key) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} say the same; give one of them")
        if bool(given) != (self.material is not None):
            raise ValueError("material and thickness (or x0) belong together; give both or none")
        if self.resolution is not None and self.resolution_um is not None:
            raise ValueError("resolution and resolution_um say the same; give one of them")
        return self

    @model_validator(mode="after")
    def _lists_are_as_long_as_each_other(self) -> Self:
        longest = self.copies
        for key, length in self._lengths():
            if length not in (1, longest):
                raise ValueError(f"{key}: {length} values for {longest} copies; give one, or one per copy")
        return self

    @property
    def copies(self) -> int:
        """How many surfaces the lists describe, without sectors and sides."""
        return max(length for _, length in self._lengths())

    def _lengths(self) -> list[tuple[str, int]]:
        sensors = self.resolution or self.resolution_um or ()
        plain = [(key, len(getattr(self, key))) for key in self.PER_COPY if getattr(self, key) is not None]
        return [*plain, *(("resolution", len(values)) for values in sensors)]


class Around(Section):
    """Repeated `sectors` times around z, the first centred at `phi0_deg`. `only`: numbers, from 1, of the sectors that
    are there."""

    sectors: int = Field(1, ge=1)
    phi0_deg: float = 0.0
    only: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _only_names_sectors(self) -> Self:
        wrong = [number for number in self.only if not 1 <= number <= self.sectors]
        if wrong:
            raise ValueError(f"only: there is no sector {wrong[0]}; give numbers from 1 to {self.sectors}")
        return self

    @property
    def numbers(self) -> tuple[int, ...]:
        """The sectors that are there, counted from 1."""
        return self.only or tuple(range(1, self.sectors + 1))


class Cylinder(Layer, Around):
    """Around z; z is relative to z0. With sectors: each covers 2 pi / sectors. Local (R phi, z)."""

    PER_COPY = (*Layer.PER_COPY, "radius", "z")

    shape: Literal["cylinder"]
    radius: Positive
    z: Ranges


class Disc(Layer):
    """Across z; z is relative to z0, r = [low, high]. Local (x, y)."""

    PER_COPY = (*Layer.PER_COPY, "z", "r")

    shape: Literal["disc"]
    z: Numbers
    r: Ranges
    both_sides: bool = False


class Plane(Layer, Around):
    """At `distance` along `normal` from (0, 0, z0); `u` is the first local direction, normal x u the second.

    u spans -half_width ... half_width, the second direction `span`."""

    PER_COPY = (*Layer.PER_COPY, "distance", "half_width", "span")

    shape: Literal["plane"]
    distance: Numbers
    half_width: Positive
    span: Ranges
    normal: Vector = (1.0, 0.0, 0.0)
    u: Vector = (0.0, 1.0, 0.0)

    @model_validator(mode="after")
    def _frame_is_orthonormal(self) -> Self:
        n, u = self.normal, self.u
        products = (_dot(n, n) - 1, _dot(u, u) - 1, _dot(n, u))
        if max(abs(product) for product in products) > 1e-9:
            raise ValueError("normal and u must be unit vectors at a right angle")
        return self


def _dot(a: Vector, b: Vector) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


class Slice(Section):
    """So much of one material [cm]."""

    material: str
    thickness: float = Field(gt=0)


class Repeat(Section):
    """The same slices several times."""

    repeat: int = Field(ge=1)
    of: tuple[Slice, ...] = Field(min_length=1)


class Volume(Section):
    """A block, or one per entry of `rho` and `z`; z is relative to z0. Filled with `material`, or with `slices` along
    rho outwards or along z upwards. A polygon has its first side at `phi0_deg`."""

    name: str = Field(min_length=1)
    shape: Literal["ring", "polygon"] = "ring"
    sides: int | None = Field(None, ge=3, le=24)
    phi0_deg: float = 0.0
    z0: float = 0.0
    rho: Ranges
    z: Ranges
    along: Literal["rho", "z"] = "rho"
    material: str | None = None
    slices: tuple[Slice | Repeat, ...] = ()

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if (self.material is None) == (not self.slices):
            raise ValueError("give either material or slices")
        if (self.sides is not None) != (self.shape == "polygon"):
            raise ValueError("a polygon needs sides, a ring has none")
        if 1 != len(self.rho) != len(self.z) != 1:
            raise ValueError(f"rho has {len(self.rho)} entries, z has {len(self.z)}; give one, or equally many")
        return self

    @model_validator(mode="after")
    def _slices_fill_the_block(self) -> Self:
        total = sum(one.thickness for one in self.stack)
        for low, high in getattr(self, self.along) if self.slices else ():
            if abs(total - (high - low)) > 1e-6:
                raise ValueError(f"slices add up to {total:.8g} cm, but {self.along} spans {high - low:.8g} cm")
        if min(low for low, _ in self.rho) < 0:
            raise ValueError("rho: must not be negative")
        return self

    @property
    def stack(self) -> tuple[Slice, ...]:
        """The slices one by one, with repeats written out."""
        nested = [part.of * part.repeat if isinstance(part, Repeat) else (part,) for part in self.slices]
        return tuple(one for part in nested for one in part)


class Envelope(Section):
    """The cylinder in which tracks are followed [cm]."""

    r: float = Field(gt=0)
    z: Range


AnyLayer = Annotated[Cylinder | Disc | Plane, Field(discriminator="shape")]


class Description(Section):
    """A detector file."""

    schema_: Literal[1] = Field(alias="schema")
    name: str = Field(min_length=1)
    title: str = Field(min_length=1)
    envelope: Envelope
    field: FieldSection
    materials: dict[str, MaterialSection] = Field(default_factory=dict)
    layers: tuple[AnyLayer, ...] = ()
    volumes: tuple[Volume, ...] = ()

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
    Raises InputError, with one line per fault (file, key, reason), if it cannot be read, is not TOML, or does not fit
    the schema."""
    return parse(read_text(path), str(path))


def parse(text: str, name: str) -> Description:
    """Check the text of a detector file called `name`. Raises InputError as `load`."""
    content = parse_toml(text, name)
    try:
        return Description.model_validate(content)
    except ValidationError as error:
        raise InputError([f"{name}: {_fault(content, fault)}" for fault in error.errors()]) from None


def _fault(content: dict[str, Any], fault: Any) -> str:
    key = _key(content, fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"{key}: unknown key{_suggestion(content, fault['loc'])}"
    if fault["type"] == "missing":
        return f"{key}: is missing; add it"
    message = fault["msg"].removeprefix("Value error, ")
    given = fault.get("input")
    shown = "" if isinstance(given, dict) else f" (found {given!r})"
    return f"{key}: {message}{shown}"


def _key(content: dict[str, Any], location: tuple[Any, ...]) -> str:
    """`layers[2].cylinder.radius` as `layers "TIB": radius`, so that it can be found."""
    if len(location) > 1 and location[0] in ("layers", "volumes") and isinstance(location[1], int):
        entry = content[location[0]][location[1]]
        name = (
            entry.get("name", f"number {location[1] + 1}") if isinstance(entry, dict) else f"number {location[1] + 1}"
        )
        rest = [str(part) for part in location[2:] if part not in SHAPES]
        return ": ".join([f'{location[0]} "{name or location[1] + 1}"', *([".".join(rest)] if rest else [])])
    return ".".join(str(part) for part in location)


def _suggestion(content: dict[str, Any], location: tuple[Any, ...]) -> str:
    model: type[Section] | None = None
    if len(location) == 1:
        model = Description
    elif location[0] == "volumes":
        model = Volume if len(location) == 3 else Slice
    elif location[0] == "layers":
        model = SHAPES.get(content["layers"][location[1]].get("shape"))
    known = [field.alias or key for key, field in model.model_fields.items()] if model else []
    close = get_close_matches(str(location[-1]), known, n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


SHAPES: dict[str, type[Section]] = {"cylinder": Cylinder, "disc": Disc, "plane": Plane}
