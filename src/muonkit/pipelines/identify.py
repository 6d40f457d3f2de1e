"""Tables of tracks and hits -> likelihoods of six species, piece by piece; a killed run goes on where it stopped."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from muonkit.core.arrays import AnyArray
from muonkit.core.config import load, read_text
from muonkit.core.errors import InputError
from muonkit.core.files import check_output
from muonkit.core.provenance import state_of
from muonkit.core.result import Result
from muonkit.io.basf2.tables import read_compared
from muonkit.io.basf2.tracks import MUON, NO_FIT
from muonkit.io.basf2.variables import as_variables
from muonkit.io.chunks import Summary
from muonkit.io.klm import read_ids
from muonkit.io.layout import kind_or_fault
from muonkit.io.source import refuse as refuse_rows
from muonkit.io.tables import write_tables
from muonkit.muid.config import Identify
from muonkit.muid.identify import Columns, Numbers, counted, identify, masked
from muonkit.muid.likelihood.hypotheses import HYPOTHESES
from muonkit.muid.swim.hits import usable
from muonkit.muid.tally import Events, Tally, tally
from muonkit.pipelines.identify_checks import described, doubts, refuse
from muonkit.pipelines.identify_events import piece_events
from muonkit.pipelines.identify_inputs import IdentifyJob, prepare
from muonkit.pipelines.pieces import EventPiece
from muonkit.run.checkpoint import remembered, unfinished
from muonkit.run.runner import Runner


@dataclass(frozen=True, slots=True)
class IdentifyResult(Result):
    """What was identified: the file; numbers of tracks; the tally of tracks, layers and hits; bad hits by kind of
    fault; the table of hits with its rows, and those in events without tracks; names and revisions of the payloads;
    warnings: a line for everything that is odd; notes: what is not used of the files; hypotheses: tracks by the PDG
    code of the species in their fit (basf2 only)."""

    file: Path
    numbers: Numbers
    tally: Tally
    bad_hits: dict[str, int]
    hits: str
    hit_rows: int
    stray_hits: int
    payloads: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    hypotheses: dict[int, int] = field(default_factory=dict)

    @property
    def message(self) -> str:
        """What is odd, and efficiencies that no payload has."""
        missing = self.numbers.efficiency_missing
        lines = [f"{missing} tracks cross modules without a known efficiency: taken as 1"] if missing else []
        return "\n".join([*(f"WARNING: {line}" for line in self.warnings), *lines])

    def faults(self) -> list[str]:
        """A line for every kind of hit that was of no use."""
        lines = [f"{count} hits {what}: left out" for what, count in self.bad_hits.items()]
        if self.stray_hits or not self.hit_rows:
            lines.append(f"{self.hits}: {self.stray_hits} of {self.hit_rows} hits are in events without tracks")
        return lines

    def report(self) -> str:
        """Faults of the hits, then numbers of tracks."""
        numbers = self.numbers
        best = zip(numbers.most_probable, HYPOTHESES, strict=True)
        lines = [
            f"{self.file}: {numbers.tracks} tracks, {numbers.not_reached} did not reach the muon detector, "
            f"{numbers.not_started} were not started, {numbers.junk} are junk, "
            f"{numbers.uninformed} have no information",
            "most probable: " + ", ".join(f"{n} {name}" for n, name in best),
            *described(self.tally),
            f"{numbers.shared_hits} tracks share hits with others",
            *self.notes,
            f"payloads: {', '.join(self.payloads)}",
        ]
        return "\n".join([*self.faults(), *lines])

    def to_json(self) -> dict[str, Any]:
        """Numbers by name, the file, bad hits, payloads, and the text."""
        files = {"file": str(self.file), "bad_hits": self.bad_hits, "payloads": list(self.payloads), "text": str(self)}
        said = {"warnings": list(self.warnings), "notes": list(self.notes)}
        fits = {str(code): number for code, number in sorted(self.hypotheses.items())}
        return self.numbers.to_json() | self.tally.to_json() | files | said | {"hypotheses": fits}


@dataclass(frozen=True, slots=True)
class IdentifiedPiece:
    """The columns (n,) of a piece, its tally, its tracks with a wrong charge, its bad hits by kind of fault, its tracks
    by the PDG code of the species in their fit, if that is known."""

    columns: dict[str, AnyArray]
    tally: Tally
    charges: Summary
    bad_hits: dict[str, int]
    hypotheses: dict[int, int]


@dataclass(slots=True)
class Found:
    """The sums over the pieces so far."""

    numbers: list[Numbers] = field(default_factory=list)
    tallies: list[Tally] = field(default_factory=list)
    charges: list[Summary] = field(default_factory=list)
    bad_hits: Counter[str] = field(default_factory=Counter)
    hypotheses: Counter[int] = field(default_factory=Counter)

    def add(self, piece: IdentifiedPiece) -> None:
        """One more piece."""
        self.numbers.append(counted(piece.columns))
        self.tallies.append(piece.tally)
        self.charges.append(piece.charges)
        self.bad_hits.update(piece.bad_hits)
        self.hypotheses.update(piece.hypotheses)

    def result(self, out: Path, job: IdentifyJob, config: Identify) -> IdentifyResult:
        """Of all pieces. Raises InputError if too much of the input is of no use."""
        numbers, tally = sum(self.numbers[1:], self.numbers[0]), sum(self.tallies[1:], self.tallies[0])
        charges = refuse_rows(self.charges, config.input.max_bad_share, "not started")
        refuse(tally, numbers, config)
        odd = (*job.warnings, *charges, *doubts(tally, numbers, config))
        hits = job.hits.name, job.hits.rows, job.stray_hits
        notes, fits = (*job.notes, *fit_notes(self.hypotheses)), dict(self.hypotheses)
        result = IdentifyResult(out, numbers, tally, dict(self.bad_hits), *hits, job.payloads, odd, notes, fits)
        require_good_hits(result, config.input.max_bad_share)
        return result


def identify_tables(config_path: Path, out: Path, runner: Runner) -> IdentifyResult:
    """Write one row per track to `out` (.parquet, .root, .csv). Raises InputError for inputs that cannot be used; then
    nothing is written."""
    config = load(config_path, Identify)
    kind_or_fault(out, str(out))
    job = prepare(config, config_path.parent)
    check_output(out, (config_path, *job.files, *job.stores))
    found, results = Found(), list[IdentifyResult]()

    def tables(pieces: Iterable[IdentifiedPiece]) -> Iterator[Columns]:
        for piece in pieces:
            found.add(piece)
            yield named(masked(piece.columns), config.output.names)
        results.append(found.result(out, job, config))  # before the file has its name

    with unfinished(out, state_of(read_text(config_path), job.files, *job.payloads)) as parts:
        run = remembered(runner.map(f"identify {out.name}"), parts, "piece", IdentifiedPiece)
        write_tables(out, tables(run(partial(run_piece, job), job.pieces)), job.tracks.origin)
    return results[0]


def run_piece(job: IdentifyJob, piece: EventPiece) -> IdentifiedPiece:
    """Identify one piece; module-level, so that it can travel to another process."""
    how, read = job.how[piece.run], piece_events(job, piece)
    hits, faults = usable(read.hits, how.yoke.layout)
    columns, found = identify(read.tracks, hits, how, read.status)
    ids = read_ids(job.tracks, *piece.tracks)
    sums = tally(Events(read.tracks, read.hits, hits, found), how.yoke, job.max_p)
    compared = {} if job.records is None else read_compared(job.records, *piece.tracks)
    return IdentifiedPiece(ids | columns | ids | compared, sums, read.charges, faults, read.hypotheses or {})


def fit_notes(hypotheses: Mapping[int, int]) -> list[str]:
    """A line about tracks whose fit is not that of a muon, by the species in its place."""
    known = sorted((code, number) for code, number in hypotheses.items() if code != NO_FIT)
    if all(code == MUON for code, _ in known):
        return []
    listed = ", ".join(f"{number} {code}" for code, number in known)
    return [f"not all tracks have the fit of a muon; the closest mass is used (tracks by PDG code: {listed})"]


def named(columns: Columns, names: str) -> Columns:
    """The columns as the output calls them."""
    return as_variables(columns) if names == "basf2" else columns


def require_good_hits(result: IdentifyResult, max_bad_share: float) -> None:
    """Raises InputError if too many hits were bad."""
    if sum(result.bad_hits.values()) > max_bad_share * max(result.hit_rows, 1):
        line = f"{result.hits}: more than {max_bad_share:.0%} of the hits are bad; mend the file"
        raise InputError([*result.faults(), line])
