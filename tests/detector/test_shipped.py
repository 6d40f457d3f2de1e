"""The detectors that come with muonkit: what they say of themselves holds."""

from itertools import pairwise

import numpy as np
import pytest

from muonkit.detector.detector import (
    SHIPPED,
    Detector,
    directions,
    load_detector,
    material_budget,
    measured,
    shipped,
    to_envelope,
)
from muonkit.detector.surfaces import DISC, PLANE
from muonkit.detector.volumes import material_at, path_lengths

KLM_RADII = [203.95, *(212.9 + 9.1 * k for k in range(14))]


@pytest.fixture(scope="module")
def tracker() -> Detector:
    return load_detector("cms_like_layers")


@pytest.fixture(scope="module")
def belle2() -> Detector:
    return load_detector("belle2")


@pytest.mark.parametrize("name", shipped())
def test_shipped_detectors_load_and_say_that_they_are_alike(name):
    found = load_detector(name)
    assert found.name == name
    assert found.title not in ("CMS", "Belle II", "CMS tracker")
    assert found.materials[0].density == 0
    assert len(set(found.layers)) == len(found.layers)
    assert found.arrays().envelope.shape == (3,)
    assert found.distortions == ()


def test_every_shipped_description_is_a_detector_or_a_table_for_one():
    tables = {"materials", "klm_field"}
    assert {path.stem for path in SHIPPED.glob("*.toml")} == tables | set(shipped())


def test_telescope_has_twelve_planes_across_x():
    telescope = load_detector("telescope")
    surfaces = telescope.surfaces
    assert np.all(surfaces.kind == PLANE)
    assert surfaces.center[:, 0].tolist() == list(range(5, 65, 5))
    assert np.allclose(surfaces.axes[:, 2], [1, 0, 0])
    assert np.all(surfaces.n_measured == 2)
    assert measured(telescope, np.array([[1.0, 0, 0]])).tolist() == [12]
    assert not measured(telescope, np.array([[-1.0, 0, 0]])).any()


# -------------------------------------------------------------------------------------------------- CMS-like tracker
def test_tracker_is_crossed_in_13_to_17_sensors_at_every_eta(tracker):
    rng = np.random.default_rng(1)
    eta = np.linspace(-2.499, 2.499, 1000)
    hits = measured(tracker, directions(eta, rng.uniform(-np.pi, np.pi, 1000)))
    assert hits.min() >= 13
    assert hits.max() <= 17
    assert measured(tracker, directions(np.zeros(1)))[0] == 17


@pytest.mark.parametrize(
    ("eta", "expected"), [(0.0, 0.4), (1.0, 1.0), (1.4, 1.9), (1.5, 1.9), (1.6, 1.9), (2.0, 1.3), (2.5, 1.1)]
)
def test_material_of_the_tracker_is_that_of_the_reference(tracker, eta, expected):
    both = directions(np.array([eta, -eta]))
    total = sum(material_budget(tracker, both).values())
    assert total == pytest.approx(np.full(2, expected), rel=0.15)


def test_tracker_looks_the_same_from_both_sides_and_all_around(tracker):
    eta, phi = np.array([0.7, -0.7, 0.7, 2.2, -2.2]), np.array([0.1, 0.1, 2.9, -1.0, 3.1])
    lines = directions(eta, phi)
    total = sum(material_budget(tracker, lines).values())
    assert total[1:3] == pytest.approx(total[[0, 0]], rel=1e-12)
    assert total[4] == pytest.approx(total[3], rel=1e-12)
    hits = measured(tracker, lines)
    assert hits[0] == hits[1] == hits[2]
    assert hits[3] == hits[4]


def test_stereo_layers_give_z_to_the_published_resolution(tracker):
    """sigma_z = sigma / sin(100 mrad) of the stereo sensor alone: 230 um (TIB), 530 um (TOB)."""
    surfaces = tracker.surfaces
    for name, expected in (("TIB/1/stereo", 0.0230), ("TOB/2/stereo", 0.0530)):
        i = tracker.layers.index(name)
        assert surfaces.n_measured[i] == 1
        assert surfaces.sigma[i, 0] / surfaces.projection[i, 0, 1] == pytest.approx(expected, rel=0.01)


