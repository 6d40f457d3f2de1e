"""Outcomes, ids and the payload: rules 1.9 and 1.13."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest

from muonkit.core.errors import InputError
from muonkit.data.muid import longitudinal_id, transverse_id
from muonkit.muid.checks.toy import toy_payload
from muonkit.muid.likelihood.outcome import (
    class_index,
    classes,
    ext_layer,
    hit_layer,
    is_consistent,
    last_layer,
    number_of_entries,
    number_of_last_layers,
    outcome,
    region,
)
from muonkit.muid.likelihood.payload import LikelihoodParameters, first_entries, shapes

TOY = toy_payload()


def code(barrel, endcap, escaped, forward):
    return int(outcome(*(np.array([v]) for v in (barrel, endcap, escaped, forward)))[0])


def test_rule_1_9_every_way_to_end_has_its_outcome():
    assert code(-1, -1, False, True) == 0
    assert [code(5, -1, escaped, True) for escaped in (False, True)] == [1, 3]
    assert [code(-1, 3, *how) for how in ((False, True), (True, True), (False, False), (True, False))] == [2, 4, 5, 6]
    for b in range(15):
        assert code(b, 2, False, True) == 7 + b
        assert code(b, 2, False, False) == 22 + b
        assert code(b, 2, True, True) == 37 + b
        assert code(b, 2, True, False) == 52 + b


def test_rule_1_9_there_are_829_classes_per_hypothesis():
    counts = [number_of_last_layers(o) for o in range(67)]
    assert counts[:7] == [0, 14, 13, 15, 14, 11, 12]
    assert counts[7:] == [13] * 15 + [11] * 15 + [14] * 15 + [12] * 15
    assert len(classes()) == len(set(classes())) == 829
    assert np.sum(class_index() >= 0) == 829
    assert [class_index()[pair] for pair in classes()] == list(range(829))


def test_rule_1_9_outcome_and_last_layers_are_consistent_only_as_outcome_makes_them():
    b, e, escaped, forward = (
        v.ravel() for v in np.meshgrid(range(-2, 16), range(-2, 15), (False, True), (False, True))
    )
    possible = (b >= -1) & (b < 15) & (e >= -1) & ((b >= 0) | (e >= 0))
    made = {*zip(outcome(b, e, escaped, forward)[possible], b[possible], e[possible], strict=True)}
    codes, b, e = (v.ravel() for v in np.meshgrid(range(1, 67), range(-2, 15), range(-2, 15)))
    wanted = [triple in made for triple in zip(codes, b, e, strict=True)]
    assert np.array_equal(is_consistent(codes, b, e), wanted)


def test_rule_1_9_last_layer_and_region_are_those_of_the_endcap_if_there_is_one():
    b, e = np.array([7, -1, 4]), np.array([-1, 9, 2])
    assert last_layer(b, e).tolist() == [7, 9, 2]
    assert region(b, e).tolist() == [1, 2, 0]
    assert ext_layer(b, e).tolist() == [7, 9, 7]


def test_rule_1_9_the_last_hit_behind_the_barrel_counts_from_the_extrapolated_barrel_layer():
    assert hit_layer(np.array([7, 7]), np.array([3, 3]), np.array([-1, 2])).tolist() == [3, 10]


def test_rule_1_13_the_tables_hold_as_many_numbers_as_published():
    assert 12 * first_entries()[-1] == 211_980
    assert np.prod(shapes()["log_density"][0]) + 3 * np.prod(shapes()["threshold"][0]) == 66_744
    assert number_of_entries(1, 5) == 6
    assert number_of_entries(4, 5) == number_of_entries(66, 5) == 21


def test_edge_rule_21_ids_are_packed_as_published():
    assert longitudinal_id(13, 66, 11) == 23597
    assert transverse_id(36, 2, 11) == 2980


def test_rule_1_13_tables_are_found_by_their_ids():
    assert len(TOY.longitudinal_by_id(longitudinal_id(13, 4, 11))) == 29
    assert TOY.longitudinal_by_id(longitudinal_id(3, 1, 10)) == pytest.approx(0.97 * np.exp(-0.005 * np.arange(4)))
    assert np.array_equal(TOY.transverse_by_id(transverse_id(36, 2, 11)), TOY.log_density[11, 2, 17])


@pytest.mark.parametrize(
    "wrong",
    [longitudinal_id(14, 1, 0), longitudinal_id(0, 67, 0), longitudinal_id(0, 1, 12), longitudinal_id(0, 1, -1)],
)
def test_a_missing_longitudinal_id_is_named(wrong):
    with pytest.raises(InputError, match=f"no longitudinal table has the id {wrong}"):
        TOY.longitudinal_by_id(wrong)


@pytest.mark.parametrize(
    "wrong", [transverse_id(38, 0, 0), transverse_id(3, 0, 0), transverse_id(2, 3, 0), transverse_id(2, 0, -1)]
)
def test_a_missing_transverse_id_is_named(wrong):
    with pytest.raises(InputError, match=f"no transverse table has the id {wrong}"):
        TOY.transverse_by_id(wrong)


def noisy():
    """A payload that does not compress well, as a measured one."""
    rng = np.random.default_rng(1)
    return replace(
        TOY,
        longitudinal=rng.random(TOY.longitudinal.shape),
        uncertainty=rng.random(TOY.longitudinal.shape) * 0.01,
        crossed=rng.integers(0, 100_000, TOY.crossed.shape),
        log_density=TOY.log_density + rng.normal(0, 0.1, TOY.log_density.shape),
    )


def test_a_payload_comes_back_as_it_was_and_is_below_3_mb():
    payload = noisy()
    content = payload.to_bytes()
    assert LikelihoodParameters.from_bytes(content) == payload
    assert content == payload.to_bytes()
    assert len(content) < 3e6


def test_a_payload_is_saved_whole(tmp_path):
    TOY.save(tmp_path / "deep" / "toy.npz")
    assert LikelihoodParameters.load(tmp_path / "deep" / "toy.npz") == TOY
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["toy.npz"]


def rewritten(**changes):
    """The toy as bytes, with other header entries or arrays."""
    with np.load(io.BytesIO(TOY.to_bytes())) as archive:
        arrays = dict(archive)
    header = json.loads(bytes(arrays.pop("header")))
    for name, value in changes.items():
        if name in header:
            header[name] = value
        elif value is None:
            arrays.pop(name)
        else:
            arrays[name] = value
    stream = io.BytesIO()
    np.savez(stream, header=np.frombuffer(json.dumps(header).encode(), dtype=np.uint8), **arrays)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (rewritten(schema="KLMLikelihoodParameters/2"), "has schema KLMLikelihoodParameters/2, this version reads"),
        (rewritten(checksum="00"), "does not have the checksum"),
        (rewritten(threshold=TOY.threshold + 1), "does not have the checksum"),
        (rewritten(tracks=None), "lacks tracks"),
        (rewritten(log_density=np.zeros((12, 3, 18, 99))), r"log_density: has shape \(12, 3, 18, 99\)"),
        (rewritten(longitudinal=TOY.longitudinal + 0.5), "longitudinal: holds values that are not between 0 and 1"),
        (rewritten(scale_x=TOY.scale_x * np.nan), "scale_x: holds values that are not finite"),
        (TOY.to_bytes()[:5000], "is not a payload, or is damaged"),
        (b"", "is not a payload, or is damaged"),
        (b"PK\x03\x04 nothing", "is not a payload, or is damaged"),
    ],
)
def test_a_foreign_or_damaged_payload_is_refused_with_its_name(content, fault):
    with pytest.raises(InputError, match=f"(?s)mine.npz: .*{fault}"):
        LikelihoodParameters.from_bytes(content, "mine.npz")


def refusal(content):
    """The message that refuses a content; that it is the toy's, if it is."""
    try:
        found = LikelihoodParameters.from_bytes(content, "mine.npz")
    except InputError as error:
        return str(error)
    return "mine.npz: unchanged" if found == TOY else "another payload"


