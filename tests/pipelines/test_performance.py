"""Performance from files to files: numbers, page, cuts, bad input."""

import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.muid.performance.toys import TOY, write_sample

from muonkit.cli import main
from muonkit.muid.likelihood.hypotheses import HYPOTHESES
from muonkit.muid.performance import cuts_file

INPUT = '[[input]]\nidentified = "{0}.identified.parquet"\ntruth = "{0}.truth.parquet"\n'
FEW = "[binning]\np = [0.5, 1, 2, 5]\ntheta = [15, 90, 150]\nphi = [-180, 0, 180]\nroc_p = [0.5, 1, 5]\n"
FEW += "cuts_p = [0.5, 2, 5]\ncuts_theta = [15, 60, 150]\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two samples with a column of another score, one of them of all six species, and a payload."""
    path = tmp_path_factory.mktemp("performance")
    write_sample(path, "a", 6000, 1)
    write_sample(path, "b", 6000, 2, names=HYPOTHESES)
    for name in "ab":
        table = pq.read_table(path / f"{name}.identified.parquet")
        pq.write_table(table.append_column("dnn", table["p_mu"]), path / f"{name}.identified.parquet")
    TOY.save(path / "toy.npz")
    return path


def write(folder, name, text):
    (folder / name).write_text(text)
    return folder / name


def run(capsys, *arguments):
    code = main(["performance", *(str(a) for a in arguments)])
    out, err = capsys.readouterr()
    return code, out, err.strip().splitlines()


@pytest.fixture(scope="module")
def done(folder):
    """The folder of a run over both samples, and its performance.json."""
    text = (
        "efficiencies = [0.8, 0.9]\nmin_muons = 50\nchunk_size = 2500\n" + INPUT.format("a") + INPUT.format("b") + FEW
    )
    text += (
        '[[score]]\ncolumn = "dnn"\n[payload]\nfile = "toy.npz"\nexact = true\n[drawing]\nlabel = "Toy simulation"\n'
    )
    assert main(["performance", str(write(folder, "all.toml", text)), "-o", str(folder / "out"), "--json"]) == 0
    return folder / "out", json.loads((folder / "out" / "performance.json").read_text())


def test_numbers_of_tracks_are_those_of_the_tables(done, folder):
    _, content = done
    p, score, pdg, outcome = [], [], [], []
    for name in "ab":
        truth = pq.read_table(folder / f"{name}.truth.parquet")
        found = pq.read_table(folder / f"{name}.identified.parquet")
        p.append(np.column_stack([truth[c].to_numpy() for c in ("px", "py", "pz")]))
        score.append(found["logL_mu"].to_numpy() - found["logL_pi"].to_numpy())
        pdg.append(truth["pdg_id"].to_numpy())
        outcome.append(found["outcome"].to_numpy())
    momentum, score, pdg, outcome = (np.concatenate(values) for values in (p, score, pdg, outcome))
    size = np.linalg.norm(momentum, axis=1)
    theta = np.degrees(np.arccos(momentum[:, 2] / size))
    inside = (size >= 0.5) & (size < 5) & (theta >= 15) & (theta < 150) & (outcome > 0)
    edges = [0.5, 1, 2, 5]
    for name, code in (("mu", 13), ("pi", 211), ("K", 321)):
        rows = inside & (np.abs(pdg) == code)
        for cut in ("0", "10", "20"):
            found = content["p"]["cuts"][cut][name]
            assert found["total"] == np.histogram(size[rows], edges)[0].tolist()
            assert found["passed"] == np.histogram(size[rows & (score > float(cut))], edges)[0].tolist()
            assert sum(content["theta"]["cuts"][cut][name]["passed"]) == sum(found["passed"])
            assert sum(content["phi"]["cuts"][cut][name]["total"]) == sum(found["total"])
            assert content["overall"][cut][name]["passed"] == sum(found["passed"])
    assert content["selection"]["tracks"]["read"]["mu"] == np.sum(np.abs(pdg) == 13)


