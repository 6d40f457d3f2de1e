"""The material of a detector beside a table that another program made: mean over azimuth, against theta."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray
from muonkit.detector.detector import Detector, matter
from muonkit.detector.volumes import NOWHERE, locate
from muonkit.io.material_table import COLUMNS, MaterialTable, read_material
from muonkit.transport.interactions.tables import mean_loss

AZIMUTHS = 97
MOMENTUM = 1.0  # GeV, of the muon that loses energy
CRACK = 0.025  # of the value: how far a table is off the line between its neighbours where it has a crack


@dataclass(frozen=True, slots=True)
class MaterialComparison:
    """At theta (n,) [deg]: what a table says and what a detector has, (n,) each, in radiation lengths ("X0"),
    interaction lengths ("lambda") and "MeV" that a muon of 1 GeV loses; `crack`: where the table has one, by its own
    changes; `worst`: the largest relative difference outside of cracks, and the angle where it is."""

    file: str
    theta: tuple[float, ...]
    table: Mapping[str, tuple[float, ...]]
    detector: Mapping[str, tuple[float, ...]]
    crack: tuple[bool, ...]
    worst: Mapping[str, tuple[float, float]]

    def lines(self) -> list[str]:
        """For a person."""
        said = [f"{100 * off:+.1f} % in {name} at {angle:g}" for name, (off, angle) in self.worst.items()]
        smooth = len(self.theta) - sum(self.crack)
        return [
            f"material   {self.file}: largest differences, {smooth} of {len(self.theta)} angles outside of cracks:",
            f"           {', '.join(said)} degrees",
        ]


def compare(detector: Detector, path: Path, start: tuple[float, float, float] | None = None) -> MaterialComparison:
    """What is in front of the first sensors in thick volumes, beside the table in a file. Lines begin in the origin, or
    at the end of a cylinder `start` = (r, z min, z max) [cm] around it. Raises InputError as `read_material`."""
    table = read_material(path)
    ours, cracks = in_front(detector, table.theta, start), cracks_of(table)
    worst = {}
    for name, values in table.values.items():
        off = np.where(cracks, 0.0, ours[name] / values - 1)
        at = int(np.argmax(np.abs(off)))
        worst[name] = (round(float(off[at]), 5), float(table.theta[at]))
    given, found = (
        {name: tuple(float(f"{value:.5g}") for value in values) for name, values in both.items()}
        for both in (table.values, ours)
    )
    return MaterialComparison(str(path), tuple(table.theta.tolist()), given, found, tuple(cracks.tolist()), worst)


def cracks_of(table: MaterialTable) -> BoolArray:
    """Where (n,) a measure is off the straight line between its neighbours by more than CRACK; the ends have no two
    neighbours and count as cracks."""
    theta, found = table.theta, np.zeros(len(table.theta), np.bool_)
    found[[0, -1]] = True
    share = (theta[1:-1] - theta[:-2]) / (theta[2:] - theta[:-2])
    for values in table.values.values():
        line = (1 - share) * values[:-2] + share * values[2:]
        found[1:-1] |= np.abs(line / values[1:-1] - 1) > CRACK
    return found


def in_front(
    detector: Detector, theta: FloatArray, start: tuple[float, float, float] | None = None
) -> dict[str, FloatArray]:
    """Mean over azimuth (n,) at theta (n,) [deg] of what is in front of the volumes with sensors."""
    phi = 2 * np.pi * (np.arange(AZIMUTHS) + 0.5) / AZIMUTHS
    angle, phi = (part.ravel() for part in np.meshgrid(np.radians(theta), phi, indexing="ij"))
    lines = np.stack((np.sin(angle) * np.cos(phi), np.sin(angle) * np.sin(phi), np.cos(angle)), axis=1)
    behind = with_sensors(detector)
    parts = matter(detector, lines, None if start is None else out_of(start, lines))
    lengths = sum(cm for part, cm in parts.items() if part not in behind)
    mean = np.reshape(lengths, (len(theta), AZIMUTHS, -1)).mean(axis=1)
    return {name: mean @ per_cm for name, per_cm in zip(COLUMNS, measures(detector), strict=True)}


def measures(detector: Detector) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Of a cm of each material: radiation lengths, interaction lengths, MeV that a muon loses; (materials,) each."""
    solid = [material for material in detector.materials if material.density > 0]
    lost = {m.name: 1e3 * float(mean_loss(m, "mu", np.array([MOMENTUM]))[0][0]) for m in solid}
    return (
        np.array([1 / material.X0 for material in detector.materials]),
        np.array([1 / material.interaction_length for material in detector.materials]),
        np.array([lost.get(material.name, 0.0) for material in detector.materials]),
    )


def with_sensors(detector: Detector) -> set[str]:
    """First parts of the names of blocks in which sensors stand."""
    S = detector.surfaces
    sensors = np.flatnonzero(S.n_measured > 0)
    inner = S.center[sensors] + S.bounds[sensors][:, :1] * S.axes[sensors, 0]
    block, _ = locate(detector.volumes, inner)
    return {detector.blocks[b].partition("/")[0] for b in np.unique(block[block != NOWHERE])}


def out_of(start: tuple[float, float, float], lines: FloatArray) -> FloatArray:
    """Length (n,) [cm] of lines (n, 3) from the origin to the end of a cylinder (r, z min, z max)."""
    r, low, high = start
    with np.errstate(divide="ignore"):
        across = r / np.hypot(lines[:, 0], lines[:, 1])
        along = np.where(lines[:, 2] > 0, high, low) / lines[:, 2]
    return np.minimum(across, np.where(np.isnan(along) | (along < 0), np.inf, along))
