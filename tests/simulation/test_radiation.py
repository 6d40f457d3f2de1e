"""What muons radiate: the tables against the mean loss of the transport, and what a slab does against the spectra."""

import numpy as np
import pytest
from scipy.integrate import quad
from tests.simulation import setups

from muonkit.core.particles import species as species_of
from muonkit.detector.material import library
from muonkit.simulation import radiation
from muonkit.simulation.kernels.radiation import COLUMNS, SOFTEST
from muonkit.simulation.tracker.step import Physics, follow
from muonkit.transport.interactions import radiative

MATERIALS = tuple(library()[name] for name in ("vacuum", "beryllium", "silicon", "iron", "lead"))
QUIET = {"energy_loss": "none", "scattering": "none"}
DEVIATIONS = 4
TABLES = 5e-3  # half of their step in ln v
IRON, LENGTH, E0 = library()["iron"], 5.0, 100.0


def slab(n, name="mu", **physics):
    """Energies lost by n particles of energy E0 in iron."""
    detector = setups.detector(
        setups.plane(5.0, thickness=LENGTH), setups.plane(15.0), matter=("iron",), envelope=(30.0, -30.0, 30.0)
    )
    mass = species_of(name).mass
    p = float(np.sqrt(E0**2 - mass**2))
    truth = follow(detector, setups.beam(n, p), name, 1, Physics(**QUIET | physics))
    last = truth.offsets[1:][np.diff(truth.offsets) == 2] - 1
    return E0 - np.hypot(1 / truth.qop[last], mass)


def test_without_matter_nothing_is_radiated():
    tables = radiation.radiators(MATERIALS)
    assert not tables.rate[0].any()
    assert not tables.soft[0].any()


@pytest.mark.parametrize("row", range(1, len(MATERIALS)))
def test_soft_and_hard_losses_add_up_to_the_mean_of_the_transport(row):
    tables, E = radiation.radiators(MATERIALS), radiation.ENERGIES
    fine = np.geomspace(1e-10, 1, 100_001)
    middle, part = np.sqrt(fine[1:] * fine[:-1]), np.diff(fine)
    columns = np.linspace(0, 1, COLUMNS) * -np.log(radiation.RAREST)
    v = [np.exp(np.interp(-np.log(middle), columns, share)) @ part for share in tables.share[row]]
    total = tables.soft[row] + tables.rate[row] * E * v
    np.testing.assert_allclose(total, radiative.loss(MATERIALS[row], E)[0], rtol=TABLES)


def test_muons_lose_the_mean_in_a_slab_and_rarely_much():
    lost = slab(100_000, radiation=True)
    mean = LENGTH * float(radiative.loss(IRON, np.array([E0]))[0][0])
    assert lost.mean() == pytest.approx(mean, abs=DEVIATIONS * lost.std() / np.sqrt(len(lost)))
    for v in (SOFTEST * 10, 1e-2, 0.1):
        expected = len(lost) * LENGTH * number_above(v)
        assert np.sum(lost > v * E0) == pytest.approx(expected, abs=DEVIATIONS * np.sqrt(expected) + 0.01 * expected)


def number_above(v):
    """Losses harder than v E0 per cm of iron."""
    (iron,) = IRON.elements
    spectra = [spectrum(iron.Z, iron.A, np.array([E0])) for spectrum in radiative.SPECTRA]

    def density(log):
        return sum(float(spectrum.density(np.array([[np.exp(log)]]))[0, 0]) for spectrum in spectra)

    return IRON.density * quad(density, np.log(v), 0.0, limit=200, epsrel=1e-3)[0]


def test_only_muons_radiate_and_only_where_asked():
    for lost in (slab(100), slab(100, name="pi", radiation=True)):
        np.testing.assert_allclose(lost, 0, atol=1e-12)
