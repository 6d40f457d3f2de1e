"""What a track fit knows of a decay in front of the muon detector: the inner and the outer half of the track, fitted
apart and compared where they meet.

Each half is a parabola across the field and a straight line along it, from 6 layers of silicon and 56 of a drift
chamber, as in Belle II. Of the five differences d, with covariance C, two numbers remain: d^T C^-1 d, which follows a
chi2 distribution with 5 degrees of freedom where nothing happened, and the pull of 1/pT, positive where the outer half
has less momentum. A decay in flight moves the hits behind it by a kink and a change of curvature; those of its daughter
are used up to the end of the tracker, as if no hit was lost to the kink. C holds the resolution of the layers and the
scattering in them."""

from typing import NamedTuple

import numpy as np
from particle import Particle
from scipy.special import ndtri

from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.core.units import CURVATURE, MUON_MASS
from muonkit.data.klm import DECAYED, KLMTruth
from muonkit.simulation.draws import uniforms
from muonkit.simulation.kernels import philox
from muonkit.simulation.klm.start import TRACK_DRAWS, Tracker

HALVES_DRAWS = TRACK_DRAWS + 1  # ordinal of their numbers
SILICON, CHAMBER = np.array([1.4, 2.2, 3.9, 8.0, 10.4, 13.5]), np.linspace(16.8, 111.1, 56)  # cm
RADIUS = np.concatenate((SILICON, CHAMBER))
ACROSS = np.repeat((0.002, 0.013), (6, 56))  # cm, resolution of a layer across the field
ALONG = np.repeat((0.003, 0.2), (6, 56))  # cm, along it; of a chamber from its stereo angle
THICKNESS = np.repeat((5e-3, 3e-5), (6, 56))  # radiation lengths
KICK = 0.0136  # GeV
FIELD = 1.5  # T
LEAST = 30.0  # cm: a track that ends at a smaller radius has too few layers for two halves
LARGEST = 1.0  # rad: a kink is not taken for larger


class Kink(NamedTuple):
    """A decay at a radius [cm]: turn across the field [rad], change of 1/R [1/cm], positive for less momentum, change
    of the slope dz/dr; each (m,)."""

    radius: FloatArray
    turn: FloatArray
    curvature: FloatArray
    slope: FloatArray


class Track(NamedTuple):
    """Where it leaves the tracker: radius [cm]; p [GeV], beta, sine of the polar angle; each (m,)."""

    reach: FloatArray
    p: FloatArray
    beta: FloatArray
    sine: FloatArray


def compared(truth: KLMTruth, seed: int, tracker: Tracker) -> FloatArray:
    """chi2 with 5 degrees of freedom and pull of 1/pT (n, 2) of the halves of tracks (n), NaN for short ones."""
    draws = uniforms(seed, philox.DIGITS, truth.event, 6, np.full(len(truth), HALVES_DRAWS))
    off = ndtri(draws[:, :5])
    x, y, z = truth.end.T
    inside = (np.hypot(x, y) < tracker.r) & (z > tracker.z[0]) & (z < tracker.z[1])
    short = reach_of(truth.momentum, tracker) < LEAST
    rows = np.flatnonzero((truth.fate == DECAYED) & inside & ~short)
    if len(rows):
        track = track_of(truth[rows], tracker)
        off[rows] += shift(kink_of(truth[rows], track, 2 * np.pi * draws[rows, 5]), track)
    return np.where(short[:, None], np.nan, np.stack((np.sum(off**2, axis=1), off[:, 0]), axis=1))


def reach_of(momentum: FloatArray, tracker: Tracker) -> FloatArray:
    """Radius [cm] (n,) where a straight way from the origin leaves the tracker."""
    with np.errstate(divide="ignore"):
        to_end = np.abs(np.where(momentum[:, 2] > 0, tracker.z[1], tracker.z[0]) / momentum[:, 2])
    return np.minimum(tracker.r, to_end * np.hypot(momentum[:, 0], momentum[:, 1]))


