"""Volumes between cones, and boxes in front of the sides of a polygon: crossings by formula and by kernels against
points strewn along lines, and the faults that descriptions of them may have."""

from pathlib import Path

import numpy as np
import pytest

from muonkit.core.compiled import compiled
from muonkit.core.errors import InputError
from muonkit.detector.detector import build, read_description
from muonkit.detector.kernels import places
from muonkit.detector.volumes import NOWHERE, locate, path_lengths
from muonkit.simulation.kernels import geometry, walls
from muonkit.transport.kernels import volumes as transport

HEAD = """
schema = 1
name = "shapes"
title = "Shapes"
envelope = { r = 100, z = [-100, 100] }
field = { kind = "uniform", B = [0, 0, 0] }
"""
SHAPES = """
[[volumes]]
name = "hollow"
shape = "cones"
z0 = 3
rho = [20, 30]
rho_end = [35, 36]
z = [-20, 20]
material = "iron"

[[volumes]]
name = "steep"
shape = "cones"
rho = [[0, 30], [10, 11]]
rho_end = [[0, 5], [2, 12]]
z = [[40, 45], [46, 60]]
material = "aluminium"

[[volumes]]
name = "boxes"
shape = "polygon"
sides = 8
phi0_deg = 10
half_width = 9
rho = [45, 60]
z = [-30, 30]
material = "copper"

[[volumes]]
name = "boxes between them"
shape = "polygon"
sides = 8
phi0_deg = 32.5
half_width = 8
rho = [46, 70]
z = [-30, 0]
material = "iron"
"""


def made(text):
    return build(read_description(text.encode(), "shapes.toml"), Path("shapes.toml"))


SHAPED = made(HEAD + SHAPES)
V, STEP = SHAPED.volumes, 0.01


def rays(seed, n=120):
    rng = np.random.default_rng(seed)
    start, aim = rng.uniform(-60, 60, (n, 3)), rng.uniform((-30, -30, -35), (30, 30, 60), (n, 3))
    return start, (aim - start) / np.linalg.norm(aim - start, axis=1)[:, None]


def strewn(start, along, length=150.0):
    """Material (n, k) every STEP along lines."""
    steps = (np.arange(round(length / STEP)) + 0.5) * STEP
    points = start[:, None] + steps[:, None] * along[:, None]
    block, _ = locate(V, points.reshape(-1, 3))
    return block.reshape(points.shape[:2])


def test_a_cone_is_as_wide_as_its_walls_at_every_z():
    for z, inner, outer in ((-17, 20, 30), (3, 27.5, 33), (22.999, 35, 36)):
        for r, there in ((inner - 1e-2, False), (inner + 1e-2, True), (outer - 1e-2, True), (outer + 1e-2, False)):
            assert (locate(V, np.array([[0.6 * r, -0.8 * r, z]]))[0][0] == 0) == there


def test_path_lengths_are_those_of_points_strewn_along_the_line():
    start, along = rays(1)
    found = path_lengths(V, start, along, np.full(len(start), 150.0), len(SHAPED.materials))
    block = strewn(start, along)
    material = np.where(block == NOWHERE, 0, V.material[np.maximum(block, 0)])
    for m in range(1, len(SHAPED.materials)):
        assert found[:, m] == pytest.approx(STEP * np.sum(material == m, axis=1), abs=0.06)
        assert found[:, m].max() > 5, "the lines meet it"


@compiled
def block_at(V, points):
    return [places.locate(V, p[0], p[1], p[2], -1)[0] for p in points]


def test_kernels_find_the_same_block():
    points = np.random.default_rng(2).uniform(-65, 65, (20_000, 3))
    assert np.array_equal(block_at(V, points), locate(V, points)[0])


@compiled
def walk(V, y, length, simulation, nearest):
    """Faces along a straight line by the transport, in steps of at most `nearest`, or by walls of the simulation: path
    (k,), blocks (k,)."""
    k, paths, blocks, gone = np.zeros(3), [0.0], [-2], 0.0
    while gone < length:
        block, part = places.locate(V, y[0], y[1], y[2], -1)
        if block != blocks[-1]:
            paths.append(gone)
            blocks.append(block)
        h = walls.ahead(V, block, part, y) if simulation else transport.to_face(V, block, part, y, k, 1.0, nearest)
        h = min(h, length) + 1e-9
        for c in range(3):
            y[c] += h * y[3 + c]
        gone += h
    return paths, blocks


@pytest.mark.parametrize(("simulation", "nearest"), [(False, np.inf), (False, 7.0), (True, np.inf)])
def test_walks_from_face_to_face_miss_nothing(simulation, nearest):
    start, along = rays(3)
    block = strewn(start, along)
    for i in range(len(start)):
        paths, found = walk(V, np.concatenate((start[i], along[i], np.zeros(6))), 150.0, simulation, nearest)
        reached = np.searchsorted(paths, (np.arange(block.shape[1]) + 0.5) * STEP) - 1
        wrong = np.asarray(found)[reached] != block[i]
        assert STEP * wrong.sum() < (0.06 * len(found) if simulation else STEP * 3)


@compiled
def rooms(V, points, y, out):
    for i in range(len(points)):
        y[:3] = points[i]
        block, part = places.locate(V, y[0], y[1], y[2], -1)
        out[i] = geometry.room(V, block, part, y)


def test_nothing_is_nearer_than_the_room_says():
    rng = np.random.default_rng(4)
    points, room = rng.uniform(-65, 65, (3000, 3)), np.zeros(3000)
    rooms(V, points, np.zeros(12), room)
    here = locate(V, points)[0]
    assert np.all(room >= 0)
    for _ in range(50):
        away = rng.normal(size=points.shape)
        away *= (0.999 * room / np.linalg.norm(away, axis=1))[:, None]
        assert np.array_equal(locate(V, points + away)[0], here)
    assert np.median(room[here >= 0]) > 0.5, "and it is not much too small"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("rho_end = [35, 36]\n", "", "cones need rho_end"),
        ("rho_end = [35, 36]", "rho_end = [-1, 36]", "must not be negative"),
        ("rho_end = [35, 36]", "rho_end = [36, 36]", "must rise"),
        ("half_width = 9", "half_width = 30", "sides reach 18.6396 cm"),
        ("half_width = 9", "half_width = 12", 'volumes "boxes" and "boxes between them" overlap'),
        ("rho_end = [35, 36]", "rho_end = [35, 50]", 'volumes "hollow" and "boxes" overlap'),
        ("rho_end = [35, 36]", "rho_end = [35, 101]", "outside of the envelope"),
        ("rho_end = [[0, 5], [2, 12]]", "rho_end = [[0, 5], [2, 12], [3, 4]]", "give one, or equally many"),
    ],
)
def test_faults_are_told(old, new, said):
    assert old in SHAPES
    with pytest.raises(InputError) as caught:
        made(HEAD + SHAPES.replace(old, new))
    assert any(said in fault for fault in caught.value.faults), caught.value.faults
