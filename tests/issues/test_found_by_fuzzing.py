"""Inputs that once ended in a traceback, a warning or endless work."""

import gzip
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.io import nano
from tests.io.pairs import columns

from muonkit.calibration import export
from muonkit.calibration.bias import Bias
from muonkit.calibration.binning import MuonBins
from muonkit.calibration.export import Corrections
from muonkit.calibration.parameters import ParameterValues
from muonkit.calibration.resolution import Resolution
from muonkit.calibration.schema import Content
from muonkit.cli import main, simulate
from muonkit.core.config import parse
from muonkit.core.errors import InputError
from muonkit.io import copying_root
from muonkit.io.checks import examine
from muonkit.io.chunks import Chunk
from muonkit.io.klm import SPLIT_COVARIANCE, checked_tracks, open_tracks
from muonkit.io.pairs import integers
from muonkit.io.root import KIND
from muonkit.muid.classifier.config import EvaluateClassifier, TrainClassifier
from muonkit.muid.classifier.features import NAMES
from muonkit.muid.classifier.network import moments, prepared
from muonkit.muid.likelihood.payload import _fault
from muonkit.simulation.klm.config import SimulateKLM

SAMPLES = '[input]\nsamples = ["mu.parquet"]\n'


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (SimulateKLM, "[generate]\nevents = 1_000_000_000_000\n[gun]\np = 1.0\ntheta = 1.0\n"),
        (TrainClassifier, f"{SAMPLES}[training]\nepochs = 1_000_000_000_000\n"),
        (TrainClassifier, f"{SAMPLES}[training]\nmembers = 1_000_000\n"),
        (TrainClassifier, f"{SAMPLES}[training]\nhidden = 1_000_000_000\n"),
        (EvaluateClassifier, f"{SAMPLES}[evaluation]\ntoys = 1_000_000_000_000\n"),
    ],
)
def test_work_without_end_is_refused(model: Any, text: str) -> None:
    with pytest.raises(InputError, match="less than"):
        parse(text, model)


def test_whole_numbers_that_no_integer_holds_are_zero() -> None:
    column = np.array([3.0, np.nan, np.inf, 1e308, -1e30, 2.0**63])
    assert integers(column).tolist() == [3, 0, 0, 0, 0, 0]
    assert integers(np.array([2**63 - 1])).tolist() == [2**63 - 1]


@pytest.mark.parametrize(("name", "value"), [("plus_pt", 1e300), ("minus_pt", 1e-300), ("weight", -1e300)])
def test_numbers_whose_squares_overflow_are_bad_rows(name: str, value: float) -> None:
    content = columns(40)
    content[name] = np.where(np.arange(40) == 7, value, content[name])
    chunk = Chunk(Path("x"), "x", "dimuon", tuple((key, key) for key in content), 0, 40, False)
    good, (bad,) = examine(content, chunk)
    assert (np.flatnonzero(~good).tolist(), bad.column, bad.first_rows) == ([7], name, (7,))


def test_numbers_of_tracks_may_be_half_floats() -> None:
    assert _fault("tracks", np.ones(3, dtype=np.float16), (3,), np.uint32) == ""
    assert "below 0" in _fault("tracks", -np.ones(3, dtype=np.float16), (3,), np.uint32)


def test_a_feature_that_no_track_has_does_no_harm() -> None:
    X = np.random.default_rng(1).normal(size=(200, len(NAMES)))
    X[:, [1, 100]] = np.nan
    assert np.isfinite(prepared(X, *moments(X))).all()


def test_a_damaged_tree_beside_that_of_the_muons_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(_: Any) -> list[slice]:
        raise ValueError("entries in normal baskets (0) don't add up")

    monkeypatch.setattr(copying_root, "_slices", damaged)
    path = nano.write(tmp_path / "nano.root", nano.content())
    first = SimpleNamespace(path=path, name="nano.root", tree="none", names={})
    with pytest.raises(InputError, match=rf"nano.root: cannot be read .* not a {KIND}"):
        copying_root.root_file(tmp_path / "o.root", [first], lambda _: {}, False)  # type: ignore[list-item]


def test_a_lack_of_memory_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(_: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(simulate, "run", full)
    assert main(["simulate", "dimuons", "x.toml", "-o", "x.parquet"]) == 3
    assert "not enough memory" in capsys.readouterr().err


def test_corrections_without_a_value_for_a_muon_are_refused(tmp_path: Path) -> None:
    """A binning that ends in an error instead of an edge."""
    path, bins = tmp_path / "corrections.json.gz", np.array([-2.4, 0.0, 2.4])
    values = ParameterValues(Bias(*np.zeros((3, 2))), Resolution(*np.full((4, 2), 1e-3)))
    export.write(path, Content({"nominal": values}, values, MuonBins(bins), np.tile([3.0, 30.0], (2, 1))))
    content = json.loads(gzip.decompress(path.read_bytes()))
    (scale,) = [each for each in content["corrections"] if each["name"] == "scale"]
    scale["data"]["content"][0]["value"] |= {"edges": [-2.4, 0.0, 1.0], "flow": "error"}
    path.write_bytes(gzip.compress(json.dumps(content).encode()))
    with pytest.raises(InputError, match=r"corrections\.json\.gz: "):
        Corrections.open(path).factor(np.array([10.0]), np.array([2.0]), np.array([1]))


def test_numbers_of_tracks_that_nothing_can_have_are_none(tmp_path: Path) -> None:
    """As NaN they are counted with the tracks that cannot be followed; their squares would overflow."""
    path = tmp_path / "tracks.csv"
    names = ("event", "track", "charge", "x", "y", "z", "px", "py", "pz", *SPLIT_COVARIANCE)
    row = [1, 1, 1, 1e300, 50, 0, -1e16, 1, 0, *np.full(21, 1e200)]
    path.write_text(",".join(names) + "\n" + ",".join(map(str, row)) + "\n")
    tracks, _ = checked_tracks(open_tracks(path, {}), 0, 1)
    assert np.isnan(tracks.states.position[0]).tolist() == [True, False, False]
    assert np.isnan(tracks.states.momentum[0]).tolist() == [True, False, False]
    assert np.isnan(tracks.states.covariance).all()


def test_a_tree_without_columns_is_left_out_and_named() -> None:
    table = SimpleNamespace(branches=[], title="", keys=lambda **_: [])
    assert list(copying_root.Copied("x.root", table, "TTree", None, "Empty").rows([(slice(0, 1), {})], 1))
