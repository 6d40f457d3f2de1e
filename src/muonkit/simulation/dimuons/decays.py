"""Resonance -> mu+ mu- (gamma): production, line shape, radiation, decay; vectorised.

Radiation: the photon takes a share x of the squared mass, m^2 = (1 - x) M^2, with the exponentiated radiator
    h(x) ~ beta x^(beta-1) (1 - x + x^2/2) [1 + ln(1 - x)/L],   L = ln(M^2/m_mu^2) - 1,  beta = (2 alpha/pi) L
(Yennie-Frautschi-Suura exponentiation of soft photons with the leading-logarithm hard spectrum; the collinear
logarithm of a hard photon is that of the mass that is left). The photon is emitted
in the rest frame of the two muons with the dipole's angular density 1/(1 - v^2 cos^2 theta), v the muon velocity.
Line: relativistic Breit-Wigner in m^2, cut at +- 25 widths, and isotropic decay (unpolarised). `drell_yan` has line and
decay of the Z at a proton collider."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray
from muonkit.core.kinematics import MuonArrays
from muonkit.core.particles import Resonance
from muonkit.core.units import MUON_MASS
from muonkit.simulation.dimuons.config import Spectrum

ALPHA = 1 / 137.035999
WIDTHS = 25
FourVector = tuple[FloatArray, FloatArray, FloatArray, FloatArray]  # E, x, y, z


def sample_pt(spectrum: Spectrum, n: int, rng: np.random.Generator) -> FloatArray:
    """pT [GeV] from dN/dpT ~ pT (1 + (pT/p0)^2)^-n, by inversion."""
    power = 1 - spectrum.pt_power
    low, high = ((1 + (pt / spectrum.pt_scale) ** 2) ** power for pt in (spectrum.pt_min, spectrum.pt_max))
    return spectrum.pt_scale * np.sqrt((low + rng.random(n) * (high - low)) ** (1 / power) - 1)


class Line(Protocol):
    """A line shape and its decay."""

    def sample(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Masses before radiation [GeV]."""

    def cosines(self, mass: FloatArray, y: FloatArray, rng: np.random.Generator) -> FloatArray:
        """cos theta of mu+ to the z axis in the rest frame, for masses [GeV] and rapidities (n,)."""


