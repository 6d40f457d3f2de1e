"""Descriptions: what a file may say, and one clear line for every fault."""

from pathlib import Path

import numpy as np
import pytest

from muonkit.core.errors import InputError
from muonkit.detector.detector import Detector, load_detector
from muonkit.detector.surfaces import CYLINDER, DISC, PLANE, inside, to_local
from muonkit.detector.volumes import RHO, Z

HEAD = """
schema = 1
name = "mine"
title = "A detector of mine"
envelope = { r = 100, z = [-200, 200] }
[field]
kind = "uniform"
B = [0, 0, 2]
"""
BARREL = """
[[layers]]
name = "barrel"
shape = "cylinder"
radius = [10, 20, 30]
z = [-40, 40]
material = "silicon"
thickness_um = [100, 200, 300]
resolution_um = [10, 20]
"""
BLOCK = """
[[volumes]]
name = "yoke"
shape = "polygon"
sides = 8
phi0_deg = 22.5
z0 = 5
rho = [60, 80]
z = [-100, 100]
slices = [
  { repeat = 2, of = [{ material = "iron", thickness = 6 }, { material = "air", thickness = 3 }] },
  { material = "iron", thickness = 2 },
]
"""


@pytest.fixture
def load(tmp_path: Path):
    def from_text(text: str) -> Detector:
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return load_detector(path)

    return from_text


@pytest.fixture
def faults(load):
    def of(text: str) -> list[str]:
        with pytest.raises(InputError) as caught:
            load(text)
        for line in caught.value.faults:
            assert "mine.toml: " in line
        return [line.partition("mine.toml: ")[2] for line in caught.value.faults]

    return of


def test_a_list_stands_for_copies(load):
    found = load(HEAD + BARREL)
    assert found.layers == ("barrel/1", "barrel/2", "barrel/3")
    surfaces = found.surfaces
    assert surfaces.kind.tolist() == [CYLINDER] * 3
    assert surfaces.radius.tolist() == [10, 20, 30]
    assert surfaces.thickness == pytest.approx([0.01, 0.02, 0.03], rel=1e-14)
    assert surfaces.bounds[1] == pytest.approx([-20 * np.pi, 20 * np.pi, -40, 40], rel=1e-14)
    assert surfaces.sigma == pytest.approx(np.array([[1e-3, 2e-3]] * 3), rel=1e-14)
    assert [found.materials[i].name for i in surfaces.material] == ["silicon"] * 3
    assert found.materials[0].name == "vacuum"
    assert found.envelope == (100, -200, 200)
    assert found.field.value(np.zeros((1, 3))).tolist() == [[0, 0, 2]]


def test_radiation_lengths_become_centimetres(load):
    found = load(HEAD + BARREL.replace("thickness_um = [100, 200, 300]", "x0 = 0.02"))
    X0 = found.materials[found.surfaces.material[0]].X0
    assert found.surfaces.thickness == pytest.approx(np.full(3, 0.02 * X0), rel=1e-14)


def test_one_coordinate_is_measured_along_the_stereo_angle(load):
    found = load(HEAD + BARREL.replace("[10, 20]\n", "[[10, 20, 30]]\nstereo_mrad = [0, 100, -100]\n"))
    surfaces = found.surfaces
    assert surfaces.n_measured.tolist() == [1, 1, 1]
    assert surfaces.sigma[:, 0] == pytest.approx([1e-3, 2e-3, 3e-3], rel=1e-14)
    assert not surfaces.sigma[:, 1].any()
    for i, angle in enumerate((0, 0.1, -0.1)):
        assert surfaces.projection[i] == pytest.approx(np.array([[np.cos(angle), np.sin(angle)], [0, 0]]), abs=1e-15)


def test_a_layer_without_resolution_measures_nothing(load):
    surfaces = load(HEAD + BARREL.replace("resolution_um = [10, 20]", "")).surfaces
    assert surfaces.n_measured.tolist() == [0, 0, 0]
    assert not surfaces.projection.any()


def test_sectors_turn_around_z(load):
    found = load(
        HEAD
        + """
[[layers]]
name = "muons/{sector}/{n:02d}"
first = 0
shape = "plane"
sectors = 4
only = [1, 2, 4]
z0 = 7
distance = [50, 60]
half_width = [20, 30]
span = [-10, 30]
"""
    )
    assert found.layers == ("muons/1/00", "muons/2/00", "muons/4/00", "muons/1/01", "muons/2/01", "muons/4/01")
    surfaces = found.surfaces
    assert surfaces.center[:3] == pytest.approx(np.array([[50, 0, 7], [0, 50, 7], [0, -50, 7]]), abs=1e-12)
    u, v, w = surfaces.axes[1]
    assert u == pytest.approx([-1, 0, 0], abs=1e-15)
    assert v == pytest.approx([0, 0, 1], abs=1e-15)
    assert w == pytest.approx([0, 1, 0], abs=1e-15)
    assert surfaces.bounds[3].tolist() == [-30, 30, -10, 30]


