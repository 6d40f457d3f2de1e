"""The field of a detector in TOML: `kind` says which model, the other keys are its numbers. Lengths cm, field tesla.

Every kind takes `factor` (a constant), `correction` (a map of factors around 1) and `region` (0 outside of it). Paths
are relative to the file that names them."""

import math
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field as Key
from pydantic import model_validator

from muonkit.core.config import Section
from muonkit.core.errors import InputError
from muonkit.detector.bounds import Coordinate, Factor, Number, Size, Span, Tesla
from muonkit.detector.bounds import Path as FilePath
from muonkit.detector.fields.base import Field
from muonkit.detector.fields.combine import Box, Confined, Correction, Cylinder, Scaled, Sum
from muonkit.detector.fields.files import Table, read_table
from muonkit.detector.fields.harmonic import ORDER, Gaussian, Harmonic, Parametrised
from muonkit.detector.fields.iron_tables import read_iron
from muonkit.detector.fields.maps import Interpolation, MapRZ, MapXYZ
from muonkit.detector.fields.plausible import check_axis, check_factors, check_values, in_units
from muonkit.detector.fields.sheet import Solenoid, Uniform

Outside = Literal["error", "zero"]
GRID = 1_000_000  # nodes of a sampled field
LENGTHS = {"mm": 0.1, "cm": 1.0, "m": 100.0}  # cm
FIELDS = {"T": 1.0, "mT": 1e-3, "kG": 0.1, "gauss": 1e-4}  # T


class MapPlace(Section):
    """A region: `r` and `z` of a cylinder around z, or `x`, `y`, `z` of a box; [low, high], open where not given."""

    r: Span | None = None
    x: Span | None = None
    y: Span | None = None
    z: Span | None = None

    @model_validator(mode="after")
    def _is_one_region(self) -> Self:
        if self.r and (self.x or self.y):
            raise ValueError("give r and z of a cylinder, or x, y and z of a box, not both")
        return self

    def build(self) -> Cylinder | Box:
        """The region [cm]; open on every side that is not given."""
        free = (-math.inf, math.inf)
        if self.x or self.y:
            return Box(*(self.x or free), *(self.y or free), *(self.z or free))
        return Cylinder(*(self.r or (0.0, math.inf)), *(self.z or free))


class Factors(Section):
    """A map of factors around 1, in (r, z) or (x, y, z). Beyond the edge of the map the factor is that of the edge."""

    file: FilePath
    axes: Literal["rz", "xyz"] = "rz"
    interpolation: Interpolation = "cubic"

    def build(self, base: Path, where: str) -> Correction:
        """The map from its file, relative to `base`. Raises InputError, with the key below `where`, if it cannot be
        read."""
        table = read_table(base / self.file, tuple(self.axes), ("factor",), f"{where}.file")
        name = f"{where}.file: {base / self.file}"
        _named(name, check_factors, table)
        return _named(name, Correction.of, table.axes, table.values[..., 0], self.interpolation)


class FieldPart(Section):
    """What all kinds take."""

    factor: Factor = 1.0
    correction: Factors | None = None
    region: MapPlace | None = None

    def model(self, base: Path, where: str) -> Field:
        """The field before factor, correction and region. Raises InputError, with the key below `where`, if a file is
        faulty."""
        raise NotImplementedError

    def build(self, base: Path, where: str) -> Field:
        """The field; files are relative to `base`. Raises InputError, with the key below `where`, if a file is
        faulty."""
        field = self.model(base, where)
        if self.factor != 1.0:
            field = Scaled(field, self.factor)
        if self.correction:
            field = Scaled(field, self.correction.build(base, f"{where}.correction"))
        return Confined(field, self.region.build()) if self.region else field


class UniformSection(FieldPart):
    """B = [Bx, By, Bz]."""

    kind: Literal["uniform"]
    B: tuple[Tesla, Tesla, Tesla]

    def model(self, base: Path, where: str) -> Field:  # noqa: ARG002
        """The uniform field."""
        return Uniform(self.B)


