"""Crossings of sensors -> hits. What is true of a hit goes into `Origin`, which the fit never gets."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field
from scipy.special import ndtri

from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.core.config import Section
from muonkit.core.errors import InputError
from muonkit.data.hits import Hits
from muonkit.data.truth import Truth
from muonkit.detector.detector import Detector
from muonkit.detector.surfaces import to_local
from muonkit.simulation.draws import uniforms
from muonkit.simulation.kernels import philox

GENUINE, OUTLIER, NOISE = range(3)
PITCH = float(np.sqrt(12))  # of a strip, in units of the resolution


class Readout(Section):
    """smearing: Gaussian of the resolution of the surface, the centre of a strip of sqrt(12) times the resolution, or
    none; efficiency: of every sensor, or by the name of its layer or the first parts of the name (the longest that
    fits counts); outliers: share of hits that lie anywhere within `window` [cm] of the crossing; noise: share of
    missing hits in whose place something else is taken, anywhere in the window."""

    smearing: Literal["gaussian", "strips", "none"] = "gaussian"
    efficiency: float = Field(1.0, ge=0, le=1)
    layer_efficiency: dict[str, float] = Field(default_factory=dict)
    outliers: float = Field(0.0, ge=0, le=1)
    noise: float = Field(0.0, ge=0, le=1)
    window: float = Field(1.0, gt=0, le=1e4)


PLAIN = Readout()


@dataclass(frozen=True, slots=True)
class Origin:
    """Per hit: crossing (k,), the row of the truth it comes from or stands for; kind (k,): GENUINE, OUTLIER, NOISE."""

    crossing: IntArray
    kind: IntArray


def digitise(
    truth: Truth, detector: Detector, seed: int, readout: Readout = PLAIN, first: int = 0
) -> tuple[Hits, Origin]:
    """Hits of particles `first` ... of a seed, in the order of their crossings; `variance` is the squared resolution.

    Raises InputError for an efficiency out of [0, 1] or of a layer that the detector does not have."""
    surfaces, ids, track = detector.surfaces, truth.surface, truth.track
    u = uniforms(seed, philox.DIGITS, first + track, 7, np.arange(len(track)) - truth.offsets[track])
    kind = _fate(u, efficiencies(detector, readout)[ids], readout)
    kept = (kind >= 0) & (surfaces.n_measured[ids] > 0)
    true = np.einsum("nij,nj->ni", surfaces.projection[ids], to_local(surfaces, ids, truth.position))
    elsewhere = true + readout.window * (2 * u[:, 5:7] - 1)
    value = np.where(kind[:, None] == GENUINE, _measured(true, surfaces.sigma[ids], u[:, 3:5], readout), elsewhere)
    value = np.where(np.arange(2) < surfaces.n_measured[ids][:, None], value, 0.0)
    offsets = np.concatenate(([0], np.cumsum(np.bincount(track[kept], minlength=len(truth)))))
    hits = Hits(offsets, ids[kept], value[kept], surfaces.sigma[ids][kept] ** 2)
    return hits, Origin(np.flatnonzero(kept), kind[kept])


def _fate(u: FloatArray, efficiency: FloatArray, readout: Readout) -> IntArray:
    """GENUINE, OUTLIER, NOISE, or -1 for no hit at all."""
    seen, replaced = u[:, 0] < efficiency, u[:, 2] < readout.noise
    hit = np.where(u[:, 1] < readout.outliers, OUTLIER, GENUINE)
    return np.where(seen, hit, np.where(replaced, NOISE, -1))


def _measured(true: FloatArray, sigma: FloatArray, u: FloatArray, readout: Readout) -> FloatArray:
    if readout.smearing == "gaussian":
        return true + sigma * ndtri(u)
    if readout.smearing == "none":
        return true
    pitch = np.where(sigma > 0, PITCH * sigma, 1.0)
    return (np.floor(true / pitch) + 0.5) * pitch


def efficiencies(detector: Detector, readout: Readout) -> FloatArray:
    """Efficiency (n,) of every surface. Raises InputError, see `digitise`."""
    table = readout.layer_efficiency
    if not table:
        return np.full(len(detector.layers), readout.efficiency)
    faults = [
        f"layer_efficiency: {name}: must lie in [0, 1] (found {e:g})" for name, e in table.items() if not 0 <= e <= 1
    ]
    of_layer = [_longest(layer, table) for layer in detector.layers]
    unknown = sorted(name for name in table if not any(_fits(name, layer) for layer in detector.layers))
    faults += [f"layer_efficiency: {detector.name} has no layer '{name}'" for name in unknown]
    if faults:
        raise InputError(faults)
    return np.array([readout.efficiency if name is None else table[name] for name in of_layer])


def _fits(name: str, layer: str) -> bool:
    return layer == name or layer.startswith(name + "/")


def _longest(layer: str, table: dict[str, float]) -> str | None:
    return max((name for name in table if _fits(name, layer)), key=len, default=None)


def missed(truth: Truth, detector: Detector, origin: Origin) -> BoolArray:
    """Which crossings (k,) of sensors left no genuine hit."""
    seen = np.zeros(len(truth.surface), np.bool_)
    seen[origin.crossing[origin.kind == GENUINE]] = True
    return (detector.surfaces.n_measured[truth.surface] > 0) & ~seen
