"""Layers of modules: where their planes stand, that they leave no crack, and that the index finds what is there."""

from pathlib import Path

import numpy as np
import pytest

from muonkit.core.errors import InputError
from muonkit.detector import surfaces as geometry
from muonkit.detector.detector import Detector, directions, load_detector, meetings
from muonkit.detector.distort import Misalign, Scatter, distorted, misalign, restored
from muonkit.detector.kernels.modules import candidates_of_all
from muonkit.detector.modules import corners

HEAD = """
schema = 1
name = "mine"
title = "Modules"
envelope = { r = 110, z = [-150, 150] }
[field]
kind = "uniform"
B = [0, 0, 2]
"""
BARREL = """
[[layers]]
name = "B"
shape = "barrel"
radius = [20, 50]
z = [-40, 40]
ladders = [12, 30]
modules = 5
material = "silicon"
thickness_um = 500
resolution_um = 20
stereo_mrad = [100, 0]
"""
ENDCAP = """
[[layers]]
name = "E"
shape = "endcap"
z = [60, 90]
both_sides = true
rings = [[20, 40, 16], [40, 70, 24]]
stereo_rings = 2
stereo_mrad = 50
resolution_um = 30
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("modules")


def load(folder: Path, *layers: str) -> Detector:
    path = folder / "mine.toml"
    path.write_text(HEAD + "".join(layers))
    return load_detector(path)


@pytest.mark.parametrize("layer", ["TIB/1", "TOB/2", "TID/fwd/1", "TEC/bwd/2", "TEC/fwd/7"])
def test_no_partner_stands_in_the_plane_of_a_neighbour(layer: str) -> None:
    """Where planes coincide and overlap, one of the two hits of a track is lost."""
    tracker = load_detector("cms_like_tracker")
    rows = np.array([name.startswith(f"{layer}/") for name in tracker.layers])
    stereo = np.array([name.endswith("stereo") for name in tracker.layers])
    center = tracker.surfaces.center
    depth = np.hypot(*center[:, :2].T) if layer.startswith(("TIB", "TOB")) else center[:, 2]
    apart = np.abs(depth[rows & stereo][:, None] - depth[rows & ~stereo])
    assert apart.min() > 0.05


def test_partners_in_the_planes_of_neighbours_are_refused(folder: Path) -> None:
    with pytest.raises(InputError, match=r"gap: partners .* stand where neighbours do"):
        load(folder, BARREL + "gap = 0.2\n")


@pytest.fixture(scope="module")
def mine(folder: Path) -> Detector:
    return load(folder, BARREL, ENDCAP)


@pytest.fixture(scope="module")
def tracker() -> Detector:
    return load_detector("cms_like_tracker")


def lines(n: int, eta: float, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return directions(rng.uniform(-eta, eta, n), rng.uniform(-np.pi, np.pi, n))


def test_names_say_layer_ladder_or_ring_module_and_partner(mine):
    assert mine.layers[0] == "B/1/ladder 1/module 1/mono"
    assert mine.layers[1] == "B/1/ladder 1/module 1/stereo"
    assert "B/2/ladder 30/module 5" in mine.layers
    assert "E/fwd/1/ring 1/module 16" in mine.layers
    assert "E/bwd/2/ring 2/module 24/stereo" in mine.layers
    assert len(mine.layers) == 2 * 12 * 5 + 30 * 5 + 4 * (16 + 2 * 24)
    assert mine.layer_of.max() == 5


def test_frames_are_orthonormal_and_point_along_phi(tracker):
    axes, center = tracker.surfaces.axes[tracker.layer_of >= 0], tracker.surfaces.center[tracker.layer_of >= 0]
    assert np.allclose(axes @ axes.transpose(0, 2, 1), np.eye(3), atol=1e-14)
    assert np.allclose(np.linalg.det(axes), 1)
    around = np.column_stack((-center[:, 1], center[:, 0])) / np.hypot(center[:, 0], center[:, 1])[:, None]
    assert np.allclose(axes[:, 0, :2], around)


def test_a_partner_stands_behind_and_its_strips_are_turned(mine):
    surfaces = mine.surfaces
    mono, stereo = (mine.layers.index(f"B/1/ladder 3/module 2/{one}") for one in ("mono", "stereo"))
    assert surfaces.center[stereo] - surfaces.center[mono] == pytest.approx(0.1 * surfaces.axes[mono, 2])
    assert surfaces.projection[mono, 0] == pytest.approx([1, 0])
    assert surfaces.projection[stereo, 0] == pytest.approx([np.cos(0.1), np.sin(0.1)])
    alone = mine.layers.index("B/2/ladder 1/module 1")
    assert surfaces.thickness[[mono, stereo, alone]] == pytest.approx([0.025, 0.025, 0.05]), "they share the matter"


@pytest.mark.parametrize("tilt", [0, 20, -35])
def test_lines_from_the_origin_cross_every_barrel_layer(folder, tilt):
    there = load(folder, BARREL.replace("modules = 5", f"modules = 5\noverlap = 0\ntilt_deg = {tilt}"))
    inside = lines(20_000, 0.6)
    met = meetings(there, inside)
    for group, projections in ((0, 2), (1, 1)):
        chosen = there.layer_of[met.surface] == group
        assert np.bincount(met.line[chosen], minlength=len(inside)).min() >= projections


def test_lines_from_the_origin_cross_every_ring(folder):
    there = load(folder, ENDCAP.replace("both_sides", "overlap = 0\nboth_sides"))
    rng = np.random.default_rng(2)
    theta, phi = np.arctan2(rng.uniform(21, 45, 20_000), 60), rng.uniform(-np.pi, np.pi, 20_000)
    inside = directions(np.arcsinh(1 / np.tan(theta)), phi)
    met = meetings(there, inside)
    for group in (0, 2):
        chosen = there.layer_of[met.surface] == group
        assert np.bincount(met.line[chosen], minlength=len(inside)).min() >= 1, "fwd/1 and fwd/2"


def test_a_negative_overlap_leaves_cracks(folder):
    there = load(folder, BARREL.replace("modules = 5", "modules = 5\noverlap = -0.5"))
    met = meetings(there, lines(2000, 0.7))
    assert np.bincount(met.line[there.layer_of[met.surface] == 1], minlength=2000).min() == 0


def test_tracker_has_no_crack_in_its_barrel(tracker):
    inside = lines(20_000, 1.2)
    met = meetings(tracker, inside)
    cot = np.abs(inside[:, 2]) / np.hypot(inside[:, 0], inside[:, 1])
    barrels = np.flatnonzero(~tracker.modules.radial)
    assert len(barrels) == 13
    for group in barrels:
        _, r_max, _, z_max = tracker.modules.shell[group]
        count = np.bincount(met.line[tracker.layer_of[met.surface] == group], minlength=len(inside))
        assert count[cot < z_max / r_max].min() >= 1


@pytest.mark.parametrize("moved", [False, True])
def test_the_index_finds_what_a_search_through_all_modules_finds(mine, moved):
    """Pieces of tracks from anywhere to anywhere; also when modules have moved."""
    there = misalign(mine, "*", (1, -0.5, 0.3), (0.01, 0.05, -0.03)) if moved else mine
    rng = np.random.default_rng(3)
    a = rng.uniform([-80, -80, -100], [80, 80, 100], (400, 3))
    b = a + rng.normal(0, 25, (400, 3))
    offsets, found = candidates_of_all(there.modules, a, b, 1e-9)
    along, n = (b - a) / np.linalg.norm(b - a, axis=1)[:, None], len(there.layers)
    ids, row = np.tile(np.arange(n), len(a)), np.repeat(np.arange(len(a)), n)
    path = geometry.intersect_line(there.surfaces, ids, a[row], along[row])
    met = path < np.linalg.norm(b - a, axis=1)[row]
    point = a[row] + np.where(met, path, 0.0)[:, None] * along[row]
    met &= geometry.inside(there.surfaces, ids, geometry.to_local(there.surfaces, ids, point))
    assert met.sum() > 150
    candidates = {*zip(np.repeat(np.arange(len(a)), np.diff(offsets)).tolist(), found.tolist(), strict=True)}
    assert {*zip(row[met].tolist(), ids[met].tolist(), strict=True)} <= candidates
    assert len(candidates) == len(found), "every module once"
    assert len(found) < 30 * len(a), "and not many that are not met"


def test_a_curved_piece_is_found_within_its_pad(mine):
    """A module 1 cm beside the chord."""
    i = mine.layers.index("B/2/ladder 1/module 3")
    corner = corners(*(getattr(mine.surfaces, name)[[i]] for name in ("kind", "center", "axes", "bounds")))[0]
    beside = corner.mean(axis=0)
    beside[1] = np.abs(corner[:, 1]).max() + 0.9
    along_x = np.array([1.0, 0, 0])
    a, b = (beside - along_x)[None], (beside + along_x)[None]
    assert i in candidates_of_all(mine.modules, a, b, 1.0)[1]


def test_derivatives_by_displacement_are_those_of_the_knob(mine):
    ids = np.array([mine.layers.index(name) for name in ("B/1/ladder 5/module 2/mono", "E/bwd/1/ring 1/module 7")])
    start, n = np.zeros((2, 3)), np.arange(2)
    aim = mine.surfaces.center[ids] + np.array([[1, 2, 3], [3, -2, 0]])
    along = aim / np.linalg.norm(aim, axis=1)[:, None]

    def crossing(there: Detector) -> np.ndarray:
        path = geometry.intersect_line(there.surfaces, ids, start, along)
        return geometry.to_local(there.surfaces, ids, start + path[:, None] * along)

    derivative = geometry.by_displacement(mine.surfaces, ids, crossing(mine), along)
    for k in range(6):
        step = 1e-4 * np.eye(6)[k]
        up, down = (misalign(mine, "*", tuple(s * step[:3]), tuple(s * step[3:])) for s in (1, -1))
        assert derivative[n, :, k] == pytest.approx((crossing(up) - crossing(down)) / 2e-4, abs=1e-6)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("ladders = [12, 30]", "ladders = [12, 5]", "ladders: 5 do not close"),
        ("ladders = [12, 30]", "ladders = [12, 31]", "ladders: 31 is odd"),
        ("ladders = [12, 30]", "ladders = [12, 30, 40]", "2 values for 3 copies; give one"),
        ("modules = 5", "modules = 0", "modules: Input should be greater"),
        ("modules = 5", "modules = 5\noverlap = -30", "overlap: -30 cm leaves nothing"),
        ("modules = 5", "modules = 5\nstagger = 30", "stagger: 30 cm moves"),
        ("modules = 5", "modules = 5\ntilt_deg = 80", "tilt_deg: Input should be less"),
        ("modules = 5", "modules = 5\nlength = 3", "length"),
        ("modules = 5", "modules = 10000", "more than 100000"),
        ("radius = [20, 50]", "radius = [20, 109.9]", "outside of the envelope"),
    ],
)
def test_faults_of_a_barrel_are_one_line_each(folder, old, new, fault):
    with pytest.raises(InputError, match=fault) as raised:
        load(folder, BARREL.replace(old, new))
    assert len(raised.value.faults) == 1


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("[20, 40, 16]", "[40, 20, 16]", "ring 1 ends at 20 cm"),
        ("[20, 40, 16]", "[20, 40, 4]", "4 petals do not close"),
        ("[20, 40, 16]", "[20, 40, 17]", "17 is odd"),
        ("[20, 40, 16]", "[20, 40]", "rings"),
        ("stereo_rings = 2", "stereo_rings = 3", "there is no ring 3"),
        ("stereo_mrad = 50", "", "partners need an angle"),
        ('name = "E"', 'name = "E/{sector:d}"', "to be written so"),
        ('name = "E"', 'name = "E"\nmaterial = "cheese"\nx0 = 1', "cheese"),
    ],
)
def test_faults_of_an_endcap_are_one_line_each(folder, old, new, fault):
    with pytest.raises(InputError, match=fault) as raised:
        load(folder, ENDCAP.replace(old, new))
    assert len(raised.value.faults) == 1


def test_tracker_has_modules_with_the_matter_of_its_layers(tracker):
    """Outside of overlaps, each layer counted once: within 10 % of `cms_like_layers` at every eta."""
    assert (tracker.surfaces.n_measured[tracker.layer_of >= 0] > 0).sum() > 5000
    whole, eta = load_detector("cms_like_layers"), np.linspace(-2.4, 2.4, 25)
    rng = np.random.default_rng(4)
    slants = [directions(eta, rng.uniform(-np.pi, np.pi, len(eta))) for _ in range(30)]
    ours = [once_per_layer(tracker, one) for one in slants]
    theirs = [once_per_layer(whole, one) for one in slants]
    assert np.median(ours, axis=0) == pytest.approx(np.median(theirs, axis=0), rel=0.1)


def once_per_layer(detector: Detector, along: np.ndarray) -> np.ndarray:
    """x/X0 (n,) on lines, that of a layer of modules averaged over those that are crossed; partners count together."""
    S, met = detector.surfaces, meetings(detector, along)
    X0 = np.array([material.X0 for material in detector.materials])
    cosine = np.abs(np.sum(geometry.normal(S, met.surface, met.point) * along[met.line], axis=1))
    slant = S.thickness[met.surface] / X0[S.material[met.surface]] / cosine
    stereo = np.abs(S.projection[:, 0, 1]) > 0.01
    groups = detector.layer_of if len(detector.layer_of) else np.full(len(S.kind), -1)
    layer = np.where(groups < 0, groups.max() + 1 + np.arange(len(S.kind)), groups)
    key = (met.line * 2 * len(S.kind) * 2 + 2 * layer[met.surface]) + stereo[met.surface]
    _, inverse, count = np.unique(key, return_inverse=True, return_counts=True)
    return np.bincount(met.line, weights=slant / count[inverse], minlength=len(along))


# ---------------------------------------------------------------------------------------------------- Misalignment
def shifts(detector: Detector, *knobs: Misalign | Scatter) -> np.ndarray:
    return distorted(detector, knobs).surfaces.center - detector.surfaces.center


def named(detector: Detector, beginning: str) -> np.ndarray:
    return np.array([name.startswith(beginning) for name in detector.layers])


def test_modules_ladders_layers_and_halves_move_alone(mine):
    up = (0.0, 0.01, 0.0)  # along v of a module of the barrel, which is z
    for name in ("B/1/ladder 3/module 2/mono", "B/1/ladder 3/", "B/2/", "E/bwd/"):
        moved = np.abs(shifts(mine, Misalign(layers=(f"{name}*",), translation=up))).max(axis=1) > 0
        assert np.array_equal(moved, named(mine, name))
    for k, half in enumerate(("x+", "y-", "z+")):
        moved = np.abs(shifts(mine, Misalign(layers=("B/*",), half=half, translation=up))).max(axis=1) > 0
        side = (mine.surfaces.center[:, k] > 0) == (half[1] == "+")
        clear = np.abs(mine.surfaces.center[:, k]) > 1e-9
        assert np.array_equal(moved[clear], (named(mine, "B/") & side)[clear])


def test_a_ladder_turns_as_one_body_about_its_middle(mine):
    knob = Misalign(layers=("B/2/ladder 7/*",), rotation=(0, 0, 0.01), translation=(0, 0, 0.1), frame="ladder")
    there, shift = named(mine, "B/2/ladder 7/"), shifts(mine, knob)
    axes = mine.surfaces.axes[there][0]
    inside = shift[there] @ axes.T
    z = mine.surfaces.center[there, 2]
    assert inside[:, 0] == pytest.approx(-0.01 * z, rel=1e-3, abs=1e-9), "turned around w"
    assert inside[:, 2] == pytest.approx(np.full(5, 0.1)), "and away from the beam"


@pytest.mark.parametrize(
    "knob",
    [
        Misalign(layers=("B/*", "E/fwd/1/*"), translation=(0.1, 0.2, 0.3), rotation=(0.01, 0.02, 0.03), frame="ladder"),
        Misalign(layers=("*",), half="x-", translation=(0.3, 0, 0), rotation=(0, 0, 0.01), frame="global"),
        Scatter(layers=("*",), translation=(0.1, 0.1, 0.1), rotation=(1e-3, 1e-3, 1e-3), each="ladder"),
        Scatter(layers=("*",), translation=(0.1, 0.1, 0.1), rotation=(1e-3, 1e-3, 1e-3), each="layer"),
        Scatter(layers=("*",), half="y+", translation=(0.1, 0.1, 0.1), rotation=(1e-3, 1e-3, 1e-3)),
    ],
)
def test_bodies_move_and_come_back(mine, knob):
    moved = distorted(mine, [knob])
    assert np.abs(moved.surfaces.center - mine.surfaces.center).max() > 0.05
    back = restored(moved, [knob]).surfaces
    assert np.allclose(back.center, mine.surfaces.center, rtol=0, atol=1e-11)
    assert np.allclose(back.axes, mine.surfaces.axes, rtol=0, atol=1e-13)
    axes = moved.surfaces.axes
    assert np.allclose(axes @ axes.transpose(0, 2, 1), np.eye(3), atol=1e-13)


def test_scattered_ladders_and_layers_are_rigid(mine):
    for each, body, other in (("ladder", "B/1/ladder 2/", "B/1/ladder 3/"), ("layer", "E/bwd/2/", "B/1/")):
        moved = distorted(mine, [Scatter(layers=("*",), translation=(0.1, 0.1, 0.1), each=each)])
        shift = moved.surfaces.center - mine.surfaces.center
        assert np.allclose(shift[named(mine, body)], shift[named(mine, body)][0], atol=1e-12)
        assert not np.allclose(shift[named(mine, body)][0], shift[named(mine, other)][0], atol=1e-3)


def test_names_that_fit_nothing_are_refused(mine):
    with pytest.raises(InputError, match=r"no name fits 'B/1/ladder 13/\*'; did you mean 'B/1'"):
        distorted(mine, [Misalign(layers=("B/2/*", "B/1/ladder 13/*"))])
    with pytest.raises(InputError, match=r"half: none of E/fwd/\* is at z-"):
        distorted(mine, [Misalign(layers=("E/fwd/*",), half="z-")])
