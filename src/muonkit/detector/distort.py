"""What goes wrong with a detector: surfaces that are not where they should be, another field, more or less material.
Each has one knob. A knob returns a changed detector, and its inverse restores the arrays up to rounding.

Surfaces move one by one, as ladders, as layers, or as all that a pattern fits, also in one half of the detector only.
Misalignment, in the frame A (rows u, v, w) of a surface with centre c, for a translation t [cm] and a rotation R (a
rotation vector [rad] along u, v, w):   c -> c + A^T t,  A -> R^T A.   In the global frame, about the origin:
c -> R c + t,  A -> A R^T.   Both are undone by the rotation R^T with the translation -R^T t.

Patterns are those of the shell (`TOB/*`) and fit names of surfaces or volumes. `[[distort]]` tables in a configuration
are `Knob`s. Every detector lists in `distortions` what changed it."""

import json
from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zlib import crc32

import numpy as np
from pydantic import BeforeValidator, Field, Strict, model_validator
from scipy.spatial.transform import Rotation

from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.core.config import Section, load
from muonkit.core.errors import InputError
from muonkit.core.limits import shown
from muonkit.core.random import stream
from muonkit.detector.bounds import Coordinate, Name
from muonkit.detector.detector import Detector
from muonkit.detector.field import Correction, Scaled
from muonkit.detector.fields.sections import Factors
from muonkit.detector.moves import Moves, about_the_origin, as_bodies, bodies, in_own_frames

Vector = tuple[float, float, float]
Shift = tuple[Coordinate, Coordinate, Coordinate]
Angle = Annotated[float, Strict(), Field(ge=-10, le=10)]
Width = Annotated[float, Strict(), Field(ge=0, le=1e4)]
AngleWidth = Annotated[float, Strict(), Field(ge=0, le=1)]
Turn = tuple[Angle, Angle, Angle]
ZERO: Vector = (0.0, 0.0, 0.0)


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Half = Literal["x+", "x-", "y+", "y-", "z+", "z-"]
Patterns = Annotated[tuple[Name, ...], BeforeValidator(_listed), Field(min_length=1, max_length=1000)]


class Misalign(Section):
    """Move (translation [cm]) and turn (rotation [rad]) the surfaces of `layers`, each in its own frame; each ladder or
    ring as one body, in the frame of its first module and about the mean of its centres (`frame = "ladder"`); or all as
    one body about the origin (`frame = "global"`). `half`: only those on this side of the detector."""

    kind: Literal["misalign"] = "misalign"
    layers: Patterns
    half: Half | None = None
    translation: Shift = ZERO
    rotation: Turn = ZERO
    frame: Literal["local", "ladder", "global"] = "local"

    def inverse(self) -> Self:
        """The knob that undoes this one."""
        back = -Rotation.from_rotvec(self.rotation).inv().apply(self.translation)
        rotation = tuple(-angle for angle in self.rotation)
        return self.model_copy(update={"translation": tuple(back.tolist()), "rotation": rotation})

    def apply(self, detector: Detector) -> Detector:
        """The detector with these surfaces moved. Raises InputError if a pattern fits no surface, or none in `half`."""
        rows = _rows(detector, self.layers, self.half)
        moves = Moves(rows, Rotation.from_rotvec(self.rotation).as_matrix(), np.array(self.translation))
        if self.frame == "ladder":
            body = np.unique(bodies(detector.layers, "ladder", rows), return_inverse=True)[1]
            surfaces = as_bodies(detector.surfaces, moves, body)
        else:
            surfaces = (in_own_frames if self.frame == "local" else about_the_origin)(detector.surfaces, moves)
        _still_inside(detector, detector.surfaces.center, surfaces.center)
        return _changed(detector, self, surfaces=surfaces)


class Scatter(Section):
    """Move and turn at random: Gaussians of these widths [cm], [rad]. `each`: surface by surface in its own frame;
    ladder by ladder (or ring by ring) as in `Misalign`; layer by layer, or all that one pattern fits, as one body about
    the origin. The numbers follow from seed and name alone."""

    kind: Literal["scatter"] = "scatter"
    layers: Patterns
    half: Half | None = None
    translation: tuple[Width, Width, Width] = ZERO
    rotation: tuple[AngleWidth, AngleWidth, AngleWidth] = ZERO
    each: Literal["surface", "ladder", "layer", "pattern"] = "surface"
    seed: int = Field(1, ge=0, lt=2**63, strict=True)
    undo: bool = False

    def inverse(self) -> Self:
        """The knob that undoes this one."""
        return self.model_copy(update={"undo": not self.undo})

    def apply(self, detector: Detector) -> Detector:
        """The detector with these surfaces moved. Raises InputError if a pattern fits no surface, or none in `half`."""
        rows = _rows(detector, self.layers, self.half)
        if self.each == "pattern":
            return _changed(detector, self, surfaces=self._by_pattern(detector).surfaces)
        names, body = np.unique(bodies(detector.layers, self.each, rows), return_inverse=True)
        drawn = np.array([self._numbers(str(name)) for name in names])
        turn, shift = Rotation.from_rotvec(drawn[:, 3:]), drawn[:, :3]
        if self.undo:
            turn, shift = Rotation.from_rotvec(-drawn[:, 3:]), -turn.inv().apply(shift)
        moves = Moves(rows, turn.as_matrix()[body], shift[body])
        if self.each == "ladder":
            surfaces = as_bodies(detector.surfaces, moves, body)
        else:
            surfaces = (in_own_frames if self.each == "surface" else about_the_origin)(detector.surfaces, moves)
        _still_inside(detector, detector.surfaces.center, surfaces.center)
        return _changed(detector, self, surfaces=surfaces)

    def _by_pattern(self, detector: Detector) -> Detector:
        steps = []
        for pattern in self.layers:
            numbers = self._numbers(pattern)
            moved = {"translation": tuple(numbers[:3]), "rotation": tuple(numbers[3:])}
            steps.append(Misalign(layers=(pattern,), half=self.half, frame="global", **moved))
        return restored(detector, steps) if self.undo else distorted(detector, steps)

    def _numbers(self, name: str) -> FloatArray:
        numbers: FloatArray = stream(self.seed, crc32(name.encode())).normal(size=6) * [
            *self.translation,
            *self.rotation,
        ]
        return numbers


