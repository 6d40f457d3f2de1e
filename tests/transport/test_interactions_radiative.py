"""Radiation of muons against the published tables, process by process; convergence, derivative, mixtures."""

import numpy as np
import pytest
from scipy.integrate import quad
from tests.transport.matter import ALUMINIUM, ELECTRON, IRON, MUON, difference, momentum, per_mass, table

from muonkit.core.units import ELECTRON_MASS, FINE_STRUCTURE
from muonkit.detector.material import library
from muonkit.transport.interactions import radiative

FE = (26.0, 55.845)
E = np.geomspace(1.1, 5e4, 31)


@pytest.fixture(scope="module")
def iron() -> dict[str, np.ndarray]:
    rows = table("pdg_muon_dedx.json", "iron")
    return {key: column[rows["T"] >= 10] for key, column in rows.items()}


def test_bremsstrahlung_in_iron_agrees_with_the_pdg_tables(iron: dict[str, np.ndarray]) -> None:
    loss = radiative.bremsstrahlung(*FE, iron["T"] + MUON) * 1e3
    assert loss == pytest.approx(iron["bremsstrahlung"], rel=5e-3)


def test_pairs_in_iron_are_those_of_the_pdg_tables_before_their_coulomb_correction(iron: dict[str, np.ndarray]) -> None:
    ratio = radiative.pairs(*FE, iron["T"] + MUON) * 1e3 / iron["pairs"]
    assert np.all((ratio > 1.01) & (ratio < 1.05)), "the correction lowers the tables by 1.5 to 4.5 %"


def test_photonuclear_loss_in_iron_agrees_with_the_pdg_tables_at_high_energy(iron: dict[str, np.ndarray]) -> None:
    ratio = radiative.photonuclear(*FE, iron["T"] + MUON) * 1e3 / iron["photonuclear"]
    assert np.abs(ratio[iron["T"] >= 100] - 1).max() < 0.02
    assert np.abs(ratio - 1).max() < 0.12, "4e-4 of the whole loss at 10 GeV"


def test_bremsstrahlung_in_hydrogen_at_high_energy_has_its_analytic_limit() -> None:
    # complete screening: Phi no longer depends on v, and the integral of 4/3 (1 - v) + v^2 is 1
    B, M, m = 202.4, MUON, ELECTRON_MASS
    energy = 1e9
    nucleus = np.log(B * M / m) - np.log(1.5)
    electrons = np.log(446.0 * np.exp(0.5) * M / m) - 0.5
    limit = FINE_STRUCTURE * (2 * m / M * radiative.ELECTRON_RADIUS) ** 2 * radiative.AVOGADRO / 1.008
    per_energy = radiative.bremsstrahlung(1.0, 1.008, np.array([energy])) / energy
    assert per_energy == pytest.approx(limit * (nucleus + electrons), rel=2e-2)


def test_integrals_have_converged(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = (radiative.bremsstrahlung, radiative.pairs, radiative.photonuclear)
    used = sum(part(*FE, E) for part in parts)
    monkeypatch.setattr(radiative, "OVER_ENERGY", 400)
    monkeypatch.setattr(radiative, "OVER_ASYMMETRY", 48)
    assert used == pytest.approx(sum(part(*FE, E) for part in parts), rel=2e-4)


def test_integral_over_the_asymmetry_agrees_with_adaptive_quadrature() -> None:
    energy, v = np.array([[100.0]]), np.array([[1e-3]])
    bound = (1 - 6 * MUON**2 / (100.0**2 * (1 - 1e-3))) * np.sqrt(1 - 4 * ELECTRON_MASS / 0.1)

    def at(rho: float) -> float:
        return float(radiative._asymmetric(26.0, energy, v, np.array([[rho]]))[0, 0])

    assert radiative._over_asymmetry(26.0, energy, v)[0, 0] == pytest.approx(quad(at, 0, bound)[0], rel=1e-5)


def test_spline_in_energy_is_the_sum_of_the_processes() -> None:
    parts = (radiative.bremsstrahlung, radiative.pairs, radiative.photonuclear)
    direct = sum(part(*FE, E) for part in parts) * IRON.density
    assert radiative.loss(IRON, E)[0] == pytest.approx(direct, rel=3e-4)


def test_derivative_agrees_with_finite_differences_inside_and_outside_the_spline() -> None:
    energies = np.geomspace(0.2, 5e5, 61)
    numerical = difference(lambda e: radiative.loss(IRON, e)[0], energies)
    assert radiative.loss(IRON, energies)[1] == pytest.approx(numerical, rel=1e-5)


def test_loss_adds_up_over_the_elements_of_a_mixture() -> None:
    polystyrene = library()["polystyrene"]
    parts = (radiative.bremsstrahlung, radiative.pairs, radiative.photonuclear)
    direct = [sum(e.weight * part(e.Z, e.A, E) for e in polystyrene.elements) for part in parts]
    assert radiative.loss(polystyrene, E)[0] == pytest.approx(np.sum(direct, axis=0) * polystyrene.density, rel=1e-3)


def test_nothing_radiates_below_the_thresholds() -> None:
    slow = np.array([0.107, 0.12])
    for part in (radiative.pairs, radiative.photonuclear):
        assert np.all(np.abs(part(*FE, slow)) < 1e-12)


def test_electrons_radiate_their_energy_over_a_radiation_length_when_fast() -> None:
    rows = table("nist_aluminium.json", "electron")
    loss = radiative.electron_loss(ALUMINIUM, momentum(rows["T"], ELECTRON))[0]
    ratio = per_mass(loss, ALUMINIUM) / rows["radiative"]
    assert rows["T"][-2:].tolist() == [0.1, 1.0]
    assert ratio[-1] == pytest.approx(1, abs=0.04)
    assert ratio[-2] == pytest.approx(1, abs=0.14)
    assert np.all(np.diff(ratio) < 0), "complete screening comes from above"


def test_derivative_of_the_electrons_loss() -> None:
    p = np.geomspace(1e-3, 100, 21)
    numerical = difference(lambda q: radiative.electron_loss(IRON, q)[0], p)
    assert radiative.electron_loss(IRON, p)[1] == pytest.approx(numerical, rel=1e-8)
