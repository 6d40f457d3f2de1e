"""Thin surfaces in a detector file: the sections `[[layers]]`, one for each shape. What a file may contain besides:
`description`."""

from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from muonkit.core.config import Section
from muonkit.detector.bounds import Coordinate, Count, Name, Number, Pattern, Size, Span, Thickness, Vector


def _listed(value: Any) -> Any:
    """One number stands for a list of one."""
    return (value,) if isinstance(value, int | float) else value


def _paired(value: Any) -> Any:
    """One [low, high] stands for a list of one."""
    one = isinstance(value, list | tuple) and value and all(isinstance(part, int | float) for part in value)
    return (value,) if one else value


FEWEST = 6  # planes around the beam: fewer would be wider than far from it
ALONE = 0.05  # of half a stagger: planes nearer to each other stand in one place
MANY = Field(min_length=1, max_length=10_000)
Ranges = Annotated[tuple[Span, ...], BeforeValidator(_paired), MANY]
Numbers = Annotated[tuple[Coordinate, ...], BeforeValidator(_listed), MANY]
Lengths = Annotated[tuple[Thickness, ...], BeforeValidator(_listed), MANY]
Counts = Annotated[tuple[Count, ...], BeforeValidator(_listed), MANY]
Positive = Annotated[tuple[Size, ...], BeforeValidator(_listed), MANY]
Resolution = Annotated[tuple[Positive, ...], BeforeValidator(_listed), Field(min_length=1, max_length=2)]


class Layer(Section):
    """What all layers have. Material: one of `thickness` [cm], `thickness_um`, `x0` [radiation lengths], at normal
    incidence. Sensors: `resolution` [cm] or `resolution_um` of one or two local coordinates, turned by `stereo_mrad`.
    Copies are counted from `first`."""

    PER_COPY: ClassVar[tuple[str, ...]] = ("thickness", "thickness_um", "x0", "stereo_mrad")

    name: Pattern
    z0: Coordinate = 0.0
    first: int = Field(1, ge=-10_000, le=1_000_000, strict=True)
    material: Name | None = None
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

    @property
    def surfaces(self) -> int:
        """How many surfaces the layer describes, with sectors and sides."""
        return self.copies

    def _lengths(self) -> list[tuple[str, int]]:
        sensors = self.resolution or self.resolution_um or ()
        plain = [(key, len(getattr(self, key))) for key in self.PER_COPY if getattr(self, key) is not None]
        return [*plain, *(("resolution", len(values)) for values in sensors)]


class Around(Section):
    """Repeated `sectors` times around z, the first centred at `phi0_deg`. `only`: numbers, from 1, of the sectors that
    are there."""

    sectors: Count = 1
    phi0_deg: Number = 0.0
    only: tuple[Count, ...] = ()

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

    @property
    def surfaces(self) -> int:
        """How many surfaces the layer describes, with sectors."""
        return self.copies * len(self.numbers)


class Disc(Layer):
    """Across z; z is relative to z0, r = [low, high]. Nothing in |x| or |y| < `cross`. Local (x, y).

    quadrants: a surface for each, sector 1 first, by the signs of x and y. Local (|x|, |y|)."""

    PER_COPY = (*Layer.PER_COPY, "z", "r", "cross")

    shape: Literal["disc"]
    z: Numbers
    r: Ranges
    cross: Lengths = (0.0,)
    both_sides: bool = False
    quadrants: tuple[Literal["++", "-+", "--", "+-"], ...] = ()

    @model_validator(mode="after")
    def _quadrants_differ(self) -> Self:
        if len(set(self.quadrants)) < len(self.quadrants):
            raise ValueError("quadrants: one is given twice; give each once")
        return self

    @model_validator(mode="after")
    def _cross_leaves_something(self) -> Self:
        outer, cross = min(high for _, high in self.r), max(self.cross)
        if cross * np.sqrt(2) >= outer:
            raise ValueError(f"cross: {cross:g} cm leaves nothing of a disc of {outer:g} cm; give less")
        return self

    @property
    def surfaces(self) -> int:
        """How many surfaces the layer describes, with both sides and quadrants."""
        return self.copies * (2 if self.both_sides else 1) * max(len(self.quadrants), 1)


class Plane(Layer, Around):
    """At `distance` along `normal` from (0, 0, z0); `u` is the first local direction, normal x u the second.

    u spans -half_width ... half_width, or `across`; the second direction `span`."""

    PER_COPY = (*Layer.PER_COPY, "distance", "half_width", "across", "span")

    shape: Literal["plane"]
    distance: Numbers
    half_width: Positive | None = None
    across: Ranges | None = None
    span: Ranges
    normal: Vector = (1.0, 0.0, 0.0)
    u: Vector = (0.0, 1.0, 0.0)

    @property
    def surfaces(self) -> int:
        """How many surfaces the layer describes, with sectors."""
        return self.copies * len(self.numbers)

    @model_validator(mode="after")
    def _width_is_said_once(self) -> Self:
        if (self.half_width is None) == (self.across is None):
            raise ValueError("give either half_width or across")
        return self

    @model_validator(mode="after")
    def _frame_is_orthonormal(self) -> Self:
        n, u = self.normal, self.u
        products = (_dot(n, n) - 1, _dot(u, u) - 1, _dot(n, u))
        if max(abs(product) for product in products) > 1e-9:
            raise ValueError("normal and u must be unit vectors at a right angle")
        return self