class ScaleField(Section):
    """The whole field times `factor`, or times a map of factors around 1 from a file (see `fields.files`)."""

    kind: Literal["field"] = "field"
    factor: float = Field(1.0, ge=1e-3, le=1e3, strict=True)
    correction: Factors | None = None
    undo: bool = False

    def inverse(self) -> Self:
        """The knob that undoes this one, if nothing else has changed the field in between."""
        return self.model_copy(update={"undo": not self.undo})

    def apply(self, detector: Detector) -> Detector:
        """The detector with the field scaled. Raises InputError if the map cannot be read, or if there is nothing to
        undo."""
        steps: list[float | Correction] = [self.factor]
        if self.correction is not None:
            steps.append(self.correction.build(Path(), "distort.correction"))
        changed = detector
        for step in steps:
            changed = unscale_field(changed) if self.undo else scale_field(changed, step)
        return _changed(detector, self, field=changed.field)


class AddMaterial(Section):
    """More or less material: thin layers and volumes that fit, times `factor`; or `x0` radiation lengths more of what a
    thin layer is made of (fewer, if negative)."""

    kind: Literal["material"] = "material"
    layers: Patterns
    factor: float | None = Field(None, ge=1e-6, le=1e6, strict=True)
    x0: float | None = Field(None, ge=-1000, le=1000, strict=True)

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.factor is None) == (self.x0 is None):
            raise ValueError("give either factor or x0")
        return self

    def inverse(self) -> Self:
        """The knob that undoes this one."""
        if self.factor is not None:
            return self.model_copy(update={"factor": 1 / self.factor})
        return self.model_copy(update={"x0": -(self.x0 or 0.0)})

    def apply(self, detector: Detector) -> Detector:
        """The detector with other material.
        Raises InputError if a pattern fits nothing, if `x0` is for a volume or a layer without material, or if a
        thickness would be negative."""
        names = (*detector.layers, *detector.blocks)
        fits = _fitting(names, self.layers, "layers")
        thin, thick = fits[: len(detector.layers)], fits[len(detector.layers) :]
        thickness = self._thickness(detector, thin)
        if self.factor is None:
            if thick.any():
                raise InputError(f"distort: x0: {names[np.argmax(thick) + len(thin)]!r} is a volume; give a factor")
            return _changed(detector, self, surfaces=detector.surfaces._replace(thickness=thickness))
        changed = _denser(detector, thick, self.factor)
        return _changed(changed, self, surfaces=detector.surfaces._replace(thickness=thickness))

    def _thickness(self, detector: Detector, chosen: BoolArray) -> FloatArray:
        surfaces = detector.surfaces
        if self.factor is not None:
            return np.where(chosen, surfaces.thickness * self.factor, surfaces.thickness)
        bare = chosen & (surfaces.material == 0)
        X0 = np.array([0.0, *(material.X0 for material in detector.materials[1:])])
        thickness = surfaces.thickness + np.where(chosen, (self.x0 or 0.0) * X0[surfaces.material], 0.0)
        for wrong, reason in ((bare, "has no material"), (thickness < 0, "would have less than none")):
            if wrong.any():
                raise InputError(f"distort: x0: layer {detector.layers[np.argmax(wrong)]!r} {reason}; give another x0")
        return thickness


def _still_inside(detector: Detector, before: FloatArray, after: FloatArray) -> None:
    """Raises InputError if the centre of a surface left the envelope."""
    r_max, z_min, z_max = detector.envelope
    out = [(np.hypot(x, y) > r_max) | (z < z_min) | (z > z_max) for x, y, z in (before.T, after.T)]
    left = out[1] & ~out[0]
    if left.any():
        name = detector.layers[np.argmax(left)]
        raise InputError(
            f"distort: {int(left.sum())} surfaces, first {name!r}, would leave the envelope; move them less"
        )


Knob = Annotated[Misalign | Scatter | ScaleField | AddMaterial, Field(discriminator="kind")]
"""One distortion, as a table of a configuration."""


