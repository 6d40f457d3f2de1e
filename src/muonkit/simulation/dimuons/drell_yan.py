"""The line shape and the decay of the Z at a proton collider: photon, Z, their interference, and parton luminosities.

    d sigma/dm ~ (2/m) sum over q of Lambda_q(m) sigma_q(m),     Lambda_q = 2 int dy x1 q(x1, m) x2 qbar(x2, m)
    m^2 sigma_q ~ e_q^2 e_l^2 + 2 e_q e_l v_q v_l Re X + (v_q^2 + a_q^2)(v_l^2 + a_l^2) |X|^2
    X = m^2/(m^2 - M^2 + i m^2 Gamma/M)/(16 s^2 c^2),  a = 2 T3,  v = 2 T3 - 4 e s^2,  s^2 = sin^2 theta_eff

    d sigma/dcos ~ (1 + cos^2) m^2 sigma_q + cos (4 e_q e_l a_q a_l Re X + 8 v_q a_q v_l a_l |X|^2)

cos is that of the angle between mu- and quark. The asymmetry grows with m, so pairs whose mu- is the more forward muon
have larger masses than those whose mu+ is. (PDG 2024, reviews 10 and 50; lowest order, running width; pT of the pair
is neglected in the angles.)

All up-type quarks have the same sigma_q, and all down-type quarks, so two luminosities are enough. They come from a
table, `luminosities.json`, which names the command that made it. It also has the share of the up-type quarks and the
excess of quarks over antiquarks along +z against the rapidity. Couplings are those at m_Z: neither alpha nor s^2 runs
over the line."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from scipy.integrate import cumulative_simpson
from scipy.interpolate import CubicSpline, interpn
from scipy.ndimage import map_coordinates

from muonkit.core.arrays import FloatArray
from muonkit.core.particles import Resonance

SIN2 = 0.23153  # effective, leptonic (PDG 2024)
CHARGE = {"up": 2 / 3, "down": -1 / 3, "muon": -1.0}
TABLE = (15.0, 1500.0)  # masses [GeV] of the luminosities
BELOW, ABOVE = 0.85, 1.5  # masses outside a window that resolution and radiation move into it
NODES, CELLS = 8192, 8192
ANGLES, RAPIDITIES, MOST_RAPID = 2048, 49, 6.0
FILE = Path(str(files("muonkit.simulation.dimuons").joinpath("luminosities.json")))


def partonic(z: Resonance, kind: str, mass: FloatArray, photon: bool = True) -> FloatArray:
    """m^2 sigma of q qbar -> mu+ mu- at masses (n,) [GeV], in units of 4 pi alpha^2/9; `kind`: "up" or "down"."""
    interference, alone = _pole(z, mass)
    e, (v, a), (v_l, a_l) = CHARGE[kind] * CHARGE["muon"], _couplings(kind), _couplings("muon")
    weak = (v**2 + a**2) * (v_l**2 + a_l**2) * alone
    return weak + photon * (e**2 + 2 * e * v * v_l * interference)


def partonic_odd(z: Resonance, kind: str, mass: FloatArray) -> FloatArray:
    """The factor of cos in the angular distribution, in the units of `partonic`."""
    interference, alone = _pole(z, mass)
    e, (v, a), (v_l, a_l) = CHARGE[kind] * CHARGE["muon"], _couplings(kind), _couplings("muon")
    return 4 * e * a * a_l * interference + 8 * v * a * v_l * a_l * alone


def _pole(z: Resonance, mass: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Re X and |X|^2."""
    pole = mass**2 / (mass**2 - z.mass**2 + 1j * mass**2 * z.width / z.mass) / (16 * SIN2 * (1 - SIN2))
    return pole.real, np.abs(pole) ** 2


def _couplings(kind: str) -> tuple[float, float]:
    """v and a of the Z to a fermion."""
    axial = 1.0 if CHARGE[kind] > 0 else -1.0
    return axial - 4 * CHARGE[kind] * SIN2, axial


