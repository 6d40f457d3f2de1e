"""The line shape of the Z at a proton collider: photon, Z, their interference, and parton luminosities.

    d sigma/dm ~ (2/m) sum over q of Lambda_q(m) sigma_q(m),     Lambda_q = 2 int dy x1 q(x1, m) x2 qbar(x2, m)
    m^2 sigma_q ~ e_q^2 e_l^2 + 2 e_q e_l v_q v_l Re X + (v_q^2 + a_q^2)(v_l^2 + a_l^2) |X|^2
    X = m^2/(m^2 - M^2 + i m^2 Gamma/M)/(16 s^2 c^2),  a = 2 T3,  v = 2 T3 - 4 e s^2,  s^2 = sin^2 theta_eff

(PDG 2024, reviews 10 and 50; lowest order, running width). All up-type quarks have the same sigma_q, and all down-type
quarks, so two luminosities are enough. They come from a table, `luminosities.json`, which names the command that made
it. Couplings are those at m_Z: neither alpha nor s^2 runs over the line."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from scipy.integrate import cumulative_simpson
from scipy.interpolate import CubicSpline

from muonkit.core.arrays import FloatArray
from muonkit.core.particles import Resonance

SIN2 = 0.23153  # effective, leptonic (PDG 2024)
CHARGE = {"up": 2 / 3, "down": -1 / 3, "muon": -1.0}
TABLE = (15.0, 1500.0)  # masses [GeV] of the luminosities
BELOW, ABOVE = 0.85, 1.5  # masses outside a window that resolution and radiation move into it
NODES, CELLS = 8192, 8192
FILE = Path(str(files("muonkit.simulation.dimuons").joinpath("luminosities.json")))


def partonic(z: Resonance, kind: str, mass: FloatArray, photon: bool = True) -> FloatArray:
    """m^2 sigma of q qbar -> mu+ mu- at masses (n,) [GeV], in units of 4 pi alpha^2/9; `kind`: "up" or "down"."""
    pole = 1 / (16 * SIN2 * (1 - SIN2)) * mass**2 / (mass**2 - z.mass**2 + 1j * mass**2 * z.width / z.mass)
    e, (v, a), (v_l, a_l) = CHARGE[kind] * CHARGE["muon"], _couplings(kind), _couplings("muon")
    weak = (v**2 + a**2) * (v_l**2 + a_l**2) * np.abs(pole) ** 2
    return weak + photon * (e**2 + 2 * e * v * v_l * pole.real)


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


def line(z: Resonance, sqrt_s: float, window: tuple[float, float]) -> DrellYan:
    """The line of pairs that radiation and resolution can move into a window of masses [GeV]."""
    low, high = window
    low, high = np.clip(BELOW * low, TABLE[0], 80), np.clip(ABOVE * high, 150, TABLE[1])
    return DrellYan(z, sqrt_s, float(low), float(high))


@cache
def _quantiles(line: DrellYan) -> FloatArray:
    """arctan((m^2 - M^2)/(M Gamma)) at CELLS + 1 evenly spaced probabilities. A Breit-Wigner is flat in this angle."""
    z = line.z
    low, high = (np.arcsinh((end - z.mass) / z.width) for end in (line.low, line.high))
    t = np.linspace(low, high, NODES)  # steps are a thousandth of the width at the peak and grow with the distance
    mass = np.clip(z.mass + z.width * np.sinh(t), line.low, line.high)
    total = cumulative_simpson(line.density(mass) * np.cosh(t), x=t, initial=0)
    return np.interp(np.linspace(0, total[-1], CELLS + 1), total, np.arctan((mass**2 - z.mass**2) / (z.mass * z.width)))


@cache
def _luminosities(sqrt_s: float) -> dict[str, CubicSpline]:
    """ln of the luminosities as functions of ln m."""
    content = json.loads(FILE.read_text())
    log_mass = np.log(content["mass"])
    return {kind: CubicSpline(log_mass, values) for kind, values in content["log_luminosity"][f"{sqrt_s:g}"].items()}
