"""A detector: surfaces, thick volumes, materials and a field, in an envelope at which transport stops."""

from dataclasses import dataclass
from dataclasses import field as column
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.limits import reading
from muonkit.core.provenance import digest, digest_file
from muonkit.data.hits import Sensors
from muonkit.detector import coverage
from muonkit.detector import description as descriptions
from muonkit.detector import surfaces as geometry
from muonkit.detector.assembly import VACUUM, surface_arrays, volume_arrays
from muonkit.detector.checks import faults
from muonkit.detector.coverage import PlacedMap
from muonkit.detector.description import Description
from muonkit.detector.field import Field, FieldArrays, build_field
from muonkit.detector.index import ModuleIndex, module_index
from muonkit.detector.kernels.modules import candidates_of_all
from muonkit.detector.material import Material, MaterialArrays, arrays, library
from muonkit.detector.surfaces import SurfaceArrays
from muonkit.detector.volumes import VolumeArrays, path_lengths

SHIPPED = Path(__file__).parent / "descriptions"
DETECTORS = ("belle2", "cms_like_layers", "cms_like_tracker", "telescope")


class DetectorArrays(NamedTuple):
    """What compiled transport sees; envelope: (r_max, z_min, z_max) [cm]."""

    field: FieldArrays
    surfaces: SurfaceArrays
    volumes: VolumeArrays
    materials: MaterialArrays
    envelope: FloatArray
    modules: ModuleIndex


@dataclass(frozen=True)
class Detector:
    """`layers` names every surface, `blocks` every block of `volumes`; materials[0] is vacuum; envelope: (r_max, z_min,
    z_max) [cm]; `distortions`: the changes since it was loaded; `maps`: the field maps of its description;
    `layer_of`: which layer of modules every surface belongs to, -1 for none; empty if there are no modules;
    `nominal`: the centres (n, 3) [cm] of the surfaces as they were described."""

    name: str
    title: str
    surfaces: SurfaceArrays
    layers: tuple[str, ...]
    volumes: VolumeArrays
    blocks: tuple[str, ...]
    materials: tuple[Material, ...]
    field: Field
    envelope: tuple[float, float, float]
    distortions: tuple[str, ...] = ()
    maps: tuple[PlacedMap, ...] = ()
    checksum: str = ""
    layer_of: IntArray = column(default_factory=lambda: np.zeros(0, np.int64))
    nominal: FloatArray = column(default_factory=lambda: np.zeros((0, 3)))

    @property
    def distorted_checksum(self) -> str:
        """The same with the changes since it was loaded."""
        return digest("\n".join((self.checksum, *self.distortions))) if self.distortions else self.checksum

    @property
    def sensors(self) -> Sensors:
        """What tables of hits refer to."""
        spans = geometry.measured_spans(self.surfaces)
        return Sensors(self.name, self.checksum, self.layers, self.surfaces.n_measured, spans)

    @cached_property
    def modules(self) -> ModuleIndex:
        """Where the modules are, as they stand now. Raises ValueError if `layer_of` is not that of the surfaces."""
        if len(self.layer_of) not in (0, len(self.layers)):
            raise ValueError(f"layer_of: {len(self.layer_of)} values for {len(self.layers)} surfaces")
        alone = np.full(len(self.layers), -1, dtype=np.int64)
        return module_index(self.surfaces, self.layer_of if len(self.layer_of) else alone)

    def arrays(self) -> DetectorArrays:
        """The detector as the kernels need it."""
        envelope = np.array(self.envelope, dtype=np.float64)
        materials = arrays(self.materials)
        return DetectorArrays(self.field.arrays(), self.surfaces, self.volumes, materials, envelope, self.modules)


def shipped() -> tuple[str, ...]:
    """Names of the detectors that come with muonkit."""
    return DETECTORS


def load_detector(path_or_name: str | Path) -> Detector:
    """One of the `shipped()` detectors by its name, or a detector from a TOML file.
    Raises InputError, with one line per fault, if there is no such file or if it has faults; so has a detector with a
    field map that ends inside of the envelope and does not say what is outside."""
    detector, path = load_anyway(path_or_name)
    found = list(coverage.faults(detector.maps, detector.field, detector.envelope))
    if found:
        raise InputError([f"{path}: {fault}" for fault in found])
    return detector


