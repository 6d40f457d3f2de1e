"""Tables of hits -> tracks at the beam line and pairs of them, piece by piece. A killed run goes on."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field
from scipy.special import chdtr, chdtrc

from muonkit.alignment.apply import corrected
from muonkit.alignment.files import read_corrections
from muonkit.core.arrays import AnyArray, BoolArray, FloatArray, IntArray
from muonkit.core.config import Section, load, read_text
from muonkit.core.errors import InputError
from muonkit.core.files import check_outputs
from muonkit.core.indices import QOP, THETA
from muonkit.core.provenance import state_of
from muonkit.core.result import Result, Status
from muonkit.data.hits import TrackHits
from muonkit.data.truth import TrackTruth
from muonkit.detector.detector import Detector
from muonkit.io.layout import ending_of, kind_or_fault
from muonkit.io.tables import write_tables
from muonkit.io.track_hits import HitsFile, Rows, TruthFile, open_hits, open_truth, read_hits, read_truth, rows_of
from muonkit.pipelines.dimuons_of import Columns, pair_columns, pairs_of
from muonkit.pipelines.pieces import detector_of
from muonkit.run.checkpoint import remembered, unfinished
from muonkit.run.runner import Runner
from muonkit.tracking.law import Law
from muonkit.tracking.refit import REFIT_STATUS, FitChoice, Refitted, prepared, refit
from muonkit.transport.status import OK

UPPER = np.triu_indices(5)
TAIL = 3.0  # sigma: where the tail of `tail_share` begins
UNLIKELY = 1e-9  # probability of a chi2, to be as large or as small
MOST_UNLIKELY = 0.5  # of the fitted tracks; tails of scattering make 0.004
UNLIKE = 2.0  # ratio of pT to that of the truth
MOST_UNLIKE = 0.2  # of the tracks with truth
MOST_TRACKS = 1000  # of an event, to make pairs of


class RefitInput(Section):
    """A table of hits, and of the truth of its tracks (only copied into the pairs); rows per chunk; share of tracks
    without fit above which the command fails."""

    hits: str
    truth: str | None = None
    chunk_size: int = Field(200_000, ge=1)
    max_failed_share: float = Field(0.05, ge=0, le=1)


class RefitConfig(Section):
    """`muonkit refit`. corrections: of `muonkit align`, for this detector; pairs: also fit common vertices."""

    input: RefitInput
    detector: str = "cms_like_tracker"
    corrections: str | None = None
    fit: FitChoice = FitChoice()
    pairs: bool = True


@dataclass(frozen=True)
class RefitJob:
    """All that a process needs to fit a piece."""

    table: HitsFile
    truth: TruthFile | None
    detector: Detector
    choice: FitChoice
    pairs: bool


@dataclass(frozen=True, slots=True)
class RefitPiece:
    """Columns (n,) of the tracks, and of the pairs; hits; events that have tracks without a partner; tracks that the
    truth has, and fitted ones that are unlike it."""

    tracks: dict[str, AnyArray]
    pairs: dict[str, AnyArray]
    hits: int
    unpaired: int = 0
    known: int = 0
    unlike: int = 0


@dataclass(slots=True)
class Sums:
    """Over the pieces so far."""

    status: Counter[int] = field(default_factory=Counter)
    pairs: int = 0
    no_vertex: int = 0
    no_truth: int = 0
    unpaired: int = 0
    hits: int = 0
    used: int = 0
    chi2: float = 0.0
    ndf: int = 0
    unlikely: int = 0
    known: int = 0
    unlike: int = 0

    def add(self, piece: RefitPiece) -> None:
        """One more piece."""
        status = piece.tracks["status"]
        self.status.update(status.tolist())
        self.hits += piece.hits
        self.used += int(piece.tracks["hits"].sum())
        good = status == OK
        self.chi2 += float(piece.tracks["chi2"][good].sum())
        self.ndf += int(piece.tracks["ndf"][good].sum())
        self.unlikely += int(unlikely(piece.tracks["chi2"][good], piece.tracks["ndf"][good]).sum())
        self.unpaired += piece.unpaired
        self.known += piece.known
        self.unlike += piece.unlike
        if piece.pairs:
            self.pairs += len(piece.pairs["mass"])
            self.no_vertex += int(np.isnan(piece.pairs["mass"]).sum())
            self.no_truth += int(np.isnan(piece.pairs.get("plus_gen_pt", np.zeros(0))).sum())


def unlikely(chi2: FloatArray, ndf: IntArray) -> BoolArray:
    """Which fits (n,) have a chi2 that is far too large or too small."""
    return np.asarray(np.minimum(chdtr(ndf, chi2), chdtrc(ndf, chi2)) < UNLIKELY, dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class RefitResult(Result):
    """What was fitted: the file of tracks and that of pairs; tracks by status; sums; corrections of the detector;
    tracks in the truth, None if it was not read."""

    file: Path
    pairs_file: Path | None
    sums: Sums
    choice: FitChoice
    max_failed_share: float
    notes: tuple[str, ...]
    corrections: str | None
    true: int | None = None

    @property
    def tracks(self) -> int:
        """All tracks."""
        return self.sums.status.total()

    @property
    def failed(self) -> int:
        """Tracks without a fit."""
        return self.tracks - self.sums.status[OK]

    @property
    def faults(self) -> list[str]:
        """What must not be, a line each."""
        fitted, odd = self.sums.status[OK], self.sums.unlikely
        found = []
        if self.failed > self.max_failed_share * self.tracks:
            found.append(
                f"{self.failed} of {self.tracks} tracks were not fitted: more than input.max_failed_share allows"
            )
        if odd > MOST_UNLIKELY * fitted:
            found.append(
                f"{odd} of {fitted} fitted tracks have a chi2 of probability below {UNLIKELY:g}: look at the errors of "
                "the hits, their units, and the detector"
            )
        return found

    @property
    def status(self) -> Status:
        return "ATTENTION" if self.faults else "DONE"

    @property
    def message(self) -> str:
        notes = list(self.notes)
        if self.sums.unlike > MOST_UNLIKE * self.sums.known:
            notes.append(
                f"{self.sums.unlike} of {self.sums.known} tracks are unlike their truth; is it the truth of these hits?"
            )
        return "\n".join([*self.faults, *(f"Note: {each}" for each in notes)])

    def report(self) -> str:
        sums, model = self.sums, self.choice.model
        neglected = ", ".join(self.choice.neglected) or "nothing"
        lines = [
            f"{self.file}: {self.tracks} tracks, {sums.status[OK]} fitted; chi2/ndf {sums.chi2 / max(sums.ndf, 1):.3f}",
            f"{model} fit, {self.choice.energy_loss} loss; it neglects {neglected}",
            *([f"in the detector with {self.corrections}"] if self.corrections else []),
            f"hits used: {sums.used} of {sums.hits}",
            *(f"  {number} tracks: {REFIT_STATUS[code]}" for code, number in sorted(sums.status.items()) if code != OK),
        ]
        if sums.unlikely:
            lines.append(f"  {sums.unlikely} fitted tracks: chi2 of probability below {UNLIKELY:g}")
        if self.pairs_file is not None:
            lines.append(
                f"{self.pairs_file}: {sums.pairs} pairs, {sums.no_vertex} without a vertex, {sums.no_truth} without "
                f"truth; {sums.unpaired} events have tracks but no pair"
            )
        if self.true is not None:
            lines.append(
                f"truth: {self.true} tracks, {self.true - sums.known} without hits; {sums.unlike} fitted ones have the "
                f"other charge, or a pT that differs by more than a factor of {UNLIKE:g}"
            )
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        sums = self.sums
        return {
            "file": str(self.file),
            "pairs_file": None if self.pairs_file is None else str(self.pairs_file),
            "tracks": self.tracks,
            "fitted": sums.status[OK],
            "failed": {REFIT_STATUS[code]: n for code, n in sorted(sums.status.items()) if code != OK},
            "model": self.choice.model,
            "corrections": self.corrections,
            "neglected": list(self.choice.neglected),
            "hits": sums.hits,
            "hits_used": sums.used,
            "chi2": sums.chi2,
            "ndf": sums.ndf,
            "unlikely_chi2": sums.unlikely,
            "pairs": sums.pairs,
            "pairs_without_vertex": sums.no_vertex,
            "pairs_without_truth": sums.no_truth,
            "events_without_pair": sums.unpaired,
            "truth": self.true,
            "truth_without_hits": None if self.true is None else self.true - sums.known,
            "unlike_truth": sums.unlike,
            "status": self.status,
            "text": str(self),
        }


def pairs_file(out: Path) -> Path:
    """NAME.pairs.parquet beside NAME.parquet. Raises InputError for an unknown ending."""
    kind_or_fault(out, str(out))
    ending = ending_of(out)
    return out.with_name(f"{out.name.removesuffix(out.name[-len(ending) :])}.pairs{out.name[-len(ending) :]}")


def refit_tables(config_path: Path, out: Path, runner: Runner) -> RefitResult:
    """Write one row per track to `out` (.parquet, .root, .csv), and one per pair beside it. Raises InputError for
    inputs that cannot be used; then nothing is written."""
    config, base = load(config_path, RefitConfig), config_path.parent
    pairs = pairs_file(out)
    chosen = detector_of(config.detector, base)
    named = config.input.hits, config.input.truth, config.corrections
    inputs = [base / name for name in named if name is not None]
    check_outputs([out, *([pairs] if config.pairs else [])], [config_path, *inputs, *chosen.files])
    table = open_hits(inputs[0], chosen.detector.sensors, config.input.chunk_size)
    require_hits(table)
    truth = None if config.input.truth is None else open_truth(inputs[1], table)
    detector = prepared(aligned(chosen.detector, config.corrections, base))
    job = RefitJob(table, truth, detector, config.fit, config.pairs)
    sums = Sums()

    def tracks(pieces: Iterable[RefitPiece]) -> Iterator[Columns]:
        for piece in pieces:
            sums.add(piece)
            yield piece.tracks

    state = state_of(read_text(config_path), (*inputs, *chosen.files))
    with unfinished(out, state) as parts:
        run = remembered(runner.map(f"refit {out.name}"), parts, "piece", RefitPiece)
        write_tables(out, tracks(run(partial(run_piece, job), table.pieces)))
        if config.pairs:
            kept = remembered(map, parts, "piece", RefitPiece)  # all are there now
            write_tables(pairs, (piece.pairs for piece in kept(partial(run_piece, job), table.pieces)))
    files, limit = (out, pairs if config.pairs else None), config.input.max_failed_share
    read = truth.rows if truth is not None and config.pairs else None
    return RefitResult(*files, sums, config.fit, limit, table.notes, config.corrections, read)


def aligned(described: Detector, corrections: str | None, base: Path) -> Detector:
    """The detector with corrections of a file below `base`. Raises InputError for corrections that cannot be used."""
    if corrections is None:
        return described
    path = base / corrections
    try:
        return corrected(described, read_corrections(path, described))
    except InputError as error:
        raise InputError(line if str(path) in line else f"{path}: {line}" for line in error.faults) from None


def require_hits(table: HitsFile) -> None:
    """Raises InputError for a table without rows."""
    if not table.pieces:
        raise InputError(f"{table.name}: has no hits. Give a table with at least one track.")


def run_piece(job: RefitJob, rows: Rows) -> RefitPiece:
    """Fit one piece; module-level, so that it can travel to another process."""
    found = read_hits(job.table, rows)
    if job.pairs:
        _require_few_tracks(found.event, job.table.name)
    fitted = refit(found.hits, job.detector, job.choice)
    columns = track_columns(found, fitted)
    if not job.pairs:
        return RefitPiece(columns, {}, len(found.hits.surface))
    plus, minus = pairs_of(found.event, fitted)
    truth, true = None, np.full(len(found), -1)
    if job.truth is not None:
        truth = read_truth(job.truth, (int(found.event[0]), int(found.event[-1])))
        true = rows_of(truth, found.event, found.track)
    pairs = pair_columns(found, fitted, (plus, minus), job.detector.field, truth, true)
    unpaired = len(np.setdiff1d(found.event, found.event[plus]))
    odd = 0 if truth is None else int(unlike(columns, truth, true).sum())
    return RefitPiece(columns, pairs, len(found.hits.surface), unpaired, int((true >= 0).sum()), odd)


def _require_few_tracks(event: IntArray, name: str) -> None:
    """Raises InputError for an event with so many tracks that its pairs cannot be meant."""
    begin = np.flatnonzero(np.diff(event, prepend=event[0] - 1))
    count = np.diff(begin, append=len(event))
    if len(count) and count.max() > MOST_TRACKS:
        worst = int(np.argmax(count))
        raise InputError(
            f"{name}: event {event[begin[worst]]} has {count[worst]} tracks; pairs are made of at most {MOST_TRACKS}. "
            "Number the events, or set pairs = false."
        )


def unlike(columns: Mapping[str, AnyArray], truth: TrackTruth, true: IntArray) -> BoolArray:
    """Which fitted tracks (n,) have another charge than their rows `true` (n,) of the truth, or a pT that is not like
    that."""
    there = (true >= 0) & (columns["status"] == OK)
    momentum, charge = truth.momentum[true[there]], truth.charge[true[there]]
    ratio = columns["pt"][there] / np.hypot(momentum[:, 0], momentum[:, 1])
    found = np.zeros(len(true), np.bool_)
    found[there] = (columns["charge"][there] != charge) | (ratio > UNLIKE) | (ratio < 1 / UNLIKE)
    return found


def track_columns(found: TrackHits, fitted: Refitted) -> dict[str, AnyArray]:
    """Columns (n,) of the tracks; cov (n, 15): the upper triangle of the covariance, row by row."""
    parameters = fitted.perigees.parameters
    qop, sin = parameters[:, QOP], np.sin(parameters[:, THETA])
    names: tuple[str, ...] = ("d0", "z0", "phi", "theta", "qop")
    numbers: dict[str, AnyArray] = dict(zip(names, parameters.T, strict=True))
    charge: IntArray = np.sign(np.nan_to_num(qop)).astype(np.int64)
    derived = {"charge": charge, "pt": sin / np.abs(qop), "eta": -np.log(np.tan(parameters[:, THETA] / 2))}
    quality = {"chi2": fitted.chi2, "ndf": fitted.ndf, "hits": fitted.n_hits, "status": fitted.status}
    covariance = {"cov": fitted.perigees.covariance[:, UPPER[0], UPPER[1]]}
    names_of = {"event": found.event, "track": found.track}
    return names_of | derived | numbers | quality | law_columns(fitted.law) | covariance


def law_columns(law: Law) -> dict[str, AnyArray]:
    """Columns (n,) of what k_fit/k_true - 1 is expected to be."""
    share, mean = law.tail(TAIL)
    columns = {"sigma_pt_rel": law.sigma, "loss_pt_rel": law.loss, "loss_end_pt_rel": law.hardest}
    columns |= {"kick_pt_rel": law.kick, "kick_end_pt_rel": law.size}
    return columns | {"tail_share": share, "tail_mean": mean}
