"""Fields on grids: what they reproduce, how they converge, where they end; maps of factors."""

import numpy as np
import pytest
from pydantic import TypeAdapter
from tests.conftest import shared_data
from tests.detector.field_zoo import SHEET, SMOOTH, XYZ_FACTORS, R, X, Z, curl, divergence, points

from muonkit.core.errors import InputError
from muonkit.detector.field import Correction, FieldSection, MapRZ, MapXYZ, Scaled, Solenoid, Uniform, build_field

STRONG = Solenoid(200.0, 500.0, 1.5)  # strongly inhomogeneous: errors stand out


def grid(n, *, odd_r=3, even_r=2):
    """Nodes, and a map of polynomials in r (odd, even) and z."""
    r, z = np.linspace(0, 10, n), np.linspace(-8, 12, n)
    a, b = np.meshgrid(r, z, indexing="ij")
    return r, z, a**odd_r * (1 + b**3), (1 + a**even_r) * (2 - b**2)


def error(interpolation, cells, half=(70.0, 70.0, 190.0)):
    """Largest error of a map of the strong solenoid with this many cells."""
    model = MapRZ.sampled(STRONG, np.linspace(0, 120, cells + 1), np.linspace(-240, 240, 4 * cells + 1), interpolation)
    places = points(4000, 5, half)
    return np.max(np.abs(model.value(places) - STRONG.value(places)))