def load_anyway(path_or_name: str | Path) -> tuple[Detector, Path]:
    """The same, even if its field does not fill its envelope; and its file. To look at it.
    Raises InputError, with one line per fault, if there is no such file or if it has faults."""
    path = Path(path_or_name)
    if str(path_or_name) in shipped():
        path = SHIPPED / f"{path_or_name}.toml"
    elif not path.is_file():
        raise InputError(f"{path}: there is no such file. Give a description, or one of {', '.join(shipped())}.")
    return build(descriptions.load(path), path), path


def build(description: Description, path: Path) -> Detector:
    """The detector of a description that was read from `path`; files in it are relative to the folder of `path`.
    Raises InputError, with one line per fault, if names, materials, places or the field are faulty."""
    known = _known_materials(description, str(path))
    order = _used(description)
    surfaces, layers, layer_of = surface_arrays(description, known, order)
    volumes, blocks = volume_arrays(description, order)
    try:
        field = build_field(description.field, path.parent)
    except InputError as error:
        raise InputError([f"{path}: {fault}" for fault in error.faults]) from error
    return Detector(
        name=description.name,
        title=description.title,
        surfaces=surfaces,
        layers=layers,
        volumes=volumes,
        blocks=blocks,
        materials=tuple(known[name] for name in order),
        field=field,
        envelope=(description.envelope.r, *description.envelope.z),
        maps=tuple(coverage.maps_of(description.field, field)),
        checksum=_checksum(description, path.parent),
        layer_of=layer_of,
        nominal=surfaces.center,
    )


def _checksum(description: Description, folder: Path) -> str:
    """Of what a description says, not of how it is written, and of the content of the files that it names."""
    said = description.model_dump_json(exclude_unset=True, by_alias=True)
    return digest("\n".join((said, *(digest_file(folder / name) for name in description.files))))


def files_of(path_or_name: str | Path) -> tuple[Path, ...]:
    """The files of a detector: its description and the field maps in it; none if it comes with muonkit.
    Raises InputError as `load_detector`."""
    if str(path_or_name) in shipped():
        return ()
    path = Path(path_or_name)
    return (path, *(path.parent / name for name in descriptions.load(path).files))


def read_description(content: bytes, name: str) -> Description:
    """The description in the content of a file called `name`, without the field maps that it names.
    Raises InputError, with one line per fault, if it is faulty."""
    with reading(name, "description of a detector"):
        description = descriptions.parse(content.decode("utf-8"), name)
        _known_materials(description, name)
    return description


def _known_materials(description: Description, name: str) -> dict[str, Material]:
    """Materials by name. Raises InputError, one line per fault, if names, materials or places are faulty."""
    known = {**library(), **{material: section.build(material) for material, section in description.materials.items()}}
    found = faults(description, known)
    if found:
        raise InputError([f"{name}: {fault}" for fault in found])
    return known


def _used(description: Description) -> tuple[str, ...]:
    names = [VACUUM, *(layer.material for layer in description.layers)]
    for volume in description.volumes:
        names += [volume.material, *(one.material for one in volume.stack)]
    return tuple(dict.fromkeys(name for name in names if name))


def directions(eta: FloatArray, phi: FloatArray | float = 0.0) -> FloatArray:
    """Unit vectors (n, 3) of pseudorapidity (n,) and azimuth (n,) or one [rad]."""
    phi = np.broadcast_to(phi, np.shape(eta))
    return np.stack((np.cos(phi), np.sin(phi), np.sinh(eta)), axis=1) / np.cosh(eta)[:, None]


class Meetings(NamedTuple):
    """Straight lines from the origin that cross surfaces: numbers of line and surface (k,), point (k, 3) [cm]."""

    line: IntArray
    surface: IntArray
    point: FloatArray