class SolenoidSection(FieldPart):
    """A finite current sheet: exact and Maxwellian."""

    kind: Literal["solenoid"]
    radius: Size
    length: Size
    B0: Tesla
    z0: Coordinate = 0.0

    def model(self, base: Path, where: str) -> Field:  # noqa: ARG002
        """The field of the sheet."""
        return Solenoid(self.radius, self.length, self.B0, self.z0)


class GaussianSection(Section):
    """height exp(-(z - centre)^2/width^2) on the axis."""

    height: Tesla
    centre: Coordinate = 0.0
    width: Size


class HarmonicSection(FieldPart):
    """Gaussians on the axis, continued as a Maxwell series to `order`."""

    kind: Literal["harmonic"]
    gaussians: tuple[GaussianSection, ...] = Key(min_length=1, max_length=1000)
    z0: Coordinate = 0.0
    order: int = Key(ORDER, ge=0, le=30, strict=True)

    def model(self, base: Path, where: str) -> Field:  # noqa: ARG002
        """The series of all Gaussians."""
        return Harmonic(tuple(Gaussian(g.height, g.centre, g.width) for g in self.gaussians), self.z0, self.order)


class CmsLikeSection(FieldPart):
    """The published CMS-like field at 3.8 T: `maxwellian` with the exact sheet and a Maxwell series, `published` as it
    stands. Keys as in `Parametrised`."""

    kind: Literal["cms_like"]
    form: Literal["maxwellian", "published"] = "maxwellian"
    a: Size = Parametrised().a
    l: Size = Parametrised().l  # noqa: E741
    B0: Tesla = Parametrised().B0
    z0: Coordinate = Parametrised().z0
    p: Number = Parametrised().p
    q: Number = Parametrised().q
    g: Number = Parametrised().g
    d: Number = Parametrised().d
    w: Size = Parametrised().w

    def model(self, base: Path, where: str) -> Field:  # noqa: ARG002
        """The field in the form that is asked for."""
        field = Parametrised(self.a, self.l, self.B0, self.z0, self.p, self.q, self.g, self.d, self.w)
        return field if self.form == "published" else field.maxwellian()


class MapSection(FieldPart):
    """A map from a file (see `files`). `outside`: where the map ends inside the envelope the detector is refused
    ("error"), or the field is 0 ("zero"). The units are those of the file; without them, cm and tesla, and both are
    checked for likely mistakes."""

    file: FilePath
    interpolation: Interpolation = "cubic"
    outside: Outside = "error"
    length_unit: Literal["mm", "cm", "m"] | None = None
    field_unit: Literal["T", "mT", "kG", "gauss"] | None = None

    def table(self, base: Path, axes: str, where: str) -> Table:
        """Nodes [cm] and values [T] of the file. Raises InputError, with key and file, if it is faulty or holds what
        cannot be a magnetic field in tesla."""
        found = read_table(base / self.file, tuple(axes), tuple(f"B{axis}" for axis in axes), f"{where}.file")
        name = f"{where}.file: {base / self.file}"
        table = in_units(found, LENGTHS[self.length_unit or "cm"], FIELDS[self.field_unit or "T"])
        _named(name, check_values, found, table, self.factor)
        return table

    def ended(self, field: Field, region: Cylinder | Box) -> Field:
        """The map, or, if it is 0 outside, the map confined to the region that it covers."""
        return Confined(field, region) if self.outside == "zero" else field


class MapRZSection(MapSection):
    """Br, Bz from a file, with z relative to z0; `mirrored`: the file has z >= 0 only."""

    kind: Literal["map_rz"]
    z0: Coordinate = 0.0
    mirrored: bool = False

    def model(self, base: Path, where: str) -> Field:
        """The map. Raises InputError, with key and file, if the file is faulty or not an even grid."""
        table, name = self.table(base, "rz", where), f"{where}.file: {base / self.file}"
        _named(name, check_axis, table, self.factor)
        Br, Bz = table.values[:, :, 0], table.values[:, :, 1]
        field = _named(name, MapRZ.of, *table.axes, Br, Bz, self.interpolation, self.z0, self.mirrored)
        return self.ended(field, Cylinder(*field.reach()))


