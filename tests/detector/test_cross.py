"""Discs with a dead cross between their quadrants, and planes that are not centred: bounds, compiled twins, faults."""

from pathlib import Path

import numpy as np
import pytest
from tests.detector.test_cones import HEAD

from muonkit.core.compiled import compiled
from muonkit.core.errors import InputError
from muonkit.detector.detector import build, read_description
from muonkit.detector.surfaces import inside, to_global
from muonkit.muid.swim.kernels.swim import on_sensor
from muonkit.simulation.kernels import geometry

LAYERS = """
[[layers]]
name = "disc"
shape = "disc"
z = 10
r = [20, 50]
cross = [5]
resolution = [1, 1]

[[layers]]
name = "plane"
shape = "plane"
distance = 30
across = [-10, 4]
span = [-20, 20]
resolution = [1, 1]
"""


def made(text):
    return build(read_description((HEAD + text).encode(), "shapes.toml"), Path("shapes.toml"))


DETECTOR = made(LAYERS)
S = DETECTOR.surfaces


@pytest.mark.parametrize(
    ("surface", "point", "expected"),
    [
        (0, (30, 5.1), True), (0, (30, 4.9), False), (0, (-4.9, -30), False), (0, (-5.1, -30), True),
        (0, (14, 14), False), (0, (15, 15), True), (0, (36, 36), False),
        (1, (-9.9, 0), True), (1, (4.1, 0), False), (1, (-10.1, 0), False),
    ],
)  # fmt: skip
def test_points_are_in_the_bounds(surface, point, expected):
    assert inside(S, np.array([surface]), np.array([point], dtype=float))[0] == expected


def test_a_margin_narrows_the_cross_and_a_negative_one_widens_it():
    points, disc = np.array([[30, 4.5], [30, 5.5]]), np.zeros(2, dtype=np.int64)
    assert inside(S, disc, points, 1.0).tolist() == [True, True]
    assert inside(S, disc, points, -1.0).tolist() == [False, False]


@compiled
def compiled_inside(S, surface, local, points, out):
    y = np.zeros(7)
    for i in range(len(points)):
        y[:3] = points[i]
        out[i, 0] = geometry.within(S, surface, y)
        out[i, 1] = on_sensor(S, surface, local[i, 0], local[i, 1])


@pytest.mark.parametrize("surface", [0, 1])
def test_simulation_and_extrapolation_agree(surface):
    local = np.random.default_rng(1).uniform(-60, 60, (5000, 2))
    found, ids = np.zeros((5000, 2), dtype=np.bool_), np.full(5000, surface)
    compiled_inside(S, surface, local, to_global(S, ids, local), found)
    expected = inside(S, ids, local)
    assert expected.any()
    for one in found.T:
        assert np.array_equal(one, expected)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("cross = [5]", "cross = [40]", "leaves nothing of a disc of 50 cm"),
        ("cross = [5]", "cross = [-1]", "greater than or equal to 0"),
        ("across = [-10, 4]", "", "give either half_width or across"),
        ("across = [-10, 4]", "across = [-10, 4]\nhalf_width = 3", "give either half_width or across"),
        ("across = [-10, 4]", "across = [[-10, 4], [-4, 10], [0, 1]]\ndistance = [1, 2]", ""),
    ],
)
def test_faults_are_told(old, new, said):
    text = LAYERS.replace(old, new)
    if "distance = [1, 2]" in text:
        text = text.replace("distance = 30\n", "")
        said = "3 copies"
    with pytest.raises(InputError) as caught:
        made(text)
    assert any(said in fault for fault in caught.value.faults), caught.value.faults
