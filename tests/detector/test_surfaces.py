"""Surfaces: frames there and back, crossings of straight lines, derivatives, rotations."""

import numpy as np
import pytest

from muonkit.detector import surfaces as geometry
from muonkit.detector.surfaces import CYLINDER, DISC, PLANE, SurfaceArrays

N = 40  # surfaces of each kind, somewhere, turned somehow


def turns(rng: np.random.Generator, count: int) -> np.ndarray:
    """Random right-handed frames."""
    frames = np.linalg.qr(rng.normal(size=(count, 3, 3)))[0]
    frames[np.linalg.det(frames) < 0, 2] *= -1
    return frames


@pytest.fixture(scope="module")
def surfaces() -> SurfaceArrays:
    rng = np.random.default_rng(1)
    kind = np.repeat([PLANE, CYLINDER, DISC], N)
    n = len(kind)
    radius = np.where(kind == CYLINDER, rng.uniform(5, 100, n), 0.0)
    bounds = np.tile([-30.0, 40.0, -20.0, 60.0], (n, 1))
    bounds[kind == DISC] = [10.0, 50.0, 0.0, 0.0]
    zeros = np.zeros(n, dtype=np.int64)
    return SurfaceArrays(
        kind, rng.normal(0, 20, (n, 3)), turns(rng, n), radius, bounds, zeros, np.zeros(n), zeros,
        np.zeros((n, 2, 2)), np.zeros((n, 2)),
    )  # fmt: skip


@pytest.fixture
def ids(surfaces: SurfaceArrays) -> np.ndarray:
    return np.arange(len(surfaces.kind))


@pytest.fixture
def local(surfaces: SurfaceArrays) -> np.ndarray:
    """A point on each, less than half a turn from u for cylinders."""
    rng = np.random.default_rng(2)
    reach = np.where(surfaces.kind == CYLINDER, np.pi * surfaces.radius, 50.0)
    return np.stack((rng.uniform(-0.99, 0.99, len(reach)) * reach, rng.uniform(-50, 50, len(reach))), axis=1)


def one(kind: int, radius: float = 0.0, bounds: tuple[float, ...] = (-1, 1, -1, 1)) -> SurfaceArrays:
    """One surface at the origin in the frame of the world."""
    zero = np.zeros(1, dtype=np.int64)
    return SurfaceArrays(
        np.array([kind]), np.zeros((1, 3)), np.eye(3)[None], np.array([radius]), np.array([bounds], dtype=float), zero,
        np.zeros(1), zero, np.zeros((1, 2, 2)), np.zeros((1, 2)),
    )  # fmt: skip


FIRST = np.zeros(1, dtype=np.int64)


def test_local_to_global_and_back(surfaces, ids, local):
    points = geometry.to_global(surfaces, ids, local)
    assert np.allclose(geometry.to_local(surfaces, ids, points), local, rtol=0, atol=1e-11)
    assert np.allclose(geometry.distance(surfaces, ids, points), 0, atol=1e-12)


def test_distance_grows_along_the_normal_and_leaves_local_coordinates_alone(surfaces, ids, local):
    points = geometry.to_global(surfaces, ids, local)
    normal = geometry.normal(surfaces, ids, points)
    assert np.allclose(np.sum(normal**2, axis=1), 1, rtol=1e-14)
    for height in (2.5, -1.5):
        off = points + height * normal
        assert np.allclose(geometry.distance(surfaces, ids, off), height, atol=1e-11)
        assert np.allclose(geometry.to_local(surfaces, ids, off), local, rtol=0, atol=1e-10)


def test_straight_lines_arrive_on_the_surface(surfaces, ids, local):
    rng = np.random.default_rng(3)
    there = geometry.to_global(surfaces, ids, local)
    start = there + rng.normal(0, 30, there.shape)
    length = np.linalg.norm(there - start, axis=1)
    direction = (there - start) / length[:, None]
    path = geometry.intersect_line(surfaces, ids, start, direction)
    assert np.all(path <= length * (1 + 1e-12)), "the aim is met, or another crossing comes first"
    arrived = start + path[:, None] * direction
    assert np.allclose(geometry.distance(surfaces, ids, arrived), 0, atol=1e-11)
    flat = surfaces.kind != CYLINDER
    assert np.allclose(path[flat], length[flat], rtol=1e-12)


