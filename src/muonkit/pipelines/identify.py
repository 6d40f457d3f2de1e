"""Tables of tracks and hits -> likelihoods of six species, piece by piece; a killed run goes on where it stopped."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from muonkit.core.arrays import AnyArray
from muonkit.core.config import load, read_text
from muonkit.core.errors import InputError
from muonkit.core.files import check_output
from muonkit.core.provenance import state_of
from muonkit.io.klm import RUN_COLUMNS, read_columns, read_hits, read_tracks
from muonkit.io.layout import kind_or_fault
from muonkit.io.tables import write_tables
from muonkit.muid.config import Identify
from muonkit.muid.identify import Identification, identify, masked, summary, usable
from muonkit.pipelines.identify_inputs import Job, Piece, prepare
from muonkit.run.checkpoint import remembered, unfinished
from muonkit.run.runner import Runner

FAULTS = "faults:"  # begins the names of the counts of bad hits beside the columns


@dataclass(frozen=True)
class Totals:
    """What is told at the end."""

    counts: dict[str, int]
    faults: dict[str, int]

    def add(self, table: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        """Count the rows of a piece; its columns."""
        columns = {name: values for name, values in table.items() if not name.startswith(FAULTS)}
        for name, count in summary(columns).items():
            self.counts[name] = self.counts.get(name, 0) + count
        for name in table.keys() - columns.keys():
            self.faults[name.removeprefix(FAULTS)] = self.faults.get(name.removeprefix(FAULTS), 0) + int(table[name][0])
        return columns


def identify_tables(config_path: Path, out: Path, runner: Runner) -> dict[str, Any]:
    """Write one row per track to `out` (.parquet, .root, .csv). Raises InputError for inputs that cannot be used."""
    config = load(config_path, Identify)
    kind_or_fault(out, str(out))
    job = prepare(config, config_path.parent)
    check_output(out, (config_path, *job.files))
    totals = Totals({}, {})
    with unfinished(out, state_of(read_text(config_path), job.files, *sources(job))) as parts:
        pieces = remembered(runner.map(f"identify {out.name}"), parts, "piece", dict[str, AnyArray])
        tables = pieces(partial(run_piece, job), job.pieces)
        write_tables(out, (masked(totals.add(table)) for table in tables))
    return told(out, job, totals, config.input.max_bad_share)


def run_piece(job: Job, piece: Piece) -> dict[str, AnyArray]:
    """The columns of one piece, and counts of its bad hits."""
    how: Identification = job.how
    hits, faults = usable(read_hits(job.hits, *piece.hits), how)
    table = identify(read_tracks(job.tracks, *piece.tracks), hits, how, job.conditions[piece.run])
    table = read_columns(job.tracks, *piece.tracks, RUN_COLUMNS) | table
    return table | {FAULTS + what: np.array([count]) for what, count in faults.items()}


def sources(job: Job) -> list[str]:
    """Names and revisions of the payloads in use."""
    return sorted({source for conditions in job.conditions.values() for source in conditions.sources})


def told(out: Path, job: Job, totals: Totals, max_bad_share: float) -> dict[str, Any]:
    """The result in words and numbers. Raises InputError if too many hits were bad; the table is written by then."""
    counts, bad = totals.counts, sum(totals.faults.values())
    lines = [f"{count} hits {what}: left out" for what, count in totals.faults.items()]
    if job.stray or not job.hits.rows:
        lines.append(f"{job.hits.name}: {job.stray} of {job.hits.rows} hits are in events without tracks")
    if bad > max_bad_share * max(job.hits.rows, 1):
        lines.append(f"{job.hits.name}: more than {max_bad_share:.0%} of the hits are bad; mend the file")
        raise InputError(lines)
    lines += [
        f"{out}: {counts['tracks']} tracks, {counts['not_reached']} did not reach the muon detector, "
        f"{counts['not_started']} were not started, {counts['junk']} are junk",
        "most probable: " + ", ".join(f"{n} {k.rpartition('_')[2]}" for k, n in counts.items() if "probable" in k),
        f"{counts['shared_hits']} tracks share hits with others",
        f"payloads: {', '.join(sources(job))}",
    ]
    if counts["efficiency_missing"]:
        lines.append(f"{counts['efficiency_missing']} tracks cross modules without a known efficiency: taken as 1")
    return counts | {"file": str(out), "bad_hits": totals.faults, "payloads": sources(job), "text": "\n".join(lines)}
