"""A detector file -> what is in it, in words, numbers and pictures."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from muonkit.core.arrays import FloatArray
from muonkit.core.files import atomic, check_outputs, plain_name
from muonkit.core.plain import plain_fields
from muonkit.core.result import Result, Status
from muonkit.detector import coverage
from muonkit.detector.detector import (
    Detector,
    directions,
    files_of,
    load_anyway,
    material_budget,
    measured,
    shipped,
)
from muonkit.detector.maxwell import WRONG, departure
from muonkit.detector.moves import bodies
from muonkit.pipelines.detector_material import MaterialComparison, compare
from muonkit.report import detector as pictures
from muonkit.report.detector_material import against_theta

ETA = np.linspace(-3, 3, 241)
SHOWN = np.arange(-2.5, 2.75, 0.5)  # rows of the table


@dataclass(frozen=True, slots=True)
class EnvelopeSize:
    """Size of a detector [cm]: r < `r`, z[0] < z < z[1]."""

    r: float
    z: tuple[float, float]


@dataclass(frozen=True, slots=True)
class PartCounts:
    """What a part of a detector, named by the first part of the names in it, is made of."""

    surfaces: int = 0
    sensors: int = 0
    blocks: int = 0


@dataclass(frozen=True, slots=True)
class ModuleCounts:
    """A layer of modules: their number, that of its ladders or rings, and from where to where it reaches [cm]."""

    modules: int
    bodies: int
    r: tuple[float, float]
    z: tuple[float, float]

    def line(self, name: str) -> str:
        """One line for a person."""
        (r_min, r_max), (z_min, z_max) = self.r, self.z
        return f"{name:24}{self.modules:9}{self.bodies:15}{r_min:8.1f} to {r_max:5.1f}{z_min:9.1f} to {z_max:6.1f}"


@dataclass(frozen=True, slots=True)
class MaterialBudget:
    """On straight lines from the origin at phi = 0 and pseudorapidity `eta` (n,): sensors crossed (n,), and the
    thickness in radiation lengths (n,), in total and by part."""

    eta: tuple[float, ...]
    sensors_crossed: tuple[int, ...]
    x_over_X0: tuple[float, ...]
    x_over_X0_by_part: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class FieldMap:
    """A field map of a detector: `key` in the description, file, what it covers, what is `outside` of it; the share of
    the envelope that it leaves without field; how far it is from Maxwell's equations, see `detector.maxwell`."""

    key: str
    file: str
    covers: str
    outside: str
    missing_share: float
    divergence_rms_per_m: float
    divergence_max_per_m: float
    curl_rms_per_m: float
    curl_max_per_m: float
    field_error: float
    ends: str
    words: str

    def lines(self) -> list[str]:
        """Two lines for a person."""
        declared = ', there it is 0 as declared (outside = "zero")' if self.outside == "zero" else ""
        whole = f"{self.ends}{declared}" if self.ends else f"{self.covers}, covers the envelope"
        div, curl = (self.divergence_rms_per_m, self.divergence_max_per_m), (self.curl_rms_per_m, self.curl_max_per_m)
        said = [f"{name} B {rms:.1e} (largest {most:.1e})" for name, (rms, most) in (("div", div), ("curl", curl))]
        return [
            f"map        {' '.join(part for part in (self.key, self.file) if part)}: {whole}",
            f"           {', '.join(said)} of |B| per m; {self.words}",
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorResult(Result):
    """What is in a detector; `field_at_origin_T` [tesla]; `figures`: files that were drawn."""

    name: str
    title: str
    envelope_cm: EnvelopeSize
    field_at_origin_T: tuple[float, ...]
    surfaces: int
    sensors: int
    blocks: int
    materials: tuple[str, ...]
    parts: Mapping[str, PartCounts]
    modules: Mapping[str, ModuleCounts]
    budget: MaterialBudget
    maps: tuple[FieldMap, ...] = ()
    faults: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()
    comparison: MaterialComparison | None = None

    @property
    def status(self) -> Status:
        """ATTENTION if other commands refuse this field, or if a map is far from Maxwell's equations."""
        return "ATTENTION" if self.message else "DONE"

    @property
    def message(self) -> str:
        """What is wrong with the field; empty if nothing."""
        wrong = [f"{one.key}: {one.words}; look for swapped columns" for one in self.maps if one.field_error > WRONG]
        return "\n".join([*(f"{fault}. Other commands refuse this detector." for fault in self.faults), *wrong])

    def report(self) -> str:
        r, (z_min, z_max), budget = self.envelope_cm.r, self.envelope_cm.z, self.budget
        B = ", ".join(f"{component:.4g}" for component in self.field_at_origin_T)
        lines = [
            f"{self.title} ({self.name})",
            f"envelope   r < {r:g} cm, {z_min:g} < z < {z_max:g} cm",
            f"field      ({B}) T in the origin",
            *(line for one in self.maps for line in one.lines()),
            f"contents   {self.surfaces} surfaces, {self.sensors} with sensors; {self.blocks} blocks",
            f"materials  {', '.join(self.materials)}",
            "",
            f"{'part':24}{'surfaces':>9}{'sensors':>9}{'blocks':>9}",
            *(f"{name:24}{n.surfaces:9}{n.sensors:9}{n.blocks:9}" for name, n in self.parts.items()),
            *self._modules(),
            "",
            f"{'eta':>6}{'sensors crossed':>18}{'x/X0':>9}",
        ]
        rows = zip(budget.eta, budget.sensors_crossed, budget.x_over_X0, strict=True)
        lines += [f"{eta:6.1f}{sensors:18}{total:9.3f}" for eta, sensors, total in rows]
        compared = ["", *self.comparison.lines()] if self.comparison else []
        return "\n".join([*lines, *compared, *self.figures])

    def _modules(self) -> list[str]:
        head = f"{'layer':24}{'modules':>9}{'ladders, rings':>15}{'r [cm]':>17}{'z [cm]':>19}"
        return ["", head, *(layer.line(name) for name, layer in self.modules.items())] if self.modules else []

    def to_json(self) -> dict[str, Any]:
        return plain_fields(self) | {"text": str(self)}


@dataclass(frozen=True, slots=True)
class DetectorList(Result):
    """The detectors that come with muonkit."""

    detectors: tuple[str, ...]

    def report(self) -> str:
        return "\n".join(self.detectors)

    def to_json(self) -> dict[str, Any]:
        return {"detectors": list(self.detectors), "text": str(self)}


def show(
    name: str, out: Path | None = None, material: Path | None = None, start: tuple[float, float, float] | None = None
) -> DetectorResult:
    """Describe a shipped detector or a file; with `out`, draw it there. `material`: a table of another program to
    compare with, `start`: where its lines begin, see `detector_material`. Raises InputError with one line per fault."""
    detector, _ = load_anyway(name)
    compared = compare(detector, material, start) if material else None
    inputs = (*files_of(name), *((material,) if material else ()))
    figures = tuple(str(path) for path in draw(detector, out, inputs, compared)) if out else ()
    return replace(describe(detector), figures=figures, comparison=compared)


def known() -> DetectorList:
    """The detectors that can be named instead of a file."""
    return DetectorList(tuple(shipped()))


def describe(detector: Detector) -> DetectorResult:
    """Names, sizes, parts and the material budget."""
    r_max, z_min, z_max = detector.envelope
    field = detector.field.value(np.zeros((1, 3)))[0]
    return DetectorResult(
        name=detector.name,
        title=detector.title,
        envelope_cm=EnvelopeSize(r_max, (z_min, z_max)),
        field_at_origin_T=tuple(round(float(component), 9) for component in field),
        surfaces=len(detector.layers),
        sensors=int(np.sum(detector.surfaces.n_measured > 0)),
        blocks=len(detector.blocks),
        materials=tuple(material.name for material in detector.materials),
        parts=_parts(detector),
        modules=_modules(detector),
        budget=_budget(detector, SHOWN),
        maps=tuple(_map(placed, detector.envelope) for placed in detector.maps),
        faults=tuple(coverage.faults(detector.maps, detector.field, detector.envelope)),
    )


def _map(placed: coverage.PlacedMap, envelope: coverage.Envelope) -> FieldMap:
    share, found = coverage.missing_share(placed, envelope), departure(placed, envelope)
    inside = coverage.ends_inside(placed, envelope)
    return FieldMap(
        *(placed.key, placed.file, placed.reach(), placed.outside, share, *found),
        ends=coverage.gap(placed, envelope) if inside else "",
        words=found.words(),
    )


def draw(
    detector: Detector, out: Path, inputs: tuple[Path, ...] = (), compared: MaterialComparison | None = None
) -> list[Path]:
    """Figures in `out`: along the beam, across it, material against eta; against theta beside a table.

    Raises InputError if the name of the detector cannot be part of the name of a file, or if a figure would be one of
    the `inputs`."""
    begin = plain_name(detector.name, "name of the detector")
    budget = material_budget(detector, directions(ETA))
    figures = {
        "rz": pictures.longitudinal(detector),
        "xy": pictures.transverse(detector, pictures.barrel(detector)),
        "material": pictures.material_budget(ETA, budget, detector.title),
    }
    across = pictures.endcap(detector)
    if across is not None:
        figures = {"xy-endcap": pictures.transverse(detector, across)} | figures
    if compared is not None:
        columns = np.array(compared.theta), compared.table, compared.detector, np.array(compared.crack)
        figures["material-theta"] = against_theta(*columns, detector.title)
    paths = [out / f"{begin}-{name}.png" for name in figures]
    check_outputs(paths, inputs)
    for path, figure in zip(paths, figures.values(), strict=True):
        with atomic(path) as temporary:
            figure.savefig(temporary, dpi=160, format="png")
    return paths


def _parts(detector: Detector) -> dict[str, PartCounts]:
    surfaces = Counter(_part(name) for name in detector.layers)
    measuring = zip(detector.layers, detector.surfaces.n_measured > 0, strict=True)
    sensors = Counter(_part(name) for name, sensor in measuring if sensor)
    blocks = Counter(_part(name) for name in detector.blocks)
    names = dict.fromkeys([*surfaces, *blocks])
    return {name: PartCounts(surfaces[name], sensors[name], blocks[name]) for name in names}


def _modules(detector: Detector) -> dict[str, ModuleCounts]:
    rows = np.flatnonzero(detector.modules.layer_of >= 0)
    layers, first, count = np.unique(detector.modules.layer_of[rows], return_index=True, return_counts=True)
    names, ladders = (bodies(detector.layers, level, rows) for level in ("layer", "ladder"))
    inside = Counter(name for name, _ in set(zip(names, ladders, strict=True)))
    shells = np.round(detector.modules.shell, 6).tolist()
    return {
        names[i]: ModuleCounts(int(n), inside[names[i]], (shells[g][0], shells[g][1]), (shells[g][2], shells[g][3]))
        for g, i, n in zip(layers.tolist(), first.tolist(), count.tolist(), strict=True)
    }


def _part(name: str) -> str:
    return name.partition("/")[0]


def _budget(detector: Detector, eta: FloatArray) -> MaterialBudget:
    lines = directions(eta)
    budget = material_budget(detector, lines)
    return MaterialBudget(
        tuple(eta.tolist()),
        tuple(measured(detector, lines).tolist()),
        tuple(np.round(sum(budget.values(), np.zeros(len(eta))), 6).tolist()),
        {name: tuple(np.round(values, 6).tolist()) for name, values in budget.items()},
    )
