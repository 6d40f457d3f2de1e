"""Files of corrections that would end the process inside correctionlib are one line instead."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from muonkit.core.errors import InputError
from muonkit.io.corrections import read_corrections

Content = dict[str, Any]


def good() -> Content:
    formula = {"nodetype": "formula", "expression": "1/(1+[0]-[1]/x)", "parser": "TFormula", "variables": ["pt"]}
    bins = {
        "nodetype": "binning",
        "input": "eta",
        "edges": [-1.0, 0.0, 1.0],
        "content": [{"nodetype": "formularef", "index": 0, "parameters": [1e-4, 2e-3]}] * 2,
        "flow": "error",
    }
    inputs = [{"name": name, "type": "real"} for name in ("eta", "pt")]
    scale = {
        "name": "scale",
        "version": 1,
        "inputs": inputs,
        "output": {"name": "factor", "type": "real"},
        "generic_formulas": [formula],
        "data": bins,
    }
    return {"schema_version": 2, "corrections": [scale]}


def written(path: Path, content: Any) -> Path:
    path.write_bytes(gzip.compress((content if isinstance(content, str) else json.dumps(content)).encode()))
    return path


def test_good_corrections_are_read(tmp_path: Path) -> None:
    text, content = read_corrections(written(tmp_path / "c.json.gz", good()))
    assert json.loads(text) == content == good()
    (tmp_path / "c.json").write_text(text)
    assert read_corrections(tmp_path / "c.json")[1] == content


def parentheses(content: Content) -> None:
    content["corrections"][0]["generic_formulas"][0]["expression"] = "(" * 50_000 + "x" + ")" * 50_000


def deep_parentheses(content: Content) -> None:
    content["corrections"][0]["generic_formulas"][0]["expression"] = "(" * 60 + "x" + ")" * 60


def open_parentheses(content: Content) -> None:
    content["corrections"][0]["generic_formulas"][0]["expression"] = "(x"


def many_terms(content: Content) -> None:
    content["corrections"][0]["generic_formulas"][0]["expression"] = "+".join(["x"] * 200_000)


def far_parameter(content: Content) -> None:
    content["corrections"][0]["generic_formulas"][0]["expression"] = "[100000000000]*x"


def endless_parameter(content: Content) -> None:
    content["corrections"][0]["generic_formulas"][0]["expression"] = f"[{'1' * 4900}]*x"


def far_formula(content: Content) -> None:
    content["corrections"][0]["data"]["content"][1] = {
        "nodetype": "formularef",
        "index": 100_000_000_000,
        "parameters": [],
    }


def nothing(content: Content) -> None:
    content["corrections"] = []


def bins_without_content(content: Content) -> None:
    content["corrections"][0]["data"]["content"] = []


def deep(content: Content) -> None:
    for _ in range(60):
        content["corrections"][0]["data"] = {"nodetype": "category", "input": "eta", "content": [
            {"key": 1, "value": content["corrections"][0]["data"]}]}  # fmt: skip


def other_schema(content: Content) -> None:
    content["schema_version"] = 1


@pytest.mark.parametrize(
    "spoil",
    [
        parentheses,
        deep_parentheses,
        open_parentheses,
        many_terms,
        far_parameter,
        endless_parameter,
        far_formula,
        nothing,
        bins_without_content,
        deep,
        other_schema,
    ],
)
def test_what_would_end_the_library_is_one_line(tmp_path: Path, spoil: Callable[[Content], None]) -> None:
    content = good()
    spoil(content)
    with pytest.raises(InputError) as caught:
        read_corrections(written(tmp_path / "c.json.gz", content))
    assert len(caught.value.faults) == 1
    assert caught.value.faults[0].startswith(f"{tmp_path / 'c.json.gz'}: ")


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", "3", '"scale"', "[" * 100_000])
def test_what_is_no_corrections_at_all_is_one_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError) as caught:
        read_corrections(written(tmp_path / "c.json.gz", text))
    assert len(caught.value.faults) == 1
