"""Energy loss by ionisation against published tables, its limits, its derivatives."""

import numpy as np
import pytest
from tests.transport.matter import (
    ALUMINIUM,
    ELECTRON,
    IRON,
    MUON,
    PROTON,
    SILICON,
    difference,
    momentum,
    per_mass,
    table,
)

from muonkit.core.arrays import FloatArray
from muonkit.core.units import ELECTRON_MASS
from muonkit.detector.material import Material, library
from muonkit.transport.interactions import ionisation

PDG, NIST = "pdg_muon_dedx.json", "nist_aluminium.json"
DIGITS = 1e-3  # the tables have four digits
P = np.geomspace(0.02, 500, 41)


def of_muons(material: Material, p: FloatArray) -> FloatArray:
    """What the tables call ionisation."""
    by_electrons = ionisation.electron_bremsstrahlung(material, p, MUON)[0]
    return per_mass(ionisation.mean_loss(material, p, MUON)[0] + by_electrons, material)


@pytest.mark.parametrize("name", ["iron", "silicon", "aluminium"])
def test_muons_agree_with_the_pdg_tables_in_every_digit_above_50_MeV(name: str) -> None:
    rows = table(PDG, name)
    ratio = of_muons(library()[name], momentum(rows["T"], MUON)) / rows["ionisation"]
    assert np.abs(ratio[rows["T"] >= 0.05] - 1).max() < DIGITS
    assert np.abs(ratio - 1).max() < 4e-3, "down to 10 MeV, where shell corrections begin"


@pytest.mark.parametrize("name", ["silicon", "aluminium"])
def test_restricted_loss_agrees_with_the_pdg_tables(name: str) -> None:
    rows, material = table(PDG, name), library()[name]
    loss = ionisation.restricted_loss(material, momentum(rows["T"], MUON), MUON, 0.05e-3)[0]
    ratio = per_mass(loss, material) / rows["restricted"]
    assert np.abs(ratio[rows["T"] >= 0.05] - 1).max() < DIGITS


def test_protons_agree_with_nist_where_no_shell_corrections_are_needed() -> None:
    rows = table(NIST, "proton")
    p = momentum(rows["T"], PROTON)
    off = per_mass(ionisation.mean_loss(ALUMINIUM, p, PROTON)[0], ALUMINIUM) / rows["total"] - 1
    assert np.abs(off[p > 0.3 * PROTON]).max() < 3e-3
    assert np.abs(off[p > 0.2 * PROTON]).max() < 1e-2
    assert np.abs(off[p > 0.1 * PROTON]).max() < 3e-2


def test_electrons_agree_with_nist() -> None:
    rows = table(NIST, "electron")
    loss = ionisation.electron_loss(ALUMINIUM, momentum(rows["T"], ELECTRON))[0]
    assert np.abs(per_mass(loss, ALUMINIUM) / rows["collision"] - 1).max() < 3e-3


def test_positrons_lose_more_than_electrons_when_slow_and_less_when_fast() -> None:
    p = momentum(np.array([1e-4, 1e-3, 1e-1]), ELECTRON)
    ratio = ionisation.electron_loss(IRON, p, charge=1)[0] / ionisation.electron_loss(IRON, p, charge=-1)[0]
    assert ratio[0] > 1.03
    assert np.all((ratio[1:] > 0.96) & (ratio[1:] < 0.985))


def test_largest_transfer_in_its_limits() -> None:
    slow, fast = np.array([1e-3]), np.array([1e6])
    assert ionisation.kinematics(slow, PROTON).t_max == pytest.approx(
        2 * ELECTRON_MASS * (1e-3 / PROTON) ** 2, rel=2e-3
    )
    assert ionisation.kinematics(fast, MUON).t_max == pytest.approx(1e6, rel=0.02), "all of the energy"
    equal = ionisation.kinematics(np.array([1.0]), ELECTRON)
    assert equal.t_max == pytest.approx(equal.E - ELECTRON, rel=1e-9), "equal masses may exchange all"


@pytest.mark.parametrize("name", [name for name in library() if name != "vacuum"])
def test_density_effect_joins_its_pieces(name: str) -> None:
    effect = library()[name].density_effect
    for x in (effect.x0, effect.x1):
        below, above = ionisation.delta(effect, 10 ** np.array([x - 1e-9, x + 1e-9]))
        assert above == pytest.approx(below, abs=1e-3), f"at x = {x}"


def test_density_effect_in_its_limits() -> None:
    air = library()["air"].density_effect
    assert ionisation.delta(air, np.array([1.0, 10.0])).tolist() == [0.0, 0.0], "none for slow particles in a gas"
    bg = np.array([1e5])
    plasma = 2 * np.log(IRON.plasma_energy / IRON.I) + 2 * np.log(bg) - 1  # PDG 2024 eq. 34.6
    assert ionisation.delta(IRON.density_effect, bg) == pytest.approx(plasma, abs=4e-4)


def test_transfers_between_two_cuts_are_the_integral_of_their_spectrum() -> None:
    p, low, high = np.array([3.0]), 1e-3, 4e-2
    k = ionisation.kinematics(p, MUON)
    T = np.linspace(low, high, 200_001)
    spectrum = 1 / T - k.beta2 / k.t_max + T / (2 * k.E**2)
    expected = IRON.xi / k.beta2 * np.trapezoid(spectrum, T)
    between = [ionisation.restricted_loss(IRON, p, MUON, cut)[0] for cut in (low, high)]
    assert between[1] - between[0] == pytest.approx(expected, rel=1e-6)


