"""`muonkit classifier train|evaluate`, and its columns in `identify`."""

import json
from importlib.util import find_spec

import numpy as np
import pyarrow.parquet as pq
import pytest

from muonkit.cli import main
from muonkit.muid.classifier.train import LIBRARIES
from muonkit.muid.likelihood.hypotheses import HYPOTHESES
from muonkit.muid.shipped import classifier_of

SAMPLE = """
[generate]
events = {events}
seed = {seed}
[gun]
particle = "{particle}"
p = [0.7, 4.0]
theta = [0.5, 2.4]
"""
TRAIN = (
    '[input]\nsamples = ["*.parquet"]\n[training]\nwidth = 8\nblocks = 1\nepochs = 15\nbatch = 200\np = [0.6, 5.0]\n'
)
COLUMNS = [f"classifier_{name}" for name in HYPOTHESES]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("classifier")
    for name in HYPOTHESES:
        events = 1500 if name in ("mu", "pi") else 300
        (path / f"{name}.toml").write_text(SAMPLE.format(particle=name, seed=5, events=events))
        assert main(["simulate", "klm", str(path / f"{name}.toml"), "-o", str(path / f"{name}.parquet")]) == 0
    (path / "train.toml").write_text(TRAIN)
    (path / "evaluate.toml").write_text('[input]\nsamples = ["*.parquet"]\n[evaluation]\ntoys = 10\n')
    return path


def identified(folder, name, classifier, tracks="tracks"):
    (folder / "i.toml").write_text(
        f'classifier = "{classifier}"\n[input]\ntracks = "{name}.{tracks}.parquet"\nhits = "{name}.hits.parquet"\n'
    )
    assert main(["identify", str(folder / "i.toml"), "-o", str(folder / "i.out.parquet")]) == 0
    return pq.read_table(folder / "i.out.parquet")


def column(folder, name, classifier):
    return identified(folder, name, classifier)["classifier_mu"].to_numpy()


@pytest.mark.skipif(not all(map(find_spec, LIBRARIES)), reason="JAX or Optax is not installed")
def test_a_classifier_is_trained_compared_and_used(folder, tmp_path, capsys):
    model = tmp_path / "m.npz"
    assert main(["classifier", "train", str(folder / "train.toml"), "-o", str(model), "--jobs", "2"]) == 0
    out = tmp_path / "e.json"
    arguments = ["classifier", "evaluate", str(folder / "evaluate.toml"), "--model", str(model), "-o", str(out)]
    assert main(arguments) == 0
    found = json.loads(out.read_text())["bins"]["all"]
    assert found["likelihood"]["ratio"] == 1
    assert found["m"]["fake_rate"] < 0.2
    assert found["m"]["low"] <= found["m"]["fake_rate"] <= found["m"]["high"]
    assert 150 < found["signal"] + found["background"] < 450  # a tenth of 3000
    mu, pi = (column(folder, name, model) for name in ("mu", "pi"))
    assert np.nanmedian(mu) > 0.5
    assert np.nanmedian(pi) < 0.1
    capsys.readouterr()


def test_the_classifier_that_comes_with_the_package_knows_muons(folder, capsys):
    mu, pi = (column(folder, name, "default") for name in ("mu", "pi"))
    assert np.nanmean(mu > 0.5) > 0.9
    assert np.nanmean(pi > 0.5) < 0.1
    assert np.isnan(mu).sum() < 100
    capsys.readouterr()


def test_tracks_that_do_not_arrive_have_no_probability_and_those_of_others_add_up_to_one(folder, capsys):
    found = identified(folder, "pi", "default")
    p = np.column_stack([found[name].to_numpy() for name in COLUMNS])
    missing = found["outcome"].to_numpy() == 0
    np.testing.assert_array_equal(np.isnan(p), np.repeat(missing[:, None], len(COLUMNS), axis=1))
    np.testing.assert_allclose(p[~missing].sum(axis=1), 1)
    capsys.readouterr()


