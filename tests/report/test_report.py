"""The page stands alone, says its verdict first, and a folder that is not a run is refused in one line."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.report import folders

from muonkit.cli import main
from muonkit.core.errors import InputError
from muonkit.pipelines.report import ReportResult, report

SECTIONS = ["verdict", "key", "parameters", "pulls", "correlations", "masses", "closure", "validation", "budget",
            "residuals", "warnings", "provenance", "config"]  # fmt: skip


class Page(HTMLParser):
    """What a browser would load, and the order of sections and images."""

    def __init__(self, text: str):
        super().__init__()
        self.loads: list[str] = []
        self.order: list[str] = []
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.add(tag)
        self.loads += [value for key in ("src", "href", "action", "data") if (value := given.get(key))]
        if tag == "section":
            self.order.append(given["id"] or "")
        if tag == "img":
            self.order.append("img")
            assert given["alt"]
        if tag not in {"img", "meta", "link", "br", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[ReportResult, str]:
    out = folders.write(tmp_path_factory.mktemp("run") / "out", "calibration.json", folders.calibration())
    folders.write(out / "validation", "validation.json", folders.validation())
    return report(out), (out / "report.html").read_text()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A calibration with its page, to be read only."""
    out = folders.write(tmp_path_factory.mktemp("plain") / "out", "calibration.json", folders.calibration())
    report(out)
    return out


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return folders.write(tmp_path / "out", "calibration.json", folders.calibration())


def test_page_loads_nothing_from_outside(made: tuple[ReportResult, str]) -> None:
    page = Page(made[1])
    assert all(load.startswith(("data:", "#")) for load in page.loads)
    assert "script" not in page.tags
    assert "url(" not in made[1]
    assert not re.search(r"https?://", made[1])
    assert len(made[1]) < 5_000_000


def test_page_is_well_formed_and_has_every_section_verdict_first(made: tuple[ReportResult, str]) -> None:
    page = Page(made[1])
    assert page.open == []
    assert [entry for entry in page.order if entry != "img"] == SECTIONS
    assert page.order[0] == "verdict"
    assert made[1].index("PASS") < made[1].index("<img")


def test_configuration_is_shown_and_not_executed(made: tuple[ReportResult, str]) -> None:
    assert "&lt;script&gt;" in made[1]
    assert "max_failed_share = 0.05" in made[1]


def test_result_is_json_and_ends_with_the_page(made: tuple[ReportResult, str]) -> None:
    content = made[0].to_json()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["text"] == str(made[0])
    assert content["text"].splitlines()[0] == "PASS"
    assert content["text"].splitlines()[-1] == content["report"]
    assert content["exit_code"] == 0
    written = json.loads(made[0].page.with_suffix(".json").read_text())
    assert written["passed"] is True
    assert written["key"] == content["key"]
    assert written["key"]["typical_error_M"] == folders.ERRORS["M"]


def test_page_is_the_same_every_time(plain: Path) -> None:
    before = (plain / "report.html").read_bytes()
    report(plain)
    assert (plain / "report.html").read_bytes() == before


def test_no_temporary_files_are_left(plain: Path) -> None:
    assert not [path for path in plain.iterdir() if path.name.startswith(".")]


def test_closure_page_says_what_the_same_sample_tests(made: tuple[ReportResult, str]) -> None:
    assert "tests the procedure, not the statistics" in made[1]
    assert "which is independent" in made[1]


def test_without_validation_there_is_no_such_section(plain: Path) -> None:
    page = Page((plain / "report.html").read_text())
    assert [entry for entry in page.order if entry != "img"] == [name for name in SECTIONS if name != "validation"]


def test_validation_elsewhere_can_be_named(run: Path, tmp_path: Path) -> None:
    content = folders.validation()
    content["after"]["p_value"] = 1e-6
    result = report(run, folders.write(tmp_path / "other", "validation.json", content))
    assert result.exit_code == 1
    assert result.key["validation"]["p_value_after"] == 1e-6
    assert "Validation on Z" in result.page.read_text()


def test_validation_folder_has_a_page_of_its_own(tmp_path: Path) -> None:
    result = report(folders.write(tmp_path / "out", "validation.json", folders.validation()))
    page = Page(result.page.read_text())
    sections = [entry for entry in page.order if entry != "img"]
    assert sections[0] == "verdict"
    assert "validation" in sections
    assert "closure" not in sections
    assert result.key["mean_after"] == pytest.approx(1.0001)


def test_scale_alone_has_a_page(tmp_path: Path) -> None:
    content = folders.calibration()
    alone = folders.fit(("A",))
    for part in (content, *content["closure"].values(), content["simulation"]):
        for name in ("e", "M", "a"):
            part.pop(name)
        part |= {name: alone[name] for name in ("errors", "parameter_names", "covariance")}
    text = report(folders.write(tmp_path, "calibration.json", content)).page.read_text()
    assert "e against η" not in text
    assert "Resolution" not in text


def test_failure_is_told_first_with_exit_code_1_and_the_sample_of_the_provenance(tmp_path: Path) -> None:
    content = folders.calibration() | {"p_value": 1e-9}
    content["provenance"] = folders.PROVENANCE | {"sample": "CMS-like simulation"}
    result = report(folders.write(tmp_path, "calibration.json", content))
    assert result.exit_code == 1
    assert str(result).splitlines()[0] == "ATTENTION"
    assert "do not describe the cells" in str(result).splitlines()[1]
    assert result.page.read_text().index("do not describe the cells") < 6000
    assert "CMS-like simulation" in result.page.read_text()


def test_command_returns_the_verdict(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(plain), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"]["passed"] is True


def refused(out: Path, validation: Path | None = None) -> str:
    with pytest.raises(InputError) as caught:
        report(out, validation)
    assert len(caught.value.faults) == 1
    assert "\n" not in caught.value.faults[0]
    return caught.value.faults[0]


def test_missing_folder_is_one_line_with_the_way_out(tmp_path: Path) -> None:
    line = refused(tmp_path / "none")
    assert line.startswith(f"{tmp_path / 'none'}: there is no such folder")
    assert "muonkit calibrate CONFIG.toml -o" in line


@pytest.mark.parametrize("name", ["cells.parquet", "masses.json.gz", "curves.json.gz", "config.toml"])
def test_missing_file_is_named(run: Path, name: str) -> None:
    (run / name).unlink()
    assert name in refused(run)


def test_validation_that_is_none_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "muonkit validate CONFIG.toml --corrections" in refused(run, tmp_path / "empty")


@pytest.mark.parametrize("name", ["calibration.json", "cells.parquet", "masses.json.gz", "curves.json.gz"])
def test_broken_file_is_refused(run: Path, name: str) -> None:
    (run / name).write_bytes((run / name).read_bytes()[:40])
    line = refused(run)
    assert "cannot be read" in line or "is not a whole gzipped file" in line


def test_content_without_a_key_is_refused(tmp_path: Path) -> None:
    content = folders.calibration()
    del content["closure"]
    assert "closure missing" in refused(folders.write(tmp_path, "calibration.json", content))


def test_tables_of_different_runs_are_refused(run: Path) -> None:
    folders.write_masses(run / "masses.json.gz", folders.np.ones((3, 40)), folders.MASS_EDGES)
    assert "of different runs" in refused(run)
