"""A readout as in real life, drawn: efficiencies of all modules, some of them weak, and dead strips."""

from typing import Annotated

import numpy as np
from pydantic import Field

from muonkit.core.config import Range, Section, Seed
from muonkit.data.klm import REGIONS, SECTIONS
from muonkit.detector.channels import (
    EFFICIENCY_SCHEMA,
    STATUS_SCHEMA,
    ChannelStatus,
    DeadStrips,
    Efficiency,
    Share,
    StripEfficiency,
)
from muonkit.detector.detector import Detector
from muonkit.detector.planes import PlaneName, plane_names
from muonkit.detector.strips import Strips, chambers, strips_of

Part = Annotated[float, Field(ge=0, le=0.5)]


class Quality(Section):
    """Planes of one kind: mean efficiency and its spread; share of weak modules, and the range of the efficiency of
    their planes; share of dead strips; share of dead boards, of `board` strips each."""

    efficiency: Share = 0.98
    spread: Part = 0.006
    weak: Share = 0.035
    weak_efficiency: Range = (0.5, 0.9)
    dead_strips: Part = 0.003
    dead_boards: Part = 0.002
    board: int = Field(15, ge=1)


class ChannelDraw(Section):
    """What `muonkit conditions draw` reads."""

    detector: str = "belle2"
    seed: Seed = 1
    first_rpc_layer: int = Field(2, ge=0)
    rpc: Quality = Quality()
    scintillator: Quality = Quality()


def draw_channels(detector: Detector, draw: ChannelDraw) -> tuple[ChannelStatus, StripEfficiency]:
    """Dead strips and efficiencies of a detector; the same for the same seed. Raises InputError if it has no muon
    planes."""
    rng = np.random.default_rng(draw.seed)
    strips, rpc = strips_of(detector, draw.first_rpc_layer), chambers(detector, draw.first_rpc_layer)
    dead: list[DeadStrips] = []
    modules: list[Efficiency] = []
    for plane in plane_names(detector):
        quality = draw.rpc if rpc[plane.surface] else draw.scintillator
        modules.append(Efficiency(**_name(plane), planes=_efficiencies(quality, rng)))
        dead += _dead(plane, strips, quality, rng)
    status = ChannelStatus.model_validate({"schema": STATUS_SCHEMA, "dead": dead})
    return status, StripEfficiency.model_validate({"schema": EFFICIENCY_SCHEMA, "modules": modules})


def _name(plane: PlaneName) -> dict[str, str | int]:
    return {
        "region": REGIONS[plane.region],
        "section": SECTIONS[plane.section],
        "sector": plane.sector,
        "layer": plane.layer,
    }


def _efficiencies(quality: Quality, rng: np.random.Generator) -> tuple[float, float]:
    """Of both planes; a weak module is weak in both."""
    is_weak = rng.random() < quality.weak
    usual, low = rng.normal(quality.efficiency, quality.spread, 2), rng.uniform(*quality.weak_efficiency, 2)
    x, z = np.round(np.clip(low if is_weak else usual, 0.0, 1.0), 4).tolist()
    return x, z


def _dead(plane: PlaneName, strips: Strips, quality: Quality, rng: np.random.Generator) -> list[DeadStrips]:
    found = []
    for number in (0, 1):
        strip = np.arange(strips.number[plane.surface, number])
        boards = rng.random(len(strip) // quality.board + 1) < quality.dead_boards
        dead = (rng.random(len(strip)) < quality.dead_strips) | boards[strip // quality.board]
        if dead.any():
            which = tuple((strip[dead] + 1).tolist())
            found.append(DeadStrips(**_name(plane), plane=number, strips=which))
    return found
