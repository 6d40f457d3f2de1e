"""Performance of the Muid of the Belle II software, from the records in its files."""

import json

import numpy as np
import pytest
from tests.io import basf2_files as basf2

from muonkit.cli import main

N = 400


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A file with muons and pions; of the muons three quarters pass the cut at 0, of the pions a fifth."""
    path = tmp_path_factory.mktemp("performance")
    rng, muon = np.random.default_rng(1), np.arange(N) % 2 == 0
    passes = np.where(muon, np.arange(N) // 2 % 4 < 3, np.arange(N) // 2 % 5 == 0)
    log = np.zeros((N, 6))
    log[:, 1] = np.where(passes, 5.0, -5.0)
    whole = dict.fromkeys(("ext_layer_pattern", "hit_layer_pattern"), np.full(N, 7))
    layers = dict.fromkeys(("barrel_ext_layer", "barrel_hit_layer"), np.full(N, 2))
    layers |= dict.fromkeys(("endcap_ext_layer", "endcap_hit_layer"), np.full(N, -1))
    zero = dict.fromkeys(("is_forward", "junk"), np.zeros(N))
    table = whole | layers | zero | {"outcome": np.ones(N), "chi2": np.full(N, 6.0), "ndof": np.full(N, 6), "log": log}
    direction = rng.normal(size=(N, 3)) * [1, 1, 0.3]
    momentum = 2 * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    helices = basf2.helix_of(np.zeros((N, 3)), momentum, np.ones(N))
    content = basf2.meta(np.arange(N)) | basf2.tracks([row[None] for row in helices], 211)
    content |= basf2.records(table) | basf2.particles(np.where(muon, -13, 211), momentum)
    basf2.write(path / "cdst.root", content)
    return path


def measured(folder, capsys, text):
    (folder / "performance.toml").write_text(text)
    code = main(["performance", str(folder / "performance.toml"), "-o", str(folder / "out"), "--json"])
    out, err = capsys.readouterr()
    return code, out, err.strip().splitlines()


def test_records_of_muid_give_its_efficiency_and_fake_rate(folder, capsys):
    text = '[[input]]\nidentified = "cdst.root"\nformat = "basf2"\ntruth = "cdst.root"\ntruth_format = "basf2"\n'
    code, out, err = measured(folder, capsys, text)
    assert code == 0, err
    content = json.loads((folder / "out" / "performance.json").read_text())
    rates = content["overall"]["0"]
    assert rates["mu"]["rate"] == pytest.approx(0.75, abs=0.01)  # a few tracks are outside of the acceptance
    assert rates["pi"]["rate"] == pytest.approx(0.2, abs=0.01)
    assert rates["mu"]["total"] + rates["pi"]["total"] > 0.95 * N
    assert "taken on trust" not in out


def test_a_score_that_records_do_not_have_is_named(folder, capsys):
    text = '[[input]]\nidentified = "cdst.root"\nformat = "basf2"\ntruth = "cdst.root"\ntruth_format = "basf2"\n'
    code, _, err = measured(folder, capsys, text + '[[score]]\ncolumn = "classifier_mu"\n')
    assert code == 2
    assert len(err) == 1
    assert "records of Muid have no column classifier_mu" in err[0]
