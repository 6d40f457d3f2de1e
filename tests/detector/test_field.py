"""Fields in closed form: limits, sources, derivatives, symmetries, Maxwell's equations."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from tests.detector.field_zoo import MAXWELLIAN, SERIES, SMALL, SMOOTH, curl, differences, divergence, points

from muonkit.detector.field import Gaussian, Harmonic, Parametrised, Solenoid, Uniform, cms_like

NAMES = sorted(SMOOTH)
TURN = np.array([[0.6, -0.8, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 1.0]])


def on_axis(*z):
    return np.array([[0.0, 0.0, value] for value in z])


def biot_savart(sheet, place, n_phi=400, n_z=400):
    """(Br, Bz) of the currents of a sheet, summed: trapezoid around, Gauss-Legendre along."""
    node, weight = np.polynomial.legendre.leggauss(n_z)
    half, (r, _, z) = sheet.length / 2, place
    phi = 2 * np.pi * (np.arange(n_phi) + 0.5) / n_phi
    a, height = sheet.radius, (z - sheet.z0 - half * node)[:, None]
    cube = (r * r + a * a - 2 * a * r * np.cos(phi) + height**2) ** 1.5
    element = half * weight[:, None] * 2 * np.pi / n_phi * sheet.strength * a / (4 * np.pi) / cube
    return np.sum(element * height * np.cos(phi)), np.sum(element * (a - r * np.cos(phi)))


def test_sheet_has_B0_in_its_centre():
    np.testing.assert_allclose(SMALL.value(on_axis(SMALL.z0)), [[0, 0, SMALL.B0]], rtol=1e-15)


def test_sheet_on_the_axis_is_the_elementary_formula():
    z = np.linspace(-400, 400, 41)
    ends = [(z - SMALL.z0 + sign * SMALL.length / 2) for sign in (1, -1)]
    expected = SMALL.strength / 2 * sum(s * e / np.hypot(e, SMALL.radius) for s, e in zip((1, -1), ends, strict=True))
    np.testing.assert_allclose(SMALL.value(on_axis(*z))[:, 2], expected, rtol=2e-14)


def test_long_sheet_is_the_infinite_solenoid():
    long = Solenoid(50.0, 5e7, 2.0)
    inside, outside = np.array([[30.0, 0, 0], [0, 49.9, 7]]), np.array([[50.1, 0, 0], [0, 300, -20.0]])
    np.testing.assert_allclose(long.value(inside), [[0, 0, 2.0]] * 2, atol=1e-11)
    np.testing.assert_allclose(long.value(outside), 0, atol=1e-11)


@pytest.mark.parametrize(
    "place", [(20.0, 0.0, 0.0), (40.0, 0.0, 95.0), (100.0, 0.0, 30.0), (30.0, 0.0, 250.0), (1e-3, 0, 120)]
)
def test_sheet_is_the_sum_of_its_currents(place):
    expected = biot_savart(SMALL, place)
    found = SMALL.value(np.array([place]))[0]
    np.testing.assert_allclose(found[[0, 2]], expected, rtol=1e-10, atol=1e-14)


def test_field_on_the_sheet_is_the_mean_of_both_sides():
    at, step = SMALL.radius, 1e-7
    inner, here, outer = SMALL.value(np.array([[at - step, 0, 40.0], [at, 0, 40.0], [at + step, 0, 40.0]]))
    assert inner[2] - outer[2] == pytest.approx(SMALL.strength, rel=1e-6)
    np.testing.assert_allclose(here, (inner + outer) / 2, rtol=1e-6)


@pytest.mark.parametrize("r", [0.0, 1e-300, 1e-12, 1e-6])
def test_sheet_is_smooth_at_the_axis(r):
    gradient = SMALL.gradient(np.array([[0.6 * r, 0.8 * r, 80.0]]))[0]
    half = -0.5 * SMALL.gradient(on_axis(80.0))[0, 2, 2]
    np.testing.assert_allclose(np.diag(gradient), [half, half, -2 * half], rtol=1e-9)
    np.testing.assert_allclose(gradient[0, 1], 0, atol=1e-12 * abs(half))


def test_slope_across_the_axis_is_proportional_to_the_radius():
    r = np.array([1e-12, 1e-9, 1e-6, 1e-3])
    gradient = SMALL.gradient(np.stack([r, 0 * r, 0 * r + 80.0], axis=1))
    np.testing.assert_allclose(gradient[:, 2, 0] / r, gradient[-1, 2, 0] / r[-1], rtol=1e-8)
    np.testing.assert_allclose(gradient[:, 0, 2], gradient[:, 2, 0], rtol=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_gradient_is_the_derivative_of_the_field(name):
    field, places = SMOOTH[name], points(seed=3)[2:]
    gradient = field.gradient(places)
    if name == "corrected in rz":  # a factor that is not smooth on the axis
        places, gradient = places[np.hypot(*places.T[:2]) > 1], gradient[np.hypot(*places.T[:2]) > 1]
    scale = max(float(np.max(np.abs(gradient))), 1e-9)
    np.testing.assert_allclose(differences(field.value, places), gradient, rtol=1e-6, atol=1e-6 * scale)


@pytest.mark.parametrize("name", sorted(MAXWELLIAN))
def test_maxwellian_fields_have_no_divergence_and_no_curl(name):
    gradient = MAXWELLIAN[name].gradient(points(2000, half=(40.0, 40.0, 280.0)))
    assert np.max(np.abs(divergence(gradient))) < 1e-12
    assert np.max(np.abs(curl(gradient))) < 1e-12


@pytest.mark.parametrize("name", sorted(MAXWELLIAN))
def test_maxwells_equations_hold_for_the_values_too(name):
    slopes = differences(MAXWELLIAN[name].value, points(200, half=(30.0, 30.0, 280.0)), 0.1)
    assert np.max(np.abs(divergence(slopes))) < 1e-10
    assert np.max(np.abs(curl(slopes))) < 1e-10


def test_cms_like_field_is_maxwellian_in_the_whole_tracker():
    r, z = np.meshgrid(np.linspace(0, 115, 24), np.linspace(-280, 280, 57))
    gradient = cms_like().gradient(np.stack([r.ravel(), 0 * r.ravel(), z.ravel()], axis=1))
    assert np.max(np.abs(divergence(gradient))) < 1e-15
    assert np.max(np.abs(curl(gradient))) < 1e-15


def test_published_cms_form_breaks_maxwells_equations_by_the_documented_size():
    r, z = np.meshgrid(np.linspace(0, 115, 47), np.linspace(-280, 280, 113))
    gradient = Parametrised().gradient(np.stack([r.ravel(), 0 * r.ravel(), z.ravel()], axis=1))
    assert np.max(np.abs(divergence(gradient))) == pytest.approx(3.4e-5, rel=0.02)
    assert np.max(np.linalg.norm(curl(gradient), axis=1)) == pytest.approx(3.9e-5, rel=0.02)


def test_published_and_maxwellian_forms_agree_on_the_axis_and_nearly_off_it():
    z = np.linspace(-280, 280, 50)
    np.testing.assert_allclose(cms_like().value(on_axis(*z)), Parametrised().value(on_axis(*z)), rtol=1e-14)
    apart = np.abs(cms_like().value(points(3000)) - Parametrised().value(points(3000)))
    assert 1e-4 < np.max(apart) < 3e-3


def test_published_sheet_is_the_exact_one_to_third_order_in_r():
    form = replace(Parametrised(), g=0.0, p=0.0)
    sheet = Solenoid(form.a, form.l, form.B0, form.z0)

    def apart(r):
        return np.abs(form.value(np.array([[r, 0, 150.0]])) - sheet.value(np.array([[r, 0, 150.0]])))[0, 2]

    assert apart(80.0) / apart(40.0) == pytest.approx(16, rel=0.05)


def test_published_form_has_the_published_value_in_the_centre():
    form = Parametrised()
    expected = form.B0 - 2 * form.g * np.exp(-((form.d / form.w) ** 2))
    np.testing.assert_allclose(form.value(on_axis(form.z0)), [[0, 0, expected]], rtol=1e-14)


def test_series_has_its_profile_on_the_axis():
    z = np.linspace(-300, 300, 31)
    expected = 0.3 * np.exp(-(((z - 45) / 150) ** 2)) - 0.1 * np.exp(-(((z + 85) / 220) ** 2))
    np.testing.assert_allclose(SERIES.value(on_axis(*z))[:, 2], expected, rtol=1e-14)


def test_curl_of_the_series_vanishes_with_its_order_and_its_divergence_at_any():
    gaussians = (Gaussian(0.01, 200.0, 180.0),)
    places = points(500, half=(80.0, 80.0, 280.0))
    curls = []
    for order in (0, 2, 4, 6, 8):
        gradient = Harmonic(gaussians, order=order).gradient(places)
        curls.append(np.max(np.abs(curl(gradient))))
        assert np.max(np.abs(divergence(gradient))) < 1e-18
    assert all(late < early / 10 for early, late in pairwise(curls))


def test_twist_of_the_published_form_is_smooth_where_it_changes_sign():
    just = np.array([[50.0, 0, 1.78712 - 1e-9], [50.0, 0, 1.78712 + 1e-9]])
    one, two = Parametrised().gradient(just)
    np.testing.assert_allclose(one, two, atol=1e-13)


@pytest.mark.parametrize("name", ["sheet", "series", "published", "cms-like", "rz map", "mirrored map"])
def test_fields_without_azimuth_turn_with_the_point(name):
    field, places = SMOOTH[name], points()
    np.testing.assert_allclose(field.value(places @ TURN.T), field.value(places) @ TURN.T, atol=1e-14)
    np.testing.assert_allclose(field.gradient(places @ TURN.T), TURN @ field.gradient(places) @ TURN.T, atol=1e-15)


@pytest.mark.parametrize("name", ["sheet", "published", "cms-like"])
def test_reflection_in_the_middle_plane_changes_only_the_transverse_field(name):
    z0, places = Parametrised().z0, points()
    mirror = places * [1, 1, -1] + [0, 0, 2 * z0]
    field = SMOOTH[name]
    np.testing.assert_allclose(field.value(mirror), field.value(places) * [-1, -1, 1], atol=1e-14)


def test_uniform_field_is_the_same_everywhere():
    field = Uniform((1.0, 2.0, 3.0))
    assert np.array_equal(field.value(points()), np.tile([1.0, 2.0, 3.0], (500, 1)))
    assert not np.any(field.gradient(points()))
    assert np.all(field.inside(points()))


def test_sheet_is_proportional_to_B0():
    twice = replace(SMALL, B0=2 * SMALL.B0)
    np.testing.assert_allclose(twice.value(points()), 2 * SMALL.value(points()), rtol=1e-14, atol=1e-16)