def test_first_crossing_behind_minimum_is_taken():
    cylinder, x, t = one(CYLINDER, 5.0), np.array([[-20.0, 3.0, 0.0]]), np.array([[1.0, 0, 0]])
    assert geometry.intersect_line(cylinder, FIRST, x, t)[0] == pytest.approx(16, rel=1e-15)
    assert geometry.intersect_line(cylinder, FIRST, x, t, minimum=17)[0] == pytest.approx(24, rel=1e-15)
    assert geometry.intersect_line(cylinder, FIRST, x, t, minimum=25)[0] == np.inf
    assert geometry.intersect_line(cylinder, FIRST, x, -t)[0] == np.inf, "both crossings lie behind"
    assert geometry.intersect_line(cylinder, FIRST, x, -t, minimum=-np.inf)[0] == pytest.approx(-24, rel=1e-15)


def test_tangent_line_touches_and_the_next_one_misses():
    cylinder, t = one(CYLINDER, 5.0), np.array([[1.0, 0, 0]])
    for height, expected in ((5.0, 20.0), (np.nextafter(5.0, 6), np.inf)):
        x = np.array([[-20.0, height, 0.0]])
        assert geometry.intersect_line(cylinder, FIRST, x, t)[0] == expected
    near = geometry.intersect_line(cylinder, FIRST, np.array([[-20.0, 5 * (1 - 1e-12), 0.0]]), t)[0]
    assert 20 - near == pytest.approx(5 * np.sqrt(2e-12), rel=1e-4), "half a chord, not rounding"


def test_line_along_the_axis_or_in_the_plane_crosses_nothing():
    x = np.array([[1.0, 0, -3.0]])
    assert geometry.intersect_line(one(CYLINDER, 5.0), FIRST, x, np.array([[0, 0, 1.0]]))[0] == np.inf
    assert geometry.intersect_line(one(PLANE), FIRST, x, np.array([[1.0, 0, 0]]))[0] == np.inf


def test_nothing_changes_when_the_world_is_turned(surfaces, ids, local):
    rng = np.random.default_rng(4)
    turn = turns(rng, 1)[0]
    turned = surfaces._replace(center=surfaces.center @ turn.T, axes=surfaces.axes @ turn.T)
    points = geometry.to_global(surfaces, ids, local)
    start, direction = points + rng.normal(0, 9, points.shape), turns(rng, len(ids))[:, 0]
    path = geometry.intersect_line(surfaces, ids, start, direction)
    assert np.allclose(geometry.to_global(turned, ids, local), points @ turn.T, atol=1e-11)
    assert np.allclose(geometry.to_local(turned, ids, points @ turn.T), local, atol=1e-10)
    assert np.allclose(geometry.intersect_line(turned, ids, start @ turn.T, direction @ turn.T), path, rtol=1e-9)
    assert np.array_equal(np.isfinite(path), path < np.inf)
    assert 0 < np.isinf(path).sum() < len(path), "some lines miss, some meet"


def test_local_x_of_a_cylinder_jumps_only_opposite_of_u():
    cylinder = one(CYLINDER, 10.0)
    phi = np.linspace(-np.pi, np.pi, 9)[1:]
    points = np.stack((10 * np.cos(phi), 10 * np.sin(phi), np.full(8, 2.0)), axis=1)
    found = geometry.to_local(cylinder, np.zeros(8, dtype=np.int64), points)
    assert np.allclose(found[:, 0], 10 * phi, rtol=1e-14)
    assert np.all(found[:, 1] == 2)


@pytest.mark.parametrize("kind", [PLANE, CYLINDER])
def test_margin_widens_or_narrows_rectangles(kind):
    surface = one(kind, 5.0, (-2, 3, -1, 4))
    rows = np.array([[3.0, 4.0], [3.05, 0.0], [0.0, -1.05], [-2.0, -1.0]])
    ids = np.zeros(4, dtype=np.int64)
    assert geometry.inside(surface, ids, rows).tolist() == [True, False, False, True]
    assert geometry.inside(surface, ids, rows, margin=0.1).all()
    assert not geometry.inside(surface, ids, rows, margin=-0.1).any()


def test_discs_are_bounded_by_radii():
    rows = np.array([[3.0, 4.0], [0.0, 1.9], [-6.0, 6.1], [-2.0, 0.0]])
    ids = np.zeros(4, dtype=np.int64)
    disc = one(DISC, 0.0, (2, 8.5, 0, 0))
    assert geometry.inside(disc, ids, rows).tolist() == [True, False, False, True]
    assert geometry.inside(disc, ids, rows, margin=0.2).all()
    assert geometry.inside(disc, ids, rows, margin=-0.2).tolist() == [True, False, False, False]
