"""Tables of tracks and hits -> likelihoods of six species, piece by piece; a killed run goes on where it stopped."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from muonkit.core.arrays import AnyArray
from muonkit.core.config import load, read_text
from muonkit.core.errors import InputError
from muonkit.core.files import check_output
from muonkit.core.provenance import state_of
from muonkit.core.result import Result
from muonkit.io.klm import RUN_COLUMNS, read_columns
from muonkit.io.layout import kind_or_fault
from muonkit.io.tables import write_tables
from muonkit.muid.config import Identify
from muonkit.muid.identify import Columns, Numbers, counted, identify, masked
from muonkit.muid.likelihood.hypotheses import HYPOTHESES
from muonkit.muid.swim.hits import usable
from muonkit.pipelines.identify_inputs import IdentifyJob, prepare
from muonkit.pipelines.pieces import EventPiece, read_events
from muonkit.run.checkpoint import remembered, unfinished
from muonkit.run.runner import Runner


@dataclass(frozen=True, slots=True)
class IdentifyResult(Result):
    """What was identified: the file; numbers of tracks; bad hits by kind of fault; the table of hits with its rows, and
    those in events without tracks; names and revisions of the payloads."""

    file: Path
    numbers: Numbers
    bad_hits: dict[str, int]
    hits: str
    hit_rows: int
    stray_hits: int
    payloads: tuple[str, ...]

    @property
    def message(self) -> str:
        """Efficiencies that no payload has."""
        missing = self.numbers.efficiency_missing
        return f"{missing} tracks cross modules without a known efficiency: taken as 1" if missing else ""

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
            f"{numbers.not_started} were not started, {numbers.junk} are junk",
            "most probable: " + ", ".join(f"{n} {name}" for n, name in best),
            f"{numbers.shared_hits} tracks share hits with others",
            f"payloads: {', '.join(self.payloads)}",
        ]
        return "\n".join([*self.faults(), *lines])

    def to_json(self) -> dict[str, Any]:
        """Numbers by name, the file, bad hits, payloads, and the text."""
        files = {"file": str(self.file), "bad_hits": self.bad_hits, "payloads": list(self.payloads), "text": str(self)}
        return self.numbers.to_json() | files


@dataclass(frozen=True, slots=True)
class IdentifiedPiece:
    """The columns (n,) of a piece, and numbers of its bad hits by kind of fault."""

    columns: dict[str, AnyArray]
    bad_hits: dict[str, int]


def identify_tables(config_path: Path, out: Path, runner: Runner) -> IdentifyResult:
    """Write one row per track to `out` (.parquet, .root, .csv). Raises InputError for inputs that cannot be used."""
    config = load(config_path, Identify)
    kind_or_fault(out, str(out))
    job = prepare(config, config_path.parent)
    check_output(out, (config_path, *job.files))
    numbers: list[Numbers] = []
    bad_hits: Counter[str] = Counter()

    def tables(pieces: Iterable[IdentifiedPiece]) -> Iterator[Columns]:
        for piece in pieces:
            numbers.append(counted(piece.columns))
            bad_hits.update(piece.bad_hits)
            yield masked(piece.columns)

    with unfinished(out, state_of(read_text(config_path), job.files, *job.payloads)) as parts:
        run = remembered(runner.map(f"identify {out.name}"), parts, "piece", IdentifiedPiece)
        write_tables(out, tables(run(partial(run_piece, job), job.pieces)), job.tracks.origin)
    result = IdentifyResult(
        out, sum(numbers[1:], numbers[0]), dict(bad_hits), job.hits.name, job.hits.rows, job.stray_hits, job.payloads
    )
    require_good_hits(result, config.input.max_bad_share)
    return result


def run_piece(job: IdentifyJob, piece: EventPiece) -> IdentifiedPiece:
    """Identify one piece; module-level, so that it can travel to another process."""
    how = job.how[piece.run]
    tracks, hits = read_events(job.tracks, job.hits, piece)
    hits, faults = usable(hits, how.yoke.layout)
    columns = read_columns(job.tracks, *piece.tracks, RUN_COLUMNS) | identify(tracks, hits, how)
    return IdentifiedPiece(columns, faults)


def require_good_hits(result: IdentifyResult, max_bad_share: float) -> None:
    """Raises InputError if too many hits were bad; the table is written by then."""
    if sum(result.bad_hits.values()) > max_bad_share * max(result.hit_rows, 1):
        line = f"{result.hits}: more than {max_bad_share:.0%} of the hits are bad; mend the file"
        raise InputError([*result.faults(), line])
