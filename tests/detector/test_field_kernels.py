"""The compiled field is the NumPy field."""

import numpy as np
import pytest
from tests.detector.field_zoo import EVERY, SHEET, R, Z, points

from muonkit.detector.field import Confined, Cylinder, MapRZ, Sum, Uniform
from muonkit.detector.kernels import field, field_many

EVERYWHERE = np.concatenate([points(1000), points(3000, seed=2, half=(360.0, 360.0, 420.0))])


def compiled(model, places):
    B, G = np.full((len(places), 3), np.nan), np.full((len(places), 3, 3), np.nan)
    inside = field_many(model.arrays(), places, B, G)
    return inside, B, G


@pytest.mark.parametrize("name", sorted(EVERY))
def test_compiled_field_equals_the_numpy_field(name):
    model = EVERY[name]
    inside, B, G = compiled(model, EVERYWHERE)
    value, gradient = model.value(EVERYWHERE), model.gradient(EVERYWHERE)
    assert np.array_equal(inside, model.inside(EVERYWHERE))
    scale = float(np.max(np.abs(value)))
    np.testing.assert_allclose(B, value, rtol=1e-12, atol=2e-15 * scale)
    np.testing.assert_allclose(G, gradient, rtol=1e-12, atol=1e-15 * scale)


def test_without_gradient_the_field_is_the_same_and_the_gradient_is_left_alone():
    arrays, B, G = EVERY["corrected twice"].arrays(), np.zeros(3), np.full((3, 3), 7.0)
    assert field(arrays, 10.0, 20.0, 30.0, B, G, False)
    assert np.all(G == 7.0)
    again = B.copy()
    field(arrays, 10.0, 20.0, 30.0, B, G, True)
    assert np.array_equal(B, again)


def test_out_of_a_map_is_reported_and_the_field_is_zero():
    model = Sum((Uniform((0.0, 0.0, 1.0)), MapRZ.sampled(SHEET, R, Z)))
    inside, B, G = compiled(model, np.array([[130.0, 0, 0], [0, 0, 301.0], [0, 0, 300.0], [120.0, 0, -300.0]]))
    assert inside.tolist() == [False, False, True, True]
    assert not np.any(B[:2])
    assert not np.any(G[:2])


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_point_that_is_nowhere_is_out_of_every_map(wrong, axis):
    place = np.zeros((1, 3))
    place[0, axis] = wrong
    for model in EVERY.values():
        inside, B, G = compiled(model, place)
        assert not inside[0]
        assert not np.any(B)
        assert not np.any(G)


def test_a_map_confined_to_a_region_is_known_to_be_zero_outside():
    model = Confined(MapRZ.sampled(SHEET, R, Z), Cylinder(0, 110, -290, 290))
    inside, B, _ = compiled(model, np.array([[130.0, 0, 0], [0, 0, 310.0], [50.0, 0, 0]]))
    assert inside.tolist() == [True, True, True]
    assert not np.any(B[:2])
    assert B[2, 2] > 3


def test_lower_borders_belong_to_a_region_and_upper_ones_do_not():
    plates = Sum(tuple(Confined(Uniform((0.0, 1.0, 0.0)), Cylinder(z_min=z, z_max=z + 1)) for z in (0.0, 1.0, 2.0)))
    _, B, _ = compiled(plates, np.array([[0.0, 0, z] for z in (-0.1, 0.0, 1.0, 2.0, 3.0)]))
    assert B[:, 1].tolist() == [0, 1, 1, 1, 0]
    assert np.array_equal(plates.value(np.array([[0.0, 0, 1.0]])), [[0, 1, 0]])
