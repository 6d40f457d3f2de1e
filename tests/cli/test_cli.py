"""The command line: fast help, exit codes, JSON."""

import json
import subprocess
import sys

import pytest

from muonkit.cli import main


def test_help_imports_nothing_heavy() -> None:
    """What keeps it under 0.3 s: the modules that cost more are not loaded."""
    code = "import sys, muonkit.cli as c; c.parser().format_help(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "numba", "scipy", "pydantic", "rich", "matplotlib", "uproot", "pyarrow"} & set(loaded)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    for command in ("simulate", "calibrate", "apply", "validate", "report", "open-data", "doctor"):
        assert command in shown


def test_a_reader_that_leaves_is_no_fault() -> None:
    command = f"{sys.executable} -m muonkit detector list; echo $? >&2"
    shown = subprocess.run(["bash", "-c", f"({command}) | true"], capture_output=True, text=True, check=True)
    assert shown.stderr.split() == ["0"]


def test_doctor_is_well_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    assert all(check["ok"] for check in json.loads(capsys.readouterr().out)["checks"])


def test_unknown_record_lists_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["open-data", "fetch", "nothing", "-o", "x"]) == 2
    assert "murun2010b-0" in capsys.readouterr().err


def test_records_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["open-data", "list"]) == 0
    assert "zmumu-2011a" in capsys.readouterr().out
