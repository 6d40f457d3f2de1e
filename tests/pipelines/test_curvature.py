"""The audit of the track fit: table of sizes, views, A, e, M."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.pipelines.refitting import DETECTOR, sample, write_hits

from muonkit.cli import main
from muonkit.tracking.models import STANDARD

EVENTS = 400
CONFIG = f"""
detector = "{DETECTOR}"
[input]
hits = "a.hits.parquet"
truth = "a.truth.parquet"
chunk_size = 3000
[fit]
energy_loss = "ionisation"
scattering = "highland"
[audit]
eta_edges = [-2.4, -1.2, 0, 1.2, 2.4]
pt_edges = [3, 6, 12, 30]
pt = [[3, 8], [8, 30]]
goal = 2e-3
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("audit")
    hits, truth = sample(EVENTS)
    write_hits(path, hits)
    pq.write_table(pa.table(truth), path / "a.truth.parquet")
    (path / "audit.toml").write_text(CONFIG)
    return path


def run(capsys, folder, out, *options, config="audit.toml"):
    code = main(["validate", str(folder / config), "--curvature", "-o", str(folder / out), "--json", *options])
    text, err = capsys.readouterr()
    return code, text, err


def test_the_table_has_every_approximation_in_barrel_and_endcap(folder, capsys):
    code, text, err = run(capsys, folder, "out")
    assert code == 0, err
    result = json.loads(text)
    assert result["tracks"] == 2 * EVENTS
    assert result == json.loads((folder / "out" / "curvature.json").read_text())
    sizes = {(one["model"], one["place"], one["pt"][0]): one["value"] for one in result["sizes"]}
    assert {model for model, _, _ in sizes} == {"improved", "standard", *STANDARD}
    assert sizes["constant field", "endcap", 8] == pytest.approx(-220e-5, rel=0.1)
    assert sizes["no path length", "barrel", 3] > 10e-5
    assert abs(sizes["no field gradient", "barrel", 8]) < 1e-5
    assert sizes["standard", "endcap", 8] < -100e-5
    for line in ("improved", "wrong mass", "chi2/ndf"):
        assert line in result["text"]


def test_views_and_biases_are_tables(folder, capsys):
    run(capsys, folder, "out")
    views = pq.read_table(folder / "out" / "curvature.parquet").to_pydict()
    assert set(views["view"]) == {"eta", "phi", "k", "charge k"}
    fitted = np.array(
        [
            n
            for n, v, m in zip(views["entries"], views["view"], views["model"], strict=True)
            if (v, m) == ("phi", "improved")
        ]
    )
    assert fitted.sum() == 2 * EVENTS
    biases = pq.read_table(folder / "out" / "biases.parquet").to_pydict()
    assert len(biases["A"]) == 4 * (2 + len(STANDARD))
    improved = [i for i, model in enumerate(biases["model"]) if model == "improved"]
    pulls = np.array([biases["A"][i] / biases["A_error"][i] for i in improved])
    assert (np.abs(pulls) < 4).all()


def test_processes_change_no_bit(folder, capsys):
    run(capsys, folder, "one")
    run(capsys, folder, "two", "--jobs", "2")
    first, second = (pq.read_table(folder / out / "curvature.parquet") for out in ("one", "two"))
    assert str(first.to_pydict()) == str(second.to_pydict())


def test_bad_input_is_named(folder, capsys):
    (folder / "bad.toml").write_text(CONFIG.replace('truth = "a.truth.parquet"', ""))
    code, _, err = run(capsys, folder, "bad", config="bad.toml")
    assert code == 2
    assert "input.truth: is needed" in err
    (folder / "bad.toml").write_text(CONFIG.replace("pt = [[3, 8], [8, 30]]", "pt = [[0, 8]]"))
    code, _, err = run(capsys, folder, "bad", config="bad.toml")
    assert code == 2
    assert "audit.pt: must be at least 0.001 GeV" in err
    (folder / "bad.toml").write_text(CONFIG.replace("a.hits", "\\u001b[31m"))
    code, _, err = run(capsys, folder, "bad", config="bad.toml")
    assert code == 2
    assert "\\x1b[31m.parquet: there is no such file" in err
    (folder / "bad.toml").write_text(CONFIG + 'models = ["flat earth"]')
    code, _, err = run(capsys, folder, "bad", config="bad.toml")
    assert code == 2
    assert "there is no 'flat earth'" in err


def short(folder, name, hits=None, truth=None):
    """A configuration with the improved fit alone, and with other tables."""
    text = CONFIG + 'models = ["improved"]'
    if hits is not None:
        write_hits(folder, hits, name=f"{name}.hits.parquet")
        text = text.replace("a.hits.parquet", f"{name}.hits.parquet")
    if truth is not None:
        pq.write_table(truth, folder / f"{name}.truth.parquet")
        text = text.replace("a.truth.parquet", f"{name}.truth.parquet")
    (folder / f"{name}.toml").write_text(text)
    return f"{name}.toml"


def test_tracks_without_truth_are_told(folder, capsys):
    half = pq.read_table(folder / "a.truth.parquet").slice(0, EVENTS)
    code, text, _ = run(capsys, folder, "half", config=short(folder, "half", truth=half))
    assert code == 0
    assert (json.loads(text)["tracks"], json.loads(text)["without_truth"]) == (EVENTS, EVENTS)
    assert f"{EVENTS} more tracks have no truth" in json.loads(text)["text"]


def test_an_audit_without_a_fit_does_not_pass(folder, capsys):
    hits, _ = sample(10)
    few = {name: column[np.isin(np.arange(len(column)) % 16, (0, 1))] for name, column in hits.items()}
    code, text, _ = run(capsys, folder, "few", config=short(folder, "few", hits=few))
    assert code == 1
    for words in ("were not fitted by the improved fit", "no bin of eta has enough tracks", "improved  "):
        assert words in json.loads(text)["text"]


def test_a_shift_beyond_the_goal_is_told(folder, capsys):
    truth = pq.read_table(folder / "a.truth.parquet").to_pydict()
    wrong = {name: 1.02 * np.array(truth[name]) for name in ("px", "py")}
    pq.write_table(pa.table(truth | wrong), folder / "b.parquet")
    (folder / "b.toml").write_text(CONFIG.replace("a.truth.parquet", "b.parquet") + 'models = ["improved"]')
    code, text, _ = run(capsys, folder, "b", config="b.toml")
    assert code == 1
    result = json.loads(text)
    assert (result["status"], result["bins_beyond"]) == ("ATTENTION", 4)
    assert result["eta"][1]["value"] == pytest.approx(0.02, abs=3e-3)
