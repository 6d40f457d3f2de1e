"""Field maps that end inside the envelope are found, told and refused; how far maps are from Maxwell's equations."""

import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from muonkit.cli import main
from muonkit.core.errors import InputError
from muonkit.detector.detector import Detector, load_detector
from muonkit.detector.field import Solenoid

HEAD = 'schema = 1\nname = "m"\ntitle = "M"\nenvelope = { r = 90, z = [-90, 90] }\n'
SOLENOID = Solenoid(200.0, 500.0, 1.5)
WHOLE = np.linspace(-100, 100, 41)


def rz(folder: Path, r=(0, 100), z=(-100, 100), steps=5, spoil=lambda Br, Bz: (Br, Bz)) -> str:
    """A map of a solenoid on this grid, as a section of a detector."""
    r, z = (np.linspace(*span, round((span[1] - span[0]) / steps) + 1) for span in (r, z))
    nodes = np.stack(np.meshgrid(r, [0.0], z, indexing="ij"), axis=-1).reshape(-1, 3)
    B = SOLENOID.value(nodes).reshape(len(r), len(z), 3)
    Br, Bz = spoil(B[..., 0], B[..., 2])
    np.savez(folder / "map.npz", r=r, z=z, Br=Br, Bz=Bz)
    return HEAD + '[field]\nkind = "map_rz"\nfile = "map.npz"\n'


def xyz(folder: Path, x=(-100, 100), y=(-100, 100), z=(-100, 100)) -> str:
    axes = [np.linspace(*span, 6) for span in (x, y, z)]
    shape = tuple(map(len, axes))
    B = dict(zip(("Bx", "By", "Bz"), (np.zeros(shape), np.zeros(shape), np.ones(shape)), strict=True))
    np.savez(folder / "map.npz", **dict(zip("xyz", axes, strict=True)), **B)
    return HEAD + '[field]\nkind = "map_xyz"\nfile = "map.npz"\n'


def load(folder: Path, text: str) -> Detector:
    (folder / "m.toml").write_text(text)
    return load_detector(folder / "m.toml")


def refused(folder: Path, text: str) -> str:
    with pytest.raises(InputError) as caught:
        load(folder, text)
    (line,) = caught.value.faults
    return line


PARTIAL = [
    (rz, {"r": (5, 100)}, "r = 5 to 100, z = -100 to 100 cm", 'outside = "zero"'),
    (rz, {"r": (0, 85)}, "r = 0 to 85", 'outside = "zero"'),
    (rz, {"z": (0, 100)}, "z = 0 to 100", "mirrored = true"),
    (rz, {"z": (-100, 0)}, "z = -100 to 0", 'outside = "zero"'),
    (rz, {"r": (0, 8), "z": (-8, 8), "steps": 1}, "r = 0 to 8", 'length_unit = "m"'),
    (xyz, {"x": (0, 100)}, "x = 0 to 100, y = -100 to 100, z = -100 to 100 cm", 'outside = "zero"'),
    (xyz, {"y": (-89.9, 100)}, "y = -89.9 to 100", 'outside = "zero"'),
]


@pytest.mark.parametrize(("make", "spans", "covers", "way_out"), PARTIAL)
def test_a_map_that_ends_inside_the_envelope_is_refused(tmp_path, make, spans, covers, way_out):
    line = refused(tmp_path, make(tmp_path, **spans))
    assert "field: map.npz: the map ends inside of the envelope: it covers" in line
    assert covers in line
    assert way_out in line
    assert "% of the volume has no field" in line


@pytest.mark.parametrize(("make", "spans", "covers", "way_out"), PARTIAL)
def test_what_is_declared_to_be_zero_is_zero_and_known(tmp_path, make, spans, covers, way_out):  # noqa: ARG001
    found = load(tmp_path, make(tmp_path, **spans) + 'outside = "zero"\n')
    r, z = np.linspace(0, 90, 19), np.linspace(-90, 90, 19)
    points = np.stack(np.meshgrid(r, [0.0], z, indexing="ij"), axis=-1).reshape(-1, 3)
    assert found.field.inside(points).all()
    B = found.field.value(points)
    assert not B[found.maps[0].missing(points)].any()
    assert B.any()


@pytest.mark.parametrize(
    ("make", "spans"), [(rz, {}), (xyz, {}), (rz, {"r": (0, 90), "z": (-90, 90)}), (xyz, {"x": (-90, 90)})]
)
def test_a_map_that_covers_the_envelope_is_taken(tmp_path, make, spans):
    found = load(tmp_path, make(tmp_path, **spans))
    assert found.arrays().field.offsets[0, -1] == 0, "it is not confined"


