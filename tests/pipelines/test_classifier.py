"""`muonkit classifier train|evaluate`, and its column in `identify`."""

import json
from importlib.util import find_spec

import numpy as np
import pyarrow.parquet as pq
import pytest

from muonkit.cli import main
from muonkit.muid.classifier.model import Classifier
from muonkit.muid.shipped import classifier_of

SAMPLE = """
[generate]
events = 1500
seed = {seed}
[gun]
particle = "{particle}"
p = [0.7, 4.0]
theta = [0.5, 2.4]
"""
TRAIN = '[input]\nsamples = ["mu.parquet", "pi.parquet"]\n[training]\ntrees = 30\nleaves = 8\np = [0.6, 5.0]\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("classifier")
    for name in ("mu", "pi"):
        (path / f"{name}.toml").write_text(SAMPLE.format(particle=name, seed=5))
        assert main(["simulate", "klm", str(path / f"{name}.toml"), "-o", str(path / f"{name}.parquet")]) == 0
    (path / "train.toml").write_text(TRAIN)
    (path / "evaluate.toml").write_text('[input]\nsamples = ["*.parquet"]\n[evaluation]\ntoys = 10\n')
    return path


def identified(folder, name, classifier):
    (folder / "i.toml").write_text(
        f'classifier = "{classifier}"\n[input]\ntracks = "{name}.tracks.parquet"\nhits = "{name}.hits.parquet"\n'
    )
    assert main(["identify", str(folder / "i.toml"), "-o", str(folder / "i.out.parquet")]) == 0
    return pq.read_table(folder / "i.out.parquet")["classifier_mu"].to_numpy()


@pytest.mark.skipif(find_spec("sklearn") is None, reason="scikit-learn is not installed")
def test_a_classifier_is_trained_compared_and_used(folder, capsys):
    model = folder / "m.npz"
    assert main(["classifier", "train", str(folder / "train.toml"), "-o", str(model), "--jobs", "2"]) == 0
    out = folder / "e.json"
    arguments = ["classifier", "evaluate", str(folder / "evaluate.toml"), "--model", str(model), "-o", str(out)]
    assert main(arguments) == 0
    found = json.loads(out.read_text())["bins"]["all"]
    assert found["likelihood"]["ratio"] == 1
    assert found["m"]["fake_rate"] < 0.2
    assert found["m"]["low"] <= found["m"]["fake_rate"] <= found["m"]["high"]
    assert 300 < found["signal"] + found["background"] < 900  # two tenths of 3000
    mu, pi = (identified(folder, name, "m.npz") for name in ("mu", "pi"))
    assert np.nanmedian(mu) > 0.8
    assert np.nanmedian(pi) < 0.2
    capsys.readouterr()


def test_the_classifier_that_comes_with_the_package_knows_muons(folder, capsys):
    mu, pi = (identified(folder, name, "default") for name in ("mu", "pi"))
    assert np.nanmean(mu > 0.5) > 0.9
    assert np.nanmean(pi > 0.5) < 0.1
    assert np.isnan(mu).sum() < 100
    capsys.readouterr()


def test_tracks_that_do_not_arrive_have_no_probability(folder, capsys):
    p = identified(folder, "pi", "default")
    outcome = pq.read_table(folder / "i.out.parquet")["outcome"].to_numpy()
    np.testing.assert_array_equal(np.isnan(p), outcome == 0)
    capsys.readouterr()


@pytest.mark.parametrize(
    ("text", "fault"),
    [('[input]\nsamples = ["mu.parquet"]\n', "hold no pi"), ('[input]\nsamples = ["no.parquet"]\n', "nothing fits")],
)
def test_faults_are_one_line(folder, capsys, text, fault):
    (folder / "bad.toml").write_text(text)
    assert main(["classifier", "train", str(folder / "bad.toml"), "-o", str(folder / "bad.npz")]) == 2
    assert fault in capsys.readouterr().err


def test_a_classifier_of_other_species_or_of_a_taken_name_is_refused(folder, capsys):
    shipped = classifier_of("default", folder)
    training = shipped.about["training"]
    kaons = Classifier(shipped.kind, shipped.arrays, shipped.about | {"training": training | {"signal": "K"}})
    kaons.save(folder / "kaons.npz")
    shipped.save(folder / "likelihood.npz")
    (folder / "k.toml").write_text(
        'classifier = "kaons.npz"\n[input]\ntracks = "mu.tracks.parquet"\nhits = "mu.hits.parquet"'
    )
    assert main(["identify", str(folder / "k.toml"), "-o", str(folder / "k.parquet")]) == 2
    assert "kaons.npz: finds K, not mu" in capsys.readouterr().err
    for name, fault in (("kaons", "tells K from pi, not mu from pi"), ("likelihood", "name 'likelihood' is taken")):
        arguments = ["--model", str(folder / f"{name}.npz"), "-o", str(folder / "k.json")]
        assert main(["classifier", "evaluate", str(folder / "evaluate.toml"), *arguments]) == 2
        assert fault in capsys.readouterr().err


def test_a_missing_classifier_is_told(folder, capsys):
    (folder / "i.toml").write_text(
        'classifier = "none.npz"\n[input]\ntracks = "mu.tracks.parquet"\nhits = "mu.hits.parquet"\n'
    )
    assert main(["identify", str(folder / "i.toml"), "-o", str(folder / "x.parquet")]) == 2
    assert "there is no such classifier" in capsys.readouterr().err