class Distortions(Section):
    """A file of distortions."""

    distort: tuple[Knob, ...] = Field(min_length=1, max_length=1000)


def read_distortions(path: Path) -> tuple[Knob, ...]:
    """The tables `[[distort]]` of a TOML file, in their order.
    Raises InputError, with one line per fault, if the file cannot be read or has faults."""
    return load(path, Distortions).distort


def distorted(detector: Detector, knobs: Iterable[Knob]) -> Detector:
    """Apply the knobs one after the other. Raises InputError if one of them cannot be applied."""
    for knob in knobs:
        detector = knob.apply(detector)
    return detector


def restored(detector: Detector, knobs: Iterable[Knob]) -> Detector:
    """Undo what `distorted` did with the same knobs, up to rounding. Raises InputError if one cannot be undone."""
    return distorted(detector, [knob.inverse() for knob in reversed(tuple(knobs))])


def misalign(
    detector: Detector, layers: str | tuple[str, ...], translation: Vector = ZERO, rotation: Vector = ZERO
) -> Detector:
    """The detector with every surface that fits moved by `translation` [cm] and turned by `rotation` [rad] in its own
    frame; see `Misalign`. Raises InputError if a pattern fits no surface."""
    return Misalign(layers=_listed(layers), translation=translation, rotation=rotation).apply(detector)


def scale_field(detector: Detector, factor: float | Correction) -> Detector:
    """The detector with the field times a factor, or times a map of factors around 1."""
    said = {"factor": factor} if isinstance(factor, float | int) else {"map": list(factor.grid.sizes)}
    note = json.dumps({"kind": "field"} | said)
    return replace(detector, field=Scaled(detector.field, factor), distortions=(*detector.distortions, note))


def unscale_field(detector: Detector) -> Detector:
    """The detector with the field before the last `scale_field`. The field itself was kept, so a map of factors can be
    undone too. Raises InputError if the field is not scaled."""
    if not isinstance(detector.field, Scaled):
        raise InputError("distort: field: is not scaled, so there is nothing to undo; leave this table out")
    note = json.dumps({"kind": "field", "undo": True})
    return replace(detector, field=detector.field.field, distortions=(*detector.distortions, note))


def add_material(
    detector: Detector, layers: str | tuple[str, ...], factor: float | None = None, x0: float | None = None
) -> Detector:
    """The detector with material times `factor`, or with `x0` radiation lengths more in thin layers; see `AddMaterial`.
    Raises InputError if a pattern fits nothing, or if `x0` cannot be applied. Raises pydantic's ValidationError unless
    exactly one of the two is given."""
    return AddMaterial(layers=_listed(layers), factor=factor, x0=x0).apply(detector)


def _rows(detector: Detector, patterns: tuple[str, ...], half: Half | None) -> IntArray:
    """Numbers (m,) of the surfaces that fit, in one half of the detector as it was described.
    Raises InputError if a pattern fits no surface, or none in the half."""
    fits = _fitting(detector.layers, patterns, "layers")
    if half is not None:
        center = detector.nominal if len(detector.nominal) else detector.surfaces.center
        fits &= center[:, "xyz".index(half[0])] * (1 if half[1] == "+" else -1) > 0
        if not fits.any():
            raise InputError(f"distort: half: none of {shown(', '.join(patterns))} is at {half}; leave it out")
    return np.flatnonzero(fits)


def _fitting(names: tuple[str, ...], patterns: tuple[str, ...], key: str) -> BoolArray:
    fits = np.zeros(len(names), dtype=np.bool_)
    for pattern in patterns:
        fit = np.array([fnmatchcase(name, pattern) for name in names], dtype=np.bool_)
        if not np.any(fit):
            raise InputError(f"distort: {key}: no name fits '{shown(pattern)}'; {_names(names, pattern)}")
        fits |= fit
    return fits


def _names(names: tuple[str, ...], pattern: str) -> str:
    known = ", ".join(dict.fromkeys(name.partition("/")[0] for name in names))
    layers = dict.fromkeys(bodies(names, "layer"))  # to compare with every module would take long
    close = get_close_matches(bodies((pattern,), "layer")[0], layers, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"{hint}names begin with {shown(known, 500)}" if names else "the detector has none"


def _denser(detector: Detector, blocks: BoolArray, factor: float) -> Detector:
    """Materials of the chosen blocks with `factor` times the density; those that others use too become new ones."""
    materials, index = list(detector.materials), detector.volumes.material.copy()
    chosen = np.repeat(blocks, detector.volumes.count)
    for number in np.unique(index[chosen & (index > 0)]):
        target = number
        if number in index[~chosen] or number in detector.surfaces.material:
            target = len(materials)
            materials.append(materials[number])
            index[chosen & (index == number)] = target
        materials[target] = materials[target].scaled(factor)
    return replace(detector, materials=tuple(materials), volumes=detector.volumes._replace(material=index))


def _changed(detector: Detector, knob: Section, **fields: Any) -> Detector:
    return replace(detector, **fields, distortions=(*detector.distortions, knob.model_dump_json()))
