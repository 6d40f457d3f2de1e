"""The whole mean loss and its tables: published totals, Geant4, interpolation, vacuum, species."""

import numpy as np
import pytest
from tests.transport.matter import ELECTRON, IRON, MUON, difference, momentum, per_mass, table

from muonkit.core.errors import InputError
from muonkit.core.particles import SPECIES, species
from muonkit.detector.material import library
from muonkit.transport.interactions import ionisation, radiative, tables

MATERIALS = [library()[name] for name in ("vacuum", "iron", "silicon", "polystyrene", "CsI", "air", "rpc_gas")]
GEANT4 = (
    (0.273, 1.4486),
    (10.0, 1.968),
    (100.0, 2.742),
)  # T [GeV], MeV cm2/g: G4EmCalculator of Geant4 11.4, mu- in iron


@pytest.mark.parametrize("name", ["iron", "silicon", "aluminium"])
def test_muons_agree_with_the_pdg_tables_to_one_per_cent(name: str) -> None:
    rows, material = table("pdg_muon_dedx.json", name), library()[name]
    processes = ("bremsstrahlung", "pairs", "photonuclear")
    total = rows.get("total", rows["ionisation"] + sum(rows.get(key, 0.0) for key in processes))
    ratio = per_mass(tables.mean_loss(material, "mu", momentum(rows["T"], MUON))[0], material) / total
    assert rows["T"][[0, -1]].tolist() == [0.01, 1000.0]
    assert np.abs(ratio - 1).max() < 0.01
    assert np.abs(ratio[(rows["T"] >= 0.05) & (rows["T"] <= 10)] - 1).max() < 1e-3, "in every digit"


@pytest.mark.parametrize(("T", "expected"), GEANT4)
def test_muons_in_iron_agree_with_geant4_without_photonuclear_loss(T: float, expected: float) -> None:
    E = np.array([T + MUON])
    loss = tables.mean_loss(IRON, "mu", momentum(np.array([T]), MUON))[0] / IRON.density
    assert (loss - radiative.photonuclear(26, 55.845, E)) * 1e3 == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("name", SPECIES)
def test_derivative_of_the_mean_loss(name: str) -> None:
    p = np.geomspace(0.06 * species(name).mass, 1e4, 61)
    p = p[p > 1e-3]
    for material in MATERIALS[1:]:
        slope = tables.mean_loss(material, name, p)[1]
        numerical = difference(lambda q, m=material: tables.mean_loss(m, name, q)[0], p, 1e-5)  # type: ignore[misc]
        assert slope * p == pytest.approx(numerical * p, rel=1e-5, abs=1e-5 * material.xi)


@pytest.mark.parametrize("name", SPECIES)
def test_interpolation_is_exact_to_1e_6_but_at_the_kinks_of_the_density_effect(name: str) -> None:
    made, mass = tables.loss_tables(MATERIALS, name), species(name).mass
    p = np.geomspace(max(1.1 * ionisation.LOWEST * mass, 1.01e-3), 9e4, 20_011)
    for row, material in enumerate(MATERIALS[1:], start=1):
        off = np.abs(tables.stopping(made, row, p)[0] / tables.mean_loss(material, name, p)[0] - 1)
        x = np.log10(p / mass)
        kinks = np.array([material.density_effect.x0, material.density_effect.x1])
        smooth = np.abs(x[:, None] - kinks).min(axis=1) > made.du / np.log(10)
        assert off[smooth].max() < 1e-6
        assert off.max() < 2e-4


@pytest.mark.parametrize("name", SPECIES)
def test_interpolated_derivative_is_that_of_the_interpolated_loss(name: str) -> None:
    made, p = tables.loss_tables(MATERIALS, name), np.geomspace(2e-3, 5e4, 101)
    numerical = difference(lambda q: tables.stopping(made, 1, q)[0], p, 1e-5)
    assert tables.stopping(made, 1, p)[1] * p == pytest.approx(numerical * p, rel=1e-6, abs=1e-9)


def test_nodes_are_exact() -> None:
    made = tables.loss_tables(MATERIALS, "mu")
    p = np.exp(made.u_min + made.du * np.arange(3, 490, 7))
    S, slope = tables.stopping(made, 2, p)
    value, by_p = tables.mean_loss(MATERIALS[2], "mu", p)
    assert pytest.approx(value, rel=1e-12) == S
    assert slope == pytest.approx(by_p, rel=1e-9, abs=1e-18)


def test_vacuum_takes_nothing() -> None:
    made = tables.loss_tables(MATERIALS, "mu")
    for part in tables.stopping(made, 0, np.geomspace(1e-3, 1e5, 11)):
        assert np.all(part == 0)


def test_tables_reach_from_1_MeV_to_100_TeV() -> None:
    made = tables.loss_tables(MATERIALS, "mu")
    last = made.u_min + made.du * (made.value.shape[1] - 1)
    assert np.exp([made.u_min, last]) == pytest.approx([1e-3, 1e5], rel=1e-12)


def test_only_muons_and_electrons_radiate() -> None:
    p = np.array([1.0, 50.0])
    for name in SPECIES:
        with_it, without = (tables.mean_loss(IRON, name, p, radiation)[0] for radiation in (True, False))
        assert np.all(with_it > without) if name in ("mu", "e") else np.array_equal(with_it, without)


def test_hadrons_of_one_velocity_lose_alike_but_for_the_largest_transfer() -> None:
    bg = np.array([1.0, 4.0])
    kaon, proton = (species(name).mass for name in ("K", "p"))
    losses = [tables.mean_loss(IRON, name, bg * mass)[0] for name, mass in (("K", kaon), ("p", proton))]
    t_max = [ionisation.kinematics(bg * mass, mass).t_max for mass in (kaon, proton)]
    expected = IRON.xi / ionisation.kinematics(bg * kaon, kaon).beta2 * np.log(t_max[1] / t_max[0])
    assert losses[1] - losses[0] == pytest.approx(expected, rel=1e-3, abs=1e-8)


def test_electrons_radiate_most_above_the_critical_energy() -> None:
    T = np.array([0.010, 0.040])  # critical energy of iron: 21.7 MeV
    p = momentum(T, ELECTRON)
    ratio = radiative.electron_loss(IRON, p)[0] / ionisation.electron_loss(IRON, p)[0]
    assert ratio[0] < 1 < ratio[1]


def test_an_unknown_species_is_refused() -> None:
    with pytest.raises(InputError, match="there is no 'tau'"):
        tables.mean_loss(IRON, "tau", np.array([1.0]))
