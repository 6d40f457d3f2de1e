"""`belle2`: the material and the sensitive parts of the muon detector that Belle II has."""

import numpy as np
import pytest
from tests.detector.test_shipped import KLM_RADII, line, plane

from muonkit.detector.detector import Detector, crossed, directions, load_detector, material_budget
from muonkit.detector.surfaces import DISC, inside, to_global
from muonkit.detector.volumes import material_at


@pytest.fixture(scope="module")
def belle2() -> Detector:
    return load_detector("belle2")


def test_endcap_planes_stand_at_the_centres_of_their_gaps(belle2):
    surfaces = belle2.surfaces
    for section, side, layers in (("fwd", 1, 14), ("bwd", -1, 12)):
        for layer in range(layers):
            i = plane(belle2, f"endcap/{section}/1/{layer:02d}")
            assert surfaces.kind[i] == DISC
            assert surfaces.center[i] == pytest.approx([0, 0, 47 + side * (236.9 + 9.1 * layer)])
            assert surfaces.bounds[i, :3].tolist() == [135.3, 323.7, 10.35]
    assert surfaces.center[plane(belle2, "endcap/fwd/1/00"), 2] == pytest.approx(283.9)
    assert surfaces.center[plane(belle2, "endcap/bwd/1/00"), 2] == pytest.approx(-189.9)
    assert surfaces.center[plane(belle2, "endcap/bwd/1/11"), 2] == pytest.approx(-290.0)


@pytest.mark.parametrize(("layer", "half_width", "dead"), [(2, 88.0, 0.052), (7, 106.9, 0.043), (14, 133.3, 0.035)])
def test_dead_zones_between_sectors(belle2, layer, half_width, dead):
    """Share of the outer edge of the gap, r_out tan(22.5 deg), that ribs, frames and spacers take."""
    bounds = belle2.surfaces.bounds[plane(belle2, f"barrel/fwd/1/{layer:02d}")]
    assert bounds[:2] == pytest.approx([-half_width, half_width], abs=0.06)
    r_out = KLM_RADII[layer] + (4.1 if layer == 0 else 4.4) / 2
    assert 1 - bounds[1] / (r_out * np.tan(np.pi / 8)) == pytest.approx(dead, abs=5e-4)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("fwd/1/00", [-77.09, 70.91]), ("fwd/1/01", [-85.8, 82.2]), ("fwd/3/01", [-82.2, 85.8]),
        ("fwd/5/00", [-70.91, 77.09]), ("bwd/1/01", [-85.8, 82.2]), ("bwd/3/00", [-70.91, 77.09]),
        ("bwd/5/01", [-82.2, 85.8]), ("bwd/7/00", [-77.09, 70.91]),
    ],
)  # fmt: skip
def test_scintillators_leave_room_at_one_end_of_a_module(belle2, name, expected):
    bounds = belle2.surfaces.bounds[plane(belle2, f"barrel/{name}")]
    assert bounds[:2].tolist() == expected
    assert (bounds[1] - bounds[0]) / 4 in (37, 42), "strips of 4 cm"


def test_between_the_quadrants_of_an_endcap_nothing_is_sensitive(belle2):
    i = np.full(6, plane(belle2, "endcap/fwd/1/05"))
    points = np.array([[200.0, 10.3], [200, 10.4], [10.3, 250], [10.4, 250], [95, 95], [96, 96]])
    assert inside(belle2.surfaces, i, points).tolist() == [False, True, False, True, False, True]
    assert not inside(belle2.surfaces, i[:3], np.array([[-200.0, 100], [200, -100], [-200, -100]])).any()


@pytest.mark.parametrize(("section", "signs"), [("fwd", "-+ ++ +- --"), ("bwd", "++ -+ -- +-")])
def test_quadrants_have_the_numbers_of_belle_2(belle2, section, signs):
    """basf2, klm/eklm/geometry/src/GeometryData.cc, transforms of sections and sectors."""
    point = np.array([[150.0, 170.0]])
    for sector, (x, y) in enumerate(signs.split(), 1):
        i = np.array([plane(belle2, f"endcap/{section}/{sector}/03")])
        expected = [float(f"{x}150"), float(f"{y}170")]
        assert to_global(belle2.surfaces, i, point)[0, :2].tolist() == expected


def test_gaps_of_the_barrel_end_in_iron(belle2):
    points = np.array([[222.0, 0, 47 + 221.9], [222, 0, 47 + 222.1], [222, 0, 47 - 229.9], [203.9, 0, 47 + 225]])
    names = [belle2.materials[m].name for m in material_at(belle2.volumes, points)]
    assert names == ["rpc_gap", "iron", "iron", "vacuum"]


def test_quartz_crystals_and_coil_are_18_3_radiation_lengths(belle2):
    """29.7 cm of CsI, not the 30 cm of tables of 18.5 X0."""
    budget = material_budget(belle2, directions(np.zeros(1)))
    assert budget["TOP"] + budget["ECL"] + budget["magnet"] == pytest.approx(18.3, abs=0.1)
    trackers = sum(budget[name] for name in ("beam pipe", "PXD", "SVD", "CDC"))
    assert 0.03 < trackers < 0.1
    found = line(belle2, 0.0, 0.0, 201.9, z=0)
    assert found["TOP_box"] == pytest.approx(2.7, rel=1e-12)
    assert found["ECL_steel"] == pytest.approx(3.2, rel=1e-12)
    assert found["CsI"] == pytest.approx(29.5, abs=0.01)
    assert found["aluminium"] == pytest.approx(5.88 + 0.4 + 1, rel=1e-12)
    assert found["iron"] == pytest.approx(2.6, rel=1e-12)


def test_muons_from_the_origin_cross_the_last_layer_of_barrel_or_endcap(belle2):
    theta = np.radians([60, 30, 140])
    found = crossed(belle2, directions(-np.log(np.tan(theta / 2)), 0.1))
    for row, name in enumerate(("barrel/fwd/1/14", "endcap/fwd/2/13", "endcap/bwd/1/11")):
        assert found[row, plane(belle2, name)]
