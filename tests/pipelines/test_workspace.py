"""The folder of a run after power cuts, damage and deletion: the same command makes it whole; nothing is mixed."""

import json
import shutil
from pathlib import Path

import pytest
from tests.pipelines.conftest import CALIBRATE, Run

from muonkit.cli import main
from muonkit.core.errors import InputError
from muonkit.pipelines.workspace import RunFolder, claim
from muonkit.run.alone import alone

CONFIG = CALIBRATE + "min_entries = 300\n"
RESULT = "result.json"


def written(out: Path) -> RunFolder:
    """A finished run with one output."""
    folder = claim(out, CONFIG, [])
    (out / RESULT).write_text("{}")
    folder.finish((RESULT,))
    return claim(out, CONFIG, [])


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_a_finished_run_is_known_and_that_of_another_configuration_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written(tmp_path / "out")
    assert folder.finished(RESULT)
    assert not folder.finished("other.json")
    assert not claim(tmp_path / "out", CONFIG, [tmp_path / "out" / RESULT]).finished(RESULT), "another input"
    assert lines(capsys) == []
    for left in ({"config.toml", ".run.json"}, {".run.json"}, {"config.toml"}):
        for name in {"config.toml", ".run.json"} - left:
            (tmp_path / "out" / name).unlink()
        with pytest.raises(InputError, match="holds the run of another configuration"):
            claim(tmp_path / "out", CONFIG.replace("300", "301"), [])
        written(tmp_path / "out")


@pytest.mark.parametrize("damage", [b"", b"\0" * 80, b"\xff\xfe", CONFIG.encode()[:150], b'[input]\ndata = ["d'])
@pytest.mark.parametrize("names", [("config.toml",), (".run.json",), ("config.toml", ".run.json")])
def test_a_damaged_record_is_one_line_and_never_another_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], names: tuple[str, ...], damage: bytes
) -> None:
    written(tmp_path / "out")
    for name in names:
        (tmp_path / "out" / name).write_bytes(damage)
    folder = claim(tmp_path / "out", CONFIG, [])
    assert len(lines(capsys)) == 1
    assert folder.finished(RESULT) == (".run.json" not in names)
    assert (tmp_path / "out" / "config.toml").read_text() == CONFIG
    claim(tmp_path / "out", CONFIG, [])
    assert lines(capsys) == []


def test_a_changed_digit_in_the_record_is_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path / "out")
    record = tmp_path / "out" / ".run.json"
    content = json.loads(record.read_text())
    record.write_text(json.dumps(content | {"config_sha256": "0" * 64}))
    assert not claim(tmp_path / "out", CONFIG, []).finished(RESULT)
    assert len(lines(capsys)) == 1


def copied(run: Run, folder: Path) -> list[str]:
    """The finished run in folder/out; the arguments that made it."""
    shutil.copytree(run.out, folder / "out")
    return ["calibrate", str(run.folder / "calibrate.toml"), "-o", str(folder / "out")]


def same_results(one: Path, other: Path) -> None:
    contents = [json.loads((out / "calibration.json").read_text()) for out in (one, other)]
    for content in contents:
        del content["provenance"]["created"]
    assert contents[0] == contents[1]
    for name in ("corrections.json.gz", "cells.parquet", "masses.json.gz", "templates.parquet", "config.toml"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_missing_and_changed_outputs_are_named_and_made_again(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = copied(run, tmp_path)
    out = tmp_path / "out"
    for name in ("corrections.json.gz", "report.html"):
        (out / name).unlink()
    edited = (out / "calibration.json").read_text().replace('"jpsi"', '"zzzz"')
    (out / "calibration.json").write_text(edited)
    (out / "cells.parquet").write_bytes(b"")
    assert main(arguments) == 0
    (line,) = (line for line in lines(capsys) if "done again" in line)
    assert "corrections.json.gz is missing" in line
    assert "calibration.json is not as it was written, cells.parquet is not as it was written" in line
    assert (out / "report.html").is_file()
    same_results(out, run.out)
    assert main(arguments) == 0
    assert lines(capsys) == [], "nothing is left to do"


def test_a_power_cut_that_leaves_every_file_empty_costs_one_run(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = copied(run, tmp_path)
    for path in (tmp_path / "out").iterdir():
        path.write_bytes(b"")
    assert main(arguments) == 0
    assert sum("starts again" in line for line in lines(capsys)) == 1
    same_results(tmp_path / "out", run.out)


def test_two_runs_do_not_work_in_one_folder_at_once(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = copied(run, tmp_path)
    with alone(tmp_path / "out" / "run"):
        assert main(arguments) == 2
        (line,) = lines(capsys)
        assert "another run is writing it" in line
        corrections = str(run.out / "corrections.json.gz")
        assert main(["validate", arguments[1], "--corrections", corrections, "-o", arguments[-1]]) == 2
    assert not list((tmp_path / "out").glob("*.lock"))


def test_corrections_of_another_run_beside_a_result_are_refused(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied(run, tmp_path)
    corrections = tmp_path / "out" / "corrections.json.gz"
    arguments = ["validate", str(run.folder / "calibrate.toml"), "--corrections", str(corrections)]
    content = json.loads((tmp_path / "out" / "calibration.json").read_text())
    for changed in (content | {"corrections_sha256": "0" * 64}, {}):
        (tmp_path / "out" / "calibration.json").write_text(json.dumps(changed))
        assert main([*arguments, "-o", str(tmp_path / "validation")]) == 2
        (line,) = lines(capsys)
        assert "is not of the same run as calibration.json beside it" in line
        assert main(["report", str(tmp_path / "out")]) == 2
        capsys.readouterr()