def test_frames_are_right_handed(load):
    disc = '[[layers]]\nname = "d"\nshape = "disc"\nz = [50, 60]\nr = [[5, 50], [6, 60]]\nboth_sides = true\n'
    plane = '[[layers]]\nname = "p"\nshape = "plane"\nsectors = 5\ndistance = 30\nhalf_width = 5\nspan = [-5, 5]\n'
    sectors = '[[layers]]\nname = "c"\nshape = "cylinder"\nradius = 40\nz = [-5, 5]\nsectors = 3\nphi0_deg = 10\n'
    found = load(HEAD + disc + plane + sectors)
    assert found.layers[:4] == ("d/fwd/1", "d/bwd/1", "d/fwd/2", "d/bwd/2")
    axes = found.surfaces.axes
    assert np.linalg.det(axes) == pytest.approx(np.ones(12), rel=1e-14)
    assert np.einsum("nij,nkj->nik", axes, axes) == pytest.approx(np.tile(np.eye(3), (12, 1, 1)), abs=1e-14)
    assert set(found.surfaces.kind) == {DISC, PLANE, CYLINDER}
    assert found.surfaces.center[:4, 2].tolist() == [50, -50, 60, -60]
    reach = 40 * np.pi / 3
    assert found.surfaces.bounds[-1] == pytest.approx([-reach, reach, -5, 5])
    assert axes[-3, 0] == pytest.approx([np.cos(np.radians(10)), np.sin(np.radians(10)), 0], abs=1e-15)


def test_slices_fill_a_block(load):
    found = load(HEAD + BLOCK)
    volumes = found.volumes
    assert found.blocks == ("yoke",)
    assert volumes.sides.tolist() == [8]
    assert volumes.phi0 == pytest.approx([np.pi / 8])
    assert volumes.axis.tolist() == [RHO]
    assert volumes.edges == pytest.approx([60, 66, 69, 75, 78, 80])
    names = [found.materials[i].name for i in volumes.material]
    assert names == ["iron", "air", "iron", "air", "iron"]


def test_blocks_have_their_edges_one_after_the_other(load):
    ring = '[[volumes]]\nname = "ring"\nrho = [[5, 10], [10, 20]]\nz = [0, 9]\nalong = "z"\nmaterial = "CsI"\n'
    found = load(HEAD + BLOCK + ring)
    volumes = found.volumes
    assert found.blocks == ("yoke", "ring/1", "ring/2")
    assert volumes.axis.tolist() == [RHO, Z, Z]
    assert volumes.first.tolist() == [0, 5, 6]
    assert volumes.count.tolist() == [5, 1, 1]
    for block, edges in enumerate(([60, 66, 69, 75, 78, 80], [0, 9], [0, 9])):
        start = volumes.first[block] + block
        assert volumes.edges[start : start + volumes.count[block] + 1] == pytest.approx(edges)


def test_own_materials_can_be_used(load):
    own = "[materials.cable]\ndensity = 2.0\nof = { copper = 0.5, polystyrene = 0.5 }\n"
    found = load(HEAD + own + BARREL.replace('"silicon"', '"cable"'))
    cable = found.materials[found.surfaces.material[0]]
    assert (cable.name, cable.density) == ("cable", 2.0)


