"""Tables cut into pieces of whole events of one run, by plain loops; detectors and samples by name."""

import numpy as np
import pytest

from muonkit.core.errors import InputError
from muonkit.detector.detector import SHIPPED
from muonkit.io.klm import EventKeys
from muonkit.pipelines.pieces import cut_events, detector_of, matching_files, open_samples


def keys(runs, events):
    """Keys of rows that are sorted by run and event."""
    rows = np.column_stack((np.full(len(runs), 7), runs, events))
    change = np.flatnonzero(np.any(np.diff(rows, axis=0) != 0, axis=1)) + 1
    return EventKeys(rows, np.concatenate(([0], change, [len(rows)])) if len(rows) else np.zeros(1, dtype=np.int64))


def some(n, rng):
    """Rows of two runs with the same numbers of events."""
    runs = np.sort(rng.integers(1, 3, n))
    events = np.concatenate([np.sort(rng.integers(0, 20, np.sum(runs == run))) for run in (1, 2)])
    return keys(runs, events)


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_pieces_hold_whole_events_of_one_run_and_all_their_hits(size):
    rng = np.random.default_rng(size)
    tracks, hits = some(60, rng), some(300, rng)
    pieces = cut_events(tracks, hits, size)
    assert [piece.tracks[0] for piece in pieces] == [0, *(piece.tracks[1] for piece in pieces[:-1])]
    assert pieces[-1].tracks[1] == 60
    assert len(pieces) > 2 or size == 1000
    for piece in pieces:
        mine = {tuple(row) for row in tracks.rows[slice(*piece.tracks)].tolist()}
        others = {tuple(row) for row in tracks.rows.tolist()} - mine
        assert {row[:2] for row in mine} == {(7, piece.run[1])}
        assert not mine & {tuple(row) for row in np.delete(tracks.rows, np.r_[slice(*piece.tracks)], axis=0).tolist()}
        own = {tuple(row) for row in hits.rows[slice(*piece.hits)].tolist()}
        assert own - mine == own - mine - others  # hits of events without tracks may be between
        assert np.sum([tuple(row) in mine for row in hits.rows.tolist()]) == np.sum(
            [tuple(row) in mine for row in hits.rows[slice(*piece.hits)].tolist()]
        )
        assert len(mine) == 1 or piece.tracks[1] - piece.tracks[0] <= size


def test_a_table_without_tracks_has_no_pieces():
    assert cut_events(keys([], []), keys([1], [3]), 10) == ()


def test_a_detector_is_found_by_name_or_as_a_file(tmp_path):
    shipped = detector_of("telescope", tmp_path)
    assert (shipped.place, shipped.files) == ("telescope", ())
    (tmp_path / "own.toml").write_text((SHIPPED / "telescope.toml").read_text())
    own = detector_of("own.toml", tmp_path)
    assert (own.place, own.files) == (str(tmp_path / "own.toml"), (tmp_path / "own.toml",))
    assert own.detector.layers == shipped.detector.layers
    with pytest.raises(InputError, match=r"none\.toml: there is no such file"):
        detector_of("none.toml", tmp_path)


def test_patterns_stand_for_files_in_the_order_of_their_names(tmp_path):
    for name in ("b.txt", "a.txt", "c.csv"):
        (tmp_path / name).write_text("")
    assert [path.name for path in matching_files(tmp_path / "*.txt")] == ["a.txt", "b.txt"]
    assert matching_files(tmp_path / "c.csv") == [tmp_path / "c.csv"]
    assert matching_files(tmp_path / "d*") == []


def test_every_pattern_that_fits_no_sample_is_one_line(tmp_path):
    with pytest.raises(InputError) as caught:
        open_samples(["x.parquet", "y*.csv"], tmp_path)
    assert [line.split(";")[0] for line in caught.value.faults] == [
        f"input.samples: nothing fits {tmp_path / name}" for name in ("x.tracks.parquet", "y*.tracks.csv")
    ]