@pytest.mark.parametrize("seed", range(4))
def test_a_payload_with_changed_bytes_is_refused_or_unchanged(seed):
    rng, compressed = np.random.default_rng(seed), TOY.to_bytes()
    plain = rewritten()
    headers = [i for i in range(len(plain)) if plain[i : i + 6] == b"\x93NUMPY"]
    for trial in range(40):
        content = bytearray(plain if trial % 2 else compressed)
        where = rng.choice(headers) + rng.integers(0, 120) if trial % 2 else rng.integers(0, len(content))
        content[where] ^= 1 << rng.integers(0, 8)
        assert refusal(bytes(content)).startswith("mine.npz: ")


@pytest.mark.parametrize("header", [b"[1]", b"5", b"{}", b'{"schema": "KLMLikelihoodParameters/1"}'])
def test_a_header_that_lacks_something_is_refused(header):
    with np.load(io.BytesIO(TOY.to_bytes())) as archive:
        arrays = dict(archive) | {"header": np.frombuffer(header, dtype=np.uint8)}
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    with pytest.raises(InputError, match=r"its header is no table|has schema None|lacks provenance, checksum"):
        LikelihoodParameters.from_bytes(stream.getvalue())


def test_every_array_that_makes_no_sense_has_its_line():
    with pytest.raises(InputError) as caught:
        replace(TOY, tracks=TOY.tracks - 1.0 * TOY.tracks.max() - 1, scale_x=TOY.scale_x.astype(str), uncertainty=[2.0])
    lines = str(caught.value).split("\n")
    assert [line.split(": ")[1] for line in lines] == ["uncertainty", "tracks", "scale_x"]


def test_the_arrays_of_a_payload_cannot_be_changed_behind_what_is_prepared():
    with pytest.raises(ValueError, match="read-only"):
        TOY.longitudinal[0, 0] = 0.5


def test_a_pickle_is_never_run():
    stream = io.BytesIO()
    np.savez(stream, header=np.array([{"schema": "x"}], dtype=object))
    with pytest.raises(InputError, match="is not a payload"):
        LikelihoodParameters.from_bytes(stream.getvalue())


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="there is no such payload"):
        LikelihoodParameters.load(tmp_path / "none.npz")
