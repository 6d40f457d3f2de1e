"""The interval of validity: the runs for which a payload holds, in Belle II's four numbers.

Runs are ordered by (experiment, run). Both ends belong to the interval. final_run = -1: to the last run of final_exp;
final_exp = -1 (final_run is -1 too): open, for all runs to come. Source: Belle II Software Documentation, "Conditions
Database". Unlike there, intervals of one name in one global tag may not overlap: there is one answer for a run."""

from dataclasses import dataclass
from itertools import combinations
from typing import Self

from muonkit.conditions.rules import LIMIT, whole
from muonkit.core.errors import InputError

OPEN = -1


@dataclass(frozen=True, slots=True, order=True)
class IoV:
    """(first_exp, first_run) to (final_exp, final_run), inclusive. Raises InputError if a number is out of range or no
    run is in the interval."""

    first_exp: int
    first_run: int
    final_exp: int = OPEN
    final_run: int = OPEN

    def __post_init__(self) -> None:
        for name, low in (("first_exp", 0), ("first_run", 0), ("final_exp", OPEN), ("final_run", OPEN)):
            object.__setattr__(self, name, whole(f"interval of validity: {name}", getattr(self, name), low))
        if self.final_exp == OPEN and self.final_run != OPEN:
            raise InputError(
                f"interval of validity {self}: final_exp is open (-1), but final_run is {self.final_run}; "
                "write -1 for final_run too, or name the final experiment"
            )
        if self.last < self.first:
            raise InputError(f"interval of validity {self}: it ends before it starts; exchange the ends")

    @classmethod
    def parse(cls, text: str) -> Self:
        """From "first_exp,first_run,final_exp,final_run", e.g. "0,0,-1,-1".
        Raises InputError if the text is not four whole numbers, or not an interval."""
        try:
            numbers = [int(part) for part in text.split(",")]
        except ValueError:
            numbers = []
        if len(numbers) != 4:
            raise InputError(
                f"interval of validity {text!r}: give four whole numbers first_exp,first_run,final_exp,final_run, "
                "such as 0,0,-1,-1"
            )
        return cls(*numbers)

    @property
    def first(self) -> tuple[int, int]:
        """The first (experiment, run)."""
        return self.first_exp, self.first_run

    @property
    def last(self) -> tuple[int, int]:
        """The last (experiment, run), with LIMIT for what is open."""
        return (
            LIMIT if self.final_exp == OPEN else self.final_exp,
            LIMIT if self.final_run == OPEN else self.final_run,
        )

    def closed(self, experiment: int, run: int) -> Self:
        """The same interval with an end, if it is open: the last (experiment, run); run -1: to the end of the
        experiment. Raises InputError if it has an end, or if the new one is not inside."""
        if self.final_run != OPEN:
            raise InputError(f"interval of validity {self}: is not open; it ends with run {self.final_run}")
        shorter = type(self)(self.first_exp, self.first_run, experiment, run)
        if experiment == OPEN or not shorter.last < self.last:
            raise InputError(f"interval of validity {self}: {experiment},{run} does not close it; give a run inside")
        return shorter

    def follows(self, other: "IoV") -> bool:
        """Whether there can be no run between the end of the other one and the start of this one."""
        if other.final_run == OPEN:
            return self.first == (other.final_exp + 1, 0)
        return self.first == (other.final_exp, other.final_run + 1)

    def contains(self, experiment: int, run: int) -> bool:
        """Whether the interval contains this run."""
        return self.first <= (experiment, run) <= self.last

    def overlaps(self, other: "IoV") -> bool:
        """Whether some run belongs to both."""
        return self.first <= other.last and other.first <= self.last

    def __str__(self) -> str:
        return f"{self.first_exp},{self.first_run},{self.final_exp},{self.final_run}"


def overlapping(intervals: list[IoV]) -> list[tuple[IoV, IoV]]:
    """The pairs of intervals that have a run in common."""
    return [(one, other) for one, other in combinations(sorted(intervals), 2) if one.overlaps(other)]