def test_other_species_are_found_too(folder, capsys):
    for name in ("e", "p", "d"):
        found = identified(folder, name, "default")
        own = np.nanmean(found[f"classifier_{name}"].to_numpy())
        assert own == max(np.nanmean(found[column].to_numpy()) for column in COLUMNS), name
    capsys.readouterr()


def test_halves_of_tracks_make_a_difference_only_where_the_table_has_them(folder, capsys):
    tracks = pq.read_table(folder / "pi.tracks.parquet")
    pq.write_table(tracks.drop_columns(["halves_chi2", "halves_pull"]), folder / "pi.plain.parquet")
    pq.write_table(tracks.drop_columns(["halves_pull"]), folder / "pi.half.parquet")
    whole, plain = (identified(folder, "pi", "default", part) for part in ("tracks", "plain"))
    for name in set(whole.column_names) - set(COLUMNS):
        np.testing.assert_array_equal(whole[name].to_numpy(), plain[name].to_numpy(), err_msg=name)
    chi2 = tracks["halves_chi2"].to_numpy()
    with_halves, without = (table["classifier_mu"].to_numpy() for table in (whole, plain))
    kinked = (chi2 > 100) & (without > 0.5)
    assert kinked.sum() > 3
    assert np.mean(with_halves[kinked]) < 0.3 < np.mean(without[kinked])
    text = (folder / "i.toml").read_text().replace("pi.plain", "pi.half")
    (folder / "i.toml").write_text(text)
    capsys.readouterr()
    assert main(["identify", str(folder / "i.toml"), "-o", str(folder / "x.parquet")]) == 2
    assert "has no column 'halves_pull'" in capsys.readouterr().err
    for part in ("plain", "half"):
        (folder / f"pi.{part}.parquet").unlink()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('[input]\nsamples = ["mu.parquet"]\n', "hold no e, pi, K, p, d"),
        ('[input]\nsamples = ["no.parquet"]\n', "nothing fits"),
    ],
)
def test_faults_are_one_line(folder, capsys, text, fault):
    (folder / "bad.toml").write_text(text)
    assert main(["classifier", "train", str(folder / "bad.toml"), "-o", str(folder / "bad.npz")]) == 2
    assert fault in capsys.readouterr().err


def test_a_background_of_kaons_is_compared_with_and_without_halves(folder, capsys):
    classifier_of("default", folder).save(folder / "d.npz")
    rates = []
    for halves in ("true", "false"):
        (folder / "k.toml").write_text(
            '[input]\nsamples = ["mu.parquet", "K.parquet"]\n'
            f'[evaluation]\nbackground = "K"\nunseen = false\ntoys = 2\nhalves = {halves}\n'
        )
        out = ["-o", str(folder / "k.json")]
        assert main(["classifier", "evaluate", str(folder / "k.toml"), "--model", str(folder / "d.npz"), *out]) == 0
        rates.append(json.loads((folder / "k.json").read_text())["bins"]["all"]["d"]["fake_rate"])
    assert " K: likelihood" in capsys.readouterr().out
    assert rates[0] < rates[1]


def test_a_name_that_is_taken_is_refused(folder, tmp_path, capsys):
    classifier_of("default", folder).save(tmp_path / "likelihood.npz")
    arguments = ["--model", str(tmp_path / "likelihood.npz"), "-o", str(tmp_path / "k.json")]
    assert main(["classifier", "evaluate", str(folder / "evaluate.toml"), *arguments]) == 2
    assert "name 'likelihood' is taken" in capsys.readouterr().err


def test_a_missing_classifier_is_told(folder, capsys):
    (folder / "i.toml").write_text(
        'classifier = "none.npz"\n[input]\ntracks = "mu.tracks.parquet"\nhits = "mu.hits.parquet"\n'
    )
    assert main(["identify", str(folder / "i.toml"), "-o", str(folder / "x.parquet")]) == 2
    assert "there is no such classifier" in capsys.readouterr().err
