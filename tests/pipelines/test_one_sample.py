"""One sample, one writer: what two runs or a broken one mixed is refused, and the same command mends it."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.calibration.test_export import CONTENT
from tests.pipelines.test_simulate_klm import CONFIG, simulated

from muonkit import muid
from muonkit.calibration import export
from muonkit.cli import main
from muonkit.muid.shipped import CLASSIFIER
from muonkit.run.alone import alone

Capture = pytest.CaptureFixture[str]
IDENTIFY = '[input]\ntracks = "{}.tracks.parquet"\nhits = "{}.hits.parquet"\n'
PERFORMANCE = '[[input]]\nidentified = "{}"\ntruth = "{}.truth.parquet"\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Samples `mu` and `pi` with the same numbers of events, and the identified tracks of `mu`."""
    path = tmp_path_factory.mktemp("samples")
    for name in ("mu", "pi"):
        assert simulated(path, name, particle=name, events=200)[0] == 0
    (path / "identify.toml").write_text(IDENTIFY.format("mu", "mu"))
    for ending in ("parquet", "csv", "root"):
        assert main(["identify", str(path / "identify.toml"), "-o", str(path / f"mu.identified.{ending}")]) == 0
    return path


def fault(capsys: Capture, *arguments: object) -> str:
    capsys.readouterr()
    assert main([str(each) for each in arguments]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if not line.startswith(("simulate", "count"))]
    return line


def test_a_rerun_that_is_broken_off_between_the_parts_is_seen_and_mended(
    folder: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from muonkit.pipelines import simulate_klm as pipeline

    assert simulated(tmp_path, "s", particle="mu", events=200)[0] == 0
    write = pipeline.write_part

    def dying(file: Path, *more: object) -> int:
        if "hits" in file.name:
            raise KeyboardInterrupt
        return write(file, *more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "write_part", dying)
        assert simulated(tmp_path, "s", particle="pi", events=200)[0] == 3
    (tmp_path / "build.toml").write_text('[input]\nsamples = ["s.parquet"]\n')
    line = fault(capsys, "pdfs", "build", tmp_path / "build.toml", "-o", tmp_path / "b.npz")
    assert "s.hits.parquet" in line
    assert "of another sample than" in line
    (tmp_path / "identify.toml").write_text(IDENTIFY.format("s", "s"))
    line = fault(capsys, "identify", tmp_path / "identify.toml", "-o", tmp_path / "out.parquet")
    assert "is of another sample than" in line
    assert simulated(tmp_path, "s", particle="pi", events=200)[0] == 0
    for part in ("tracks", "hits", "truth"):
        assert (tmp_path / f"s.{part}.parquet").read_bytes() == (folder / f"pi.{part}.parquet").read_bytes()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("ending", ["parquet", "csv", "root"])
def test_the_truth_of_another_sample_is_refused_though_its_events_have_the_same_numbers(
    folder: Path, capsys: Capture, ending: str
) -> None:
    (folder / "p.toml").write_text(PERFORMANCE.format(f"mu.identified.{ending}", "pi"))
    line = fault(capsys, "performance", folder / "p.toml", "-o", folder / "p")
    assert "pi.truth.parquet: is the truth of another sample than that of" in line


def test_tracks_of_people_themselves_are_used_and_the_summary_says_so(
    folder: Path, tmp_path: Path, capsys: Capture
) -> None:
    for name in ("mu", "pi"):
        for part in ("tracks", "hits", "truth"):
            shutil.copy(folder / f"{name}.{part}.parquet", tmp_path)
    table = pq.read_table(tmp_path / "mu.truth.parquet").replace_schema_metadata(None)
    pq.write_table(table, tmp_path / "mu.truth.parquet")
    (tmp_path / "e.toml").write_text('[input]\nsamples = ["mu.parquet", "pi.parquet"]\n[evaluation]\ntoys = 2\n')
    capsys.readouterr()
    model = Path(muid.__file__).with_name(CLASSIFIER)
    assert main(["classifier", "evaluate", str(tmp_path / "e.toml"), "--model", str(model), "--json"]) == 0
    (note,) = [note for note in json.loads(capsys.readouterr().out)["notes"] if "on trust" in note]
    assert "that mu.truth.parquet belong to it is taken on trust" in note


def test_every_command_refuses_what_another_run_is_writing(folder: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "klm.toml").write_text(CONFIG.format(events=1, engine="fast", chunk=1, particle="mu", more=""))
    (tmp_path / "dimuons.toml").write_text("[generate]\nevents = 10\nseed = 1\n")
    (folder / "build.toml").write_text('[input]\nsamples = ["mu.parquet", "pi.parquet"]\n')
    (folder / "train.toml").write_text('[input]\nsamples = ["mu.parquet", "pi.parquet"]\n')
    (folder / "perform.toml").write_text(PERFORMANCE.format("mu.identified.parquet", "mu"))
    commands = [
        ("s.json", ["simulate", "klm", tmp_path / "klm.toml", "-o", tmp_path / "s.parquet"]),
        ("s.json", ["simulate", "klm", tmp_path / "klm.toml", "-o", tmp_path / "s.root"]),
        ("d.csv", ["simulate", "dimuons", tmp_path / "dimuons.toml", "-o", tmp_path / "d.csv"]),
        ("i.csv", ["identify", folder / "identify.toml", "-o", tmp_path / "i.csv"]),
        ("b.npz", ["pdfs", "build", folder / "build.toml", "-o", tmp_path / "b.npz"]),
        ("c.npz", ["classifier", "train", folder / "train.toml", "-o", tmp_path / "c.npz"]),
        ("out/run", ["performance", folder / "perform.toml", "-o", tmp_path / "out"]),
    ]
    for name, arguments in commands:
        with alone(tmp_path / name):
            assert "another run is writing it" in fault(capsys, *arguments), arguments
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dimuons.toml", "klm.toml", "out"]


def test_apply_refuses_what_another_run_is_writing(tmp_path: Path, capsys: Capture) -> None:
    export.write(tmp_path / "c.json.gz", CONTENT)
    (tmp_path / "dimuons.toml").write_text("[generate]\nevents = 10\nseed = 1\n")
    assert main(["simulate", "dimuons", str(tmp_path / "dimuons.toml"), "-o", str(tmp_path / "d.csv")]) == 0
    with alone(tmp_path / "out.csv"):
        line = fault(capsys, "apply", tmp_path / "c.json.gz", tmp_path / "d.csv", "-o", tmp_path / "out.csv")
    assert "another run is writing it" in line
