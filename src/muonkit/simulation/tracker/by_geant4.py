"""The ways of particles through a tracker by Geant4, as `step.follow` gives them.

A particle that leaves the envelope, or has turned by more than `Physics.max_turn` from crossing to crossing, ends there
as it does in the own engine."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.core.config import Section
from muonkit.core.errors import InputError
from muonkit.core.particles import species as species_of
from muonkit.data.klm import FATES
from muonkit.data.tracks import FreeStates
from muonkit.data.truth import ENDS, Truth
from muonkit.detector.detector import Detector
from muonkit.detector.distort import Knob
from muonkit.detector.surfaces import distance, normal
from muonkit.simulation.geant4 import engine
from muonkit.simulation.kernels.indices import CHARGE, MASS, PX

LOOPING = ENDS.index("looping")


class Geant4Tracks(Section):
    """data: folder with a directory for each of Geant4's data sets, if the environment does not name them; cut [mm]:
    range of the production cuts, in slabs that are up to a hundred times as dense as the matter."""

    data: str | None = None
    cut: float = Field(1e-3, gt=0, le=1e3)


@dataclass(frozen=True, slots=True)
class Geant4Job:
    """detector: name or path; distortions of it; folder of the data; production cut [mm]; processes that are off."""

    detector: str
    distort: tuple[Knob, ...]
    data: Path | None
    cut: float
    off: tuple[str, ...] = ()


def follow(job: Geant4Job, detector: Detector, start: FreeStates, species: str, seed: int, max_turn: float) -> Truth:
    """The ways of particles through `detector`, that of the job with its distortions; status: position in ENDS.

    Raises InputError if Geant4 or its data are not there, or for thick volumes."""
    if detector.blocks:
        raise InputError(f'engine: {detector.name} has thick volumes, which geant4 lacks here; take engine = "fast"')
    codes = (species_of(species).pdg_id * start.charge).astype(np.int64)
    found = engine.launch("tracks", _job(job, start, codes, seed), job.data)
    end = np.array([ENDS.index(FATES[fate]) for fate in found["fate"]], np.int64)
    track, surface, row = found["event"], found["surface"], found["crossing"]
    size = np.linalg.norm(row[:, PX:MASS], axis=1)
    t = row[:, PX:MASS] / size[:, None]
    x = on_surface(detector, surface, row[:, :PX], t)
    kept, loops = before_the_end(detector, track, x, t, start, max_turn)
    end[loops] = LOOPING
    offsets = np.concatenate(([0], np.cumsum(np.bincount(track[kept], minlength=len(codes)))))
    begin = start.position, start.momentum, start.charge.astype(np.float64), codes
    return Truth(*begin, end, offsets, surface[kept], x[kept], t[kept], (row[:, CHARGE] / size)[kept])


def _job(job: Geant4Job, start: FreeStates, codes: IntArray, seed: int) -> dict[str, Any]:
    """The job of `geant4.tracks`."""
    states = np.concatenate((start.position, start.momentum), axis=1)
    knobs = json.dumps([knob.model_dump(mode="json") for knob in job.distort])
    where = {"detector": job.detector, "distort": knobs, "states": states, "codes": codes}
    return where | {"seed": seed, "cut": job.cut, "off": np.array([*job.off, ""])}


def on_surface(detector: Detector, surface: IntArray, x: FloatArray, t: FloatArray) -> FloatArray:
    """Points (n, 3) of the face of a slab, moved along the directions t to the surface in its middle."""
    S = detector.surfaces
    slope = np.einsum("ni,ni->n", normal(S, surface, x), t)
    return x - (distance(S, surface, x) / slope)[:, None] * t


def before_the_end(
    detector: Detector, track: IntArray, x: FloatArray, t: FloatArray, start: FreeStates, max_turn: float
) -> tuple[BoolArray, BoolArray]:
    """Which crossings (k,) come before a particle leaves the envelope or has turned too much; and those tracks (n,)
    that have turned too much."""
    r_max, z_min, z_max = detector.envelope
    out = (np.hypot(x[:, 0], x[:, 1]) > r_max) | (x[:, 2] < z_min) | (x[:, 2] > z_max)
    first = np.ones(len(track), np.bool_)
    first[1:] = track[1:] != track[:-1]
    came = start.momentum[track] / np.linalg.norm(start.momentum[track], axis=1)[:, None]
    came[~first] = t[:-1][~first[1:]] if len(t) else came[~first]
    turn = np.arccos(np.clip(np.einsum("ni,ni->n", came, t), -1, 1))
    turned = running(turn, first)
    far, over = running(out.astype(np.float64), first) > 0, turned > max_turn
    looped = np.zeros(len(start.charge), np.bool_)
    looped[track[over & ~far]] = True
    return ~far & ~over, looped


def running(values: FloatArray, first: BoolArray) -> FloatArray:
    """Sums (k,) up to and with each row, anew where `first` is True."""
    total = np.cumsum(values)
    starts = np.flatnonzero(first)
    before = np.repeat(total[starts] - values[starts], np.diff(np.append(starts, len(values))))
    return total - before