def meetings(detector: Detector, lines: FloatArray) -> Meetings:
    """Where straight lines from the origin along unit vectors `lines` (n, 3) cross surfaces within their bounds."""
    alone = detector.modules.alone
    end = lines * to_envelope(detector, lines)[:, None]
    offsets, found = candidates_of_all(detector.modules, np.zeros_like(end), end, 1e-6)
    number = np.arange(len(lines))
    line = np.concatenate((np.repeat(number, len(alone)), np.repeat(number, np.diff(offsets))))
    ids = np.concatenate((np.tile(alone, len(lines)), found))
    along = lines[line]
    path = geometry.intersect_line(detector.surfaces, ids, np.zeros_like(along), along)
    met = np.isfinite(path)
    point = np.where(met, path, 0.0)[:, None] * along
    met &= geometry.inside(detector.surfaces, ids, geometry.to_local(detector.surfaces, ids, point))
    return Meetings(line[met], ids[met], point[met])


def crossed(detector: Detector, lines: FloatArray) -> BoolArray:
    """Which surfaces, (n, surfaces), are crossed within their bounds by straight lines from the origin along unit
    vectors `lines` (n, 3)."""
    crossed, met = np.zeros((len(lines), len(detector.layers)), np.bool_), meetings(detector, lines)
    crossed[met.line, met.surface] = True
    return crossed


def measured(detector: Detector, lines: FloatArray) -> IntArray:
    """Number (n,) of surfaces with sensors that straight lines from the origin along `lines` (n, 3) cross."""
    met = meetings(detector, lines)
    return np.bincount(met.line[detector.surfaces.n_measured[met.surface] > 0], minlength=len(lines))


def matter(detector: Detector, lines: FloatArray, start: FloatArray | None = None) -> dict[str, FloatArray]:
    """How much (n, materials) [cm] of each material is on straight lines from the origin along unit vectors `lines` (n,
    3), from `start` (n,) [cm] on, summed over layers and blocks with the same first part of the name."""
    start = np.zeros(len(lines)) if start is None else start
    met, parts = meetings(detector, lines), [name.partition("/")[0] for name in detector.layers]
    number = {part: i for i, part in enumerate(dict.fromkeys(parts))}
    group = np.array([number[part] for part in parts], dtype=np.int64)[met.surface]
    thin = np.zeros((len(number), len(lines), len(detector.materials)))
    counts = np.linalg.norm(met.point, axis=1) >= start[met.line]
    place = group, met.line, detector.surfaces.material[met.surface]
    np.add.at(thin, place, np.where(counts, _slant(detector, lines, met), 0.0))
    found: dict[str, FloatArray] = dict(zip(number, thin, strict=True))
    for i, name in enumerate(detector.blocks):
        part = name.partition("/")[0]
        found[part] = found.get(part, 0.0) + _thick(detector, lines, start, i)
    return {part: lengths for part, lengths in found.items() if lengths[:, 1:].any()}


def material_budget(detector: Detector, lines: FloatArray) -> dict[str, FloatArray]:
    """x/X0 (n,) on the same lines, by part."""
    X0 = np.array([material.X0 for material in detector.materials])
    return {part: lengths @ (1 / X0) for part, lengths in matter(detector, lines).items()}


def _slant(detector: Detector, lines: FloatArray, met: Meetings) -> FloatArray:
    """Length (k,) [cm] in thin surfaces of the lines that meet them."""
    surfaces = detector.surfaces
    cosine = np.abs(np.sum(geometry.normal(surfaces, met.surface, met.point) * lines[met.line], axis=1))
    return surfaces.thickness[met.surface] / np.where(cosine == 0, np.inf, cosine)


def _thick(detector: Detector, lines: FloatArray, start: FloatArray, block: int) -> FloatArray:
    length = np.maximum(to_envelope(detector, lines) - start, 0.0)
    return path_lengths(detector.volumes, lines * start[:, None], lines, length, len(detector.materials), (block,))


def to_envelope(detector: Detector, lines: FloatArray) -> FloatArray:
    """Length (n,) [cm] inside of the envelope of straight lines from the origin along unit vectors `lines` (n, 3)."""
    r_max, z_min, z_max = detector.envelope
    sine = np.hypot(lines[:, 0], lines[:, 1])
    z_end = np.where(lines[:, 2] > 0, z_max, z_min)
    with np.errstate(divide="ignore"):
        return np.minimum(r_max / sine, np.where(lines[:, 2] == 0, np.inf, z_end / lines[:, 2]))
