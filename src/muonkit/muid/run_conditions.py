"""What identification needs of a run: the payload of the likelihood, dead channels, efficiencies."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muonkit.conditions.choice import PayloadReader, Run
from muonkit.conditions.store import open_store
from muonkit.core.errors import InputError
from muonkit.detector.channels import ALL_WORK, EFFICIENCY_SCHEMA, STATUS_SCHEMA, Channels, read_efficiency, read_status
from muonkit.muid.likelihood import payload as likelihood
from muonkit.muid.likelihood.payload import LikelihoodParameters


@dataclass(frozen=True)
class PayloadNames:
    """Names of the payloads in a store; None: not looked for, everything works."""

    likelihood: str = likelihood.NAME
    channel_status: str | None = None
    strip_efficiency: str | None = None


@dataclass(frozen=True)
class RunConditions:
    """The payloads of a run, and the names and revisions they have."""

    payload: LikelihoodParameters
    channels: Channels = ALL_WORK
    sources: tuple[str, ...] = ()


def from_store(
    location: str, payloads: Path | None, tag: str, names: PayloadNames, runs: Iterable[Run]
) -> dict[Run, RunConditions]:
    """The conditions of all runs (experiment, run). Raises InputError with a line for everything that is missing, by
    run."""
    found: dict[Run, RunConditions] = {}
    faults: list[str] = []
    with open_store(location, payloads) as store:
        reader = _Reader(store, tag, {})
        for run in runs:
            found[run], lacking = reader.conditions(names, run)
            faults += lacking
    if faults:
        raise InputError(dict.fromkeys(faults))
    return found


class _Reader(PayloadReader):
    """The conditions of one run after the other."""

    def conditions(self, names: PayloadNames, run: Run) -> tuple[RunConditions, list[str]]:
        """What holds for a run, and a line for everything that is missing."""
        wanted: tuple[tuple[str | None, str, Callable[[bytes, str], Any]], ...] = (
            (names.likelihood, likelihood.SCHEMA, LikelihoodParameters.from_bytes),
            (names.channel_status, STATUS_SCHEMA, read_status),
            (names.strip_efficiency, EFFICIENCY_SCHEMA, read_efficiency),
        )
        labels: list[str | None] = [None] * len(wanted)
        faults: list[str] = []
        for i, (name, schema, parse) in enumerate(wanted):
            try:
                labels[i] = None if name is None else self.read(name, schema, parse, run)
            except InputError as error:
                faults += error.faults
        found: list[Any] = [None if label is None else self.parsed[label] for label in labels]
        sources = tuple(label for label in labels if label is not None)
        return RunConditions(found[0], Channels(found[1], found[2]), sources), faults
