"""Knock-on electrons of the fast simulation: their number against its integral, their range against its limits, both
against Geant4."""

import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad
from tests.simulation.klm.test_cascade import BELLE2, START, event, waiting
from tests.thresholds import KNOCK_ON

from muonkit.core.units import ELECTRON_MASS, MUON_MASS
from muonkit.simulation.kernels import matter
from muonkit.simulation.kernels.indices import MASS, PX, TZ, P, X, Z
from muonkit.simulation.klm import fast
from muonkit.simulation.klm.crossings import surface_at
from muonkit.simulation.klm.kernels import rays
from muonkit.simulation.klm.kernels.kinds import ELECTRON, MU_MINUS, PHOTON, POSITRON, kind_of
from muonkit.simulation.klm.kernels.scene import KIND, SIZE, ParticlePlace

WORLD = fast.world(BELLE2, START)
IRON = [material.name for material in BELLE2.materials].index("iron")
SLICE = int(np.flatnonzero((BELLE2.volumes.material == IRON) & (np.diff(WORLD.sensors.first) == 0))[0])
MOMENTUM = 3.0


def muon():
    y = np.zeros(SIZE)
    y[TZ], y[P], y[KIND] = 1.0, MOMENTUM, MU_MINUS
    return y


def test_range_is_energy_over_loss_for_soft_and_a_logarithm_for_hard_electrons():
    X0, Ec = BELLE2.materials[IRON].X0, rays.critical(WORLD, IRON)
    assert Ec == pytest.approx(0.0217, rel=0.1)  # PDG: 21.68 MeV; here without the density effect of electrons
    assert rays.reach(WORLD, IRON, 1e-5) == pytest.approx(1e-5 * X0 / Ec, rel=1e-3)
    assert rays.reach(WORLD, IRON, 10 * Ec) == pytest.approx(X0 * np.log(11))


def test_electrons_that_come_out_of_a_plate_are_as_many_as_the_integral_says():
    h, n = 4.0, 20_000
    y, E = muon(), np.hypot(MOMENTUM, MUON_MASS)
    place, kind = ParticlePlace(0, 0, SLICE, IRON, h, h), kind_of(WORLD.kinds, MU_MINUS)
    kinetic = []
    for i in range(n):
        one = event(i)
        rays.knock_on(WORLD, one, y, place, kind, h)
        kinetic += [np.hypot(row[P], ELECTRON_MASS) - ELECTRON_MASS for row in waiting(one)]
    Tmax, beta2, X0 = matter.largest_transfer(MOMENTUM, MUON_MASS), (MOMENTUM / E) ** 2, BELLE2.materials[IRON].X0
    least = rays.critical(WORLD, IRON) * np.expm1(rays.EXPLICIT / X0)
    width = BELLE2.materials[IRON].xi * h / beta2

    def rate(T):
        out = min(rays.reach(WORLD, IRON, T) / h, 1)
        return out * width / T**2 * (1 - beta2 * T / Tmax + T**2 / (2 * E**2))

    expected = n * quad(rate, least, Tmax, limit=200)[0]
    assert abs(len(kinetic) - expected) < 4 * np.sqrt(expected)
    assert least <= min(kinetic)
    assert max(kinetic) <= Tmax


def test_they_leave_at_the_angle_of_two_bodies():
    y, T, one = muon(), 0.05, event(1)
    rays.push(WORLD.kinds, one, y, T, np.hypot(MOMENTUM, MUON_MASS), 0.5)
    (electron,) = waiting(one)
    p, cosine = electron[P], electron[TZ]
    after = np.sqrt(MOMENTUM**2 + p**2 - 2 * MOMENTUM * p * cosine)  # of the muon
    assert np.hypot(after, MUON_MASS) == pytest.approx(np.hypot(MOMENTUM, MUON_MASS) - T, abs=1e-9)
    assert electron[Z] == pytest.approx(-0.5)
    assert electron[KIND] == ELECTRON


def test_an_electron_radiates_the_photons_of_its_spectrum():
    T, depth, n, photons = 0.08, 0.3, 20_000, []
    for i in range(n):
        one = event(i)
        rays.radiate(WORLD.kinds, one, muon(), depth, T)
        photons += waiting(one)[:, P].tolist()
    expected = n * depth * quad(lambda k: 4 / 3 / k * (1 - k / T + 0.75 * (k / T) ** 2), rays.LEAST_PHOTON, T)[0]
    assert abs(len(photons) - expected) < 4 * np.sqrt(expected)


def test_photons_become_pairs_of_their_energy():
    y, one = muon(), event(3)
    y[X], y[P], y[KIND] = 210.0, 0.02, PHOTON
    rays.convert(WORLD, one, y)
    pair = waiting(one)
    assert pair[:, KIND].tolist() == [POSITRON, ELECTRON]
    assert np.sum(np.hypot(pair[:, P], ELECTRON_MASS)) == pytest.approx(0.02)


def accompanied(track, surface, mass):
    """Electrons per crossing of a muon, and the share of these crossings that have any."""
    place = track * 10_000 + surface
    muons, electrons = np.unique(place[np.abs(mass - MUON_MASS) < 1e-3]), place[mass < 1e-3]
    return len(electrons) / len(muons), np.isin(muons, electrons).mean()


@pytest.mark.slow
@pytest.mark.skipif(find_spec("geant4_pybind") is None, reason="geant4_pybind is not installed")
def test_muons_are_accompanied_as_often_as_in_geant4():
    from tests.oracles.geant4_iron import MissingError, environment

    from muonkit.simulation.geant4 import engine

    n, theta = 1500, np.radians(75)
    states = np.tile([0, 0, 0, MOMENTUM * np.sin(theta), 0.4, MOMENTUM * np.cos(theta)], (n, 1))
    with tempfile.TemporaryDirectory() as directory:
        try:
            environment(Path(directory))
        except MissingError as error:
            pytest.skip(str(error))
        found = engine.run(engine.Job("belle2", states, np.full(n, 13), 5, START), Path(directory))
    surface = surface_at(BELLE2, found["crossing"][:, :PX])
    kept = surface >= 0
    geant4 = accompanied(found["event"][kept], surface[kept], found["crossing"][kept, MASS])
    c = fast.simulate(BELLE2, states, np.full(n, 13), 5, 0, START).crossings
    ours = accompanied(c.track, c.surface, c.mass)
    np.testing.assert_allclose(ours, geant4, rtol=KNOCK_ON)