def test_the_same_file_gives_the_same_arrays(load):
    one, other = load(HEAD + BARREL + BLOCK), load(HEAD + BARREL + BLOCK)
    for first, second in zip((*one.surfaces, *one.volumes), (*other.surfaces, *other.volumes), strict=True):
        assert np.array_equal(first, second)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("radius = [10", "radius = [-10"), 'layers "barrel": radius.0: Input should be greater than 0 (found -10)'),
        (
            ("thickness_um = [100, 200, 300]", "thickness = -0.1"),
            'layers "barrel": thickness.0: Input should be greater than or equal to 0 (found -0.1)',
        ),
        (
            ("z = [-40, 40]", "z = [40, -40]"),
            'layers "barrel": z.0: range must rise, but 40 is followed by -40 (found [40, -40])',
        ),
        (("z = [-40, 40]", ""), 'layers "barrel": z: is missing; add it'),
        (("radius", "raduis"), "layers \"barrel\": raduis: unknown key; did you mean 'radius'?"),
        (('"silicon"', '"silicium"'), "layers \"barrel\": material 'silicium' is unknown; did you mean 'silicon'?"),
        (('"silicon"', '"unobtainium"'), "material 'unobtainium' is unknown; define it in [materials.unobtainium]"),
        (('material = "silicon"', ""), 'layers "barrel": material and thickness (or x0) belong together'),
        (
            ("thickness_um", "x0 = 0.1\nthickness_um"),
            'layers "barrel": thickness_um and x0 say the same; give one of them',
        ),
        (
            ("[100, 200, 300]", "[100, 200]"),
            'layers "barrel": thickness_um: 2 values for 3 copies; give one, or one per copy',
        ),
        (
            ("[10, 20, 30]", "[10, 20, 130]"),
            'layers "barrel/3": reaches r = 130, z = -40 to 40 cm, outside of the envelope',
        ),
        (('name = "barrel"', 'name = "barrel/{layer}"'), "'layer' is no placeholder; known are {n}, {sector}, {side}"),
        (('name = "barrel"', 'name = "barrel/{side}"'), 'layers "barrel/None": the name is used 3 times'),
        (("[10, 20, 30]", "[10, 20, 20.00001]"), 'layers "barrel/3": stands where "barrel/2" stands; move it'),
        (('shape = "cylinder"', 'shape = "sphere"'), "layers \"barrel\": Input tag 'sphere'"),
        (("schema = 1", "schema = 2"), "schema: Input should be 1 (found 2)"),
        (("title", "tilte"), "tilte: unknown key; did you mean 'title'?"),
        (("B = [0, 0, 2]", ""), "field.uniform.B: is missing; add it"),
        (("envelope = { r = 100,", "envelope = { r = 0,"), "envelope.r: Input should be greater than 0 (found 0)"),
    ],
)
def test_every_fault_of_a_layer_is_one_clear_line(faults, change, expected):
    found = faults((HEAD + BARREL).replace(*change))
    assert any(expected in line for line in found), found
    assert all("\n" not in line for line in found)


def test_modules_with_the_names_and_places_of_others_are_two_lines(faults):
    modules = (
        '[[layers]]\nname = "M"\nshape = "barrel"\nradius = 10\nz = [[-30, 30]]\nladders = 14\nmodules = 6\n'
        "resolution_um = [15, 25]\n"
    )
    names, place = faults(HEAD + 2 * modules)
    assert 'layers "M/ladder 1/module 1": the name is used 2 times, and 83 more names' in names
    assert "stands where" in place
    assert "and 83 more so" in place


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("thickness = 2 }", "thickness = 3 }"), 'volumes "yoke": slices add up to 21 cm, but rho spans 20 cm'),
        (("thickness = 2 }", "thickness = -2 }"), "Input should be greater than 0 (found -2)"),
        (("sides = 8", ""), 'volumes "yoke": a polygon needs sides, a ring has none'),
        (("phi0_deg", 'material = "iron"\nphi0_deg'), 'volumes "yoke": give either material or slices'),
        (("rho = [60, 80]", "rho = [-10, 10]"), 'volumes "yoke": rho: must not be negative'),
        (("rho = [60, 80]", "rho = [80, 100]"), 'volumes "yoke": reaches r = 108.239, z = -95 to 105 cm, outside'),
        (("z0 = 5", "z0 = 150"), "z = 50 to 250 cm, outside of the envelope (r = 100, z = -200 to 200 cm)"),
        (('"air"', '"aire"'), "volumes \"yoke\": material 'aire' is unknown; did you mean 'air'?"),
    ],
)
def test_every_fault_of_a_volume_is_one_clear_line(faults, change, expected):
    found = faults((HEAD + BLOCK).replace(*change))
    assert any(expected in line for line in found), found


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (('name = "barrel"', 'name = "{0.__class__}"'), "'0.__class__' is no placeholder"),
        (('name = "barrel"', 'name = "{x"'), "braces do not match"),
        (('name = "barrel"', 'name = "{n:999999999d}"'), "{n} cannot be written as '999999999d'"),
        (('name = "barrel"', 'name = "{sector:02d}"'), "has no {sector} or {side} to be written so; use {n}"),
        (('name = "barrel"', r'name = "a\u0007"'), "a name has no control characters"),
        (
            ("z = [-40, 40]", "z = [-40, 40]\nsectors = 1000000000"),
            "sectors: Input should be less than or equal to 10000",
        ),
        (("z = [-40, 40]", "z = [-40, 40]\nsectors = true"), "sectors: Input should be a valid integer"),
        (("z = [-40, 40]", "z = [-40, inf]"), "z.0.1: Input should be a finite number"),
        (("z = [-40, 40]", "z = [-40, 1e9]"), "z.0: must lie between -1e+06 and 1e+06 cm"),
        (("[10, 20, 30]", "[1e-300, 20, 30]"), "radius.0: must be at least 1e-09 cm"),
        (("[10, 20, 30]", "[nan, 20, 30]"), "radius.0: Input should be a finite number"),
        (("[10, 20, 30]", '["10", 20, 30]'), "radius.0: Input should be a valid number"),
        (
            ('material = "silicon"\nthickness_um = [100, 200, 300]', 'material = "vacuum"\nx0 = 0.1'),
            "x0: vacuum has no radiation length",
        ),
        (("B = [0, 0, 2]", "B = [0, 0, 15000]"), "field.uniform.B.2: Input should be less than or equal to 50"),
        (("r = 100,", "r = 1e300,"), "envelope.r: Input should be less than or equal to 1000000"),
    ],
)
def test_names_and_numbers_have_bounds(faults, change, expected):
    found = faults((HEAD + BARREL).replace(*change))
    assert any(expected in line for line in found), found
    assert all(line.isprintable() for line in found)