def test_tracker_field_is_the_published_one_on_its_axis(tracker):
    """3.81492 T at z0 = 1.787 cm less the empirical term, 2 g exp(-(d/w)^2) = 3.7 mT."""
    field = tracker.field.value(np.array([[0, 0, 1.78712]]))[0]
    assert field[2] == pytest.approx(3.81492 - 2 * 0.00778695 * np.exp(-((212.5 / 177.436) ** 2)), abs=2e-9)
    away = tracker.field.value(np.array([[100.0, 0, 250], [100.0, 0, -246.42576]]))
    assert away[:, 2] == pytest.approx(away[[1, 0], 2], abs=5e-9), "even around z0"
    assert away[0, 0] == pytest.approx(-away[1, 0], abs=5e-9), "the radial component is odd"
    assert 0.05 < abs(away[0, 0]) < 0.2


def test_tracker_layers_stand_where_the_reference_has_them(tracker):
    radius = dict(zip(tracker.layers, tracker.surfaces.radius, strict=True))
    assert [radius[f"PXB/{n}"] for n in (1, 2, 3)] == [4.4, 7.3, 10.2]
    assert [radius[f"TIB/{n}/mono"] for n in (1, 2, 3, 4)] == [25.5, 33.9, 41.9, 49.8]
    assert [radius[f"TOB/{n}/mono"] for n in range(1, 7)] == [60.8, 69.2, 78.0, 86.8, 96.5, 108.0]


# ---------------------------------------------------------------------------------------------------- Belle II-like
def plane(detector: Detector, name: str) -> int:
    return detector.layers.index(name)


def test_every_muon_plane_is_named_by_region_section_sector_layer(belle2):
    muons = [name.split("/") for name, n in zip(belle2.layers, belle2.surfaces.n_measured, strict=True) if n]
    assert len(muons) == 8 * 2 * 15 + 4 * (14 + 12)
    assert {(parts[0], parts[1]) for parts in muons} == {
        ("barrel", "fwd"), ("barrel", "bwd"), ("endcap", "fwd"), ("endcap", "bwd"),
    }  # fmt: skip
    assert {int(parts[2]) for parts in muons if parts[0] == "barrel"} == set(range(1, 9))
    assert {int(parts[3]) for parts in muons if parts[0] == "barrel"} == set(range(15))
    for section, layers in (("fwd", 14), ("bwd", 12)):
        assert {int(p[3]) for p in muons if p[:2] == ["endcap", section]} == set(range(layers))


def test_barrel_planes_stand_at_the_centres_of_their_gaps(belle2):
    surfaces = belle2.surfaces
    for sector in range(1, 9):
        phi = np.pi / 4 * (sector - 1)
        for layer, radius in enumerate(KLM_RADII):
            for section, side in (("fwd", 1), ("bwd", -1)):
                i = plane(belle2, f"barrel/{section}/{sector}/{layer:02d}")
                normal = np.array([np.cos(phi), np.sin(phi), 0])
                assert surfaces.center[i] == pytest.approx(radius * normal + [0, 0, 47], abs=1e-9)
                assert surfaces.axes[i, 2] == pytest.approx(normal, abs=1e-12)
                assert np.sign(surfaces.bounds[i, 2:].mean()) == side


def test_cracks_between_sectors_are_dead_and_their_middle_is_not(belle2):
    eta = np.full(3, 0.3)
    hits = measured(belle2, directions(eta, np.radians([0.0, 22.5, 45.0])))
    assert hits.tolist() == [15, 0, 15]


def test_chimney_takes_the_end_of_the_top_sector_backward(belle2):
    surfaces = belle2.surfaces
    lengths = {
        name: np.ptp(surfaces.bounds[i, 2:]) for i, name in enumerate(belle2.layers) if name.startswith("barrel")
    }
    short = {name for name, length in lengths.items() if length < 200}
    assert short == {f"barrel/bwd/3/{layer:02d}" for layer in range(15)}
    assert lengths["barrel/bwd/3/04"] == pytest.approx(lengths["barrel/bwd/2/04"] - 63)
    theta = np.radians(118)
    lines = directions(np.full(2, -np.log(np.tan(theta / 2))), np.radians([90.0, 135.0]))
    assert measured(belle2, lines)[0] < 9 < measured(belle2, lines)[1]


