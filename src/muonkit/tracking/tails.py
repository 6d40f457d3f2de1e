"""What losses and kicks with tails do to the curvature of every fitted track: where its core lies, how wide it is.

The fit is linear, so it answers to a loss T at a stop by y = a T, and to a kick theta by y = g theta cos(phi), whatever
happens elsewhere: a and g are its gains. Landau's losses of all stops are then one Landau distribution of y, and
Moliere's kicks one of Moliere (`law`). Nothing is taken from the residuals, and nothing from simulation.

What the fit assumed of losses and kicks, Gaussian noise, is subtracted from its variance; the rest is that of the hits,
and of matter in volumes, which has no stops."""

from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import FloatArray, IntArray, sums
from muonkit.core.indices import PHI, QOP, THETA
from muonkit.core.particles import species
from muonkit.data.tracks import Perigees
from muonkit.detector.detector import Detector
from muonkit.tracking.fitted import FittedTracks
from muonkit.tracking.kernels import crossings
from muonkit.tracking.law import EULER, ITERATIONS, KICK, Law, location, narrowing, widening
from muonkit.tracking.passes import STRAIGHT
from muonkit.transport.interactions.ionisation import kinematics
from muonkit.transport.interactions.scattering import rutherford
from muonkit.transport.propagate import Settings, scene

LEAST = 0.01  # of the variance: what hits have at least


class Stops(NamedTuple):
    """Crossings of matter (k,) by tracks (row) at their stops: gain a of a loss [1/GeV]. Relative to the curvature:
    loss w, hardest loss, loss above which the mean is left out by the fit, beta^2; squared kick c^2, screening
    angle and size of nuclei; variance that the fit gave to losses and to kicks."""

    row: IntArray
    stop: IntArray
    gain: FloatArray
    loss: FloatArray
    hardest: FloatArray
    cut: FloatArray
    beta2: FloatArray
    kick2: FloatArray
    screening: FloatArray
    size: FloatArray
    loss_variance: FloatArray
    kick_variance: FloatArray


def laws(
    fitted: FittedTracks, detector: Detector, settings: Settings, landau: bool, moliere: bool
) -> tuple[Law, FloatArray]:
    """Of n tracks that were fitted with gains: the law of k_fit/k_true - 1, once k is divided by 1 + shift (n,).

    landau, moliere: which tails are there. `settings` are those of the fit. NaN where q/p is not measured."""
    stops = crossed(fitted, detector, settings)
    n = len(fitted.status)
    if not landau:
        stops = stops._replace(loss=0 * stops.loss, loss_variance=0 * stops.loss)
    if not moliere:
        stops = stops._replace(kick2=0 * stops.kick2, kick_variance=0 * stops.kick2)
    variance = relative_variance(fitted)
    hits = np.maximum(variance - sums(stops.row, stops.loss_variance + stops.kick_variance, n), LEAST * variance)
    sigma = _core(stops, hits, variance)
    at = sigma[stops.row]
    shift = sums(stops.row, stops.loss * location(stops.hardest / at, stops.cut / at, stops.beta2), n)
    loss, kick2 = sums(stops.row, stops.loss, n), sums(stops.row, stops.kick2, n)
    hardest = np.exp(sums(stops.row, stops.loss * np.log(stops.hardest), n) / np.where(loss > 0, loss, 1.0))
    size = np.exp(sums(stops.row, stops.kick2 * np.log(stops.size), n) / np.where(kick2 > 0, kick2, 1.0))
    return Law(sigma, loss, np.where(loss > 0, hardest, 0.0), np.sqrt(kick2), np.where(kick2 > 0, size, 0.0)), shift


def plain(fitted: FittedTracks) -> Law:
    """The law of n tracks without tails."""
    nothing = np.zeros(len(fitted.status))
    return Law(np.sqrt(relative_variance(fitted)), nothing, nothing, nothing, nothing)


def move_core(perigees: Perigees, shift: FloatArray, width: FloatArray) -> None:
    """Divide q/p of n tracks by 1 + shift, and multiply its standard deviation by `width`, in place. A track whose q/p
    is not measured stays as it is."""
    measured = np.isfinite(shift) & np.isfinite(width)
    perigees.parameters[measured, QOP] /= 1 + shift[measured]
    perigees.covariance[measured, QOP, :] *= width[measured, None]
    perigees.covariance[measured, :, QOP] *= width[measured, None]


def _core(stops: Stops, hits: FloatArray, variance: FloatArray) -> FloatArray:
    """Width (n,) of the core."""
    sigma = np.sqrt(variance)
    for _ in range(ITERATIONS):
        at = sigma[stops.row]
        single = 0.5 - EULER - KICK - narrowing(stops.size / at)
        kicks = stops.kick2 * np.maximum(single + np.log(2 * at / stops.screening), 0.0)
        losses = stops.loss * at * widening(stops.hardest / at, stops.beta2)
        sigma = np.sqrt(hits + sums(stops.row, kicks + losses, len(hits)))
    return sigma


def relative_variance(fitted: FittedTracks) -> FloatArray:
    """Variance (n,) of ln(1/pT) of the first states; NaN for a track without fit, or without a measured q/p."""
    covariance, x = fitted.states.covariance, fitted.states.parameters
    assert covariance is not None
    by_qop, by_theta = 1 / x[:, QOP], -1 / np.tan(x[:, THETA])
    variance = by_qop**2 * covariance[:, QOP, QOP] + by_theta**2 * covariance[:, THETA, THETA]
    variance += 2 * by_qop * by_theta * covariance[:, QOP, THETA]
    measured = fitted.good & (covariance[:, QOP, QOP] < STRAIGHT)
    return np.where(measured, variance, np.nan)


def crossed(fitted: FittedTracks, detector: Detector, settings: Settings) -> Stops:
    """Crossings of tracks that were fitted with gains."""
    matter = crossings.Crossings(*(np.zeros(fitted.route.shape) for _ in range(3)))
    crossings.cross(fitted.route, fitted.stop_parameters, scene(detector, settings), matter)
    row, stop = np.nonzero((matter.length > 0) & fitted.good[:, None])
    length, angle, qop = (column[row, stop] for column in matter)
    assert fitted.gain is not None
    x, gain = fitted.stop_parameters[row, stop], fitted.gain[row, stop]
    material = detector.surfaces.material[fitted.route[row, stop]]
    xi, strength, screening, size = _of_materials(detector)[:, material]
    k = kinematics(p := 1 / np.abs(x[:, QOP]), species(settings.species).mass)
    by_loss = np.maximum(gain[:, QOP] * x[:, QOP] * k.E / p**2, 1e-6 / p)
    by_angle2 = np.maximum(np.square(gain[:, THETA]) + np.square(gain[:, PHI] / np.sin(x[:, THETA])), 1e-12)
    return Stops(
        row,
        stop,
        by_loss,
        by_loss * xi * length / k.beta2,
        by_loss * k.t_max,
        by_loss * settings.hard * p,
        k.beta2,
        by_angle2 * strength * length / (p**2 * k.beta2),
        np.sqrt(by_angle2 * screening) / p,
        np.sqrt(by_angle2 * size) / p,
        np.square(gain[:, QOP]) * qop,
        by_angle2 * angle,
    )


def _of_materials(detector: Detector) -> FloatArray:
    """xi, strength, screening and size (4, materials)."""
    return np.array([(material.xi, *rutherford(material)) for material in detector.materials]).T
