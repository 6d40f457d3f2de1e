"""A result prints its report and its message, and says how the command ends."""

from dataclasses import dataclass
from typing import Any

import pytest

from muonkit.core.result import Result, Status


@dataclass(frozen=True, slots=True)
class Example(Result):
    verdict: Status
    advice: str

    @property
    def status(self) -> Status:
        return self.verdict

    @property
    def message(self) -> str:
        return self.advice

    def report(self) -> str:
        return "a 1"

    def to_json(self) -> dict[str, Any]:
        return {"a": 1}


@pytest.mark.parametrize(("status", "code"), [("PASS", 0), ("DONE", 0), ("ATTENTION", 1)])
def test_only_a_failed_check_ends_a_command_with_1(status: Status, code: int) -> None:
    assert Example(status, "").exit_code == code


def test_print_gives_report_and_message() -> None:
    assert str(Example("PASS", "look again")) == "a 1\nlook again"
    assert str(Example("PASS", "")) == "a 1"


def test_a_notebook_shows_the_same_words() -> None:
    assert Example("PASS", "p < 1")._repr_html_() == "<pre>a 1\np &lt; 1</pre>"