SLICE = '{ material = "iron", thickness = 1 }, '


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            BARREL.replace("z = [-40, 40]", "z = [-40, 40]\nsectors = 10000") * 4,
            "layers: with all copies 120000, more than",
        ),
        (BLOCK.replace("repeat = 2", "repeat = 1000000000000"), "repeat: Input should be less than or equal to 10000"),
        (BLOCK.replace("of = [", "of = [" + SLICE * 11).replace("repeat = 2", "repeat = 10000"), "130001 with repeats"),
        (
            BLOCK.replace("thickness = 2 }", "thickness = 2, x = 1 }"),
            "slices.1.Slice.x: unknown key; known are material",
        ),
        ("[materials.m]\ndensity = 0\nof = { iron = 1 }\n", "materials.m.density: Input should be greater than"),
        ("[materials.m]\ndensity = 1\nZ = 0\nA = 1\nX0 = 1\nI = 10\n", "materials.m.Z: Input should be greater than"),
    ],
)
def test_sizes_have_bounds(faults, text, expected):
    assert any(expected in line for line in faults(HEAD + text))


def ring(rho: str, z: str) -> str:
    return f'[[volumes]]\nname = "ring"\nrho = {rho}\nz = {z}\nmaterial = "iron"\n'


def test_overlapping_volumes_are_named(faults):
    found = faults(HEAD + BLOCK + ring("[50, 61]", "[90, 130]"))
    assert found == ['volumes "yoke" and "ring" overlap between z = 90 and 105 cm']


@pytest.mark.parametrize(("rho", "z"), [("[50, 60]", "[0, 9]"), ("[86.6, 90]", "[0, 9]"), ("[50, 70]", "[105, 110]")])
def test_volumes_may_touch(load, rho, z):
    assert load(HEAD + BLOCK + ring(rho, z)).blocks == ("yoke", "ring")


def test_corners_of_a_polygon_count(faults):
    assert "overlap" in faults(HEAD + BLOCK + ring("[86.5, 90]", "[0, 9]"))[0]


def test_several_faults_are_told_at_once(faults):
    text = (HEAD + BARREL + BLOCK).replace('"silicon"', '"a"').replace('"air"', '"b"').replace("z0 = 5", "z0 = 150")
    assert len(faults(text)) == 3


def test_what_is_no_toml_says_so(faults):
    assert "not valid TOML" in faults("schema = [")[0]


def test_a_name_that_is_no_detector_lists_those_there_are():
    with pytest.raises(InputError, match="belle2, cms_like_layers, cms_like_tracker, telescope"):
        load_detector("cms")


def test_quadrants_of_a_disc_are_surfaces_of_their_own(load):
    disc = '[[layers]]\nname = "d/{sector}"\nshape = "disc"\nz = 30\nr = [2, 20]\ncross = 1\n'
    found = load(HEAD + disc + 'quadrants = ["-+", "+-"]\n')
    assert found.layers == ("d/1", "d/2")
    points = np.array([[-5.0, 7, 30], [5, -7, 30]])
    local = to_local(found.surfaces, np.array([0, 1]), points)
    assert local.tolist() == [[5.0, 7.0], [5.0, 7.0]]
    assert inside(found.surfaces, np.array([0, 1]), local).all()
    assert not inside(found.surfaces, np.array([1, 0]), to_local(found.surfaces, np.array([1, 0]), points)).any()
    with pytest.raises(InputError, match="one is given twice"):
        load(HEAD + disc + 'quadrants = ["-+", "-+"]\n')
