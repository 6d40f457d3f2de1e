"""Crossings of sensors -> hits: Gaussian measurement errors, and sensors that miss a track."""

import numpy as np
from pydantic import Field

from muonkit.core import random
from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.core.config import Section
from muonkit.data.hits import Hits
from muonkit.data.truth import Truth
from muonkit.detector.detector import Detector
from muonkit.detector.surfaces import to_local

STREAM = 1  # of the random numbers of the digitisation; the gun has those without a second key


class Readout(Section):
    """efficiency: of every sensor; error_scale: measurement errors in units of what the detector says."""

    efficiency: float = Field(1.0, ge=0, le=1)
    error_scale: float = Field(1.0, ge=0)


def digitise(truth: Truth, detector: Detector, readout: Readout, seed: int, first: int = 0) -> Hits:
    """The hits of every track, in the order of its crossings; `variance` is what the detector says."""
    surfaces, ids = detector.surfaces, truth.surface
    track = np.repeat(np.arange(len(truth)), np.diff(truth.offsets))
    noise, lots = _numbers(truth, seed, first, track)
    local = to_local(surfaces, ids, truth.position)
    value = np.einsum("nij,nj->ni", surfaces.projection[ids], local)
    value += noise * readout.error_scale * surfaces.sigma[ids]
    seen = (surfaces.n_measured[ids] > 0) & (lots < readout.efficiency)
    value[surfaces.n_measured[ids] == 1, 1] = 0.0
    return _kept(truth, value, surfaces.sigma[ids] ** 2, seen, track)


def _numbers(truth: Truth, seed: int, first: int, track: IntArray) -> tuple[FloatArray, FloatArray]:
    """Two normal numbers and a uniform one for every crossing, from the stream of its track."""
    count = np.diff(truth.offsets)
    most = int(count.max(initial=0))
    place = np.arange(len(track)) - truth.offsets[:-1][track]
    rows = [random.stream(seed, first + i, STREAM) for i in range(len(truth))]
    normal = np.stack([rng.standard_normal((most, 2)) for rng in rows]) if rows else np.zeros((0, most, 2))
    return normal[track, place], np.stack([rng.random(most) for rng in rows])[track, place]


def _kept(truth: Truth, value: FloatArray, variance: FloatArray, seen: BoolArray, track: IntArray) -> Hits:
    offsets = np.concatenate(([0], np.cumsum(np.bincount(track[seen], minlength=len(truth)))))
    return Hits(offsets, truth.surface[seen], value[seen], variance[seen])
