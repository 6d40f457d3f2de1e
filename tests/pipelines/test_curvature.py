"""The audit of the track fit: table of sizes, views, A, e, M, the page, and what is counted."""

import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.pipelines.refitting import DETECTOR, sample, write_hits
from tests.thresholds import PULL_WIDTH

from muonkit.calibration.audit import SUM, View
from muonkit.calibration.curvature import BiasFit
from muonkit.cli import main
from muonkit.report import audit
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


@pytest.fixture(scope="module")
def result(folder):
    assert main(["validate", str(folder / "audit.toml"), "--curvature", "-o", str(folder / "out")]) == 0
    return json.loads((folder / "out" / "curvature.json").read_text())


def test_the_table_has_every_approximation_in_barrel_and_endcap(result):
    assert result["tracks"] == 2 * EVENTS
    sizes = {(one["model"], one["place"], one["pt"][0]): one["value"] for one in result["sizes"]}
    assert {model for model, _, _ in sizes} == {"improved", "standard", *STANDARD}
    assert sizes["constant field", "endcap", 8] == pytest.approx(-220e-5, rel=0.1)
    assert sizes["no path length", "barrel", 3] > 10e-5
    assert abs(sizes["no field gradient", "barrel", 8]) < 1e-5
    assert sizes["standard", "endcap", 8] < -100e-5
    for line in ("improved", "wrong mass", "chi2/ndf"):
        assert line in result["text"]


@pytest.mark.usefixtures("result")
def test_views_and_biases_are_tables(folder):
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


def test_the_page_has_what_the_result_says(folder, result):
    page = (folder / "out" / "audit.html").read_text()
    for size in result["sizes"] + result["sums"]:
        assert f"<td>{1e5 * size['value']:.1f} +- {1e5 * size['error']:.1f}</td>" in page
    assert page.count("<figure") == 5
    shown = re.sub(r"&#\d+;|&\w+;", "", page)
    for line in result["message"].splitlines():
        assert line.removeprefix("Note: ") in shown
    assert len(page) < 5e6


def test_figures_show_the_numbers_of_the_result(result):
    for name, content in result["views"].items():
        figure = audit.view(View.of_json(name, content), "Simulation", "a tracker")
        truth, improved, *alone = figure.axes
        np.testing.assert_equal(shown(truth), [in_1e5(content["models"][key]) for key in ("improved", "standard")])
        np.testing.assert_equal(shown(improved), [in_1e5(content["change"]["standard"])])
        np.testing.assert_equal(improved.patches[0].get_data().values, in_1e5(content["change"][SUM]))
        drawn = {axes.get_title("left"): shown(axes) for axes in alone}
        np.testing.assert_equal(drawn, {model: [in_1e5(content["change"][model])] for model in STANDARD})
    fits = {model: tuple(map(BiasFit.of_json, found)) for model, found in result["biases"].items()}
    figure = audit.biases(fits, np.array(result["eta_edges"]), "Simulation", "a tracker")
    drawn = [shown(axes)[0] for axes in figure.axes[::2]]
    expected = [[fit["values"][row] * factor for fit in result["biases"]["improved"]] for row, factor in UNITS]
    np.testing.assert_allclose(drawn[:3], expected)
    assert drawn[3] == [fit["chi2"] / fit["ndf"] for fit in result["biases"]["improved"]]


UNITS = ((0, 1e3), (1, 1e3), (2, 1e5))  # of A, e, M: 1e-3, MeV, 1e-5/GeV


def shown(axes):
    """Values of the points of every series."""
    return [line.get_ydata().tolist() for line in axes.lines if len(line.get_ydata()) > 2]


def in_1e5(content):
    return (1e5 * np.array(content["value"], np.float64)).tolist()


def test_pulls_at_the_beam_line_are_those_of_a_gaussian(result):
    pulls = result["pulls"]
    assert list(pulls) == ["d0", "z0", "phi", "theta", "q/p"]
    for pull in pulls.values():
        assert abs(pull["mean"]) < 4 / np.sqrt(2 * EVENTS)
        assert abs(pull["core_width"] - 1) < PULL_WIDTH + 4 * 1.17 / np.sqrt(4 * EVENTS)
        assert pull["entries"] == 2 * EVENTS


def test_approximations_add_up_to_the_standard_fit_where_one_does_not_replace_another(result):
    sums = {(one["model"], one["place"], one["pt"][0]): one["value"] for one in result["sums"]}
    sizes = {(one["model"], one["place"], one["pt"][0]): one["value"] for one in result["sizes"]}
    assert sums[SUM, "endcap", 8] == pytest.approx(sizes["standard", "endcap", 8], rel=0.15)
    assert abs(sums["standard - sum", "barrel", 8]) < 3e-5


def test_tracks_that_are_not_used_are_counted(folder, capsys):
    hits, truth = pq.read_table(folder / "a.hits.parquet"), pq.read_table(folder / "a.truth.parquet")
    few = np.array(hits["event"]) != 7
    few[np.flatnonzero(~few)[:2]] = True
    pq.write_table(hits.filter(pa.array(few)), folder / "few.hits.parquet")
    kept = truth.filter(pa.array(np.array(truth["event"]) >= 5))
    pq.write_table(kept, folder / "few.truth.parquet")
    text = CONFIG.replace("a.hits", "few.hits").replace("a.truth", "few.truth").replace("[3, 6, 12, 30]", "[5, 12, 30]")
    (folder / "few.toml").write_text(text + 'models = ["standard"]')
    code, text, err = run(capsys, folder, "few", config="few.toml")
    assert code == 0, err
    result = json.loads(text)
    assert (result["tracks"], result["without_truth"]) == (2 * EVENTS - 10 - 1, 10)
    assert result["fitted"]["improved"] == result["tracks"] - 1
    assert result["failed"] == {"has fewer than 4 hits": 1}
    pt = np.hypot(kept["px"], kept["py"])
    assert result["views"]["k"]["outside"] == result["views"]["charge k"]["outside"]
    assert abs(result["views"]["k"]["outside"] - np.sum(pt < 5)) <= 1
    for line in (
        "without truth (not used): 10",
        "without improved fit: 1",
        "has fewer than 4 hits: 1",
        "outside of the bins of k:",
    ):
        assert line in result["text"]


def test_processes_change_no_bit(folder, capsys):
    (folder / "few_models.toml").write_text(CONFIG + 'models = ["standard", "mean loss"]')
    texts = [
        run(capsys, folder, "one", config="few_models.toml"),
        run(capsys, folder, "two", "--jobs", "2", config="few_models.toml"),
    ]
    first, second = (pq.read_table(folder / out / "curvature.parquet") for out in ("one", "two"))
    assert str(first.to_pydict()) == str(second.to_pydict())
    assert json.loads(texts[0][1])["pulls"] == json.loads(texts[1][1])["pulls"]


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
    assert f"tracks without truth (not used): {EVENTS}" in json.loads(text)["text"]


def test_an_audit_without_a_fit_does_not_pass(folder, capsys):
    hits, _ = sample(10)
    few = {name: column[np.isin(np.arange(len(column)) % 16, (0, 1))] for name, column in hits.items()}
    code, text, _ = run(capsys, folder, "few", config=short(folder, "few", hits=few))
    assert code == 1
    for words in ("tracks without improved fit: 19", "ATTENTION", "improved  "):
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
