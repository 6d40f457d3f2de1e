"""How the fitted curvature answers to shift, field and matter of every layer, against the curvature.

The fit's own weights say it: `Eliminated.response`. With k = 1/pT and a distortion p that is corrected, k_c/k = 1 +
(d ln k/dp) p. In the terms of the bias model a field gives A = a f, matter e = e0 m, a shift along r-phi M = s u, with

    a = d ln k/df,  e0 = -1/k d ln k/dm,  s = q k d ln k/du.

Where scattering takes over from the resolution of the hits, a layer gets another weight: the gains go from c + rest at
small k to rest at large k as rest + c/(1 + d^2 k^2), one d per layer. The rests of all layers together are the terms of
the model that scattering does not reduce."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar

from muonkit.alignment.linear import Eliminated
from muonkit.alignment.parameters import FIELD, GAMMA, MATERIAL, SIZE, U
from muonkit.core.arrays import FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.indices import QOP, THETA
from muonkit.detector.detector import Detector
from muonkit.detector.surfaces import CYLINDER, PLANE

TERMS = ("A", "e", "M")
FEWEST = 4  # bins of k
MANY = 100  # values of d that are tried before the search


@dataclass(frozen=True, slots=True)
class Gains:
    """Means over tracks in bins of k: k (b,) [1/GeV]; terms (b, l, 3): a, e0 [GeV], s [1/(GeV cm)] of every layer;
    tracks (b,)."""

    layers: tuple[str, ...]
    k: FloatArray
    terms: FloatArray
    tracks: IntArray


class Falls(NamedTuple):
    """terms = rest + c/(1 + d^2 k^2): d (l,) [GeV]; c and rest (l, 3); misfit (l,): rms of what is left, over the
    largest gain."""

    d: FloatArray
    c: FloatArray
    rest: FloatArray
    misfit: FloatArray


def layer_of(detector: Detector, parts: int = 1) -> tuple[tuple[str, ...], IntArray]:
    """Names of layers, the first parts of the names of surfaces, and the layer (n,) of every surface."""
    names = ["/".join(name.split("/")[:parts]) for name in detector.layers]
    known = tuple(dict.fromkeys(names))
    return known, np.array([known.index(name) for name in names])


def gains(
    tracks: Eliminated,
    states: FloatArray,
    detector: Detector,
    layers: tuple[Sequence[str], IntArray],
    edges: FloatArray,
) -> Gains:
    """Gains of n tracks with fitted first states (n, 5), of the layers of `layer_of`, in bins of k between edges
    (b + 1,) [1/GeV]; bins without tracks are left out.

    Raises InputError if states and tracks are not as many, and if no track lies in a bin."""
    if len(states) != len(tracks.z):
        raise InputError(f"alignment: gains: {len(states)} states for {len(tracks.z)} tracks; give one per track")
    names, layer = layers
    k = np.abs(states[:, QOP]) / np.sin(states[:, THETA])
    place = np.digitize(k, edges) - 1
    inside = (place >= 0) & (place < len(edges) - 1)
    if not inside.any():
        raise InputError(f"alignment: gains: no track has 1/pT between {edges[0]:g} and {edges[-1]:g}/GeV")
    surface = tracks.surface[:, : tracks.scatter.score.shape[1]]  # without coefficients of the field
    terms = _summed(_terms(tracks, surface, states, detector), surface, layer, len(names))
    count = np.bincount(place[inside], minlength=len(edges) - 1)
    total, mean_k = np.zeros((len(count), len(names), 3)), np.bincount(place[inside], k[inside], len(count))
    np.add.at(total, place[inside], terms[inside])
    full = count > 0
    number = count[full].astype(np.float64)
    return Gains(tuple(names), mean_k[full] / number, total[full] / number[:, None, None], count[full])


def _terms(tracks: Eliminated, surface: IntArray, states: FloatArray, detector: Detector) -> FloatArray:
    """a, e0 and s of every stop (n, s, 3)."""
    n, size = surface.shape
    response = tracks.response[:, :, : SIZE * size].reshape(n, 5, size, SIZE)
    qop, theta = states[:, QOP, None, None], states[:, THETA, None, None]
    by_p = response[:, QOP] / qop - response[:, THETA] / np.tan(theta)
    k, q = np.abs(qop) / np.sin(theta), np.sign(qop)
    shift = np.where(detector.surfaces.kind == PLANE, 1.0, 0.0)[surface] * by_p[:, :, U]
    shift += _by_radius(detector)[surface] * by_p[:, :, GAMMA]
    k, q = k[:, :, 0], q[:, :, 0]
    return np.stack((by_p[:, :, FIELD], -by_p[:, :, MATERIAL] / k, q * k * shift), axis=2)


def _by_radius(detector: Detector) -> FloatArray:
    """1/r (n,) [1/cm] of cylinders and discs, which shift along r-phi by a rotation; 0 for planes."""
    S = detector.surfaces
    radius = np.where(S.kind == CYLINDER, S.radius, S.bounds[:, :2].mean(axis=1))
    return np.where(S.kind == PLANE, 0.0, 1 / np.where(S.kind == PLANE, 1.0, radius))


def _summed(terms: FloatArray, surface: IntArray, layer: IntArray, layers: int) -> FloatArray:
    """Sums (n, l, 3) over the stops of a layer."""
    row, stop = np.nonzero(surface >= 0)
    out = np.zeros((len(terms), layers, 3))
    np.add.at(out, (row, layer[surface[row, stop]]), terms[row, stop])
    return out


def falls(found: Gains) -> Falls:
    """One d per layer from all three terms, each over its largest value, bins weighted by their tracks.

    Raises InputError for fewer than four bins."""
    if len(found.k) < FEWEST:
        raise InputError(f"alignment: gains: {len(found.k)} bins of k with tracks; a fall needs {FEWEST}")
    weight = np.sqrt(found.tracks / found.tracks.sum())
    results = [_fall(found.k, found.terms[:, place], weight) for place in range(len(found.layers))]
    return Falls(*(np.array([result[column] for result in results]) for column in range(4)))


def _fall(k: FloatArray, terms: FloatArray, weight: FloatArray) -> tuple[float, FloatArray, FloatArray, float]:
    largest = np.abs(terms).max(axis=0)
    wanted = weight[:, None] * terms / np.where(largest > 0, largest, 1.0)

    def amplitudes(log_d: float) -> tuple[FloatArray, float]:
        shapes = weight[:, None] * np.column_stack((1 / (1 + (np.exp(log_d) * k) ** 2), np.ones(len(k))))
        both = np.linalg.lstsq(shapes, wanted)[0]
        return both, float(((wanted - shapes @ both) ** 2).sum())

    tried = np.linspace(np.log(0.1 / k.max()), np.log(10 / k.min()), MANY)
    best = int(np.argmin([amplitudes(log_d)[1] for log_d in tried]))
    around = tried[max(best - 1, 0)], tried[min(best + 1, MANY - 1)]
    log_d = float(minimize_scalar(lambda value: amplitudes(value)[1], bounds=around, method="bounded").x)
    (c, rest), left = amplitudes(log_d)
    return float(np.exp(log_d)), c * largest, rest * largest, float(np.sqrt(left / max((largest > 0).sum(), 1)))
