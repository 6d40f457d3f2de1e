"""Volumes: which slice holds a point, and how much of each material a straight line passes."""

import numpy as np
import pytest

from muonkit.detector.volumes import NOWHERE, RHO, VolumeArrays, Z, bounding, locate, material_at, path_lengths, rho

IRON, AIR = 1, 2


@pytest.fixture(scope="module")
def volumes() -> VolumeArrays:
    """A round sandwich along rho around z' = 0, an octagon around it, and a round sandwich along z behind both."""
    return VolumeArrays(
        sides=np.array([0, 8, 0]),
        phi0=np.array([0.0, 0.3, 0.0]),
        z0=np.array([5.0, 5.0, 0.0]),
        axis=np.array([RHO, RHO, Z]),
        rho_min=np.array([10.0, 40.0, 0.0]),
        rho_max=np.array([30.0, 60.0, 50.0]),
        lean_min=np.zeros(3),
        lean_max=np.zeros(3),
        half_width=np.full(3, np.inf),
        hole=np.array([10.0, 40.0, 0.0]),
        reach=np.array([30.0, bounding(8, 40.0, 60.0)[1], 50.0]),
        z_min=np.array([-20.0, -20.0, 30.0]),
        z_max=np.array([20.0, 20.0, 45.0]),
        first=np.array([0, 3, 4]),
        count=np.array([3, 1, 2]),
        edges=np.array([10.0, 15.0, 25.0, 30.0, 40.0, 60.0, 30.0, 31.0, 45.0]),
        material=np.array([IRON, AIR, IRON, IRON, AIR, IRON]),
    )


def through(volumes: VolumeArrays, start: list[float], direction: list[float], length: float = 1e3) -> np.ndarray:
    along = np.array([direction]) / np.linalg.norm(direction)
    return path_lengths(volumes, np.array([start]), along, np.array([length]), 3)[0]


def test_points_are_found_in_their_slice(volumes):
    points = np.array([[12.0, 0, 5], [0, -20, -14.9], [26, 0, 24.9], [26, 0, 25.1], [5, 0, 30.5], [0, 0, 5]])
    block, index = locate(volumes, points)
    assert block.tolist() == [0, 0, 0, NOWHERE, 2, NOWHERE]
    assert index.tolist() == [0, 1, 2, NOWHERE, 0, NOWHERE]
    assert material_at(volumes, points).tolist() == [IRON, AIR, IRON, 0, AIR, 0]


def test_a_point_on_an_edge_belongs_to_the_slice_it_opens(volumes):
    points = np.array([[10.0, 0, 5], [15.0, 0, 5], [30.0, 0, 5], [12.0, 0, 25]])
    assert locate(volumes, points)[1].tolist() == [0, 1, NOWHERE, NOWHERE]


def test_octagon_reaches_its_radius_in_the_middle_of_a_side_and_more_at_a_corner(volumes):
    for phi, reach in ((0.3, 60.0), (0.3 + np.pi / 4, 60.0), (0.3 + np.pi / 8, 60 / np.cos(np.pi / 8))):
        for r, expected in ((reach - 1e-9, IRON), (reach + 1e-9, 0)):
            assert material_at(volumes, np.array([[r * np.cos(phi), r * np.sin(phi), 5.0]]))[0] == expected


def test_octagon_is_the_same_after_an_eighth_of_a_turn(volumes):
    rng = np.random.default_rng(1)
    points = rng.uniform(-60, 60, (500, 3))
    c = np.cos(np.pi / 4)
    turned = points @ np.array([[c, -c, 0], [c, c, 0], [0, 0, 1]]).T
    assert np.allclose(rho(volumes, 1, turned), rho(volumes, 1, points), rtol=1e-13)


def test_radial_line_passes_every_slice_once(volumes):
    found = through(volumes, [0, 0, 5], [np.cos(0.3), np.sin(0.3), 0])
    assert found == pytest.approx([0, 5 + 5 + 20, 10], abs=1e-12)


def test_line_through_the_middle_passes_everything_twice(volumes):
    found = through(volumes, [-100 * np.cos(0.3), -100 * np.sin(0.3), 5], [np.cos(0.3), np.sin(0.3), 0])
    assert found == pytest.approx([0, 60, 20], abs=1e-12)


def test_slanted_line_is_longer_by_its_cosine(volumes):
    slope = 0.2
    found = through(volumes, [0, 0, 5], [1, 0, slope], 31 * np.hypot(1, slope))
    assert found == pytest.approx(np.array([0, 10, 10]) * np.hypot(1, slope), rel=1e-12)


def test_line_along_z_passes_the_endcap_only(volumes):
    assert through(volumes, [1, 1, 0], [0, 0, 1]) == pytest.approx([0, 14, 1], abs=1e-12)
    assert through(volumes, [1, 1, 0], [0, 0, -1]) == pytest.approx([0, 0, 0], abs=1e-12)


def test_length_stops_the_count(volumes):
    assert through(volumes, [0, 0, 5], [1, 0, 0], 12.0) == pytest.approx([0, 2, 0], abs=1e-12)


def test_chord_outside_of_the_inner_circle(volumes):
    """Closer to the axis than the outer circle, farther than the inner edge of the outer slice."""
    found = through(volumes, [-29, 27, 5], [1, 0, 0], 58)
    assert found == pytest.approx([0, 2 * np.sqrt(30**2 - 27**2), 0], rel=1e-12)


def test_path_lengths_agree_with_points_strewn_along_the_line(volumes):
    rng = np.random.default_rng(2)
    start, aim = rng.uniform(-70, 70, (6, 3)), rng.uniform(-40, 40, (6, 3))
    direction = (aim - start) / np.linalg.norm(aim - start, axis=1)[:, None]
    length = np.full(6, 150.0)
    found = path_lengths(volumes, start, direction, length, 3)
    steps = (np.arange(60_000) + 0.5) / 60_000 * 150
    for i in range(6):
        material = material_at(volumes, start[i] + steps[:, None] * direction[i])
        strewn = np.bincount(material, minlength=3) / 400
        assert found[i, 1:] == pytest.approx(strewn[1:], abs=0.03)
    assert found[:, 1:].sum() > 50, "the lines meet something"


def test_no_volumes_are_vacuum():
    nothing = VolumeArrays(*(np.zeros(0, dtype=np.int64) for _ in VolumeArrays._fields))
    assert material_at(nothing, np.zeros((2, 3))).tolist() == [0, 0]
    assert path_lengths(nothing, np.zeros((1, 3)), np.eye(3)[:1], np.ones(1), 1).tolist() == [[0.0]]
