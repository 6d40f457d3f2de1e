"""Tables of scores that somebody made of the tracks of a benchmark, put beside the truth. What is missing, stands
twice, is not in the sample or has no score is counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from muonkit.core.arrays import AnyArray, BoolArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.io.identified import KEY, numbers, open_identified, places
from muonkit.io.ids import halves
from muonkit.io.klm import KLMFile, describe, open_truth, read_columns, read_truth
from muonkit.io.layout import ending_of
from muonkit.muid.likelihood.hypotheses import HYPOTHESES
from muonkit.muid.performance.fakes import BACKGROUNDS, SIGNAL, Scores
from muonkit.muid.performance.labelled import species_of
from muonkit.muid.performance.score import NO_SCORE, delta, raw

SCORE = "score"
LOG_LIKELIHOODS = tuple(f"logL_{name}" for name in HYPOTHESES)

REACHED = "reached"


@dataclass(frozen=True, slots=True)
class TrueTracks:
    """keys (n, 4): event and track by halves; species (n,): place in HYPOTHESES; p (n,) [GeV]; reached (n,): whether
    the track comes to the muon detector; origin: the sample."""

    keys: IntArray
    species: IntArray
    p: FloatArray
    reached: BoolArray
    origin: str | None


@dataclass(frozen=True, slots=True)
class Counted:
    """Rows of a table; of them those that stand twice, and those of tracks that are not in the sample; tracks of the
    sample that are not in the table."""

    rows: int
    twice: int
    unknown: int
    missing: int


@dataclass(frozen=True, slots=True)
class TableOfScores:
    """file: its name; scores of the tracks of the sample, by name; without: of the tracks that reach the muon detector,
    those without a score, by name; note: empty, or that nothing says that the table is of the sample."""

    file: str
    scores: dict[str, Scores]
    counted: Counted
    without: dict[str, int]
    note: str


def read_true(path: Path) -> TrueTracks:
    """The truth of a benchmark. Raises InputError if it is none."""
    file = open_truth(path)
    columns = open_identified(path, (*KEY, REACHED))
    truth = read_truth(file, 0, file.rows)
    reached = read_columns(columns, 0, columns.rows, (REACHED,))[REACHED] == 1
    keys = np.column_stack((halves(truth.event), halves(truth.track)))
    return TrueTracks(keys, species_of(truth.pdg_id), np.linalg.norm(truth.momentum, axis=1), reached, file.origin)


def read_scores(path: Path, wanted: Sequence[str], truth: TrueTracks) -> TableOfScores:
    """The scores in a table: of the columns `wanted`, and what it has of six log-likelihoods and a column `score`.

    Raises InputError for a table of another sample, or without a score."""
    file = open_scores(path, wanted)
    if file.origin and truth.origin and file.origin != truth.origin:
        raise InputError(f"{path}: is of sample {file.origin}, the benchmark is {truth.origin}; score its own tracks")
    table = numbers(file, 0, file.rows)
    rows, counted = matched(np.column_stack([halves(table[name]) for name in KEY]), truth.keys)
    if counted.unknown == counted.rows:
        raise InputError(f"{path}: none of its {counted.rows} tracks is in the sample; score its own tracks")
    scores: dict[str, Scores] = {
        name: {who: placed(values, rows, len(truth.p)) for who, values in each.items()}
        for name, each in named_scores(table, path.name.removesuffix(ending_of(path)), wanted).items()
    }
    has = {name: np.any([values > NO_SCORE for values in each.values()], axis=0) for name, each in scores.items()}
    without = {name: int(np.sum(truth.reached & ~there)) for name, there in has.items()}
    note = "" if file.origin else f"{path.name}: that it is of this sample is taken on trust"
    return TableOfScores(path.name, scores, counted, without, note)


def open_scores(path: Path, wanted: Sequence[str]) -> KLMFile:
    """A table with its keys and scores. Raises InputError if it cannot be read or has no score."""
    there = describe(path).columns
    likelihoods = LOG_LIKELIHOODS if set(LOG_LIKELIHOODS) <= set(there) else ()
    names = [(name,) if name in there else six(name) for name in (SCORE, *wanted)]
    columns = (*likelihoods, *(one for each in names if set(each) <= set(there) for one in each))
    if not columns:
        raise InputError(
            f"{path}: has no column 'score' and not all of {', '.join(LOG_LIKELIHOODS)}. Found {', '.join(there)}. "
            "Add one, or name one with --column."
        )
    return open_identified(path, tuple(dict.fromkeys((*KEY, *columns))))


def six(name: str) -> tuple[str, ...]:
    """The columns of six probabilities that together are called `name`."""
    return tuple(f"{name}_{species}" for species in HYPOTHESES)


def named_scores(table: Mapping[str, AnyArray], stem: str, wanted: Sequence[str]) -> dict[str, Scores]:
    """By name, the scores (n,) of the rows of a table called `stem`: of six log-likelihoods, of six probabilities, or
    of one column."""
    found: dict[str, Scores] = {}
    if set(LOG_LIKELIHOODS) <= set(table):
        found[stem] = pairwise([table[column] for column in LOG_LIKELIHOODS])
    for column in dict.fromkeys((SCORE, *wanted)):
        name = stem if column == SCORE and not found else f"{stem}.{column}"
        if column in table:
            found[name] = dict.fromkeys(BACKGROUNDS, raw(table[column]))
        elif set(six(column)) <= set(table):
            with np.errstate(divide="ignore", invalid="ignore"):
                found[name] = pairwise([np.log(table[each]) for each in six(column)])
    return found


def pairwise(logs: Sequence[FloatArray]) -> Scores:
    """Differences (n,) of the muon's logarithm and that of every background; logs (6, n)."""
    by_name, fails = dict(zip(HYPOTHESES, logs, strict=True)), np.zeros(len(logs[0]), dtype=np.bool_)
    return {name: delta(by_name[SIGNAL], by_name[name], fails) for name in BACKGROUNDS}


def placed(values: FloatArray, rows: IntArray, n: int) -> FloatArray:
    """Scores (n,) of the tracks of the sample, of `values` that belong to its `rows`; -1 is none of them."""
    found = np.full(n, NO_SCORE)
    found[rows[rows >= 0]] = values[rows >= 0]
    return found


def matched(wanted: IntArray, known: IntArray) -> tuple[IntArray, Counted]:
    """Row among `known` (m, 4) of each key of `wanted` (n, 4), -1 where there is none and for all but the first of
    equal ones; and the numbers of all these."""
    _, first = np.unique(wanted, axis=0, return_index=True)
    first = np.sort(first)
    rows = np.full(len(wanted), -1)
    rows[first] = places(wanted[first], known)
    found = int(np.sum(rows >= 0))
    return rows, Counted(len(wanted), len(wanted) - len(first), len(first) - found, len(known) - found)
