"""Fields from TOML: what builds what, and what is said about faults."""

from pathlib import Path

import numpy as np
import pytest
from tests.detector.field_zoo import SHEET, R, X, Z, points

from muonkit.core.config import Section, parse
from muonkit.core.errors import InputError
from muonkit.detector.field import (
    FieldSection,
    Harmonic,
    MapRZ,
    Parametrised,
    Solenoid,
    Sum,
    Uniform,
    build_field,
    cms_like,
)


class Description(Section):
    """As in a detector."""

    field: FieldSection


def built(text, base=Path()):
    return build_field(parse(text, Description, "detector.toml").field, base)


def write_rz(path, form):
    nodes = np.stack(np.meshgrid(R, [0.0], Z, indexing="ij"), axis=-1).reshape(-1, 3)
    B = SHEET.value(nodes)
    if form == "npz":
        shape = (len(R), len(Z))
        np.savez(path / "map.npz", r=R, z=Z, Br=B[:, 0].reshape(shape), Bz=B[:, 2].reshape(shape))
        return "map.npz"
    rows = np.stack([nodes[:, 0], nodes[:, 2], B[:, 0], B[:, 2]], axis=1)
    np.savetxt(path / form, np.random.default_rng(1).permutation(rows), fmt="%.17g", header="r z Br Bz")
    return form


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('kind = "uniform"\nB = [0, 0, 3.8]', Uniform((0.0, 0.0, 3.8))),
        ('kind = "solenoid"\nradius = 60\nlength = 200\nB0 = 2', Solenoid(60.0, 200.0, 2.0)),
        ('kind = "cms_like"', cms_like()),
        ('kind = "cms_like"\nform = "published"', Parametrised()),
        ('kind = "cms_like"\nform = "published"\ng = 0', Parametrised(g=0.0)),
    ],
)
def test_section_builds_its_model(text, expected):
    assert built(f"[field]\n{text}") == expected


def test_series_and_sum_are_built_from_their_parts():
    field = built(
        '[field]\nkind = "sum"\n[[field.parts]]\nkind = "uniform"\nB = [0, 0, 1]\n'
        '[[field.parts]]\nkind = "harmonic"\norder = 6\ngaussians = [{ height = 0.1, centre = 5, width = 90 }]'
    )
    assert isinstance(field, Sum)
    assert isinstance(field.parts[1], Harmonic)
    assert field.parts[1].order == 6
    assert field.value(np.array([[0.0, 0, 5.0]]))[0, 2] == pytest.approx(1.1)


@pytest.mark.parametrize("form", ["npz", "map.txt", "map.dat.gz"])
def test_map_is_the_same_from_every_kind_of_file(tmp_path, form):
    field = built(f'[field]\nkind = "map_rz"\nfile = "{write_rz(tmp_path, form)}"', tmp_path)
    expected = MapRZ.sampled(SHEET, R, Z)
    np.testing.assert_allclose(field.value(points()), expected.value(points()), rtol=1e-14, atol=1e-16)


def test_map_in_space_is_read(tmp_path):
    nodes = np.stack(np.meshgrid(X, X, Z, indexing="ij"), axis=-1)
    B = SHEET.value(nodes.reshape(-1, 3)).reshape(nodes.shape)
    np.savez(tmp_path / "map.npz", x=X, y=X, z=Z, Bx=B[..., 0], By=B[..., 1], Bz=B[..., 2])
    field = built('[field]\nkind = "map_xyz"\nfile = "map.npz"\ninterpolation = "linear"', tmp_path)
    np.testing.assert_allclose(field.value(points()), SHEET.value(points()), atol=1e-3)


@pytest.mark.parametrize(("axes", "nodes"), [("rz", (R, Z)), ("xyz", (X, X, Z))])
def test_correction_and_factor_multiply_the_field(tmp_path, axes, nodes):
    np.savez(
        tmp_path / "map.npz", **dict(zip(axes, nodes, strict=False)), factor=np.full([len(n) for n in nodes], 0.999)
    )
    text = f'[field]\nkind = "uniform"\nB = [1, 2, 3]\nfactor = 2\ncorrection = {{ file = "map.npz", axes = "{axes}" }}'
    np.testing.assert_allclose(built(text, tmp_path).value(points(10)), [[1.998, 3.996, 5.994]] * 10, rtol=1e-13)


def test_region_ends_a_field():
    field = built('[field]\nkind = "uniform"\nB = [0, 1.5, 0]\nregion = { z = [10, 14.7], x = [-5, 5] }')
    places = np.array([[0.0, 0, 12], [0, 0, 14.7], [6, 0, 12]])
    assert field.value(places)[:, 1].tolist() == [1.5, 0, 0]