def track_of(truth: KLMTruth, tracker: Tracker) -> Track:
    """The parents."""
    p, pt = np.linalg.norm(truth.momentum, axis=1), np.hypot(truth.momentum[:, 0], truth.momentum[:, 1])
    return Track(reach_of(truth.momentum, tracker), p, p / np.hypot(p, mass_of(truth.pdg_id)), pt / p)


def mass_of(pdg_id: IntArray) -> FloatArray:
    """Masses [GeV] (n,)."""
    codes, which = np.unique(pdg_id, return_inverse=True)
    return np.array([(Particle.from_pdgid(int(code)).mass or 0) / 1000 for code in codes])[which]


def kink_of(truth: KLMTruth, track: Track, azimuth: FloatArray) -> Kink:
    """The decays, taken as those to a muon and a neutrino, which carries `soft` away; azimuth [rad] (m,) around the
    parent."""
    p, soft = track.p, truth.soft
    left = np.maximum(np.hypot(p, mass_of(truth.pdg_id)) - soft, 1.01 * MUON_MASS)
    q = np.sqrt(left**2 - MUON_MASS**2)
    angle = np.minimum(np.arccos(np.clip((p**2 + q**2 - soft**2) / (2 * p * q), -1, 1)), LARGEST)
    tan = np.sqrt(1 / track.sine**2 - 1)
    lam = np.arctan(tan)
    after = np.clip(lam + angle * np.sin(azimuth), -1.5, 1.5)
    curvature = CURVATURE * FIELD * (1 / (q * np.cos(after)) - 1 / (p * track.sine))
    radius = np.hypot(truth.end[:, 0], truth.end[:, 1])
    return Kink(radius, angle * np.cos(azimuth) / track.sine, curvature, np.tan(after) - tan)


def shift(kink: Kink, track: Track) -> FloatArray:
    """By how much a decay shifts the five differences, whitened (m, 5); the first is that of the curvature."""
    far = np.maximum(RADIUS - kink.radius[:, None], 0.0)
    across = kink.turn[:, None] * far + kink.curvature[:, None] * far**2 / 2
    along = kink.slope[:, None] * far
    scattered = KICK / (track.beta * track.p) / np.sqrt(track.sine)
    curved = whitened(response(track.reach, ACROSS, 3), across, ACROSS, scattered / track.sine)
    straight = whitened(response(track.reach, ALONG, 2), along, ALONG, scattered / track.sine**2)
    return np.concatenate((curved, straight), axis=1)


def response(reach: FloatArray, sigma: FloatArray, terms: int) -> FloatArray:
    """What a hit (62) changes in the difference of the two fits (m, terms, 62), highest power first."""
    middle = ((CHAMBER[0] + reach) / 2)[:, None]
    u, used = RADIUS - middle, reach[:, None] > RADIUS
    powers = np.stack((u**2 / 2, u, np.ones_like(u))[3 - terms :], axis=1)

    def fit(rows: BoolArray) -> FloatArray:
        weighted = powers * (rows / sigma**2)[:, None]
        return np.asarray(np.linalg.solve(weighted @ np.swapaxes(powers, 1, 2), weighted))

    return fit(used & (u >= 0)) - fit(used & (u < 0))


def whitened(R: FloatArray, y: FloatArray, sigma: FloatArray, scattered: FloatArray) -> FloatArray:
    """R y for shifts y (m, 62) of the hits, in units of its covariance; scattered (m,): angle [rad] in one radiation
    length."""
    kicks = R @ np.maximum(RADIUS[:, None] - RADIUS, 0) * np.sqrt(THICKNESS)
    C = (R * sigma**2) @ np.swapaxes(R, 1, 2) + scattered[:, None, None] ** 2 * (kicks @ np.swapaxes(kicks, 1, 2))
    return np.asarray(np.linalg.solve(np.linalg.cholesky(C), R @ y[:, :, None])[:, :, 0])