def test_restricted_loss_is_the_whole_loss_above_the_largest_transfer() -> None:
    largest = ionisation.kinematics(P, MUON).t_max.max()
    whole, cut = ionisation.mean_loss(IRON, P, MUON), ionisation.restricted_loss(IRON, P, MUON, largest)
    assert np.array_equal(whole[0], cut[0])
    assert np.array_equal(whole[1], cut[1])


def test_spin_changes_the_loss_by_its_own_term_only() -> None:
    k = ionisation.kinematics(P, MUON)
    extra = ionisation.mean_loss(IRON, P, MUON)[0] - ionisation.mean_loss(IRON, P, MUON, spin_half=False)[0]
    assert extra == pytest.approx(IRON.xi / k.beta2 * (k.t_max / k.E) ** 2 / 4, rel=1e-9, abs=1e-16)


def test_most_probable_loss_lies_below_the_mean_by_the_rare_transfers() -> None:
    k, length = ionisation.kinematics(P, MUON), 0.03
    xi = SILICON.xi * length / k.beta2
    mean = ionisation.mean_loss(SILICON, P, MUON, spin_half=False)[0] * length
    below = xi * (np.log(k.t_max / xi) - k.beta2 - ionisation.BICHSEL_J)
    assert mean - below == pytest.approx(ionisation.most_probable_loss(SILICON, P, MUON, length), rel=1e-12)


def test_most_probable_loss_is_the_mode_of_landaus_distribution() -> None:
    # its mean is 1 - gamma_E above -beta^2 - ln kappa, its mode at -0.22278 (Bichsel, Rev. Mod. Phys. 60 (1988) 663)
    assert pytest.approx(1 - np.euler_gamma - 0.22278, abs=1e-4) == ionisation.BICHSEL_J


def test_most_probable_loss_reaches_its_plateau() -> None:
    length = 0.03
    xi, plasma = SILICON.xi * length, SILICON.plasma_energy * 1e-9
    plateau = xi * (np.log(2 * ELECTRON_MASS * xi / plasma**2) + ionisation.BICHSEL_J)  # PDG 2024 sec. 34.2.9
    assert ionisation.most_probable_loss(SILICON, np.array([1e3]), MUON, length) == pytest.approx(plateau, rel=2e-4)


def test_most_probable_loss_of_a_silicon_sensor_by_hand() -> None:
    # 300 um, 1 GeV/c: beta^2 = 0.98896, beta gamma = 9.4645, xi = 5.3476 keV/0.98896 = 5.4073 keV, ln(2 m_e (bg)^2/I) =
    # 13.179, ln(xi/I) = 3.442, delta = 0.0595 + 0.14921 x 1.8955^3.2546 = 1.255: 14.577 xi = 78.82 keV
    assert ionisation.most_probable_loss(SILICON, np.array([1.0]), MUON, 0.03) == pytest.approx(78.82e-6, rel=2e-4)


@pytest.mark.parametrize("mass", [MUON, PROTON])
@pytest.mark.parametrize("material", [IRON, SILICON])
@pytest.mark.parametrize("t_cut", [np.inf, 1e-2, 5e-5])
def test_derivatives_of_the_loss_of_heavy_particles(material: Material, mass: float, t_cut: float) -> None:
    p = P[mass * 0.06 < P]
    slope = ionisation.restricted_loss(material, p, mass, t_cut)[1]
    numerical = difference(lambda q: ionisation.restricted_loss(material, q, mass, t_cut)[0], p, 1e-5)
    assert slope * p == pytest.approx(numerical * p, rel=1e-6, abs=1e-10)


@pytest.mark.parametrize("charge", [-1, 1])
def test_derivatives_of_the_loss_of_electrons(charge: int) -> None:
    p = np.geomspace(1e-4, 100, 37)
    slope = ionisation.electron_loss(IRON, p, charge)[1]
    numerical = difference(lambda q: ionisation.electron_loss(IRON, q, charge)[0], p)
    assert slope * p == pytest.approx(numerical * p, rel=1e-6, abs=1e-11)


def test_derivatives_of_the_other_losses() -> None:
    slope = ionisation.electron_bremsstrahlung(IRON, P, MUON)[1]
    numerical = difference(lambda q: ionisation.electron_bremsstrahlung(IRON, q, MUON)[0], P)
    assert slope * P == pytest.approx(numerical * P, rel=1e-6, abs=1e-14)
    slope = ionisation.most_probable_slope(SILICON, P, MUON, 0.03)
    numerical = difference(lambda q: ionisation.most_probable_loss(SILICON, q, MUON, 0.03), P, 1e-5)
    assert slope * P == pytest.approx(numerical * P, rel=1e-6, abs=1e-12)


def test_below_its_validity_the_loss_stays_what_it_was() -> None:
    p = np.array([1e-3, 0.01, 0.0499]) * PROTON
    loss, slope = ionisation.mean_loss(IRON, p, PROTON)
    edge = ionisation.mean_loss(IRON, np.full(3, ionisation.LOWEST * PROTON), PROTON)[0]
    assert loss == pytest.approx(edge, rel=1e-12)
    assert slope.tolist() == [0.0, 0.0, 0.0]
