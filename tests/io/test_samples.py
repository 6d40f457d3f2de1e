"""Simulated samples: three tables and a note that belong together."""

import json
from types import MappingProxyType

import numpy as np
import pytest

from muonkit.core.errors import InputError
from muonkit.data.klm import DECAYED, LEFT, Candidates, KLMHits, KLMTruth
from muonkit.data.tracks import FreeStates
from muonkit.io.klm import read_truth, table_of, truth_table, worded
from muonkit.io.samples import open_sample, sample_files
from muonkit.io.tables import write_tables

NUMBERS = np.array([3, 4])
TRUTH = KLMTruth(
    *(NUMBERS, np.zeros(2, int), np.array([13, -211]), np.zeros((2, 3)), np.array([[1.0, 0, 0], [0, 2.0, 1e-3]])),
    *(np.array([LEFT, DECAYED]), np.array([[400.0, 0, 0], [0, 120.5, 3]]), np.array([0.0, 0.03])),
)
TRACKS = Candidates(
    NUMBERS, np.zeros(2, int), FreeStates(np.ones((2, 3)), np.ones((2, 3)), np.ones(2), np.zeros((2, 6, 6)))
)
HITS = KLMHits(*np.zeros((5, 1), int), np.zeros((1, 3)), np.zeros(1), np.ones((1, 2)))


def written(path, truth=TRUTH, about='{"engine": "fast"}', origins=MappingProxyType({})):
    files = sample_files(path)
    tables = (*table_of(TRACKS, HITS), truth_table(truth))
    for part, file, table in zip(files._fields[:3], files[:3], tables, strict=True):
        write_tables(file, iter([table if path.suffix == ".root" else worded(table)]), origins.get(part))
    note = json.dumps(json.loads(about) | {"sample": origins["about"]}) if "about" in origins else about
    files.about.write_text(note)


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_truth_comes_back_as_it_was(tmp_path, ending):
    path = tmp_path / f"pions.{ending}"
    if ending == "csv":
        write_tables(sample_files(path).truth, iter([worded(truth_table(TRUTH))]))
        from muonkit.io.klm import open_truth

        file = open_truth(sample_files(path).truth)
    else:
        written(path)
        file = open_sample(path).truth
    back = read_truth(file, 0, file.rows)
    for name in TRUTH.__slots__:
        np.testing.assert_array_equal(getattr(back, name), getattr(TRUTH, name), name)


def test_the_note_of_a_sample_is_read(tmp_path):
    written(tmp_path / "pions.parquet")
    assert open_sample(tmp_path / "pions.parquet").about == json.loads('{"engine": "fast"}')


def test_tables_of_two_samples_are_refused(tmp_path):
    written(tmp_path / "pions.parquet", TRUTH[np.array([1, 0])])
    with pytest.raises(InputError, match="other tracks"):
        open_sample(tmp_path / "pions.parquet")


def test_a_note_that_is_not_json_is_refused(tmp_path):
    written(tmp_path / "pions.parquet", about="{")
    with pytest.raises(InputError, match="not valid JSON"):
        open_sample(tmp_path / "pions.parquet")


def test_a_dot_in_the_name_of_a_sample_belongs_to_the_name(tmp_path):
    files = sample_files(tmp_path / "s0.5.csv.gz")
    names = ["s0.5.tracks.csv.gz", "s0.5.hits.csv.gz", "s0.5.truth.csv.gz", "s0.5.json"]
    assert [path.name for path in files] == names


def test_a_sample_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.tracks\.parquet: there is no such file"):
        open_sample(tmp_path / "none.parquet")
