"""The mean energy loss of one species in the materials of a detector, as tables for the transport.

On a grid even in u = ln p the loss S [GeV/cm] and dS/du are exact; between, cubic Hermite polynomials are good to 1e-6,
and to 2e-4 in the two intervals where the parametrised density effect has kinks (x0, x1). Row 0 is vacuum: S = 0. Below
beta gamma = 0.05 the loss is constant (`ionisation.LOWEST`); the interval with that corner is good to 1 %."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import FloatArray
from muonkit.core.particles import species as species_of
from muonkit.detector.material import Material
from muonkit.transport.interactions import ionisation, radiative

LOWEST, HIGHEST, NODES = 1e-3, 1e5, 500  # GeV
SPIN_HALF = ("mu", "p")


class LossTables(NamedTuple):
    """u = ln p of the first node, distance of the nodes, S [GeV/cm] and dS/du, each (n_materials, n)."""

    u_min: float
    du: float
    value: FloatArray
    slope: FloatArray


def mean_loss(
    material: Material, species: str, p: FloatArray, radiation: bool = True, hardest: float = 1.0
) -> tuple[FloatArray, FloatArray]:
    """All of the mean loss (n,) [GeV/cm] of a species at momenta p (n,) [GeV], and its derivative by p. Vacuum: 0.

    Muons: ionisation and radiation. Electrons: ionisation and E/X0. Hadrons: ionisation. Without `radiation`:
    ionisation only. hardest: of muons, without radiation of more than this share of the energy. Raises InputError for
    an unknown species."""
    if material.density == 0:
        return np.zeros_like(p), np.zeros_like(p)
    mass = species_of(species).mass
    if species == "e":
        parts = [ionisation.electron_loss(material, p)]
        parts += [radiative.electron_loss(material, p)] if radiation else []
    else:
        parts = [ionisation.mean_loss(material, p, mass, species in SPIN_HALF)]
        parts += _muon_radiation(material, p, mass, hardest) if radiation and species == "mu" else []
    values, slopes = zip(*parts, strict=True)
    return np.sum(values, axis=0), np.sum(slopes, axis=0)


def _muon_radiation(
    material: Material, p: FloatArray, mass: float, hardest: float
) -> list[tuple[FloatArray, FloatArray]]:
    """What hard electrons radiate is a part of hard losses."""
    E = np.hypot(p, mass)
    value, by_E = radiative.loss(material, E, hardest)
    parts = [(value, by_E * p / E)]
    return parts if hardest < 1 else [*parts, ionisation.electron_bremsstrahlung(material, p, mass)]


def loss_tables(
    materials: Sequence[Material], species: str, radiation: bool = True, hardest: float = 1.0
) -> LossTables:
    """Tables for the kernels, one row per material; arguments as of `mean_loss`. Raises InputError for an unknown
    species."""
    u, du = np.linspace(np.log(LOWEST), np.log(HIGHEST), NODES, retstep=True)
    p = np.exp(u)
    rows = [mean_loss(material, species, p, radiation, hardest) for material in materials]
    return LossTables(float(u[0]), float(du), np.array([v for v, _ in rows]), np.array([p * s for _, s in rows]))


def stopping(tables: LossTables, material: int, p: FloatArray) -> tuple[FloatArray, FloatArray]:
    """S [GeV/cm] and dS/dp, (n,) each, of one material at momenta p (n,) [GeV]. Beyond the ends the polynomials are
    continued. `kernels.step.stopping` is the compiled twin."""
    position = (np.log(p) - tables.u_min) / tables.du
    i = np.clip(position.astype(np.int64), 0, tables.value.shape[1] - 2)
    s = position - i
    a, b = tables.value[material, i], tables.value[material, i + 1]
    da, db = tables.slope[material, i] * tables.du, tables.slope[material, i + 1] * tables.du
    c2, c3 = 3 * (b - a) - 2 * da - db, 2 * (a - b) + da + db
    return a + s * (da + s * (c2 + s * c3)), (da + s * (2 * c2 + 3 * s * c3)) / tables.du / p
