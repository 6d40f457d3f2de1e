"""The scale left after each stage of a study, and the verdict on it.

The scale is that of momenta, reconstructed over true, minus 1: A - e k at the pT of J/psi averaged over eta; the mean
of the validation for the Z; for single muons -(k_reco/k_gen - 1), where its core lies."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from muonkit.calibration.closure import SCALE_PT, scale_at, scale_design
from muonkit.calibration.curvature import location
from muonkit.calibration.export import Corrections
from muonkit.calibration.parameters import ParameterLayout
from muonkit.calibration.result import CalibrationResult, ValidationResult
from muonkit.calibration.verdict import Check, Verdict
from muonkit.core.arrays import FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.result import Result, Status
from muonkit.io.columns import read_columns
from muonkit.pipelines.full_study_steps import Told

GOAL = {"jpsi": 2e-5, "z": 5e-5}  # largest scale left
MUONS = 5e-5  # the same of single muons in a range of pT
SIGMAS = 2.0  # or within so many errors of 0
MUON_SIGMAS = 3.0  # for every range of pT
JPSI_PT = SCALE_PT[0]


class Left(NamedTuple):
    """Scale left, its error; None where it cannot be known."""

    value: float | None
    error: float | None

    def with_error(self, more: float) -> "Left":
        """With a further error, that of the corrections."""
        return self if self.error is None else Left(self.value, float(np.hypot(self.error, more)))


@dataclass(frozen=True, slots=True)
class Stage:
    """`fit` of the hits, `corrected` by A, e, M or not; scale left by sample: jpsi, z, and muons of ranges of pT.
    `aside`: not one of the chain of stages, only to compare."""

    name: str
    fit: str
    corrected: bool
    aside: bool
    left: Mapping[str, Left]


@dataclass(frozen=True, slots=True)
class StudyResult(Result):
    """A study: its stages, and what its steps said."""

    FILE = "study.json"
    PAGE = "study.html"

    folder: Path
    stages: tuple[Stage, ...]
    steps: Mapping[str, Told]

    @property
    def chain(self) -> list[Stage]:
        """The stages, each better than the one before."""
        return [stage for stage in self.stages if not stage.aside]

    @property
    def verdict(self) -> Verdict:
        """PASS if the scale left after the last stage is small, no stage made it worse, the hits were fitted, and the
        verdicts on the last fit pass."""
        last = self.chain[-1]
        judged = _judged(self.steps, last.fit)
        notes = [
            f"{name}: {line.removeprefix('Note: ')}"
            for name, told in self.steps.items()
            for line in told.message.splitlines()
            if name not in judged or line.startswith("Note: ")
        ]
        checks = (*_small(last), *_not_worse(self.chain), *_fitted(self.steps), *judged.values())
        return Verdict(checks, (*_by_chance(last), *notes))

    @property
    def status(self) -> Status:
        return self.verdict.word

    @property
    def message(self) -> str:
        return self.verdict.message

    @property
    def rows(self) -> list[list[str]]:
        """A row for each stage: its name, and the scale left of every sample in 1e-5."""
        return [[stage.name, *map(_shown, stage.left.values())] for stage in self.stages]

    @property
    def counts(self) -> list[str]:
        """A line for each fit: what became of tracks and pairs."""
        return [self._counted(fit) for fit in dict.fromkeys(stage.fit for stage in self.stages)]

    def _counted(self, fit: str) -> str:
        keys = ("tracks", "fitted", "pairs", "pairs_without_vertex", "events_without_pair")
        refits = [
            told.content for name, told in self.steps.items() if name.endswith(f"-{fit}") and "pairs" in told.content
        ]
        tracks, fitted, pairs, apart, single = (sum(content[key] for content in refits) for key in keys)
        return (
            f"{fit} fit: {fitted} of {tracks} tracks fitted; {pairs} pairs, {apart} without a vertex; "
            f"{single} events have tracks but no pair"
        )

    def report(self) -> str:
        heads = ["scale left [1e-5]", *map(title, self.stages[0].left)]
        lines = [heads, *self.rows]
        table = [f"{line[0]:<24}" + "".join(f"{cell:>18}" for cell in line[1:]) for line in lines]
        head = f"{self.status}: from hits to corrections"
        return "\n".join([head, *table, *self.counts, str(self.folder / self.PAGE)])

    def to_json(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder),
            "status": self.status,
            "stages": [
                {"name": stage.name, "fit": stage.fit, "corrected": stage.corrected, "aside": stage.aside}
                | {"left": {sample: left._asdict() for sample, left in stage.left.items()}}
                for stage in self.stages
            ],
            "checks": [
                {"name": check.name, "passed": check.passed, "sentence": check.sentence}
                for check in self.verdict.checks
            ],
            "notes": list(self.verdict.notes),
            "counts": self.counts,
            "steps": {name: told.text for name, told in self.steps.items()},
            "text": str(self),
        }


def title(sample: str) -> str:
    """The name of a sample in tables and figures."""
    return {"jpsi": "J/ψ", "z": "Z"}.get(sample, sample)


def _shown(left: Left) -> str:
    if left.value is None or left.error is None:
        return "-"
    return f"{1e5 * left.value:.1f} ± {1e5 * left.error:.1f}"


def _small(last: Stage) -> Iterator[Check]:
    for sample, (value, error) in last.left.items():
        goal, sigmas = GOAL.get(sample, MUONS), SIGMAS if sample in GOAL else MUON_SIGMAS
        small = value is not None and error is not None and abs(value) <= max(goal, sigmas * error)
        found = f"{title(sample)}: the scale left after {last.name} is {_shown(last.left[sample])} in 1e-5"
        limit = f"at most {1e5 * goal:g}, or {sigmas:g} errors, are allowed"
        yield Check(f"{sample} small", small, f"{found}; {limit}")


def _by_chance(last: Stage) -> Iterator[str]:
    """A line for every sample whose error is above its goal: it cannot show that the goal is reached."""
    for sample, (_, error) in last.left.items():
        goal = GOAL.get(sample, MUONS)
        if error is not None and error > goal:
            size = f"{1e5 * error:.1f} in 1e-5, the goal is {1e5 * goal:g}"
            yield f"{title(sample)}: the error after {last.name} is {size}; only more pairs can show that it is reached"


def _not_worse(chain: list[Stage]) -> Iterator[Check]:
    for before, after in pairwise(chain):
        for sample in before.left:
            found = f"{title(sample)}: {_shown(before.left[sample])} after {before.name}"
            found += f", {_shown(after.left[sample])} after {after.name}, in 1e-5"
            name = f"{sample} not worse after {after.name}"
            yield Check(name, not _worse(before.left[sample], after.left[sample]), f"{found}: it became worse")


def _fitted(steps: Mapping[str, Told]) -> Iterator[Check]:
    """Of steps that are fits of hits."""
    for name, told in steps.items():
        if "fitted" in told.content:
            tracks, odd = told.content["tracks"], told.content.get("unlikely_chi2", 0)
            share = f"{tracks - told.content['fitted']} of {tracks} tracks were not fitted"
            good = told.content["status"] != "ATTENTION"
            yield Check(f"{name} fitted", good, f"{name}: {share}, {odd} have an unlikely chi2")


def _judged(steps: Mapping[str, Told], fit: str) -> dict[str, Check]:
    """What calibration and validation of a fit say of themselves, by step."""
    found = {
        name: told.content["verdict"]
        for name, told in steps.items()
        if name.endswith(f"-{fit}") and "verdict" in told.content
    }
    return {
        name: Check(name, verdict["passed"], " ".join([f"{name}: {verdict['verdict']}.", *verdict["reasons"]]))
        for name, verdict in found.items()
    }


def _worse(before: Left, after: Left) -> bool:
    """By more than the errors allow; the same muons are behind both, so these are generous."""
    if before.value is None or before.error is None or after.value is None or after.error is None:
        return False
    return bool(abs(after.value) - abs(before.value) > SIGMAS * np.hypot(before.error, after.error))


def of_jpsi(result: CalibrationResult) -> tuple[Left, Left]:
    """Before the corrections, and of one half after the corrections of the other half."""
    vector = np.concatenate(list(result.values.values()))
    layout = ParameterLayout(tuple(result.values), len(result.eta_edges) - 1)
    before, after = scale_at(layout, vector, result.covariance, JPSI_PT), result.closure.split.scale[0]
    return Left(before.value, before.error), Left(after.value, after.error)


def error_at(result: CalibrationResult, span: tuple[float, float]) -> float:
    """Error of A - e k, the mean over muons evenly in eta, in the middle of a range of pT [GeV]."""
    layout = ParameterLayout(tuple(result.values), len(result.eta_edges) - 1)
    mean = scale_design(layout, float(np.sqrt(span[0] * span[1]))).T @ np.diff(result.eta_edges)
    mean /= result.eta_edges[-1] - result.eta_edges[0]
    return float(np.sqrt(mean @ result.covariance @ mean))


def of_z(result: ValidationResult) -> tuple[Left, Left]:
    """Before and after the corrections."""
    before, after = result.before, result.after
    return Left(before.mean - 1, before.mean_error), Left(after.mean - 1, after.mean_error)


@dataclass(frozen=True, slots=True)
class Muons:
    """Of n fitted muons: generated pT [GeV] and eta, the fitted pT, eta and charge, and k_reco/k_gen, signed."""

    gen_pt: FloatArray
    gen_eta: FloatArray
    pt: FloatArray
    eta: FloatArray
    charge: IntArray
    ratio: FloatArray

    @classmethod
    def read(cls, tracks: Path, truth: Path) -> "Muons":
        """From tables of tracks and of truth with one track in every event. Raises InputError if they do not fit
        together."""
        found = read_columns(tracks, ("event", "pt", "eta", "charge", "status"))
        true = read_columns(truth, ("event", "charge", "px", "py", "pz"))
        good = (found["status"] == 0) & np.isfinite(found["pt"])
        row = np.searchsorted(true["event"], found["event"][good])
        if len(row) and not np.array_equal(
            true["event"][np.minimum(row, len(true["event"]) - 1)], found["event"][good]
        ):
            raise InputError(f"{truth}: is not the truth of {tracks}. Remove both, and run the same command again.")
        gen_pt = np.hypot(true["px"], true["py"])[row]
        ratio = found["charge"][good] * true["charge"][row] * gen_pt / found["pt"][good]
        eta = np.arcsinh(true["pz"][row] / gen_pt)
        return cls(gen_pt, eta, found["pt"][good], found["eta"][good], found["charge"][good], ratio)

    def left(self, span: tuple[float, float], eta: tuple[float, float], corrections: Corrections | None) -> Left:
        """Scale left of muons with generated pT in `span` [GeV] and generated eta between both edges."""
        inside = (self.gen_pt >= span[0]) & (self.gen_pt < span[1]) & (self.gen_eta >= eta[0]) & (self.gen_eta < eta[1])
        ratio = self.ratio[inside]
        if corrections is not None:
            ratio = ratio / corrections.factor(self.pt[inside], self.eta[inside], self.charge[inside])
        found = location(ratio - 1)
        return Left(-found.value, found.error) if np.isfinite(found.value) else Left(None, None)
