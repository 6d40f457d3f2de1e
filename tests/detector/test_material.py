"""Materials: constants that must agree with each other, mixtures by hand, scaling, faults in a description."""

import dataclasses

import numpy as np
import pytest

from muonkit.core.config import parse
from muonkit.core.errors import InputError
from muonkit.detector.material import (
    HALF_K,
    Element,
    Material,
    MaterialSection,
    arrays,
    general_density_effect,
    library,
    mixture,
)

NAMES = [name for name in library() if name != "vacuum"]


def lone(text: str) -> Material:
    return parse(text, MaterialSection, "detector.toml").build("made")


@pytest.mark.parametrize("name", NAMES)
def test_density_effect_belongs_to_the_plasma_energy_and_I(name: str) -> None:
    material = library()[name]
    C = 1 + 2 * np.log(material.I / material.plasma_energy)  # PDG 2024 eq. 34.6; the tables round to 1e-4
    assert pytest.approx(C, abs=4e-4) == material.density_effect.C


@pytest.mark.parametrize("name", NAMES)
def test_mass_fractions_add_up_to_one(name: str) -> None:
    assert sum(element.weight for element in library()[name].elements) == pytest.approx(1, abs=2e-6)


@pytest.mark.parametrize(
    ("name", "X0", "plasma_energy"),
    [("iron", 1.757, 55.17), ("silicon", 9.370, 31.05), ("aluminium", 8.897, 32.86), ("copper", 1.436, 58.27)],
)
def test_radiation_length_and_plasma_energy_are_those_of_the_pdg(name: str, X0: float, plasma_energy: float) -> None:
    assert pytest.approx(X0, rel=7.5e-4) == library()[name].X0, "both in four digits"
    assert library()[name].plasma_energy == pytest.approx(plasma_energy, rel=3e-4)


def test_scale_of_straggling_by_hand() -> None:
    # 0.153537 MeV cm2/mol x 26/55.845 mol/g x 7.874 g/cm3 = 0.56285 MeV/cm
    assert library()["iron"].xi == pytest.approx(0.56285e-3, rel=1e-4)
    assert pytest.approx(0.307075e-3, rel=1e-6) == 2 * HALF_K


def test_vacuum_is_nothing() -> None:
    vacuum = library()["vacuum"]
    assert (vacuum.density, vacuum.xi, vacuum.Z_over_A) == (0, 0, 0)
    assert np.isinf(vacuum.X0)


def test_denser_matter_is_shorter_and_has_its_own_density_effect() -> None:
    iron = library()["iron"]
    twice = iron.scaled(2.0)
    assert (twice.density, twice.X0, twice.xi) == pytest.approx((2 * iron.density, iron.X0 / 2, 2 * iron.xi))
    assert pytest.approx(1 + 2 * np.log(twice.I / twice.plasma_energy), abs=4e-4) == twice.density_effect.C


def test_scaling_is_reversible() -> None:
    silicon = library()["silicon"]
    back = silicon.scaled(1.3).scaled(1 / 1.3)
    assert dataclasses.astuple(back)[1:4] == pytest.approx(dataclasses.astuple(silicon)[1:4], rel=1e-14)
    before, after = (dataclasses.astuple(each.density_effect) for each in (silicon, back))
    assert after == pytest.approx(before, rel=1e-12)


def test_mixture_by_hand() -> None:
    iron, carbon = library()["iron"], library()["carbon"]
    made = mixture("made", 5.0, [(iron, 3.0), (carbon, 1.0)])
    assert pytest.approx(1 / (5.0 * (0.75 / 13.84 + 0.25 / 42.70))) == made.X0
    Z_over_A = 0.75 * 26 / 55.845 + 0.25 * 6 / 12.0107
    assert made.Z_over_A == pytest.approx(Z_over_A)
    log_I = (0.75 * 26 / 55.845 * np.log(286) + 0.25 * 6 / 12.0107 * np.log(78)) / Z_over_A
    assert pytest.approx(np.exp(log_I)) == made.I
    assert made.elements == (Element(26, 55.845, 0.75), Element(6, 12.0107, 0.25))


