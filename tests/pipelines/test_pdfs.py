"""`muonkit pdfs build|show`: samples to payload, the same bytes however it is done."""

import json

import numpy as np
import pytest

from muonkit.cli import main
from muonkit.muid.likelihood.payload import LikelihoodParameters

SPECIES = ("mu", "pi", "K", "p", "d", "e")
SAMPLE = """
[generate]
events = 400
seed = 7
[gun]
particle = "{particle}"
p = [0.7, 4.0]
theta = [0.5, 2.4]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Samples of all species, and the configuration of a build."""
    path = tmp_path_factory.mktemp("pdfs")
    for name in SPECIES:
        (path / f"{name}.toml").write_text(SAMPLE.format(particle=name))
        assert main(["simulate", "klm", str(path / f"{name}.toml"), "-o", str(path / f"{name}.parquet")]) == 0
    (path / "b.toml").write_text('[input]\nsamples = ["*.parquet"]\nchunk_size = 150\n')
    return path


@pytest.fixture(scope="module")
def built(folder):
    assert main(["pdfs", "build", str(folder / "b.toml"), "-o", str(folder / "b.npz")]) == 0
    return folder / "b.npz"


def test_the_payload_counts_all_tracks_and_knows_where_they_are_from(built, folder):
    payload = LikelihoodParameters.load(built)
    assert sum(payload.provenance["tracks"]) == sum(s["tracks"] for s in payload.provenance["samples"].values())
    assert len(payload.provenance["samples"]) == len(SPECIES)
    assert payload.provenance["samples"]["pi.parquet"]["about"]["config"]["gun"]["particle"] == "pi"
    assert payload.tracks.sum() > 1000
    assert not list(folder.glob(".b.npz*"))


def test_jobs_and_repetition_give_the_same_bytes(built, folder):
    again = folder / "again.npz"
    assert main(["pdfs", "build", str(folder / "b.toml"), "-o", str(again), "--jobs", "2"]) == 0
    assert again.read_bytes() == built.read_bytes()


def test_the_page_shows_figures_and_numbers(built):
    page = built.with_suffix(".html").read_text()
    assert page.count("data:image/svg+xml") == 9
    assert "left the forward endcap" in page
    assert "pi.parquet: 400 tracks, engine fast" in page


def test_muons_and_pions_differ_in_the_table_that_is_shown(built, capsys):
    tables = {}
    for name in ("mu", "pi"):
        assert main(["pdfs", "show", str(built), "--species", name, "--outcome", "3", "--last", "14", "--json"]) == 0
        tables[name] = json.loads(capsys.readouterr().out)["table"]
    p = {name: np.array([row["p"] for row in table]) for name, table in tables.items()}
    assert len(p["mu"]) == 15
    assert np.all(p["mu"] > 0.85)
    assert np.all(p["pi"][5:] < 0.4)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('[input]\nsamples = ["none.parquet"]\n', "nothing fits"),
        ('[input]\nsamples = ["mu.parquet"]\n', "hold no e+"),
        ("[input]\nsamples = []\n", "input.samples"),
        ('[input]\nsamples = ["mu.parquet"]\n[selection]\nmax_soft = -1\n', "selection.max_soft"),
        ('[input]\nsamples = ["mu.txt"]\n', "mu.txt"),
    ],
)
def test_faults_are_one_line(folder, capsys, text, fault):
    (folder / "bad.toml").write_text(text)
    assert main(["pdfs", "build", str(folder / "bad.toml"), "-o", str(folder / "bad.npz")]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("count")]
    assert len(lines) == 1
    assert fault in lines[0]
    assert not (folder / "bad.npz").exists()


def test_a_class_that_no_track_reached_is_shown_too(built, capsys):
    assert main(["pdfs", "show", str(built), "--outcome", "66", "--last", "11", "--species", "e", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["table"]
    assert {row["crossed"] for row in rows} == {0}
    assert all(row["p"] > 0 for row in rows)


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        (["--outcome", "67"], "--outcome 67"),
        (["--outcome", "3", "--last", "15"], "--last 15"),
        (["--last", "3"], "give --outcome too"),
    ],
)
def test_tables_that_do_not_exist_are_told(built, capsys, more, fault):
    assert main(["pdfs", "show", str(built), *more]) == 2
    assert fault in capsys.readouterr().err


def test_a_sample_whose_truth_is_missing_is_told(folder, capsys):
    for part in ("tracks", "hits"):
        (folder / f"half.{part}.parquet").write_bytes((folder / f"mu.{part}.parquet").read_bytes())
    (folder / "half.toml").write_text('[input]\nsamples = ["half.parquet"]\n')
    assert main(["pdfs", "build", str(folder / "half.toml"), "-o", str(folder / "half.npz")]) == 2
    assert "half.truth.parquet: there is no such file" in capsys.readouterr().err
    for part in ("tracks", "hits"):
        (folder / f"half.{part}.parquet").unlink()
