"""Scores of the tracks of a benchmark -> fake rates at given efficiencies, beside those of muonkit."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np

from muonkit.core.errors import InputError
from muonkit.core.files import check_output, write_json
from muonkit.core.limits import parse_json
from muonkit.core.plain import plain, rebuilt
from muonkit.muid.performance.fakes import fakes_in_ranges, ranges_of
from muonkit.pipelines.benchmark.config import BenchmarkScoring, benchmark
from muonkit.pipelines.benchmark.files import Manifest, benchmark_files, check, read_manifest
from muonkit.pipelines.benchmark.result import BenchmarkRates, BenchmarkReport, ScoredTable, ScoreRates
from muonkit.pipelines.benchmark.scores import TableOfScores, TrueTracks, read_scores, read_true


def score_benchmark(folder: Path, tables: Sequence[Path], out: Path, columns: Sequence[str] = ()) -> BenchmarkReport:
    """Compare the scores in `tables` and write the report to `out` as JSON; columns: scores beside `score` and the six
    log-likelihoods. Raises InputError, with a line for every fault, for tables of another sample, a benchmark of
    another version, and files that are not as they were made."""
    choice, manifest, parts = benchmark(), read_manifest(folder), benchmark_files(folder)
    check_output(out, (*parts, *tables))
    if manifest.benchmark != choice.title:
        raise InputError(
            f"{folder}: is benchmark {manifest.benchmark}, this version of muonkit scores {choice.title}; make it again"
        )
    absent = check(folder, manifest)
    truth = read_true(parts.truth)
    if truth.origin != manifest.sample:
        raise InputError(f"{parts.truth}: is of sample {truth.origin}, not {manifest.sample}; make the benchmark again")
    found = read_all(tables, columns, truth)
    scores = tuple(rates for table in found for rates in rates_of(table, truth, choice.scoring))
    rates = BenchmarkRates(
        manifest.benchmark, manifest.recipe, manifest.sample, manifest.engine, manifest.detector, manifest.events,
        int(truth.reached.sum()), choice.scoring.efficiencies, scores,
    )  # fmt: skip
    reference, note = reference_for(manifest)
    notes = [table.note for table in found] + [
        f"{folder / name}: is not there, and was not looked at" for name in absent
    ]
    read = tuple(ScoredTable(table.file, table.counted) for table in found)
    result = BenchmarkReport(out, rates, read, reference, tuple(line for line in (*notes, note) if line))
    write_json(out, {name: plain(getattr(result, name)) for name in ("rates", "tables", "reference", "notes")})
    return result


def read_all(tables: Sequence[Path], columns: Sequence[str], truth: TrueTracks) -> list[TableOfScores]:
    """All tables of scores. Raises InputError with the faults of all, for names that stand twice, and for columns that
    no table has."""
    found, faults = list[TableOfScores](), list[str]()
    for path in tables:
        try:
            found.append(read_scores(path, columns, truth))
        except InputError as error:
            faults += error.faults
    names = [name for table in found for name in table.scores]
    faults += [
        f"{name}: is the name of two scores; rename a table"
        for name in sorted({n for n in names if names.count(n) > 1})
    ]
    if not faults:
        faults = [
            f"--column {column}: no table has it; correct the name"
            for column in columns
            if not any(name.endswith(f".{column}") for name in names)
        ]
    if faults:
        raise InputError(faults)
    return found


def rates_of(table: TableOfScores, truth: TrueTracks, scoring: BenchmarkScoring) -> list[ScoreRates]:
    """Fake rates of every score of a table, of the tracks that reach the muon detector."""
    used = np.flatnonzero(truth.reached)
    species, p, ranges = truth.species[used], truth.p[used], ranges_of(scoring.p, scoring.p_edges)
    return [
        ScoreRates(
            name,
            table.without[name],
            fakes_in_ranges({who: one[used] for who, one in each.items()}, species, p, ranges, scoring.efficiencies),
        )
        for name, each in table.scores.items()
    ]


def reference_for(manifest: Manifest) -> tuple[BenchmarkRates | None, str]:
    """The scores of muonkit on the same recipe, and a note if there are none, or if they are of another size."""
    file = files("muonkit.pipelines.benchmark").joinpath("reference", f"{manifest.engine}.json")
    if not file.is_file():
        return None, f"muonkit has no scores to compare with for engine {manifest.engine}"
    found = rebuilt(BenchmarkRates, parse_json(file.read_text(encoding="utf-8"), file.name)["rates"])
    same_size = found.events == manifest.events
    if found.recipe != manifest.recipe or (same_size and found.sample != manifest.sample):
        return None, "the scores that come with muonkit are of another version of detector or simulation: not shown"
    return found, "" if same_size else f"muonkit's own scores are of {found.events} events of the same recipe"
