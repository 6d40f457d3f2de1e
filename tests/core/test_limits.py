"""Other people's files are read within limits, and each fault is one line."""

import gzip
import io
import tracemalloc
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from muonkit.core import limits
from muonkit.core.errors import InputError


def test_a_file_that_unpacks_to_more_than_allowed_is_refused_without_unpacking_it(tmp_path: Path) -> None:
    path = tmp_path / "bomb.json.gz"
    path.write_bytes(gzip.compress(b"0" * 1_000_000))
    with pytest.raises(InputError, match=r"bomb.json.gz: unpacks to more than 0.1 MB"):
        limits.read_gzip(path, most=100_000)
    assert len(limits.read_gzip(path, most=1_000_000)) == 1_000_000


@pytest.mark.parametrize("damage", [lambda b: b[:-5], lambda b: b[:20] + b"\xff" * 9 + b[29:], lambda _: b"{}"])
def test_damaged_gzip_is_one_line(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(damage(gzip.compress(bytes(range(256)) * 9)))  # type: ignore[operator]
    with pytest.raises(InputError, match="is not a whole gzipped file"):
        limits.read_gzip(path)


@pytest.mark.parametrize("text", ["[" * 100_000, "[" * 200 + "]" * 200, '{"a":' * 60 + "1" + "}" * 60])
def test_deep_json_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"x\.json: is n"):
        limits.parse_json(text, "x.json")


def test_deep_toml_is_refused() -> None:
    for depth in (60, 100_000):
        with pytest.raises(InputError, match="nested"):
            limits.parse_toml("a = " + "[" * depth + "]" * depth, "x.toml")


def test_content_at_the_limit_of_depth_is_read() -> None:
    assert limits.parse_json("[" * 50 + "]" * 50, "x.json")
    with pytest.raises(InputError):
        limits.parse_json("[" * 51 + "]" * 51, "x.json")


def test_a_large_or_binary_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "large").write_text("x" * 101)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="larger than"):
        limits.read_text(tmp_path / "large", most=100)
    with pytest.raises(InputError, match="cannot be read"):
        limits.read_text(tmp_path / "binary")


def packed(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def test_arrays_are_read_without_pickle() -> None:
    assert limits.load_npz(packed(a=np.arange(3)), "x.npz")["a"].tolist() == [0, 1, 2]
    with pytest.raises(InputError, match=r"x\.npz"):
        limits.load_npz(packed(a=np.array([{}], dtype=object)), "x.npz")


def test_arrays_that_unpack_to_too_much_are_refused() -> None:
    with pytest.raises(InputError, match=r"unpacks to more than 0\.1 MB"):
        limits.load_npz(packed(a=np.zeros(100_000)), "x.npz", most=100_000)


def test_damaged_archives_are_one_line() -> None:
    whole = packed(a=np.arange(1000.0))
    random = np.random.default_rng(1)
    for _ in range(200):
        broken = bytearray(whole)
        for place in random.integers(0, len(whole), 5):
            broken[place] = random.integers(0, 256)
        with suppress(InputError):  # nothing else may be raised
            limits.load_npz(bytes(broken), "x.npz")
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    assert limits.load_npz(empty.getvalue(), "x.npz") == {}


def test_what_a_library_raises_becomes_one_line_that_names_the_file() -> None:
    with pytest.raises(InputError) as caught, limits.reading("muons.root", "ROOT file"):
        raise ZeroDivisionError("bad\nmore")
    assert caught.value.faults == [
        "muons.root: cannot be read (bad); it is damaged or not a ROOT file. Make it again, or correct the path."
    ]


def test_keys_of_many_parts_are_refused_at_once() -> None:
    with pytest.raises(InputError, match="a key of more than 50 parts"):
        limits.parse_toml(".".join(["a"] * 20_000) + " = 1", "deep.toml")
    assert limits.parse_toml(".".join(["a"] * 40) + " = 1", "deep.toml")


def test_numbers_of_thousands_of_digits_are_refused() -> None:
    with pytest.raises(InputError, match="not valid TOML"):
        limits.parse_toml("x = " + "9" * 10_000, "long.toml")


def test_a_small_file_takes_little_memory(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x" * 3_000_000)
    tracemalloc.start()
    try:
        assert len(limits.read_bytes(tmp_path / "x", most=10**12)) == 3_000_000
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_what_a_library_says_is_printed_without_control_characters() -> None:
    with pytest.raises(InputError) as caught, limits.reading("x.parquet"):
        raise ValueError("don't know \x0f \x1b[31m")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30])
def test_numbers_beyond_64_bits_are_refused(number: int) -> None:
    assert limits.parse_toml(f"a = [{2**63 - 1}, {-(2**63)}]", "x.toml")
    with pytest.raises(InputError, match=r"x\.toml: not valid TOML: a whole number is beyond 64 bits"):
        limits.parse_toml(f"[a]\nb = [{number}]", "x.toml")