def _dot(a: Vector, b: Vector) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


class ModuleLayer(Layer):
    """A layer of modules. They are as large as straight lines from (0, 0, z0) need to find no crack, and `overlap` [cm]
    larger; less than 0 makes cracks. Neighbours stand `stagger` [cm] before and behind each other. Where `stereo_mrad`
    is not 0, a module has a partner `gap` [cm] behind it, whose directions it turns; both share the material. The first
    module around z is at `phi0_deg`."""

    PER_COPY = (*Layer.PER_COPY, "phi0_deg")

    phi0_deg: Numbers = (0.0,)
    overlap: Coordinate = 0.2
    stagger: Thickness = 0.4
    gap: Size = 0.1

    def at(self, key: str, copy: int) -> Any:
        """The value of a key for one copy. A single value holds for all copies."""
        values = getattr(self, key)
        return values[copy] if len(values) > 1 else values[0]

    @model_validator(mode="after")
    def _partners_stand_alone(self) -> Self:
        half = self.stagger / 2
        levels = self.gap / half if half > 0 else 0.5
        if any(self.stereo_mrad) and round(levels) in (1, 2, 3) and abs(levels - round(levels)) < ALONE:
            raise ValueError(
                f"gap: partners {self.gap:g} cm behind stand where neighbours do; give no multiple of stagger/2"
            )
        return self

    def _even(self, key: str, count: int) -> None:
        if count % 2 and count > 1 and self.stagger > 0:
            raise ValueError(f"{key}: {count} is odd, so two neighbours would stand in one place; give an even number")


class Barrel(ModuleLayer):
    """`ladders` around z at `radius`, each of `modules` along z, which is relative to z0. Ladders are turned by
    `tilt_deg` around their own axis."""

    PER_COPY = (*ModuleLayer.PER_COPY, "radius", "z", "ladders")

    shape: Literal["barrel"]
    radius: Positive
    z: Ranges
    ladders: Counts
    modules: Count
    tilt_deg: float = Field(0.0, ge=-60, le=60, strict=True)

    @property
    def surfaces(self) -> int:
        """How many modules the layer describes, with partners."""
        return sum(
            self.at("ladders", copy) * self.modules * (1 + (self.at("stereo_mrad", copy) != 0))
            for copy in range(self.copies)
        )

    @model_validator(mode="after")
    def _ladders_stand_around(self) -> Self:
        for copy in range(self.copies):
            ladders, radius = self.at("ladders", copy), self.at("radius", copy)
            if ladders < FEWEST:
                raise ValueError(f"ladders: {ladders} do not close around the beam; give at least {FEWEST}")
            if self.tilt_deg == 0:
                self._even("ladders", ladders)
            if 0.75 * self.stagger >= radius:
                raise ValueError(f"stagger: {self.stagger:g} cm moves ladders across the beam; give less")
            low, high = self.at("z", copy)
            if -self.overlap >= min((high - low) / self.modules, 2 * radius * np.tan(np.pi / ladders)):
                raise ValueError(f"overlap: {self.overlap:g} cm leaves nothing of a module; give more")
        return self


Ring = tuple[Size, Size, Count]


class Endcap(ModuleLayer):
    """Discs at z, which is relative to z0, each of `rings` = [[r_in, r_out, petals], ...] of trapezoids.
    `stereo_rings`: numbers, from 1, of the rings with partners; without it, all have them."""

    PER_COPY = (*ModuleLayer.PER_COPY, "z")

    shape: Literal["endcap"]
    z: Numbers
    rings: tuple[Ring, ...] = MANY
    stereo_rings: Annotated[tuple[Count, ...], BeforeValidator(_listed)] = ()
    both_sides: bool = False

    @property
    def surfaces(self) -> int:
        """How many modules the layer describes, with partners and both sides."""
        chosen = self.stereo_rings or range(1, len(self.rings) + 1)
        plain = sum(count for _, _, count in self.rings)
        pairs = sum(self.rings[number - 1][2] for number in set(chosen))
        discs = [plain + pairs * (self.at("stereo_mrad", copy) != 0) for copy in range(self.copies)]
        return sum(discs) * (2 if self.both_sides else 1)

    @model_validator(mode="after")
    def _rings_make_sense(self) -> Self:
        for number, (inner, outer, petals) in enumerate(self.rings, 1):
            if inner >= outer:
                raise ValueError(f"rings: ring {number} ends at {outer:g} cm, before it begins at {inner:g} cm")
            if petals < FEWEST:
                raise ValueError(f"rings: {petals} petals do not close around the beam; give at least {FEWEST}")
            self._even(f"rings: petals of ring {number}", petals)
            if -self.overlap >= min(outer - inner, 2 * inner * np.tan(np.pi / petals)):
                raise ValueError(f"overlap: {self.overlap:g} cm leaves nothing of a module; give more")
        wrong = [number for number in self.stereo_rings if number > len(self.rings)]
        if wrong:
            raise ValueError(f"stereo_rings: there is no ring {wrong[0]}; give numbers from 1 to {len(self.rings)}")
        if self.stereo_rings and not any(self.stereo_mrad):
            raise ValueError("stereo_rings: partners need an angle; give stereo_mrad")
        return self


AnyLayer = Annotated[Cylinder | Disc | Plane | Barrel | Endcap, Field(discriminator="shape")]