class MapXYZSection(MapSection):
    """Bx, By, Bz from a file."""

    kind: Literal["map_xyz"]

    def model(self, base: Path, where: str) -> Field:
        """The map. Raises InputError, with key and file, if the file is faulty or not an even grid."""
        table = self.table(base, "xyz", where)
        field = _named(f"{where}.file: {base / self.file}", MapXYZ.of, *table.axes, table.values, self.interpolation)
        return self.ended(field, Box(*field.reach()))


class KLMIronSection(FieldPart):
    """The field in the iron, from `file` (see `iron_tables`), or the Belle-era one that comes with muonkit."""

    kind: Literal["klm_iron"]
    file: FilePath | None = None
    z0: Coordinate | None = None

    def model(self, base: Path, where: str) -> Field:
        """The field in the iron. Raises InputError, with key and file, if the file is faulty."""
        return read_iron(base / self.file if self.file else None, f"{where}.file", self.z0)


class SampledSection(FieldPart):
    """A field without azimuth, put on a grid when the detector is loaded: 0 <= r <= r_max, z = [low, high]."""

    kind: Literal["sampled"]
    of: "FieldSection"
    r_max: Size
    z: Span
    step: Size = 5.0
    interpolation: Interpolation = "cubic"
    outside: Outside = "error"

    @model_validator(mode="after")
    def _is_a_grid(self) -> Self:
        if self.z[1] - self.z[0] < 4 * self.step or self.r_max < 4 * self.step:
            raise ValueError(f"step {self.step:g} leaves fewer than 4 cells; make it smaller")
        if (self.z[1] - self.z[0]) / self.step * self.r_max / self.step > GRID:
            raise ValueError(f"step {self.step:g} makes more than {GRID} nodes; make it larger")
        return self

    def model(self, base: Path, where: str) -> Field:
        """The map of the field `of`. Raises InputError if that field is faulty or not symmetric around z."""
        field = self.of.build(base, f"{where}.of")
        lengths = (self.r_max, self.z[1] - self.z[0])
        nodes = [math.ceil(length / self.step) + 1 for length in lengths]
        r, z = np.linspace(0, self.r_max, nodes[0]), np.linspace(*self.z, nodes[1])
        sampled = _named(where, MapRZ.sampled, field, r, z, self.interpolation)
        return Confined(sampled, Cylinder(*sampled.reach())) if self.outside == "zero" else sampled


class SumSection(FieldPart):
    """The sum of its parts."""

    kind: Literal["sum"]
    parts: tuple["FieldSection", ...] = Key(min_length=1, max_length=100)

    def model(self, base: Path, where: str) -> Field:
        """The sum. Raises InputError, with the number of the part, if one is faulty."""
        return Sum(tuple(part.build(base, f"{where}.parts.{i}") for i, part in enumerate(self.parts)))


FieldSection = Annotated[
    UniformSection
    | SolenoidSection
    | HarmonicSection
    | CmsLikeSection
    | MapRZSection
    | MapXYZSection
    | KLMIronSection
    | SampledSection
    | SumSection,
    Key(discriminator="kind"),
]
SampledSection.model_rebuild()
SumSection.model_rebuild()


def build_field(section: FieldPart, base_directory: Path, where: str = "field") -> Field:
    """The field of a section; files are relative to `base_directory`.
    Raises InputError, with the key below `where`, the file and the way out, if a file is faulty."""
    return section.build(base_directory, where)


def _named(name: str, make: Any, *arguments: Any) -> Any:
    try:
        return make(*arguments)
    except InputError as error:
        raise InputError([f"{name}: {fault}" for fault in error.faults]) from error