def test_the_content_has_all_that_is_promised(done):
    _, content = done
    sections = {"p", "theta", "phi", "map", "overall", "roc", "working_points", "confusion", "boxes", "diff_layer"}
    sections |= {"decays", "cuts", "goodness_of_fit", "selection", "samples", "doubts", "provenance"}
    assert sections == set(content)
    assert (content["p"]["unit"], content["theta"]["unit"], content["phi"]["unit"]) == ("GeV", "deg", "deg")
    assert len(content["samples"]) == 2
    assert list(content["working_points"]) == list(content["roc"]["scores"]) == ["delta", "dnn"]
    assert [one["p"] for one in content["roc"]["scores"]["dnn"]] == [[0.5, 1], [1, 5], [0.5, 5]]
    assert content["boxes"]["mu"]["median"][1] > 0 > content["boxes"]["pi"]["median"][1]
    assert np.argmax(content["diff_layer"]["tracks"]["mu"]) == 0
    decays = content["decays"]["cuts"]["0"]["pi"]
    both = np.add(decays["decayed"]["total"], decays["others"]["total"])
    assert both.tolist() == content["p"]["cuts"]["0"]["pi"]["total"]
    assert content["provenance"]["sample"] == "Toy simulation"


def test_the_payload_that_the_tracks_are_from_fits(done):
    found = {one["species"]: one for one in done[1]["goodness_of_fit"]}
    assert set(found) == set(HYPOTHESES)
    assert all(one["p_value"] > 1e-4 for one in found.values())


def test_cuts_have_the_wanted_efficiency_on_the_sample(done, folder):
    out, content = done
    assert [one["efficiency"] for one in content["cuts"]] == [0.8, 0.9]
    truth, found = (pq.read_table(folder / f"a.{name}.parquet") for name in ("truth", "identified"))
    momentum = np.column_stack([truth[c].to_numpy() for c in ("px", "py", "pz")])
    p = np.linalg.norm(momentum, axis=1)
    theta = np.degrees(np.arccos(momentum[:, 2] / p))
    muons = (np.abs(truth["pdg_id"].to_numpy()) == 13) & (found["outcome"].to_numpy() > 0)
    muons &= (p >= 0.5) & (p < 5) & (theta >= 15) & (theta < 150)
    delta = (found["logL_mu"].to_numpy() - found["logL_pi"].to_numpy())[muons]
    for efficiency in (0.8, 0.9):
        cut = cuts_file.evaluate(out / "cuts.json.gz", "cut", efficiency, p[muons], theta[muons])
        assert abs(np.mean(delta > cut) - efficiency) < 4 * np.sqrt(0.25 / muons.sum())


def test_the_page_shows_every_figure_and_every_figure_is_a_file(done):
    out, _ = done
    html = (out / "performance.html").read_text()
    names = {path.stem for path in out.glob("*.png")}
    wanted = {"efficiency_p", "efficiency_theta", "efficiency_phi", "inefficiency_map", "delta_boxes", "roc_delta"}
    wanted |= {"roc_dnn", "working_point", "fakes", "decays", "confusion", "diff_layer", "goodness_of_fit"}
    assert names == wanted
    for name in names:
        assert f'id="fig-{name}"' in html
        assert (out / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
    assert len(re.findall('src="data:image/', html)) == len(names)
    assert "Toy simulation" in html
    assert "a.identified.parquet" in html
    assert "http" not in re.sub(r'src="[^"]*"', "", html)
    assert not list(out.glob(".*"))


def test_a_pattern_gives_the_same_numbers_in_any_pieces(done, folder, capsys):
    text = "efficiencies = [0.8, 0.9]\nmin_muons = 50\nchunk_size = 100000\n" + INPUT.format("?") + FEW
    code, out, err = run(capsys, write(folder, "glob.toml", text), "-o", folder / "glob", "--json")
    assert (code, err) == (0, [])
    content = json.loads((folder / "glob" / "performance.json").read_text())
    for name in ("p", "theta", "phi", "map", "overall", "confusion", "cuts", "diff_layer", "decays", "samples"):
        assert content[name] == done[1][name]
    assert content["goodness_of_fit"] == []
    assert json.loads(out)["overall"] == content["overall"]


def test_the_command_prints_the_rates(folder, capsys):
    code, out, _ = run(capsys, write(folder, "one.toml", INPUT.format("a") + FEW), "-o", folder / "one")
    assert code == 0
    assert re.search(r"Delta > 0 +mu \d\d\.\d+ %", out)
    assert "pi fakes at 90% efficiency" in out
    assert out.strip().endswith("performance.html")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", ["input: is missing; add it"]),
        (
            INPUT.format("no"),
            ["no.identified.parquet: there is no such file", "no.truth.parquet: there is no such file"],
        ),
        (INPUT.format("a") + "cutz = 1\n", ["input.0.cutz: unknown key"]),
        ("input = []\n", ["input: names no tables"]),
        ("cutz = [1]\n" + INPUT.format("a"), ["cutz: unknown key; did you mean 'cuts'?"]),
        ("cuts = [0, 0]\n" + INPUT.format("a"), ["cuts: a value stands twice"]),
        ("efficiencies = [0.9, 0.9000001]\n" + INPUT.format("a"), ["efficiencies: a value stands twice, to six"]),
        (INPUT.format("a") + INPUT.format("a"), ["a.identified.parquet: is named twice in [[input]]"]),
        ('background = "mu"\n' + INPUT.format("a"), ["background: is 'mu' too"]),
        (INPUT.format("a") + "[selection]\np = [5, 1]\n", ["selection.p: range must rise"]),
        (INPUT.format("a") + "[binning]\nphi = [0, 400]\n", ["binning.phi: edges span 400 deg"]),
        (INPUT.format("a") + '[[score]]\ncolumn = "dnnn"\n', ["has no column 'dnnn' (is it 'dnn'?)"]),
        (INPUT.format("a") + '[payload]\nfile = "none.npz"\n', ["none.npz: there is no such payload"]),
        (
            '[[input]]\nidentified = "?.identified.parquet"\ntruth = "a.truth.parquet"\n',
            ["input.0: 2 identified tables, but 1 of truth"],
        ),
        (
            '[[input]]\nidentified = "b.identified.parquet"\ntruth = "a.truth.parquet"\n[selection]\np = [9, 10]\n',
            ["signal: none of", "background: none of"],
        ),
    ],
)
def test_every_fault_of_the_input_is_one_line_and_code_2(folder, capsys, text, lines):
    code, _, err = run(capsys, write(folder, "bad.toml", text), "-o", folder / "bad")
    assert code == 2
    assert len(err) == len(lines)
    for line, wanted in zip(err, lines, strict=True):
        assert wanted in line
    assert not (folder / "bad" / "performance.json").exists()