def test_mixture_of_a_material_with_itself_changes_only_its_density_effect() -> None:
    iron = library()["iron"]
    made = mixture("iron", iron.density, [(iron, 0.2), (iron, 0.8)])
    assert (made.X0, made.I, made.xi) == pytest.approx((iron.X0, iron.I, iron.xi), rel=1e-14)
    assert pytest.approx(iron.density_effect.C, abs=4e-4) == made.density_effect.C


def test_one_part_alone_keeps_its_density_effect() -> None:
    polystyrene = library()["polystyrene"]
    assert mixture("scintillator", 2 * 1.06, [(polystyrene, 1.0)]) == dataclasses.replace(
        polystyrene.scaled(2.0), name="scintillator"
    )


@pytest.mark.parametrize(
    ("density", "I", "C", "x0", "x1"),
    [
        (1.0, 60.0, 3.1600, 0.2, 2.0),  # light and solid, C < 3.681
        (0.3, 90.0, 5.1749, 0.326 * 5.1749 - 1.0, 2.0),
        (2.0, 150.0, 4.2994, 0.2, 3.0),  # I > 100 eV, C < 5.215
        (11.0, 800.0, 5.9426, 0.326 * 5.9426 - 1.5, 3.0),
        (1e-3, 80.0, 10.6431, 1.8, 4.0),  # gas
        (1e-3, 600.0, 14.6729, 0.326 * 14.6729 - 2.5, 5.0),
    ],
)
def test_general_rule_of_sternheimer_and_peierls(density: float, I: float, C: float, x0: float, x1: float) -> None:  # noqa: E741
    effect = general_density_effect(density, 0.5, I)  # hbar omega_p = 20.376 eV sqrt(density)
    assert dataclasses.astuple(effect)[:3] == pytest.approx((C, x0, x1), abs=2e-4)


@pytest.mark.parametrize("name", NAMES)
def test_general_rule_joins_its_pieces(name: str) -> None:
    material = library()[name]
    effect = general_density_effect(material.density, material.Z_over_A, material.I)
    at_x0 = 2 * np.log(10) * effect.x0 - effect.C + effect.a * (effect.x1 - effect.x0) ** effect.k
    assert at_x0 == pytest.approx(0, abs=1e-12)
    assert effect.x0 < effect.x1


def test_kernels_get_the_materials_in_their_order() -> None:
    rows = [library()[name] for name in ("vacuum", "iron", "air")]
    packed = arrays(rows)
    assert packed.density.tolist() == [0.0, 7.874, 1.20479e-3]
    assert packed.xi.tolist() == [row.xi for row in rows]
    assert packed.X0[0] == np.inf
    assert packed.effect[1].tolist() == list(dataclasses.astuple(rows[1].density_effect))


def test_description_by_element() -> None:
    made = lone("density = 7.874\nZ = 26\nA = 55.845\nX0 = 1.7577\nI = 286")
    assert (made.xi, made.X0) == pytest.approx((library()["iron"].xi, 1.7577))


def test_description_by_mixture_and_with_density_effect_of_its_own() -> None:
    effect = "density_effect = { C = 4.0, x0 = 0.1, x1 = 3.0, a = 0.1, k = 3.0 }"
    made = lone(f"density = 3\nof = {{ iron = 1, carbon = 3 }}\n{effect}")
    assert made.density_effect.C == 4.0
    assert made.Z_over_A == pytest.approx(0.25 * 26 / 55.845 + 0.75 * 6 / 12.0107)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("density = 1", "needs Z, A, X0"),
        ("density = 1\nZ = 6\nof = { iron = 1 }", "not both"),
        ("density = 1\nof = { iorn = 1 }", "'iorn' is not in the library"),
        ("density = 1\nof = { vacuum = 1 }", "'vacuum' is not in the library"),
        ("density = 1\nof = { iron = -1 }", "of.iron: Input should be greater than 0"),
        ("density = 0\nof = { iron = 1 }", "density: "),
        ("density = 1\nZ = 6\nA = 12\nX0 = 19\nI = 0", "I: "),
        ("densty = 1\nof = { iron = 1 }", "did you mean 'density'"),
    ],
)
def test_a_faulty_description_says_file_key_and_reason(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        lone(text)
    assert any(message in fault and fault.startswith("detector.toml: ") for fault in caught.value.faults)
