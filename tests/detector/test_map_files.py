"""Files of field maps as people have them: rounded axes, other units, fill values, holes, bombs; one line for each."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from tests.detector.test_field_sections import built

from muonkit.core.errors import InputError
from muonkit.detector.fields.nodes import evened, merged

R, Z = np.linspace(0, 100, 11), np.linspace(-100, 100, 21)


def rows(r=R, z=Z, B=1.5):
    """r z Br Bz of a uniform field."""
    a, b = (part.ravel() for part in np.meshgrid(r, z, indexing="ij"))
    return np.stack([a, b, 0 * a, B + 0 * a], axis=1)


def written(path: Path, table, fmt="%.9g") -> Path:
    np.savetxt(path, table, fmt=fmt)
    return path


def of(path: Path, more: str = ""):
    return built(f'[field]\nkind = "map_rz"\nfile = "{path.name}"\n{more}', path.parent)


def refused(path: Path, more: str = "") -> str:
    with pytest.raises(InputError) as caught:
        of(path, more)
    (line,) = caught.value.faults
    assert line.startswith("field.file: ")
    assert path.name in line
    assert line.isprintable()
    return line


@pytest.mark.parametrize("fmt", ["%.0f", "%.1f", "%.2f", "%.3g", "%.4g", "%.9g"])
@pytest.mark.parametrize("count", [11, 13, 16, 31])
def test_rounded_axes_are_even_again(tmp_path, fmt, count):
    r, z = np.linspace(0, 100, count), np.linspace(-100, 100, count)
    text = [[float(fmt % value) for value in axis] for axis in (r, z)]
    for found, exact in zip((evened(np.array(axis), "r") for axis in text), (r, z), strict=True):
        np.testing.assert_allclose(found, exact, atol=1e-9)
    assert of(written(tmp_path / "map.txt", rows(*map(np.array, text)))).inside(np.array([[0, 0, 99.0]]))[0]


def test_axes_that_were_rounded_and_then_scaled_are_accepted():
    nodes = 3 * np.round(np.arange(-10, 11) * 10 / 3, 2)
    np.testing.assert_allclose(evened(nodes, "z"), np.arange(-100, 101, 10), atol=0.02)


def test_axes_of_single_precision_are_accepted():
    nodes = np.linspace(300, 301, 101).astype(np.float32).astype(np.float64)
    np.testing.assert_allclose(evened(nodes, "x"), np.linspace(300, 301, 101), atol=1e-5)


def test_even_axes_keep_every_bit():
    nodes = 0.1 * np.arange(12)
    assert evened(nodes, "x") is nodes


@pytest.mark.parametrize(
    ("nodes", "place"),
    [([0, 1, 2, 4, 5], "1, 2, 4"), ([0, 10, 20, 31, 40], "20, 31, 40"), ([0, 1, 3, 7, 15.0], "3, 7, 15")],
)
def test_irregular_axes_are_refused_with_the_place(nodes, place):
    with pytest.raises(ValueError, match=rf"nodes of r are not evenly spaced: {place}"):
        evened(np.array(nodes, float), "r")


def test_a_node_printed_in_two_ways_is_one_node():
    assert merged(np.array([0, 0.3, 0.30000000000000004, 0.6])).number.tolist() == [0, 1, 1, 2]


@pytest.mark.parametrize("fill", [1e30, -999.0, 99999.0, 9.96921e36])
def test_fill_values_are_refused(tmp_path, fill):
    table = rows()
    table[7, 3] = fill
    assert "1 of 231 nodes look like fill values" in refused(written(tmp_path / "map.txt", table))


def test_nan_is_refused_with_its_place(tmp_path):
    table = rows()
    table[7, 3] = np.nan
    assert "1 values are not finite, first Bz at r = 0, z = -30" in refused(written(tmp_path / "map.txt", table))


def test_gauss_are_refused_until_the_unit_is_said(tmp_path):
    path = written(tmp_path / "map.txt", rows(B=15000))
    assert 'field_unit = "gauss"' in refused(path)
    for said in ('field_unit = "gauss"', "factor = 1e-4"):
        assert of(path, said).value(np.zeros((1, 3)))[0, 2] == pytest.approx(1.5)


def test_lengths_may_be_millimetres(tmp_path):
    path = written(tmp_path / "map.txt", rows(10 * R, 10 * Z))
    field = of(path, 'length_unit = "mm"')
    assert field.inside(np.array([[100.0, 0, 100], [101, 0, 0]])).tolist() == [True, False]


def swapped(table):
    return table[:, [0, 1, 3, 2]]


def turned(table):
    return table[:, [1, 0, 2, 3]]


def with_a_hole(table):
    return np.delete(table, 5, axis=0)


def doubled(table):
    return np.concatenate([table, table[3:4]])


def scattered(table):
    return table + np.random.default_rng(1).uniform(0, 1, table.shape) * [1, 1, 0, 0]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (swapped, "are Br and Bz swapped"),
        (turned, "a radius is not negative. Is the order of the columns r z Br Bz"),
        (with_a_hole, "1 of them are there not at all, first r = 0, z = -50"),
        (doubled, "1 of them are there twice or more, first r = 0, z = -70"),
        (scattered, "are columns swapped, or points scattered"),
        (lambda table: table[:, :3], "it has 3 columns; give 4: r z Br Bz"),
    ],
)
def test_spoilt_tables_are_refused_with_the_reason(tmp_path, spoil, reason):
    assert reason in refused(written(tmp_path / "map.txt", spoil(rows())))


@pytest.mark.parametrize(
    ("begin", "reason"),
    [
        ("r z Br Bz\n", "line 1: could not convert string to float: 'r'"),
        ("POISSON table of today\n", "line 1: could not convert string to float: 'POISSON'"),
        ("11 21\n", "line 1 has 2 columns, not 4"),
        ("1" * 20_000 + "\n", "it has a line of more than 10000 characters"),
        ("0,0,0,1\n", "line 1 has 1 columns, not 4: '0,0,0,1'"),
    ],
)
def test_headers_and_other_forms_are_refused_with_their_line(tmp_path, begin, reason):
    path = written(tmp_path / "map.txt", rows())
    path.write_text(begin + path.read_text())
    assert reason in refused(path)


def test_an_npz_may_fall_along_an_axis(tmp_path):
    shape = (len(R), len(Z))
    Bz = np.broadcast_to(1 + 0.001 * Z, shape)
    np.savez(tmp_path / "up.npz", r=R, z=Z, Br=np.zeros(shape), Bz=Bz)
    np.savez(tmp_path / "down.npz", r=R, z=Z[::-1], Br=np.zeros(shape), Bz=Bz[:, ::-1])
    place = np.array([[10.0, 0, 33]])
    assert np.array_equal(of(tmp_path / "up.npz").value(place), of(tmp_path / "down.npz").value(place))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"Bz": np.zeros((21, 11))}, r"the axes (11, 21); is it transposed?"),
        ({"r": np.zeros((11, 21))}, "r has shape (11, 21); give the nodes of the axis"),
        ({"Bz": np.zeros((11, 21), complex)}, "Bz is of type complex128"),
        ({"Bz": np.array([["a"]])}, "Bz is of type <U1"),
        ({"r": np.array(3.0)}, "r has shape ()"),
    ],
)
def test_spoilt_npz_is_refused_with_the_reason(tmp_path, change, reason):
    shape = (len(R), len(Z))
    np.savez(tmp_path / "map.npz", **({"r": R, "z": Z, "Br": np.zeros(shape), "Bz": np.ones(shape)} | change))
    assert reason in refused(tmp_path / "map.npz")


def test_bombs_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("muonkit.core.limits.read_gzip.__defaults__", (100_000, "file"))
    monkeypatch.setattr("muonkit.core.limits.load_npz.__defaults__", (100_000,))
    (tmp_path / "map.txt").write_bytes(gzip.compress(b"0 0 0 1\n" * 100_000))
    assert "unpacks to more than 0.1 MB" in refused(tmp_path / "map.txt")
    np.savez_compressed(tmp_path / "map.npz", r=np.zeros(100_000))
    assert "unpacks to more than 0.1 MB" in refused(tmp_path / "map.npz")


def test_factors_are_around_one(tmp_path):
    table = rows()[:, [0, 1, 3]]
    table[4, 2] = -999
    written(tmp_path / "map.txt", table)
    with pytest.raises(InputError, match=r"factors from -999 to 1\.5; give factors around 1"):
        built('[field]\nkind = "uniform"\nB = [0, 0, 1]\ncorrection = { file = "map.txt" }', tmp_path)