def test_an_empty_table_and_an_out_that_is_a_file_are_said(folder, capsys):
    for name in ("identified", "truth"):
        pq.write_table(pq.read_table(folder / f"a.{name}.parquet").slice(0, 0), folder / f"empty.{name}.parquet")
    config = write(folder, "empty.toml", INPUT.format("empty"))
    code, _, err = run(capsys, config, "-o", folder / "nothing")
    assert (code, len(err)) == (2, 1)
    assert "holds no tracks" in err[0]
    code, _, err = run(capsys, config, "-o", config)
    assert (code, len(err)) == (2, 1)
    assert "is a file" in err[0]


def test_tracks_of_no_other_species_still_give_a_page(folder, capsys):
    table = pq.read_table(folder / "a.truth.parquet")
    fates = pa.array(["left"] * len(table))
    place = table.column_names.index("fate")
    pq.write_table(table.set_column(place, "fate", fates), folder / "plain.truth.parquet")
    pq.write_table(pq.read_table(folder / "a.identified.parquet"), folder / "plain.identified.parquet")
    code, _, err = run(capsys, write(folder, "plain.toml", INPUT.format("plain")), "-o", folder / "plain")
    assert (code, err) == (0, [])
    content = json.loads((folder / "plain" / "performance.json").read_text())
    assert len(content["p"]["edges"]) == 26
    assert content["overall"]["0"]["K"]["rate"] is None


def test_the_truth_of_another_sample_is_doubted(folder, capsys):
    table, pz = pq.read_table(folder / "a.identified.parquet"), pq.read_table(folder / "a.truth.parquet")["pz"]
    place = table.column_names.index("is_forward")
    forward = pa.array(pz.to_numpy() > 0)
    pq.write_table(table.set_column(place, "is_forward", forward), folder / "sided.identified.parquet")
    text = '[[input]]\nidentified = "sided.identified.parquet"\ntruth = "{}.truth.parquet"\n' + FEW
    for truth, doubted in (("a", False), ("b", True)):
        code, out, _ = run(capsys, write(folder, "sided.toml", text.format(truth)), "-o", folder / truth)
        assert code == 0
        assert ("is it the truth of another sample?" in out.splitlines()[0]) == doubted
        assert ("another sample" in (folder / truth / "performance.html").read_text()) == doubted
