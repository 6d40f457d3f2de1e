"""The documentation runs, and its links lead somewhere."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from muonkit.cli import main

ROOT = Path(__file__).parents[1]
DOCS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def blocks(path: Path) -> list[tuple[str, str]]:
    """(language, text) of every fenced block."""
    return re.findall(r"```(\w+)\n(.*?)```", path.read_text(), re.DOTALL)


@pytest.mark.slow
def test_tutorial_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for language, text in blocks(ROOT / "docs" / "tutorial.md"):
        if language == "toml":
            Path(text.splitlines()[0].removeprefix("# ")).write_text(text)
        elif language == "python":
            exec(compile(text, "tutorial.md", "exec"), names)
        elif language == "sh":
            for line in text.strip().splitlines():
                assert main(shlex.split(line)[1:]) == 0, line
    assert abs(names["closure"]["after"]["mean"] - 1) < 3 * names["closure"]["after"]["mean_error"]


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_every_key_of_the_configuration_is_documented() -> None:
    from muonkit.core.config import Calibrate

    text = (ROOT / "docs" / "formats.md").read_text()
    for section, field in Calibrate.model_fields.items():
        for key in field.annotation.model_fields:  # type: ignore[union-attr]
            assert f"{section}.{key}" in text or f"`{key}`" in text or f"`{section}.*`" in text, f"{section}.{key}"
