"""What a command returns: values with names, a status, words for a person, JSON for a program."""

from abc import ABC, abstractmethod
from typing import Any, Literal

Status = Literal["PASS", "ATTENTION", "DONE"]


class Result(ABC):
    """Base of the frozen results of all commands; `print(result)` gives the report.

    status: PASS or ATTENTION where physics was checked, DONE elsewhere; message: what to do about it, may be empty."""

    __slots__ = ()

    @property
    def status(self) -> Status:
        """PASS if all checks of physics hold, ATTENTION if one does not, DONE if nothing was checked."""
        return "DONE"

    @property
    def message(self) -> str:
        """What to look at or to do; empty if nothing."""
        return ""

    @property
    def exit_code(self) -> int:
        """Exit code of the command: 1 if a check failed, else 0."""
        return 1 if self.status == "ATTENTION" else 0

    @abstractmethod
    def report(self) -> str:
        """The result as lines of text, without the message."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Everything in the result, as content that `json` can write."""

    def __str__(self) -> str:
        return "\n".join(part for part in (self.report(), self.message) if part)
