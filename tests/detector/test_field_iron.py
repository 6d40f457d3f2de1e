"""The field in the iron: where it is, its numbers, its symmetries."""

import numpy as np
import pytest
from tests.conftest import shared_data
from tests.detector.field_zoo import differences

from muonkit.core.errors import InputError
from muonkit.detector.field import read_iron

IRON = read_iron(None, "field.file")
Z0, FIRST, PITCH, PLATE = 47.0, 206.0, 9.1, 4.7
EIGHTH = np.array([[1, -1, 0], [1, 1, 0], [0, 0, np.sqrt(2)]]) / np.sqrt(2)


def at(x, y, z):
    """One place, z relative to the centre of the solenoid."""
    return np.array([[x, y, z + Z0]])


def barrel_and_endcaps(n=20000):
    return np.random.default_rng(4).uniform(-1, 1, (n, 3)) * [370, 370, 380] + [0, 0, Z0]


def test_barrel_has_the_published_field_in_its_plates():
    z = 100.0
    np.testing.assert_allclose(IRON.value(at(208, 0, z)), [[0.159, 0, -1.79445 - 0.0007045 * z]], rtol=1e-12)
    np.testing.assert_allclose(
        IRON.value(at(0, FIRST + PITCH + 1, z)), [[0, 0.09009, -1.75475 + 6.195e-05 * z]], rtol=1e-12
    )
    np.testing.assert_allclose(IRON.value(at(340, 0, z)), [[0, 0, -0.91627 + 0.00016854 * z]], rtol=1e-12)


def test_barrel_field_has_a_break_along_z():
    below, above = IRON.value(at(208, 0, 138.7))[0, 2], IRON.value(at(208, 0, 200.0))[0, 2]
    assert below == pytest.approx(-1.79445 - 0.0007045 * 138.7)
    assert above == pytest.approx(-4.617 + 0.01964 * 200.0)


def test_endcap_has_the_published_field_in_plates_and_gaps():
    plate, gap = 230 + PITCH + 1, 230 + PITCH + PLATE + 1
    Br, Bz = -0.00993606 * 200 + 3.95264, -0.00442615 * 200 + 0.925922
    np.testing.assert_allclose(IRON.value(at(200, 0, plate)), [[Br, 0, Bz]], rtol=1e-12)
    Br, Bz = -0.000437327 * 200 + 0.10385, -0.00325882 * 200 + 0.694936
    np.testing.assert_allclose(IRON.value(at(200, 0, gap)), [[Br, 0, Bz]], rtol=1e-12)


def test_gaps_of_the_barrel_and_everything_outside_have_no_field():
    places = [
        at(FIRST + PLATE + 0.1, 0, 0),
        at(FIRST - 0.1, 0, 0),
        at(0, 0, 0),
        at(354, 0, 0),
        at(127, 0, 235),
        at(340, 0, 235),
    ]
    assert not np.any(IRON.value(np.concatenate([*places, at(200, 0, 363)])))
    assert np.all(IRON.inside(barrel_and_endcaps(100)))


@pytest.mark.parametrize(("distance", "there"), [(206.01, False), (206.02, True), (210.68, True), (210.69, False)])
def test_plates_are_octagonal(distance, there):
    for k in range(8):
        normal = np.array([np.cos(k * np.pi / 4), np.sin(k * np.pi / 4)])
        along = distance * normal + 60 * np.array([-normal[1], normal[0]])
        nudge = 1e-9 * normal
        assert bool(np.any(IRON.value(at(*(along + nudge), 10.0)))) is there


def test_last_plate_of_the_barrel_reaches_to_the_outer_radius():
    for distance in (334.0, 339.0, 345.0, 353.0):
        assert IRON.value(at(distance, 0, 0))[0, 2] == pytest.approx(-0.91627)


def test_field_in_the_iron_has_the_symmetry_of_the_octagon():
    places = barrel_and_endcaps()
    np.testing.assert_allclose(IRON.value(places @ EIGHTH.T), IRON.value(places) @ EIGHTH.T, atol=1e-13)


def test_radial_field_changes_sign_with_z_and_axial_does_not():
    places = barrel_and_endcaps()
    mirror = places * [1, 1, -1] + [0, 0, 2 * Z0]
    np.testing.assert_allclose(IRON.value(mirror), IRON.value(places) * [-1, -1, 1], atol=1e-13)


def test_gradient_inside_a_piece_is_the_derivative():
    inner = [
        at(207, 20, -60),
        at(-153, 153.5, 170),
        at(20, 340, 100),
        at(200, 30, 232),
        at(-180, 10, -246),
        at(140, 0, 239),
    ]
    places = np.concatenate(inner)
    gradient = IRON.gradient(places)
    np.testing.assert_allclose(differences(IRON.value, places, 1e-3), gradient, atol=1e-6 * np.max(np.abs(gradient)))
    assert np.all(np.any(IRON.value(places) != 0, axis=1))


def test_return_flux_is_opposite_to_the_solenoid_and_drops_outwards():
    inner, outer = IRON.value(at(208, 0, 0))[0, 2], IRON.value(at(270, 0, 0))[0, 2]
    assert inner < outer < 0
    assert inner / outer > 2


def test_shipped_numbers_are_those_of_the_belle2_table():
    table = read_iron(shared_data("belle2/KLMFieldMap_belle1.dat"), "field.file")
    places = barrel_and_endcaps(100000)
    assert np.array_equal(table.value(places), IRON.value(places))
    assert np.array_equal(table.gradient(places), IRON.gradient(places))


def test_z0_moves_the_iron():
    moved = read_iron(None, "field.file", 0.0)
    places = barrel_and_endcaps(1000)
    assert np.array_equal(moved.value(places - [0, 0, Z0]), IRON.value(places))


def test_missing_table_is_named_with_key_and_way_out(tmp_path):
    with pytest.raises(InputError, match=r"field\.file: .*iron\.dat: there is no such file\. Leave the key out"):
        read_iron(tmp_path / "iron.dat", "field.file")


def test_wrong_table_is_named_with_what_it_should_be(tmp_path):
    (path := tmp_path / "iron.dat").write_text("Barrel :\n0 1 2 3\n")
    with pytest.raises(InputError, match=r"field\.file: .*iron\.dat: is not a table of 15 rows"):
        read_iron(path, "field.file")


def test_wrong_toml_is_named_with_its_keys(tmp_path):
    (path := tmp_path / "iron.toml").write_text("z0 = 0\n[barrel]\nfirst = -1\n")
    with pytest.raises(InputError, match=r"iron\.toml: barrel\.first: .*greater than 0"):
        read_iron(path, "field.file")


@pytest.mark.parametrize("wrong", ["nan", "inf", "1e30"])
def test_a_table_with_numbers_that_are_none_is_refused(tmp_path, wrong):
    plates = len(read_iron(None, "field.file").endcap.iron_Bz)
    barrel, endcap = "0 " * 10 + f"{wrong}\n", "0 0 0 0 0 0 0 0 0\n"
    (tmp_path / "iron.txt").write_text(barrel * len(read_iron(None, "field.file").barrel.Bz) + endcap * (10 * plates))
    with pytest.raises(InputError, match=r"field\.file: .*iron\.txt: it has numbers that are not finite"):
        read_iron(tmp_path / "iron.txt", "field.file")