def test_sampled_field_is_a_map_of_the_other():
    text = '[field]\nkind = "sampled"\nr_max = 120\nz = [-300, 300]\nof = { kind = "cms_like" }'
    field = built(text)
    assert isinstance(field, MapRZ)
    np.testing.assert_allclose(field.value(points()), cms_like().value(points()), atol=2e-9)


def test_shipped_iron_is_the_default():
    field = built('[field]\nkind = "klm_iron"\nz0 = 0')
    assert field.value(np.array([[208.0, 0, 0]]))[0, 2] == pytest.approx(-1.79445)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('kind = "magnet"', "detector.toml: field: .*does not match any of the expected tags"),
        ('kind = "uniform"', r"detector.toml: field.uniform.B: is missing"),
        (
            'kind = "uniform"\nB = [0, 0, 1]\nregion = { r = [5, 4] }',
            "region.r: range must rise, but 5 is",
        ),
        ('kind = "uniform"\nB = [0, 0, 1]\nregion = { r = [0, 4], x = [0, 1] }', "not both"),
        ('kind = "uniform"\nB = [0, 0, 1]\nregio = {}', "field.uniform.regio: unknown key"),
        ('kind = "solenoid"\nradius = -1\nlength = 1\nB0 = 1', "field.solenoid.radius: .*greater than 0"),
        ('kind = "sum"\nparts = []', "field.sum.parts: .*at least 1"),
        ('kind = "sampled"\nr_max = 10\nz = [0, 9]\nof = { kind = "cms_like" }', "fewer than 4 cells"),
    ],
)
def test_wrong_section_is_refused_with_its_key(text, fault):
    with pytest.raises(InputError, match=fault):
        built(f"[field]\n{text}")


def test_missing_map_is_named_with_key_file_and_way_out(tmp_path):
    text = '[field]\nkind = "sum"\n[[field.parts]]\nkind = "map_rz"\nfile = "map.npz"'
    with pytest.raises(InputError, match=r"field\.parts\.0\.file: .*map\.npz: there is no such file\. Give its path"):
        built(text, tmp_path)


def spoilt_npz(path):
    np.savez(path, r=R, z=Z, Br=np.zeros((2, 2)), Bz=np.zeros((2, 2)))


def pickled_npz(path):
    np.savez(path, r=np.array([{"a": 1}], object), z=Z, Br=Z, Bz=Z)


def without_a_column(path):
    np.savez(path, r=R, z=Z, Br=np.zeros((len(R), len(Z))))


def with_a_nan(path):
    np.savez(path, r=R, z=Z, Br=np.zeros((len(R), len(Z))), Bz=np.full((len(R), len(Z)), np.nan))


def uneven(path):
    np.savez(path, r=R**2, z=Z, Br=np.zeros((len(R), len(Z))), Bz=np.zeros((len(R), len(Z))))


def cut_short(path):
    with_a_nan(path)
    path.write_bytes(path.read_bytes()[:-40])


def not_an_npz(path):
    path.write_text("nothing")


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (spoilt_npz, r"Br has shape \(2, 2\), the axes \(13, 31\)"),
        (pickled_npz, "allow_pickle=False"),
        (cut_short, "is not an .npz"),
        (without_a_column, "Bz is missing"),
        (with_a_nan, "not finite"),
        (uneven, "not evenly spaced"),
        (not_an_npz, "is not an .npz"),
    ],
)
def test_spoilt_map_is_refused_with_key_file_and_reason(tmp_path, spoil, fault):
    spoil(tmp_path / "map.npz")
    with pytest.raises(InputError, match=rf"field\.file: .*map\.npz: .*{fault}"):
        built('[field]\nkind = "map_rz"\nfile = "map.npz"', tmp_path)


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ("0 0 1\n0 1 1\n", "it has 3 columns"),
        ("0 0 1 1\n0 1 1 1\n1 0 1 1\n", "2 x 2 nodes"),
        ("a b c d\n", "could not"),
        ("# r z Br Bz\n", "columns|nodes"),
    ],
)
def test_spoilt_text_map_is_refused_with_reason(tmp_path, rows, fault):
    (tmp_path / "map.txt").write_text(rows)
    with pytest.raises(InputError, match=rf"field\.file: .*map\.txt: .*{fault}"):
        built('[field]\nkind = "map_rz"\nfile = "map.txt"', tmp_path)
