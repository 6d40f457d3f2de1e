"""The state of the readout: dead strips (KLMChannelStatus) and efficiencies (KLMStripEfficiency).

Strips are numbered from 1: in the barrel from the low end of the local coordinate of the plane, in the endcaps (by
quadrant, sector 1 to 4 counted like azimuth from x, y > 0) from the middle of the detector outwards, in |x| for plane 0
and |y| for plane 1. Their pitch follows from the resolution of the plane, w = sigma sqrt(12), and for resistive plate
chambers, whose single strips have a variance of 0.60 and 0.55 of w^2/12, from that. Both payloads are JSON."""

from typing import Annotated, Literal, TypeVar

import numpy as np
from pydantic import Field, ValidationError

from muonkit.core.arrays import FloatArray
from muonkit.core.config import Section
from muonkit.core.errors import InputError
from muonkit.data.klm import BARREL, REGIONS, SECTIONS
from muonkit.detector.detector import Detector
from muonkit.detector.planes import RPC_SHARE, PlaneName, plane_names
from muonkit.muid.swim.kernels.tuples import ChannelArrays
from muonkit.muid.swim.layout import LayoutArrays

STATUS_SCHEMA, EFFICIENCY_SCHEMA = "KLMChannelStatus/1", "KLMStripEfficiency/1"
QUADRANTS = 4


Share = Annotated[float, Field(ge=0, le=1)]


class Module(Section):
    """A module by name; endcap modules are quadrants, sector 1 to 4."""

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


def build_channels(
    detector: Detector,
    layout: LayoutArrays,
    status: ChannelStatus | None = None,
    efficiency: StripEfficiency | None = None,
) -> ChannelArrays:
    """The state of all channels of a detector; without payloads everything works with efficiency 1.

    A module that `efficiency` does not name has NaN. Raises InputError for a module or strip that does not exist."""
    planes = {(p.region, p.section, p.sector, p.layer): p for p in plane_names(detector)}
    rows = [_dead(detector, layout, planes, one) for one in (status.dead if status else ())]
    surface, quadrant, coordinate, low, high = (
        np.concatenate([row[i] for row in rows]) if rows else np.zeros(0) for i in range(5)
    )
    order = np.argsort(surface, kind="stable")
    first = np.searchsorted(surface[order], np.arange(len(detector.layers) + 1))
    return ChannelArrays(
        _efficiencies(detector, planes, efficiency),
        first,
        quadrant[order].astype(np.int64),
        coordinate[order].astype(np.int64),
        low[order],
        high[order],
    )


Planes = dict[tuple[int, int, int, int], PlaneName]


def _find(planes: Planes, module: Module) -> tuple[PlaneName, int]:
    """The plane of a module, and its quadrant (0 in the barrel)."""
    region, section = REGIONS.index(module.region), SECTIONS.index(module.section)
    quadrant = 0 if region == BARREL else module.sector
    plane = planes.get((region, section, module.sector if region == BARREL else 0, module.layer))
    if plane is None or quadrant > QUADRANTS:
        raise InputError(f"channels: there is no module {module.place} in this detector")
    return plane, quadrant


def _dead(detector: Detector, layout: LayoutArrays, planes: Planes, dead: DeadStrips) -> tuple[FloatArray, ...]:
    plane, quadrant = _find(planes, dead)
    strips = np.array(dead.strips, dtype=np.float64)
    pitch, count, start = strip_layout(detector, layout, plane.surface, dead.plane)
    if strips.min() < 1 or strips.max() > count:
        name = detector.layers[plane.surface]
        wrong = ", ".join(str(strip) for strip in dead.strips if not 1 <= strip <= count)
        raise InputError(f"channels: {name}: plane {dead.plane} has strips 1 to {count}, not {wrong}")
    low = start + (strips - 1) * pitch
    constant = [np.full(len(strips), float(value)) for value in (plane.surface, quadrant, dead.plane)]
    return (*constant, low, low + pitch)


def strip_layout(detector: Detector, layout: LayoutArrays, surface: int, plane: int) -> tuple[float, int, float]:
    """Pitch [cm], number and start [cm] of the strips of a readout plane of a module."""
    S = detector.surfaces
    share = RPC_SHARE[plane] if layout.grows[surface] else 1.0
    pitch = float(S.sigma[surface, plane] * np.sqrt(12 / share))
    bounds = S.bounds[surface]
    in_endcap = bool(np.any(layout.endcap == surface))
    start, end = (0.0, bounds[1]) if in_endcap else bounds[2 * plane : 2 * plane + 2]
    return pitch, int(np.ceil((end - start) / pitch - 1e-6)), float(start)


def _efficiencies(detector: Detector, planes: Planes, efficiency: StripEfficiency | None) -> FloatArray:
    shape = len(detector.layers), 1 + QUADRANTS
    if efficiency is None:
        return np.ones(shape)
    values = np.full(shape, np.nan)
    for one in efficiency.modules:
        plane, quadrant = _find(planes, one)
        if not np.isnan(values[plane.surface, quadrant]):
            raise InputError(f"channels: {one.place} has two efficiencies; keep one")
        values[plane.surface, quadrant] = one.planes[0] * one.planes[1]
    return values