@dataclass(frozen=True)
class DrellYan:
    """Pairs of two protons at `sqrt_s` [TeV] between two masses [GeV]; without `photon`, of the Z alone."""

    z: Resonance
    sqrt_s: float
    low: float
    high: float
    photon: bool = True

    def density(self, mass: FloatArray) -> FloatArray:
        """d sigma/dm at masses (n,) [GeV] in TABLE, in arbitrary units."""
        luminosities = _luminosities(self.sqrt_s)
        log_mass = np.log(mass)
        parts = (
            np.exp(spline(log_mass)) * partonic(self.z, kind, mass, self.photon)
            for kind, spline in luminosities.items()
        )
        return sum(parts, np.zeros(len(mass))) / mass**3

    def sample(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Masses before radiation [GeV], by inversion of the cumulative sum."""
        angles = _quantiles(self)
        place = rng.random(n) * CELLS
        cell = place.astype(np.int64)
        angle = angles[cell] + (place - cell) * (angles[cell + 1] - angles[cell])
        return np.sqrt(self.z.mass**2 + self.z.mass * self.z.width * np.tan(angle))

    def cosines(self, mass: FloatArray, y: FloatArray, rng: np.random.Generator) -> FloatArray:
        """cos theta of mu+ to the z axis, of pairs of masses [GeV] and rapidities `y`; (n,).

        cos of 1 + cos^2 is drawn first. It changes its sign as often as the odd part asks for."""
        u, flat, turn = rng.random((3, len(mass)))
        cosine = np.where(flat < 0.75, 2 * u - 1, np.cbrt(2 * u - 1))
        odd = _asymmetry(self, mass, y) * cosine / (1 + cosine**2)
        return np.where(2 * turn - 1 < odd, -cosine, cosine)


def line(z: Resonance, sqrt_s: float, window: tuple[float, float]) -> DrellYan:
    """The line of pairs that radiation and resolution can move into a window of masses [GeV]."""
    low, high = window
    low, high = np.clip(BELOW * low, TABLE[0], 80), np.clip(ABOVE * high, 150, TABLE[1])
    return DrellYan(z, sqrt_s, float(low), float(high))


@cache
def _quantiles(line: DrellYan) -> FloatArray:
    """_angle at CELLS + 1 evenly spaced probabilities."""
    z = line.z
    low, high = (np.arcsinh((end - z.mass) / z.width) for end in (line.low, line.high))
    t = np.linspace(low, high, NODES)  # steps are a thousandth of the width at the peak and grow with the distance
    mass = np.clip(z.mass + z.width * np.sinh(t), line.low, line.high)
    total = cumulative_simpson(line.density(mass) * np.cosh(t), x=t, initial=0)
    return np.interp(np.linspace(0, total[-1], CELLS + 1), total, _angle(z, mass))


def _asymmetry(line: DrellYan, mass: FloatArray, y: FloatArray) -> FloatArray:
    """Factor of cos over that of 1 + cos^2, for mu- and the +z axis."""
    low, high = _angle(line.z, line.low), _angle(line.z, line.high)
    place = (_angle(line.z, mass) - low) / (high - low) * (ANGLES - 1), np.abs(y) / MOST_RAPID * (RAPIDITIES - 1)
    return np.sign(y) * map_coordinates(_asymmetries(line), place, order=1, mode="nearest")


def _angle(z: Resonance, mass: FloatArray | float) -> FloatArray:
    """arctan((m^2 - M^2)/(M Gamma)): a Breit-Wigner is flat in it."""
    return np.arctan((np.square(mass) - z.mass**2) / (z.mass * z.width))


@cache
def _asymmetries(line: DrellYan) -> FloatArray:
    """The table of `_asymmetry`, (ANGLES, RAPIDITIES): evenly spaced in _angle and in |y| up to MOST_RAPID."""
    z, content = line.z, _table()
    angle = np.linspace(_angle(z, line.low), _angle(z, line.high), ANGLES)
    mass = np.sqrt(z.mass**2 + z.mass * z.width * np.tan(angle))
    limit = np.log(1000 * line.sqrt_s / mass)[:, None]
    points = np.broadcast_arrays(np.log(mass)[:, None], np.linspace(0, MOST_RAPID, RAPIDITIES) / limit)
    ends = (np.log(content["rapid_mass"]), np.array(content["rapidity"]))
    inside = [np.clip(point, end[0], end[-1]) for point, end in zip(points, ends, strict=True)]
    found = {k: interpn(ends, np.array(v), tuple(inside)) for k, v in content["rapid"][f"{line.sqrt_s:g}"].items()}
    share = {"up": found["up_share"], "down": 1 - found["up_share"]}
    odd = sum(share[k] * found[f"{k}_excess"] * partonic_odd(z, k, mass)[:, None] for k in share)
    return odd / sum(share[k] * partonic(z, k, mass)[:, None] for k in share)


@cache
def _table() -> dict[str, Any]:
    return dict(json.loads(FILE.read_text()))


@cache
def _luminosities(sqrt_s: float) -> dict[str, CubicSpline]:
    """ln of the luminosities as functions of ln m."""
    content = _table()
    log_mass = np.log(content["mass"])
    return {kind: CubicSpline(log_mass, values) for kind, values in content["log_luminosity"][f"{sqrt_s:g}"].items()}
