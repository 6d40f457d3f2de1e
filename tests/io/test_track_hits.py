"""Tables of hits and truth of tracks: what is read is what was written; what is wrong is one line per fault."""

import json
from dataclasses import asdict, replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from muonkit.core.errors import InputError
from muonkit.data.hits import Hits, Sensors, TrackHits
from muonkit.data.truth import TrackTruth
from muonkit.io.track_hits import Rows, open_hits, open_truth, read_hits, read_truth, rows_of
from muonkit.io.track_samples import ABOUT, About, hit_columns, truth_columns, write_hits, write_truth

SPANS = np.broadcast_to(np.array([[-5.0, -5.0], [5.0, 5.0]]), (4, 2, 2))
SENSORS = Sensors("toy", "a" * 64, ("pipe", "A/1", "A/2", "B"), np.array([0, 1, 2, 2]), SPANS)
ABOUT_TOY = About("toy", "a" * 64, "b" * 64, "fast", 1, "0", {"generate": {"tracks": 4}})
ORIGIN, OTHER = "s" + "0" * 15, "s" + "1" * 15
FIRST = (3, 3, 5, 9)  # events
OF_TRACK = (0, 1, 0, 0)


def hits():
    """Tracks with 3, 2, 3, 1 hits."""
    surface = np.array([1, 2, 3, 1, 3, 1, 2, 3, 2])
    sigma = np.where(np.arange(2) < SENSORS.measured[surface][:, None], [[0.001, 0.02]], 0.0)
    value = np.random.default_rng(1).normal(size=(9, 2)) * (sigma > 0)
    return TrackHits(np.array(FIRST), np.array(OF_TRACK), Hits(np.array([0, 3, 5, 8, 9]), surface, value, sigma**2))


def truth():
    n = len(FIRST)
    rng = np.random.default_rng(2)
    whole = (np.zeros(n, np.int64), np.zeros(n, np.int64), np.array([1, -1, 1, 1]))
    end = np.array([0, 1, 2, 0])
    x, p, mass = rng.normal(size=(n, 3)), rng.normal(size=(n, 3)), np.full(n, np.nan)
    return TrackTruth(np.array(FIRST), np.array(OF_TRACK), *whole, x, p, mass, end)


def written(folder, found=None, about=ABOUT_TOY, cuts=(0, 9), **columns):
    """The table of hits in groups of rows that end at `cuts`, with some columns replaced."""
    path = folder / "s.hits.parquet"
    whole = hit_columns(found or hits()) | columns
    with write_hits(path, SENSORS.names, about, ORIGIN) as write:
        for start, stop in pairwise(cuts):
            write({name: values[start:stop] for name, values in whole.items()})
    return path


def changed(column, row, value):
    values = hit_columns(hits())[column].copy()
    values[row] = value
    return {column: values}


def raw(folder, drop=(), **columns):
    """A table of other people: without metadata, words as plain texts."""
    path = folder / "s.hits.parquet"
    content = {name: values.tolist() for name, values in hit_columns(hits()).items()}
    content["module"] = [SENSORS.names[i] for i in content["module"]]
    pq.write_table(pa.table({name: each for name, each in (content | columns).items() if name not in drop}), path)
    return path


def read(path, size=1000, sensors=SENSORS):
    file = open_hits(path, sensors, size)
    return [read_hits(file, piece) for piece in file.pieces]