@dataclass(frozen=True, slots=True)
class BreitWigner:
    """A Breit-Wigner in m^2, unpolarised."""

    resonance: Resonance

    def sample(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Masses before radiation [GeV]."""
        pole, width = self.resonance.mass, self.resonance.width
        reach = np.minimum(WIDTHS * width, 0.6 * pole)
        low, high = (np.arctan(((pole + side * reach) ** 2 - pole**2) / (pole * width)) for side in (-1, 1))
        return np.sqrt(pole**2 + pole * width * np.tan(low + (high - low) * rng.random(n)))

    def cosines(self, mass: FloatArray, y: FloatArray, rng: np.random.Generator) -> FloatArray:  # noqa: ARG002
        """Flat in -1 to 1, (n,)."""
        return 2 * rng.random(len(mass)) - 1


def radiator_exponent(mass: FloatArray | float) -> FloatArray:
    """beta = (2 alpha/pi) (ln(M^2/m_mu^2) - 1)."""
    return 2 * ALPHA / np.pi * (2 * np.log(np.asarray(mass) / MUON_MASS) - 1)


def sample_photon_share(mass: FloatArray, rng: np.random.Generator) -> FloatArray:
    """x in [0, 1): the share of M^2 that the photon takes."""
    beta = radiator_exponent(mass)
    share = rng.random(len(mass)) ** (1 / beta)
    logarithm = 2 * np.log(mass / MUON_MASS) - 1
    open_rows = np.flatnonzero(_refused(share, logarithm, rng.random(len(mass))))
    while len(open_rows):
        share[open_rows] = rng.random(len(open_rows)) ** (1 / beta[open_rows])
        open_rows = open_rows[_refused(share[open_rows], logarithm[open_rows], rng.random(len(open_rows)))]
    return np.minimum(share, 1 - (2.2 * MUON_MASS / mass) ** 2)


def _refused(share: FloatArray, logarithm: FloatArray, trial: FloatArray) -> BoolArray:
    return trial > (1 - share + share**2 / 2) * np.maximum(1 + np.log1p(-share) / logarithm, 0)


def decay(
    line: Line, pt: FloatArray, y: FloatArray, phi: FloatArray, radiation: bool, rng: np.random.Generator
) -> tuple[MuonArrays, MuonArrays]:
    """Muons after radiation from parents of transverse momentum `pt` [GeV], rapidity `y` and azimuth `phi`."""
    return decay_parents(line, line.sample(len(pt), rng), pt, y, phi, radiation, rng)


def decay_parents(
    line: Line,
    parent_mass: FloatArray,
    pt: FloatArray,
    y: FloatArray,
    phi: FloatArray,
    radiation: bool,
    rng: np.random.Generator,
) -> tuple[MuonArrays, MuonArrays]:
    """As `decay`, with the masses of the parents [GeV] given."""
    share = sample_photon_share(parent_mass, rng) if radiation else np.zeros(len(pt))
    cosine = line.cosines(parent_mass, y, rng)
    return decay_mass(parent_mass, share, pt, y, phi, rng, cosine)


def decay_mass(
    parent_mass: FloatArray,
    share: FloatArray,
    pt: FloatArray,
    y: FloatArray,
    phi: FloatArray,
    rng: np.random.Generator,
    cosine: FloatArray | None = None,
) -> tuple[MuonArrays, MuonArrays]:
    """Muons of parents of given mass [GeV] whose photon takes the share `share` of the squared mass.

    `cosine`: of the angle between mu+ and z axis where the muons are at rest; flat if none are given."""
    if cosine is None:
        cosine = 2 * rng.random(len(parent_mass)) - 1
    plus, minus, photon = _decay_in_pair_frame(parent_mass, share, cosine, rng)
    to_parent = _boost_vector(share, photon)
    to_lab = _lab_boost(parent_mass, pt, y, phi)
    return _muon(_boost(_boost(plus, *to_parent), *to_lab)), _muon(_boost(_boost(minus, *to_parent), *to_lab))


def _decay_in_pair_frame(
    parent_mass: FloatArray, share: FloatArray, z: FloatArray, rng: np.random.Generator
) -> tuple[FourVector, FourVector, tuple[FloatArray, FloatArray, FloatArray]]:
    """Muons back to back along an axis with the cosine z; the photon's unit vector around that axis."""
    n = len(parent_mass)
    e = parent_mass * np.sqrt(1 - share) / 2
    p = np.sqrt(e**2 - MUON_MASS**2)
    azimuth = 2 * np.pi * rng.random(n)
    r = np.sqrt(1 - z**2)
    cos_a, sin_a = np.cos(azimuth), np.sin(azimuth)
    axis = (r * cos_a, r * sin_a, z)
    across, other = (z * cos_a, z * sin_a, -r), (-sin_a, cos_a, np.zeros(n))
    v = p / e
    c = np.tanh((2 * rng.random(n) - 1) * np.arctanh(v)) / v
    s, turn = np.sqrt(np.maximum(1 - c**2, 0)), 2 * np.pi * rng.random(n)
    x1, x2 = s * np.cos(turn), s * np.sin(turn)
    px, py, pz = (c * a + x1 * b + x2 * o for a, b, o in zip(axis, across, other, strict=True))
    return (e, p * axis[0], p * axis[1], p * axis[2]), (e, -p * axis[0], -p * axis[1], -p * axis[2]), (px, py, pz)


def _boost_vector(
    share: FloatArray, photon: tuple[FloatArray, FloatArray, FloatArray]
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """gamma and gamma beta of the boost from the muons' rest frame to the parent's, where photon and pair recoil."""
    root = np.sqrt(1 - share)
    gamma, gamma_beta = (2 - share) / (2 * root), -share / (2 * root)
    return gamma, gamma_beta * photon[0], gamma_beta * photon[1], gamma_beta * photon[2]


def _lab_boost(mass: FloatArray, pt: FloatArray, y: FloatArray, phi: FloatArray) -> FourVector:
    mt = np.sqrt(mass**2 + pt**2)
    return mt * np.cosh(y) / mass, pt * np.cos(phi) / mass, pt * np.sin(phi) / mass, mt * np.sinh(y) / mass


def _boost(vector: FourVector, gamma: FloatArray, ux: FloatArray, uy: FloatArray, uz: FloatArray) -> FourVector:
    """Lorentz boost with u = gamma beta."""
    e, x, y, z = vector
    dot = ux * x + uy * y + uz * z
    factor = dot / (1 + gamma) + e
    return gamma * e + dot, x + factor * ux, y + factor * uy, z + factor * uz


def _muon(vector: FourVector) -> MuonArrays:
    _, x, y, z = vector
    pt = np.hypot(x, y)
    return MuonArrays(pt, np.arcsinh(z / pt), np.arctan2(y, x))