def line(belle2: Detector, phi: float, start: float, end: float, z: float = 57) -> dict[str, float]:
    """Centimetres of each material from distance start to end, straight outwards at z."""
    along = np.array([[np.cos(phi), np.sin(phi), 0]])
    point = start * along + [0, 0, z]
    found = path_lengths(belle2.volumes, point, along, np.array([end - start]), len(belle2.materials))[0]
    return {material.name: float(cm) for material, cm in zip(belle2.materials, found, strict=True)}


@pytest.mark.parametrize("sector", range(8))
def test_iron_between_the_first_and_the_last_barrel_layer(belle2, sector):
    found = line(belle2, np.pi / 4 * sector, KLM_RADII[0], KLM_RADII[14])
    assert found["iron"] == pytest.approx(65.4, abs=0.05)
    assert line(belle2, 0, 201.9, KLM_RADII[0])["iron"] == 0, "detector first"
    assert line(belle2, 0, KLM_RADII[14], 353.5)["iron"] == pytest.approx(20.1, abs=0.02)


def test_between_neighbouring_barrel_layers_there_is_one_plate(belle2):
    for inner, outer in pairwise(KLM_RADII):
        assert line(belle2, 0, inner, outer)["iron"] == pytest.approx(4.6689, rel=1e-12)


def test_planes_stand_in_gaps_and_not_in_iron(belle2):
    i = np.flatnonzero(belle2.surfaces.n_measured)
    disc = belle2.surfaces.kind[i] == DISC
    points = belle2.surfaces.center[i] + np.where(disc[:, None], [200.0, 0, 0], [0, 0, 0])
    names = {belle2.materials[m].name for m in material_at(belle2.volumes, points)}
    assert names == {"barrel_scintillator_gap", "rpc_gap", "endcap_scintillator_gap"}


@pytest.mark.parametrize("side", [1, -1])
def test_endcap_has_fifteen_plates_iron_first(belle2, side):
    along = np.array([[0, 0, side]])
    start = np.array([[200.0, 0, 47 + side * 229.0]])
    found = path_lengths(belle2.volumes, start, along.astype(float), np.array([140.0]), len(belle2.materials))[0]
    iron = [material.name for material in belle2.materials].index("iron")
    assert found[iron] == pytest.approx(15 * 4.7, rel=1e-12)
    edge = start + along * np.array([[0.99], [1.01], [5.69], [5.71]])
    names = [belle2.materials[m].name for m in material_at(belle2.volumes, edge)]
    assert names == ["vacuum", "iron", "iron", "endcap_scintillator_gap"]


def test_crystals_are_30_cm_deep_along_the_way_from_the_origin(belle2):
    theta = np.radians([15, 20, 25, 38, 45, 60, 75, 90, 105, 115, 140, 145])
    lines = directions(-np.log(np.tan(theta / 2)))
    found = path_lengths(belle2.volumes, np.zeros_like(lines), lines, to_envelope(belle2, lines), len(belle2.materials))
    csi = [material.name for material in belle2.materials].index("CsI")
    assert found[:, csi] == pytest.approx(np.full(12, 30.0), rel=0.09)


def test_field_is_in_the_magnet_and_in_the_iron_and_not_in_the_gaps(belle2):
    r = np.array([0.0, 150, 181, 182, KLM_RADII[0], 208.35, KLM_RADII[3], 235.65, KLM_RADII[14], 343])
    points = np.stack((r, np.zeros(10), np.full(10, 57.0)), axis=1)
    Bz = belle2.field.value(points)[:, 2]
    assert Bz[:3] == pytest.approx([1.5, 1.5, 1.5], rel=1e-12)
    assert not Bz[[3, 4, 6, 8]].any()
    assert Bz[5] == pytest.approx(-1.79, abs=0.02), "the field returns through the iron"
    assert Bz[7] == pytest.approx(-1.61, abs=0.02)
    assert Bz[9] == pytest.approx(-0.92, abs=0.02)


def test_endcap_iron_has_a_radial_field_of_two_tesla(belle2):
    points = np.array([[200.0, 0, 47 + 232.35], [200.0, 0, 47 - 232.35]])
    Br = belle2.field.value(points)[:, 0]
    assert 1.0 < abs(Br[0]) < 2.3
    assert Br[1] == pytest.approx(-Br[0], rel=1e-12)