def same(one, other):
    for name in ("event", "track"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for name in ("offsets", "surface", "value", "variance"):
        np.testing.assert_allclose(getattr(one.hits, name), getattr(other.hits, name), rtol=1e-15)


@pytest.mark.parametrize("cuts", [(0, 9), (0, 3, 9), (0, 1, 2, 4, 7, 9)])
def test_what_is_read_is_what_was_written_whatever_the_groups_of_rows(tmp_path, cuts):
    (found,) = read(written(tmp_path, cuts=cuts))
    same(found, hits())


@pytest.mark.parametrize("cuts", [(0, 9), (0, 1, 2, 4, 7, 9)])
@pytest.mark.parametrize(("size", "starts"), [(1, [0, 5, 8, 9]), (4, [0, 5, 9]), (100, [0, 9])])
def test_pieces_are_whole_events(tmp_path, cuts, size, starts):
    file = open_hits(written(tmp_path, cuts=cuts), SENSORS, size)
    assert list(file.pieces) == [Rows(*each) for each in pairwise(starts)]
    tracks = np.diff(np.searchsorted([0, 3, 5, 8, 9], starts))
    assert [len(read_hits(file, piece)) for piece in file.pieces] == tracks.tolist()


def test_tables_without_rows_have_no_pieces(tmp_path):
    file = open_hits(written(tmp_path, cuts=(0, 0)), SENSORS)
    assert file.pieces == ()
    assert len(read_hits(file, Rows(0, 0))) == 0


def test_tables_of_other_people_are_read_and_said_to_be_taken_on_trust(tmp_path):
    path = raw(tmp_path, v=[None if np.isnan(v) else v for v in hit_columns(hits())["v"].tolist()])
    (found,) = read(path)
    same(found, hits())
    (note,) = open_hits(path, SENSORS).notes
    assert "toy is taken on trust" in note
    assert open_hits(written(tmp_path), SENSORS).notes == ()


def test_hits_of_another_detector_are_refused_and_both_are_named(tmp_path):
    with pytest.raises(InputError) as error:
        read(written(tmp_path), sensors=replace(SENSORS, detector="mine", checksum="c" * 64))
    (fault,) = error.value.faults
    assert "'toy' (checksum aaaaaaaaaaaa)" in fault
    assert "'mine' (cccccccccccc)" in fault


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        (changed("event", 5, 2), "row 5 goes back to an earlier track"),
        (changed("track", 3, 0) | changed("event", 3, 2), "row 3 goes back to an earlier track"),
        (changed("u", 4, np.nan), "row 4 has a u that is no number"),
        (changed("u", 4, np.inf), "row 4 has a u that is no number"),
        (changed("v", 1, np.nan), "row 1 has a v that is no number of cm, on a module that measures two"),
        (changed("v", 0, 0.5), "row 0 has a v on a module that measures one"),
        (changed("sigma_u", 2, 0.0), "row 2 has an error that is no positive number"),
        (changed("sigma_v", 2, -1.0), "row 2 has an error that is no positive number"),
        (changed("sigma_u", 2, np.nan), "row 2 has an error that is no positive number"),
        (changed("sigma_u", 2, 1e-170), "row 2 has an error that is no positive number"),
        (changed("sigma_v", 2, 12.0), "row 2 has an error larger than its module"),
        (changed("u", 4, 15.5), "row 4 lies outside of its module"),
        (changed("v", 1, -1e5), "row 1 lies outside of its module"),
        (changed("module", 6, 0), "row 6 is on a surface of toy that measures nothing"),
    ],
)
def test_every_fault_is_one_line_with_its_first_row(tmp_path, columns, fault):
    for cuts in ((0, 9), (0, 2, 5, 9)):
        with pytest.raises(InputError) as error:
            read(written(tmp_path, cuts=cuts, **columns))
        assert len(error.value.faults) == 1
        assert fault in error.value.faults[0]


def test_a_hit_that_is_there_twice_is_told(tmp_path):
    twice = np.array([0, 1, 1, 2, 3, 4, 5, 6, 7, 8])
    columns = {name: values[twice] for name, values in hit_columns(hits()).items()}
    path = tmp_path / "s.hits.parquet"
    with write_hits(path, SENSORS.names, ABOUT_TOY, ORIGIN) as write:
        write(columns)
    with pytest.raises(InputError, match="row 2 is the hit before again"):
        read(path)


def test_unknown_modules_are_counted_and_named(tmp_path):
    modules = [SENSORS.names[i] for i in hit_columns(hits())["module"]]
    modules[3], modules[7] = "C\n", None
    with pytest.raises(InputError) as error:
        read(raw(tmp_path, module=modules))
    (fault,) = error.value.faults
    assert "row 3 is on module 'C\\n', which toy does not have (2 such rows in this piece)" in fault