def test_linear_map_is_exact_for_bilinear_fields():
    model = MapRZ.of(*grid(5, odd_r=1, even_r=1)[:2], *_bilinear(), "linear")
    places = points(300, half=(6.0, 6.0, 7.0))[2:]
    r, z = np.hypot(places[:, 0], places[:, 1]), places[:, 2]
    np.testing.assert_allclose(model.value(places)[:, 2], (1 + r) * (2 - z), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(model.value(places)[:, 0], places[:, 0] * (1 + z), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(model.gradient(places)[:, 2, 2], -(1 + r), rtol=1e-12)


def _bilinear():
    r, z = np.meshgrid(np.linspace(0, 10, 5), np.linspace(-8, 12, 5), indexing="ij")
    return r * (1 + z), (1 + r) * (2 - z)


def test_cubic_map_is_exact_for_cubic_fields():
    model = MapRZ.of(*grid(9))
    places = points(300, half=(6.0, 6.0, 7.0))[2:]
    r, z = np.hypot(places[:, 0], places[:, 1]), places[:, 2]
    np.testing.assert_allclose(model.value(places)[:, 2], (1 + r**2) * (2 - z**2), rtol=1e-12, atol=1e-10)
    np.testing.assert_allclose(model.value(places)[:, 1], places[:, 1] * r**2 * (1 + z**3), rtol=1e-11, atol=1e-10)
    np.testing.assert_allclose(model.gradient(places)[:, 2, 0], 2 * places[:, 0] * (2 - z**2), rtol=1e-9, atol=1e-9)


def test_cubic_map_in_space_is_exact_for_cubic_fields():
    axes = np.linspace(-5, 5, 7), np.linspace(-4, 6, 8), np.linspace(0, 9, 6)
    x, y, z = np.meshgrid(*axes, indexing="ij")
    model = MapXYZ.of(*axes, np.stack([x**3 * y, y**2 * z**3, x * y * z], axis=-1))
    x, y, z = (places := np.array([0, 0, 4.5]) + points(300, half=(4.0, 3.0, 4.0))).T
    np.testing.assert_allclose(model.value(places), np.stack([x**3 * y, y**2 * z**3, x * y * z], 1), atol=1e-10)
    np.testing.assert_allclose(model.gradient(places)[:, 1, 2], 3 * y**2 * z**2, atol=1e-9)


@pytest.mark.parametrize(("interpolation", "order"), [("linear", 2), ("cubic", 4)])
def test_map_converges_with_the_stated_order(interpolation, order):
    errors = [error(interpolation, cells) for cells in (12, 24, 48)]
    found = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(found, order, atol=0.35)


def test_linear_map_in_space_converges_quadratically():
    def worst(nodes):
        axis = np.linspace(-80, 80, nodes)
        model, places = MapXYZ.sampled(STRONG, axis, axis, axis, "linear"), points(2000, 5, (80.0, 80.0, 80.0))
        return np.max(np.abs(model.value(places) - STRONG.value(places)))

    assert np.log2(worst(9) / worst(17)) == pytest.approx(2, abs=0.3)


def test_divergence_and_curl_of_a_cubic_map_vanish_with_the_cube_of_its_spacing():
    def worst(cells):
        model = MapRZ.sampled(STRONG, np.linspace(0, 120, cells + 1), np.linspace(-240, 240, 4 * cells + 1))
        gradient = model.gradient(points(4000, 5, (70.0, 70.0, 190.0)))
        return np.max(np.abs(divergence(gradient))), np.max(np.abs(curl(gradient)))

    assert np.log2(np.array(worst(24)) / worst(48)) == pytest.approx(3, abs=0.4)


@pytest.mark.parametrize("name", ["rz map", "xyz map"])
def test_gradient_of_a_cubic_map_is_continuous_across_nodes(name):
    node = np.array([40.0, 0.0, 100.0])
    steps = 1e-9 * np.array([[1, 0, 0], [-1, 0, 0], [0, 0, 1], [0, 0, -1]])
    gradients = SMOOTH[name].gradient(node + steps)
    np.testing.assert_allclose(gradients[1:], gradients[:-1], atol=1e-13)


def test_mirrored_map_is_the_whole_map():
    r, z = np.linspace(0, 120, 13), np.linspace(-240, 240, 33)
    for interpolation in ("linear", "cubic"):
        whole = MapRZ.sampled(STRONG, r, z, interpolation)
        half = MapRZ.sampled(STRONG, r, z[16:], interpolation, mirrored=True)
        np.testing.assert_allclose(half.value(points()), whole.value(points()), atol=1e-14)
        np.testing.assert_allclose(half.gradient(points()), whole.gradient(points()), atol=1e-15)


def test_map_moves_with_z0():
    r, z, Br, Bz = grid(9)
    here, there = MapRZ.of(r, z, Br, Bz), MapRZ.of(r, z, Br, Bz, z0=47.0)
    places = points(100, half=(5.0, 5.0, 7.0))
    np.testing.assert_allclose(there.value(places + np.array([0, 0, 47.0])), here.value(places), rtol=1e-12, atol=1e-10)


def test_map_ends_with_its_last_nodes():
    model = SMOOTH["xyz map"]
    places = np.array([[120.0, 120, 300], [-120, -120, -300], [120.001, 0, 0], [0, 0, -300.1]])
    assert model.inside(places).tolist() == [True, True, False, False]
    np.testing.assert_allclose(model.value(places[:1]), SHEET.value(places[:1]), rtol=1e-12)
    assert not np.any(model.value(places[2:]))
    assert not np.any(model.gradient(places[2:]))


def test_transverse_field_of_a_map_vanishes_on_the_axis():
    r, z, Br, Bz = grid(9)
    value = MapRZ.of(r, z, Br + 1e-3, Bz).value(np.array([[0.0, 0, 3.3]]))
    assert value[0, :2].tolist() == [0, 0]


@pytest.mark.parametrize("wrong", [[0, 1, 2, 4, 5], [0, 1, 1, 2, 3], [4, 3, 2, 1, 0], [0, 1]])
def test_uneven_nodes_are_refused(wrong):
    r, z = np.array(wrong, float), np.linspace(0, 1, 5)
    with pytest.raises(InputError, match=r"even|least"):
        MapRZ.of(r, z, np.zeros((len(r), 5)), np.zeros((len(r), 5)))


def test_a_field_with_azimuth_is_not_put_on_an_rz_map():
    with pytest.raises(InputError, match="not symmetric"):
        MapRZ.sampled(Uniform((1.0, 0.0, 1.0)), R, Z)


def test_mirrored_map_has_to_begin_in_the_middle():
    with pytest.raises(InputError, match="z = 0"):
        MapRZ.sampled(SHEET, R, Z, mirrored=True)


def test_map_of_equal_factors_is_a_constant():
    same = Scaled(SHEET, Correction.of((R, Z), np.full((len(R), len(Z)), 1.001)))
    np.testing.assert_allclose(same.value(points()), 1.001 * SHEET.value(points()), rtol=1e-13)
    np.testing.assert_allclose(same.gradient(points()), 1.001 * SHEET.gradient(points()), atol=1e-15)


def test_factor_beyond_its_map_is_that_of_the_edge():
    beyond, edge = np.array([[300.0, 0, 0], [0, 50, -700]]), np.array([[120.0, 0, 0], [0, 50, -300]])
    assert np.array_equal(XYZ_FACTORS.value(beyond), XYZ_FACTORS.value(edge))
    assert XYZ_FACTORS.gradient(beyond)[0, 0] == 0
    assert XYZ_FACTORS.gradient(beyond)[1, 2] == 0


def test_factors_in_rz_are_those_in_space():
    r, z = np.meshgrid(R, Z, indexing="ij")
    x, y, height = np.meshgrid(X, X, Z, indexing="ij")
    flat = Correction.of((R, Z), 1 + 1e-6 * r**2 + 1e-5 * z)
    space = Correction.of((X, X, Z), 1 + 1e-6 * (x**2 + y**2) + 1e-5 * height)
    np.testing.assert_allclose(flat.value(points()), space.value(points()), rtol=1e-13)
    np.testing.assert_allclose(flat.gradient(points()), space.gradient(points()), atol=1e-16)


def test_belle2_solenoid_map_is_read_with_its_nodes_and_is_nearly_maxwellian_in_the_drift_chamber():
    path = shared_data("belle2/SolenoidFieldMap.dat.gz")
    rows = np.loadtxt(path).reshape(175, 801, 4)
    section = TypeAdapter(FieldSection).validate_python({"kind": "map_rz", "file": path.name, "z0": 47.0})
    model = build_field(section, path.parent)
    r, z, Br, Bz = rows[80, ::50].T
    np.testing.assert_allclose(model.value(np.stack([r, 0 * r, z + 47.0], 1)), np.stack([Br, 0 * r, Bz], 1), atol=1e-13)
    places = np.array([[r * np.cos(1), r * np.sin(1), z] for r in (60.5, 70.2, 85.3) for z in np.linspace(0, 90, 200)])
    gradient = model.gradient(places)
    assert np.max(np.abs(divergence(gradient))) < 1e-4
    assert np.max(np.abs(curl(gradient))) < 1e-4
