"""Fake rates of scores on a benchmark, beside those of muonkit."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muonkit.core.plain import plain_fields
from muonkit.core.result import Result
from muonkit.muid.performance.fakes import BACKGROUNDS, SIGNAL, AgainstSpecies, InRange
from muonkit.pipelines.benchmark.scores import Counted

MAIN, USUAL = "pi", 0.9  # what the bins of p show


@dataclass(frozen=True, slots=True)
class ScoreRates:
    """A score by name: tracks that reach the muon detector without it; fake rates in ranges of p, the whole one
    first."""

    name: str
    without: int
    ranges: tuple[InRange, ...]


@dataclass(frozen=True, slots=True)
class ScoredTable:
    """A file of scores, and what its rows are."""

    file: str
    counted: Counted


@dataclass(frozen=True, slots=True)
class BenchmarkRates:
    """What is compared: benchmark, recipe and name of the sample, engine, events, tracks that count (they reach the
    muon detector); the scores."""

    benchmark: str
    recipe: str
    sample: str
    engine: str
    detector: dict[str, str]
    events: int
    tracks: int
    efficiencies: tuple[float, ...]
    scores: tuple[ScoreRates, ...]


@dataclass(frozen=True, slots=True)
class BenchmarkReport(Result):
    """Rates of the scores; tables: what was read; reference: those of muonkit, None if there are none for this sample;
    notes: what was taken on trust or is missing."""

    file: Path
    rates: BenchmarkRates
    tables: tuple[ScoredTable, ...]
    reference: BenchmarkRates | None
    notes: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """What is odd in the tables."""
        return "\n".join(f"WARNING: {line}" for line in self.faults())

    def faults(self) -> Iterator[str]:
        """A line for every kind of row that did not count, and for tracks without a score."""
        for table in self.tables:
            one = table.counted
            if one.missing:
                yield f"{table.file}: {one.missing} tracks of the sample are missing; they fail every cut"
            if one.twice:
                yield f"{table.file}: {one.twice} rows are of a track that stood before; the first row counts"
            if one.unknown:
                yield f"{table.file}: {one.unknown} rows are of tracks that are not in the sample; they are dropped"
        for score in self.rates.scores:
            if score.without:
                yield f"{score.name}: {score.without} of {self.rates.tracks} tracks have no score; they fail every cut"

    def report(self) -> str:
        """A table for every efficiency, one for bins of p, and the notes."""
        one = self.rates
        head = f"benchmark {one.benchmark}, engine {one.engine}, {one.events} events, sample {one.sample}"
        return "\n".join([head, *self._tables(), *self.notes, str(self.file)])

    def to_json(self) -> dict[str, Any]:
        """Everything, and the text."""
        return plain_fields(self) | {"file": str(self.file), "text": str(self)}

    def _rows(self) -> list[tuple[str, ScoreRates]]:
        """All scores, with the names that they have in the tables."""
        others = () if self.reference is None else self.reference.scores
        return [(one.name, one) for one in self.rates.scores] + [(f"muonkit: {one.name}", one) for one in others]

    def _tables(self) -> Iterator[str]:
        rows = self._rows()
        width = max([len(name) for name, _ in rows] + [30])
        low, high = self.rates.scores[0].ranges[0].p
        for i, efficiency in enumerate(self.rates.efficiencies):
            what = f"% that pass at {100 * efficiency:g} % of {SIGNAL}"
            columns = "".join(f"{name:>19}" for name in BACKGROUNDS)
            yield f"{what:<{width}}{columns}   p {low:g} to {high:g} GeV"
            for name, score in rows:
                cells = (cell(score.ranges[0].species[species], i) for species in BACKGROUNDS)
                yield f"{name:<{width}}" + "".join(f"{text:>19}" for text in cells)
        yield f"{f'area under the curve, {SIGNAL} against':<{width}}" + "".join(f"{name:>19}" for name in BACKGROUNDS)
        for name, score in rows:
            areas = (area(score.ranges[0].species[species]) for species in BACKGROUNDS)
            yield f"{name:<{width}}" + "".join(f"{text:>19}" for text in areas)
        yield from self._bins(rows, width)

    def _bins(self, rows: list[tuple[str, ScoreRates]], width: int) -> Iterator[str]:
        at = min(range(len(self.rates.efficiencies)), key=lambda i: abs(self.rates.efficiencies[i] - USUAL))
        what = f"% of {MAIN} at {100 * self.rates.efficiencies[at]:g} %, p [GeV]"
        names = (f"{one.p[0]:g}-{one.p[1]:g}" for one in self.rates.scores[0].ranges[1:])
        yield f"{what:<{width}}" + "".join(f"{name:>19}" for name in names)
        for name, score in rows:
            yield f"{name:<{width}}" + "".join(f"{cell(one.species[MAIN], at):>19}" for one in score.ranges[1:])


def cell(found: AgainstSpecies, at: int) -> str:
    """A fake rate in percent with half its interval; a star where no cut has that efficiency."""
    if not found.fakes:
        return "-"
    one = found.fakes[at]
    return f"{100 * one.fake_rate:.2f} +- {50 * (one.high - one.low):.2f}" + ("" if one.reached else "*")


def area(found: AgainstSpecies) -> str:
    """The area with its error."""
    return "-" if found.auc is None else f"{found.auc:.4f} +- {found.auc_error:.4f}"
