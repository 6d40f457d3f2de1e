"""The state of the muon detector's readout: dead strips (KLMChannelStatus) and efficiencies (KLMStripEfficiency).

Both payloads are JSON. Identification and simulation read them. Modules are called by region, section, sector, layer,
their strips by plane and number from 1; see `strips`."""

from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

import numpy as np
from pydantic import Field, ValidationError

from muonkit.core.arrays import FloatArray, IntArray
from muonkit.core.config import Section
from muonkit.core.errors import InputError
from muonkit.data.klm import REGIONS, SECTIONS
from muonkit.detector.detector import Detector
from muonkit.detector.planes import plane_names
from muonkit.detector.strips import Strips

STATUS_SCHEMA, EFFICIENCY_SCHEMA = "KLMChannelStatus/1", "KLMStripEfficiency/1"

Share = Annotated[float, Field(ge=0, le=1)]


class Module(Section):
    """A module by name; those of an endcap are quadrants, sector 1 to 4."""

    region: Literal["barrel", "endcap"]
    section: Literal["bwd", "fwd"]
    sector: int = Field(ge=1)
    layer: int = Field(ge=0)

    @property
    def place(self) -> str:
        """As the planes of a detector are called."""
        return f"{self.region}/{self.section}/{self.sector}/{self.layer:02d}"


class DeadStrips(Module):
    """Strips that do not work, of plane 0 (phi; endcap: x) or 1 (z; endcap: y)."""

    plane: int = Field(ge=0, le=1)
    strips: tuple[int, ...] = Field(min_length=1)


class Efficiency(Module):
    """Efficiencies of the two readout planes."""

    planes: tuple[Share, Share]


class ChannelStatus(Section):
    """The payload KLMChannelStatus."""

    schema_: Literal["KLMChannelStatus/1"] = Field(alias="schema")
    dead: tuple[DeadStrips, ...] = ()


class StripEfficiency(Section):
    """The payload KLMStripEfficiency."""

    schema_: Literal["KLMStripEfficiency/1"] = Field(alias="schema")
    modules: tuple[Efficiency, ...] = ()


@dataclass(frozen=True)
class Channels:
    """What is known of the channels in a run; where nothing is known, everything works."""

    status: ChannelStatus | None = None
    efficiency: StripEfficiency | None = None


ALL_WORK = Channels()


def read_status(content: bytes, name: str) -> ChannelStatus:
    """Raises InputError, one line per fault; `name` says where the bytes come from."""
    return _read(content, name, ChannelStatus)


def read_efficiency(content: bytes, name: str) -> StripEfficiency:
    """Raises InputError, one line per fault; `name` says where the bytes come from."""
    return _read(content, name, StripEfficiency)


Content = TypeVar("Content", bound=Section)


def _read(content: bytes, name: str, kind: type[Content]) -> Content:
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        faults = [f"{name}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise InputError(faults) from None


def dead_strips(detector: Detector, strips: Strips, status: ChannelStatus | None) -> IntArray:
    """Surface, readout plane and number, from 0, of every dead strip (k, 3), sorted. Raises InputError for a module or
    strip that does not exist."""
    surfaces, rows = _surfaces(detector), []
    for dead in status.dead if status else ():
        surface = _surface(surfaces, dead)
        count = strips.number[surface, dead.plane]
        wrong = ", ".join(str(strip) for strip in dead.strips if not 1 <= strip <= count)
        if wrong:
            raise InputError(f"channels: {dead.place}: plane {dead.plane} has strips 1 to {count}, not {wrong}")
        rows += [(surface, dead.plane, strip - 1) for strip in dead.strips]
    return np.unique(np.array(rows, dtype=np.int64).reshape(-1, 3), axis=0)


def efficiencies(detector: Detector, efficiency: StripEfficiency | None) -> FloatArray:
    """Efficiency (n, 2) of both readout planes by surface: 1 without a payload, NaN where a payload does not name the
    module. Raises InputError for a module that does not exist, or that is named twice."""
    shape = len(detector.layers), 2
    if efficiency is None:
        return np.ones(shape)
    values, surfaces = np.full(shape, np.nan), _surfaces(detector)
    for one in efficiency.modules:
        surface = _surface(surfaces, one)
        if not np.isnan(values[surface, 0]):
            raise InputError(f"channels: {one.place} has two efficiencies; keep one")
        values[surface] = one.planes
    return values


Place = tuple[str, str, int, int]


def _surfaces(detector: Detector) -> dict[Place, int]:
    return {(REGIONS[p.region], SECTIONS[p.section], p.sector, p.layer): p.surface for p in plane_names(detector)}


def _surface(surfaces: dict[Place, int], module: Module) -> int:
    surface = surfaces.get((module.region, module.section, module.sector, module.layer))
    if surface is None:
        raise InputError(f"channels: there is no module {module.place} in this detector")
    return surface
