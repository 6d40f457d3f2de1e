"""The documentation runs, and its links lead somewhere."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from muonkit.cli import main
from muonkit.core.config import Section
from muonkit.detector import description, distort, layers, material
from muonkit.detector.detector import load_detector
from muonkit.detector.fields import sections
from muonkit.transport import status

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
    assert min(names["identified"]["p_mu"]) > 0.9
    found = {name: row["passed"] / row["total"] for name, row in names["overall"].items() if row["total"]}
    assert found["mu"] > 0.9
    assert found["pi"] < 0.15
    pull, ratio = names["pull"](names["tracks"]), names["ratio"]
    assert abs(pull.mean()) < 3 / len(pull) ** 0.5
    assert abs(pull.std() - 1) < 3 / (2 * len(pull)) ** 0.5
    assert abs(ratio.mean() - 1 / 1.005) < 3 * ratio.std() / len(ratio) ** 0.5
    assert abs(names["shift"] - 1e-3) < 6e-4  # 2000 muons of 1.2 %, twice the error of their median


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_every_key_of_the_configuration_is_documented() -> None:
    from muonkit.calibration.config import Calibrate
    from muonkit.core.config import _sections as sections

    text = (ROOT / "docs" / "formats.md").read_text()
    for section, field in Calibrate.model_fields.items():
        for key in (key for kind in sections(field.annotation) for key in kind.model_fields):
            assert f"{section}.{key}" in text or f"`{key}`" in text or f"`{section}.*`" in text, f"{section}.{key}"


def test_every_key_of_an_identification_is_documented() -> None:
    from muonkit.muid.config import ConditionsChoice, Identify, IdentifyInput, OutputChoice
    from muonkit.muid.likelihood.config import LikelihoodSettings
    from muonkit.muid.swim.config import MuidSettings

    page = (ROOT / "docs" / "formats.md").read_text().partition("## Configuration of `identify`")[2]
    nested = {
        "input": IdentifyInput,
        "output": OutputChoice,
        "conditions": ConditionsChoice,
        "muid": MuidSettings,
        "likelihood": LikelihoodSettings,
    }
    keys = [f"{name}.{key}" for name, section in nested.items() for key in section.model_fields]
    for key in [*keys, *(key for key in Identify.model_fields if key not in nested)]:
        assert f"`{key}`" in page, key


def test_every_key_of_a_refit_is_documented() -> None:
    from muonkit.pipelines.refit import RefitConfig

    page = (ROOT / "docs" / "formats.md").read_text().partition("## Configuration of `refit`")[2].partition("\n## ")[0]
    for name, field in RefitConfig.model_fields.items():
        nested = getattr(field.annotation, "model_fields", None)
        for key in [name] if nested is None else [f"{name}.{key}" for key in nested]:
            assert f"`{key}`" in page, key


def test_every_key_of_align_is_documented() -> None:
    from muonkit.pipelines.align_config import AlignConfig, AlignInput, MassChoice

    page = (ROOT / "docs" / "formats.md").read_text().partition("## Configuration of `align`")[2].partition("\n## ")[0]
    nested = {"input": AlignInput, "mass": MassChoice}
    keys = [f"{name}.{key}" for name, section in nested.items() for key in section.model_fields]
    for key in [*keys, *(key for key in AlignConfig.model_fields if key not in nested)]:
        assert f"`{key}`" in page or f"`{key}.*`" in page, key


def test_every_key_of_the_audit_is_documented() -> None:
    from muonkit.pipelines.curvature import AuditSettings

    page = (ROOT / "docs" / "formats.md").read_text().partition("### Audit of the track fit")[2].partition("\n## ")[0]
    for key in AuditSettings.model_fields:
        assert f"`audit.{key}`" in page, key


def test_every_key_of_a_study_is_documented() -> None:
    from muonkit.core.config import _sections as sections
    from muonkit.pipelines.full_study_config import StudyConfig

    page = (ROOT / "docs" / "formats.md").read_text().partition("## Configuration of `study`")[2].partition("\n## ")[0]
    for name, field in StudyConfig.model_fields.items():
        keys = [f"{name}.{key}" for kind in sections(field.annotation) for key in kind.model_fields]
        for key in [name] if name in ("seed", "distort") else keys:
            assert any(shown in page for shown in (f"`{key}`", f"`[[{key}]]`", f"`{name}.*`")), key


@pytest.mark.parametrize("command", ["simulate klm", "pdfs build", "classifier", "performance"])
def test_every_key_of_samples_tables_and_performance_is_documented(command: str) -> None:
    from muonkit.muid.build.config import BuildPdfs
    from muonkit.muid.classifier.config import EvaluateClassifier, TrainClassifier
    from muonkit.muid.performance.config import Performance
    from muonkit.simulation.klm.config import SimulateKLM

    models = {
        "simulate klm": [SimulateKLM],
        "pdfs build": [BuildPdfs],
        "classifier": [TrainClassifier, EvaluateClassifier],
    }
    page = (
        (ROOT / "docs" / "formats.md")
        .read_text()
        .partition(f"## Configuration of `{command}`")[2]
        .partition("\n## ")[0]
    )
    assert page
    for model in models.get(command, [Performance]):
        for section, field in model.model_fields.items():
            nested = getattr(field.annotation, "model_fields", {})
            for key in nested if section not in ("gun", "muid") and f"{section}." in page else ():
                assert f"{section}.{key}" in page or f"`{key}`" in page, f"{section}.{key}"
            assert section in page


def test_every_status_of_an_identification_is_documented() -> None:
    from muonkit.muid.swim import crossing

    text = (ROOT / "docs" / "formats.md").read_text()
    for name in ("LOW_PT", "OUTSIDE_START", "BAD_INPUT", "BEAM_PIPE"):
        code = getattr(crossing, name)
        assert f"| {code} | `{name}`" in text
        assert crossing.STATUS[code] in text


def test_example_of_a_detector_loads_and_its_distortions_are_undone(tmp_path: Path) -> None:
    names: dict[str, Any] = {}
    for language, text in blocks(ROOT / "docs" / "formats.md"):
        if language == "toml" and text.startswith("# example.toml"):
            (tmp_path / "example.toml").write_text(text)
        elif language == "python":
            exec(compile(text, "formats.md", "exec"), names)
    example = load_detector(tmp_path / "example.toml")
    assert {"muon/8/01", "outer/2/ladder 48/module 7/stereo", "petals/bwd/ring 2/module 40"} <= set(example.layers)
    assert example.blocks == ("yoke",)
    plain = load_detector("cms_like_tracker").surfaces.center
    assert abs(names["wrong"].surfaces.center - plain).max() == pytest.approx(0.01)
    assert abs(names["right"].surfaces.center - plain).max() < 1e-12


def sections_of_a_detector() -> list[type[BaseModel]]:
    """Every model of a detector file and of its distortions."""
    rooms = (description, layers, sections, distort, material)
    found = {value for room in rooms for value in vars(room).values() if isinstance(value, type)}
    return sorted((one for one in found if issubclass(one, Section)), key=lambda one: one.__name__)


@pytest.mark.parametrize("section", sections_of_a_detector(), ids=lambda section: section.__name__)
def test_every_key_of_a_detector_is_documented(section: type[BaseModel]) -> None:
    page = (ROOT / "docs" / "formats.md").read_text().partition("\n## Detector\n")[2]
    words = {word for code in re.findall(r"`([^`\n]+)`", page) for word in re.findall(r"\w+", code)}
    missing = {field.alias or key for key, field in section.model_fields.items()} - words
    assert not missing - {"kind"}, f"{section.__name__}: {missing}"


def test_every_status_of_the_transport_is_documented() -> None:
    text = (ROOT / "docs" / "formats.md").read_text()
    for name in status.__all__:
        if name != "MESSAGE":
            code = getattr(status, name)
            assert f"| {code} | `{name}` | {status.MESSAGE[code]} |" in text, name


def test_every_status_of_a_fit_is_documented() -> None:
    from muonkit.tracking import fitted

    text = (ROOT / "docs" / "formats.md").read_text()
    for name in ("TOO_FEW", "UNDECIDED", "UNORDERED"):
        code = getattr(fitted, name)
        assert f"| {code} | `{name}` | {fitted.STATUS[code]} |" in text, name