def test_a_mirrored_half_covers_both(tmp_path):
    assert load(tmp_path, rz(tmp_path, z=(0, 100)) + "mirrored = true\n").maps[0].grid.reach() == (0, 100, -100, 100)


def test_a_map_needs_to_cover_its_region_only(tmp_path):
    assert load(tmp_path, rz(tmp_path, r=(0, 60)) + "region = { r = [0, 60] }\n").maps
    assert "r = 0 to 60" in refused(tmp_path, rz(tmp_path, r=(0, 60)) + "region = { r = [0, 60.1] }\n")


def test_a_part_of_a_sum_is_named(tmp_path):
    text = rz(tmp_path, r=(0, 60)).replace("[field]\n", '[field]\nkind = "sum"\n[[field.parts]]\n')
    assert "field.parts.0: map.npz: the map ends inside" in refused(tmp_path, text)


def test_a_sampled_field_has_to_cover_the_envelope_too(tmp_path):
    text = HEAD + '[field]\nkind = "sampled"\nr_max = 80\nz = [-90, 90]\nof = { kind = "cms_like" }\n'
    assert "field: the map ends inside of the envelope: it covers r = 0 to 80" in refused(tmp_path, text)


def test_a_map_in_millimetres_is_refused_until_the_unit_is_said(tmp_path):
    text = rz(tmp_path, r=(0, 1000), z=(-1000, 1000), steps=40)
    assert 'if the file has mm, say length_unit = "mm"' in refused(tmp_path, text)
    assert load(tmp_path, text + 'length_unit = "mm"\n').maps[0].grid.reach() == pytest.approx((0, 100, -100, 100))
    assert load(tmp_path, text + 'length_unit = "cm"\n').maps[0].grid.reach() == pytest.approx((0, 1000, -1000, 1000))


def test_too_large_a_field_is_refused_however_it_is_made(tmp_path):
    text = HEAD + '[field]\nkind = "uniform"\nB = [0, 0, 3.8]\nfactor = 1e4\n'
    assert "|B| is 38000 T inside the envelope, more than 50 T" in refused(tmp_path, text)


def shown(folder: Path, text: str, capsys, *more: str) -> tuple[int, str]:
    (folder / "m.toml").write_text(text)
    code = main(["detector", "show", str(folder / "m.toml"), *more])
    return code, capsys.readouterr().out


def test_show_tells_and_draws_where_a_map_ends(tmp_path, capsys):
    code, text = shown(tmp_path, rz(tmp_path, r=(20, 100)), capsys, "-o", str(tmp_path / "part"))
    assert code == 1
    assert "it covers r = 20 to 100, z = -100 to 100 cm" in text
    assert "Other commands refuse this detector" in text
    shown(tmp_path, rz(tmp_path), capsys, "-o", str(tmp_path / "whole"))
    pictures = [imread(tmp_path / name / "m-rz.png")[..., :3] for name in ("part", "whole")]
    assert any(picture.shape != pictures[0].shape for picture in pictures) or np.any(pictures[0] != pictures[1])


def test_show_tells_what_is_declared_to_be_zero(tmp_path, capsys):
    code, text = shown(tmp_path, rz(tmp_path, r=(20, 100)) + 'outside = "zero"\n', capsys, "--json")
    (found,) = json.loads(text)["maps"]
    assert code == 0
    assert found["outside"] == "zero"
    assert 'there it is 0 as declared (outside = "zero")' in json.loads(text)["text"]
    assert found["missing_share"] == pytest.approx((20 / 90) ** 2, abs=0.02)


def field_error(folder: Path, capsys, **how) -> tuple[int, float]:
    code, text = shown(folder, rz(folder, **how), capsys, "--json")
    return code, json.loads(text)["maps"][0]["field_error"]


def test_a_good_map_is_maxwellian_and_errors_of_interpolation_do_not_matter(tmp_path, capsys):
    code, error = field_error(tmp_path, capsys)
    assert code == 0
    assert error < 1e-5


def test_a_map_without_its_radial_field_is_off_by_that(tmp_path, capsys):
    good = np.load(Path(rz(tmp_path) and tmp_path / "map.npz"))
    share = np.sqrt(np.mean(good["Br"] ** 2) / np.mean(good["Bz"] ** 2))
    code, error = field_error(tmp_path, capsys, spoil=lambda Br, Bz: (0 * Br, Bz))
    assert code == 1
    assert share / 2 < error < 2 * share


def test_a_radial_slope_that_curl_forbids_is_seen_at_its_size(tmp_path, capsys):
    r = np.linspace(0, 100, 21)[:, None]
    _, error = field_error(tmp_path, capsys, spoil=lambda Br, Bz: (Br, Bz * (1 + 1e-2 * r / 90)))
    assert error == pytest.approx(1e-2 / np.sqrt(3), rel=0.15)