def test_all_faults_are_told_at_once(tmp_path):
    with pytest.raises(InputError) as error:
        read(written(tmp_path, **changed("u", 4, np.nan), **changed("sigma_u", 2, 0.0)))
    assert len(error.value.faults) == 2


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ({"u": ["a"] * 9}, "column 'u' does not hold numbers"),
        ({"module": [1] * 9}, "column 'module' does not hold words"),
        ({"event": [0.5] * 9}, "column 'event' is not a whole number"),
        ({"event": [None] * 9}, "column 'event'"),
        ({"track": ["a"] * 9}, "column 'track' does not hold numbers"),
        ({"drop": ("u", "module")}, "has no column module, u"),
    ],
)
def test_columns_of_another_kind_are_one_line(tmp_path, columns, fault):
    with pytest.raises(InputError) as error:
        read(raw(tmp_path, **columns))
    assert len(error.value.faults) == 1
    assert fault in error.value.faults[0]


def test_files_that_are_absent_or_damaged_are_one_line(tmp_path):
    path = tmp_path / "s.hits.parquet"
    with pytest.raises(InputError, match="there is no such file"):
        open_hits(path, SENSORS)
    path.write_bytes(b"PAR1 and nothing")
    with pytest.raises(InputError, match="cannot be read"):
        open_hits(path, SENSORS)


@pytest.mark.parametrize("note", ["{", "[]", "{}", '{"detector": 1, "checksum": 2}'])
def test_damaged_metadata_are_one_line(tmp_path, note):
    path = written(tmp_path)
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({ABOUT: note}), path)
    with pytest.raises(InputError):
        open_hits(path, SENSORS)


def truth_file(folder, origin=ORIGIN, **columns):
    path = folder / "s.truth.parquet"
    with write_truth(path, ABOUT_TOY, origin) as write:
        write(truth_columns(truth()) | columns)
    return path


def test_truth_is_read_as_it_was_written_and_belongs_to_its_hits(tmp_path):
    file = open_hits(written(tmp_path), SENSORS)
    found = read_truth(open_truth(truth_file(tmp_path), file))
    for name in TrackTruth.__slots__:
        np.testing.assert_array_equal(getattr(found, name), getattr(truth(), name))
    np.testing.assert_array_equal(rows_of(found, np.array([3, 9, 4]), np.array([1, 0, 0])), [1, 3, -1])
    with pytest.raises(InputError, match="is of another sample"):
        open_truth(truth_file(tmp_path, OTHER), file)


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ({"px": np.full(4, np.nan)}, "not finite"),
        ({"pz": np.full(4, 1e300)}, "exceed 1e\\+06 cm or GeV"),
        ({"px": np.zeros(4), "py": np.zeros(4)}, "px and py are 0"),
        ({"charge": np.array([1, 0, 1, 1])}, r"not \+1 or -1"),
        ({"track": np.zeros(4, np.int64)}, "a track is there twice"),
    ],
)
def test_truth_that_cannot_be_used_is_one_line(tmp_path, columns, fault):
    with pytest.raises(InputError, match=fault) as error:
        read_truth(open_truth(truth_file(tmp_path, **columns)))
    assert len(error.value.faults) == 1


def test_truth_with_numbers_from_2_to_the_63_on_is_found(tmp_path):
    event = np.array(FIRST, np.uint64) + np.uint64(2**63)
    path = truth_file(tmp_path)
    table = pq.read_table(path)
    pq.write_table(table.set_column(0, "event", pa.array(event)), path)
    assert len(read_truth(open_truth(path), (int(event[0]) - 2**64, int(event[-1]) - 2**64))) == 4


def test_a_far_hit_is_only_what_is_more_than_its_width_outside(tmp_path):
    read(written(tmp_path, **changed("u", 4, 14.9)))


def test_metadata_are_what_was_given(tmp_path):
    about = open_hits(written(tmp_path), SENSORS).about
    assert about == ABOUT_TOY
    assert json.loads(pq.read_schema(written(tmp_path)).metadata[ABOUT.encode()]) == asdict(ABOUT_TOY)
