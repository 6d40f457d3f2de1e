"""The mean energy loss of one species in the materials of a detector, as tables for the transport.

On a grid even in u = ln p the loss S [GeV/cm] and dS/du are exact; between, cubic Hermite polynomials are good to 1e-6.
Row 0 is vacuum. Below beta gamma = 0.05 the loss is constant (`ionisation.LOWEST`)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import FloatArray
from muonkit.core.particles import species as species_of
from muonkit.detector.material import Material
from muonkit.transport.interactions import ionisation, radiative

LOWEST, HIGHEST, NODES = 1e-3, 1e5, 500  # GeV


class LossTables(NamedTuple):
    """u = ln p of the first node, distance of the nodes, S [GeV/cm] and dS/du, each (n_materials, n)."""

    u_min: float
    du: float
    value: FloatArray
    slope: FloatArray


def mean_loss(material: Material, species: str, p: FloatArray, radiation: bool = True) -> tuple[FloatArray, FloatArray]:
    """All of the mean loss [GeV/cm] of a species at momenta p [GeV], and its derivative by p. Vacuum: 0.

    Muons: ionisation and radiation; electrons: ionisation and E/X0; hadrons: ionisation. Without `radiation`:
    ionisation."""
    if material.density == 0:
        return np.zeros_like(p), np.zeros_like(p)
    mass = species_of(species).mass
    if species == "e":
        share = 1 / material.X0 if radiation else 0.0
        return _numerical(lambda q: ionisation.electron_loss(material, q) + share * np.hypot(q, mass), p)
    value, slope = ionisation.mean_loss(material, p, mass)
    if species != "mu" or not radiation:
        return value, slope
    E = np.hypot(p, mass)
    radiated, by_E = radiative.loss(material, E)
    extra, by_p = _numerical(lambda q: ionisation.electron_bremsstrahlung(material, q, mass), p)
    return value + radiated + extra, slope + by_E * p / E + by_p


def _numerical(function, p: FloatArray) -> tuple[FloatArray, FloatArray]:  # type: ignore[no-untyped-def]
    h = 1e-4
    return function(p), (function(p * (1 + h)) - function(p * (1 - h))) / (2 * h * p)


def loss_tables(materials: Sequence[Material], species: str, radiation: bool = True) -> LossTables:
    """Tables for the kernels."""
    u, du = np.linspace(np.log(LOWEST), np.log(HIGHEST), NODES, retstep=True)
    p = np.exp(u)
    rows = [mean_loss(material, species, p, radiation) for material in materials]
    return LossTables(float(u[0]), float(du), np.array([v for v, _ in rows]), np.array([p * s for _, s in rows]))


def stopping(tables: LossTables, material: int, p: FloatArray) -> tuple[FloatArray, FloatArray]:
    """S [GeV/cm] and dS/dp at momenta p (n,) [GeV]; ends are continued as polynomials. `kernels.step.stopping` is the
    twin."""
    position = (np.log(p) - tables.u_min) / tables.du
    i = np.clip(position.astype(np.int64), 0, tables.value.shape[1] - 2)
    s = position - i
    a, b = tables.value[material, i], tables.value[material, i + 1]
    da, db = tables.slope[material, i] * tables.du, tables.slope[material, i + 1] * tables.du
    c2, c3 = 3 * (b - a) - 2 * da - db, 2 * (a - b) + da + db
    return a + s * (da + s * (c2 + s * c3)), (da + s * (2 * c2 + 3 * s * c3)) / tables.du / p
