"""The audit of the track fit: the same hits by the improved fit, by the standard one, and by each approximation alone,
against the truth. Curvature generated and reconstructed, in views, and the A, e, M that describe it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, Field, field_validator

from muonkit.calibration.curvature import BiasFit, Location, along, fit_bias, location
from muonkit.core.arrays import AnyArray, FloatArray
from muonkit.core.config import Range, Section, load, read_text, rising
from muonkit.core.errors import InputError
from muonkit.core.files import check_folder, make_folder, write_json
from muonkit.core.indices import QOP, THETA
from muonkit.core.provenance import state_of
from muonkit.core.result import Result, Status
from muonkit.io.tables import write_tables
from muonkit.io.track_hits import Rows, open_hits, open_truth, read_hits, read_truth, rows_of
from muonkit.pipelines.pieces import detector_of
from muonkit.pipelines.refit import RefitInput, RefitJob, require_hits
from muonkit.run.checkpoint import remembered, unfinished
from muonkit.run.runner import Runner
from muonkit.tracking.models import STANDARD
from muonkit.tracking.refit import FitChoice, prepared, refit

IMPROVED = "improved"
MODELS = (IMPROVED, "standard", *STANDARD)
PLACES = {"barrel": (0.0, 0.9), "endcap": (1.4, 2.4)}  # |eta|
LEAST_PT = 1e-3  # GeV
TABLE, BIASES, RESULT = "curvature.parquet", "biases.parquet", "curvature.json"
Edges = Annotated[tuple[float, ...], Field(min_length=2, max_length=1001), AfterValidator(rising)]


class AuditSettings(Section):
    """models: which fits; edges of bins in eta, phi, and pT [GeV] (those of charge times k are 1/pT); pt: three ranges
    [GeV] of the table of sizes; goal: largest shift of the improved fit in a bin of eta."""

    models: tuple[str, ...] = MODELS
    eta_edges: Edges = tuple(round(-2.4 + 0.2 * j, 1) for j in range(25))
    phi_edges: Edges = tuple(np.linspace(-np.pi, np.pi, 13).tolist())
    pt_edges: Edges = (3.0, 4.0, 5.5, 7.5, 10.0, 14.0, 20.0, 30.0, 45.0, 70.0, 100.0)
    pt: tuple[Range, ...] = Field(((3.0, 5.0), (8.0, 14.0), (30.0, 70.0)), min_length=1, max_length=20)
    goal: float = Field(1e-4, gt=0)

    @field_validator("models")
    @classmethod
    def _known(cls, models: tuple[str, ...]) -> tuple[str, ...]:
        for name in models:
            if name not in MODELS:
                raise ValueError(f"there is no '{name}'; choose from {', '.join(MODELS)}")
        return tuple(name for name in MODELS if name in {IMPROVED, *models})

    @field_validator("pt_edges")
    @classmethod
    def _above_zero(cls, edges: tuple[float, ...]) -> tuple[float, ...]:
        if edges[0] < LEAST_PT:
            raise ValueError(f"must be at least {LEAST_PT:g} GeV")
        return edges

    @field_validator("pt")
    @classmethod
    def _ranges_above_zero(cls, ranges: tuple[Range, ...]) -> tuple[Range, ...]:
        if min(low for low, _ in ranges) < LEAST_PT:
            raise ValueError(f"must be at least {LEAST_PT:g} GeV")
        return ranges


class AuditConfig(Section):
    """`muonkit validate --curvature`: as for `refit`; `fit` is that of the improved model."""

    input: RefitInput
    detector: str = "cms_like_tracker"
    fit: FitChoice = FitChoice()
    audit: AuditSettings = AuditSettings()


@dataclass(frozen=True, slots=True)
class Curvatures:
    """Of n tracks: generated eta, phi, k [1/GeV] and charge; k_reco/k_gen - 1, (n, models), NaN where a fit failed.
    unknown: tracks beside them, which the truth does not have."""

    eta: FloatArray
    phi: FloatArray
    k: FloatArray
    charge: FloatArray
    ratio: FloatArray
    unknown: int = 0

    def __getitem__(self, rows: AnyArray) -> "Curvatures":
        return Curvatures(self.eta[rows], self.phi[rows], self.k[rows], self.charge[rows], self.ratio[rows])

    def of(self, model: int) -> "Curvatures":
        """Tracks that a model fitted, with one column alone."""
        good = self[np.isfinite(self.ratio[:, model])]
        return Curvatures(good.eta, good.phi, good.k, good.charge, good.ratio[:, model])


@dataclass(frozen=True, slots=True)
class Size:
    """How far a model shifts the curvature [1] of muons in a place and a range of pT: from the truth for the improved
    model, from the improved fit of the same hits for the others; the median error of the tracks does not enter."""

    model: str
    place: str
    pt: tuple[float, float]
    shift: Location


@dataclass(frozen=True, slots=True)
class CurvatureResult(Result):
    """The audit. sizes: of every model; biases: A, e, M per model and bin of eta; bins: k_reco/k_gen - 1 of the
    improved fit in bins of eta; tracks: number, how many each model fitted, how many more have no truth."""

    folder: Path
    settings: AuditSettings
    tracks: int
    fitted: dict[str, int]
    sizes: tuple[Size, ...]
    biases: dict[str, tuple[BiasFit, ...]]
    bins: tuple[Location, ...]
    unknown: int
    max_failed_share: float

    @property
    def beyond(self) -> int:
        """Bins of eta in which the improved fit is shifted by more than the goal and three errors."""
        return sum(abs(one.value) > self.settings.goal + 3 * one.error for one in self.bins)

    @property
    def faults(self) -> list[str]:
        """What must not be, a line each."""
        found, lost = [], self.tracks - self.fitted[IMPROVED]
        if self.beyond:
            found.append(
                f"the improved fit is shifted by more than {self.settings.goal:g} in {self.beyond} bins of eta"
            )
        if lost > self.max_failed_share * self.tracks:
            found.append(
                f"{lost} of {self.tracks} tracks were not fitted by the improved fit: more than "
                "input.max_failed_share allows"
            )
        if not any(np.isfinite(one.value) for one in self.bins):
            found.append("no bin of eta has enough tracks to show a shift; give more tracks, or wider audit.eta_edges")
        return found

    @property
    def status(self) -> Status:
        return "ATTENTION" if self.faults else "PASS"

    @property
    def message(self) -> str:
        empty = sum(not np.isfinite(one.value) for one in self.bins)
        vague = sum(one.error > self.settings.goal for one in self.bins)
        notes = [
            *([f"{self.unknown} more tracks have no truth and are left out"] if self.unknown else []),
            *([f"{empty} bins of eta have too few tracks"] if empty else []),
            *([f"in {vague} bins of eta the error is above the goal {self.settings.goal:g}"] if vague else []),
        ]
        return "\n".join([*self.faults, *(f"Note: {note}" for note in notes)])

    def report(self) -> str:
        heads = [f"{place} {low:g}-{high:g}" for place in PLACES for low, high in self.settings.pt]
        lines = [
            f"{self.folder}: {self.tracks} tracks; not fitted: {self._unfitted}",
            "shift of the curvature [1e-5]: improved fit against the truth, the others against the improved fit",
            f"{'pT [GeV]':<26}" + "".join(f"{head:>18}" for head in heads),
        ]
        for model in self.settings.models:
            cells = [f"{1e5 * size.shift.value:8.1f} +- {1e5 * size.shift.error:5.1f}" for size in self._of(model)]
            lines.append(f"{model:<26}" + "".join(f"{cell:>18}" for cell in cells))
        lines.append("chi2/ndf of A, e, M in bins of eta, and the largest of each in bins")
        for model, fits in self.biases.items():
            chi2, ndf = sum(fit.chi2 for fit in fits if fit.ndf), sum(fit.ndf for fit in fits)
            sizes = np.abs([fit.values for fit in fits if np.isfinite(fit.values).all()])
            if not len(sizes):
                lines.append(f"{model:<26}too few tracks")
                continue
            largest = sizes.max(axis=0)
            lines.append(
                f"{model:<26}{chi2:8.1f}/{ndf}   A {largest[0]:.1e}   e {largest[1]:.1e} GeV   M {largest[2]:.1e} /GeV"
            )
        return "\n".join(lines)

    @property
    def _unfitted(self) -> str:
        lost = {model: self.tracks - number for model, number in self.fitted.items() if number < self.tracks}
        return ", ".join(f"{number} by {model}" for model, number in lost.items()) or "none"

    def _of(self, model: str) -> Iterator[Size]:
        return (size for size in self.sizes if size.model == model)

    def to_json(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder),
            "status": self.status,
            "tracks": self.tracks,
            "fitted": self.fitted,
            "without_truth": self.unknown,
            "goal": self.settings.goal,
            "bins_beyond": self.beyond,
            "sizes": [
                {"model": size.model, "place": size.place, "pt": list(size.pt)} | _plain(size.shift)
                for size in self.sizes
            ],
            "eta_edges": list(self.settings.eta_edges),
            "eta": [_plain(one) for one in self.bins],
            "biases": {
                model: [
                    {"values": _numbers(fit.values), "errors": _numbers(fit.errors), "ndf": fit.ndf}
                    | {"chi2": _number(fit.chi2)}
                    for fit in fits
                ]
                for model, fits in self.biases.items()
            },
            "text": str(self),
        }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _numbers(values: FloatArray) -> list[float | None]:
    return [_number(value) for value in values]


def _plain(one: Location) -> dict[str, Any]:
    return {
        "value": _number(one.value),
        "error": _number(one.error),
        "width": _number(one.width),
        "entries": one.entries,
    }


def audit_curvature(config_path: Path, out: Path, runner: Runner) -> CurvatureResult:
    """Fit the hits by every model and write curvature.parquet (views), biases.parquet and curvature.json into OUT/.

    Raises InputError for inputs that cannot be used, and without truth."""
    config, base = load(config_path, AuditConfig), config_path.parent
    if config.input.truth is None:
        raise InputError(f"{config_path}: input.truth: is needed; give the truth of the hits")
    chosen = detector_of(config.detector, base)
    hits, truth = base / config.input.hits, base / config.input.truth
    check_folder(out)
    table = open_hits(hits, chosen.detector.sensors, config.input.chunk_size)
    require_hits(table)
    job = RefitJob(table, open_truth(truth, table), prepared(chosen.detector), config.fit, False)
    make_folder(out)
    state = state_of(read_text(config_path), (hits, truth, *chosen.files))
    with unfinished(out / TABLE, state) as parts:
        run = remembered(runner.map("audit of the track fit"), parts, "piece", Curvatures)
        found = _joined(list(run(partial(run_piece, job, config.audit.models), table.pieces)))
        if not len(found.k):
            raise InputError(f"{truth}: has none of the tracks of {hits}; give their truth")
        result = examined(found, config, out)
        write_tables(out / BIASES, iter([_bias_columns(result)]))
        write_json(out / RESULT, result.to_json())
        write_tables(out / TABLE, iter([view_columns(found, config.audit)]))
    return result


def run_piece(job: RefitJob, models: tuple[str, ...], rows: Rows) -> Curvatures:
    """One piece by every model; module-level, so that it can travel to another process."""
    found = read_hits(job.table, rows)
    assert job.truth is not None
    truth = read_truth(job.truth, (int(found.event[0]), int(found.event[-1])))
    row = rows_of(truth, found.event, found.track)
    known = row >= 0
    momentum, charge = truth.momentum[row[known]], truth.charge[row[known]].astype(np.float64)
    pt = np.hypot(momentum[:, 0], momentum[:, 1])
    ratio = np.empty((len(pt), len(models)))
    for column, model in enumerate(models):
        p = refit(found.hits[known], job.detector, choice_of(job.choice, model)).perigees.parameters
        ratio[:, column] = p[:, QOP] / np.sin(p[:, THETA]) * charge * pt - 1
    eta, phi = np.arcsinh(momentum[:, 2] / pt), np.arctan2(momentum[:, 1], momentum[:, 0])
    return Curvatures(eta, phi, 1 / pt, charge, ratio, int((~known).sum()))


def choice_of(choice: FitChoice, model: str) -> FitChoice:
    """The fit of a model: improved, standard, or one approximation alone."""
    alone = {IMPROVED: (), "standard": STANDARD}.get(model, (model,))
    return choice.model_copy(update={"model": IMPROVED, "approximations": alone})


def _joined(parts: list[Curvatures]) -> Curvatures:
    names = ("eta", "phi", "k", "charge", "ratio")
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return Curvatures(**columns, unknown=sum(part.unknown for part in parts))


def examined(found: Curvatures, config: AuditConfig, out: Path) -> CurvatureResult:
    """Sizes, biases and bins of tracks that all models fitted."""
    settings = config.audit
    eta_edges, k_edges = np.array(settings.eta_edges), 1 / np.array(settings.pt_edges[::-1])
    biases = {}
    for column, model in enumerate(settings.models):
        one = found.of(column)
        inside = [(one.eta >= low) & (one.eta < high) for low, high in pairwise(eta_edges)]
        biases[model] = tuple(fit_bias(one.ratio[bin_], one.k[bin_], one.charge[bin_], k_edges) for bin_ in inside)
    improved = found.of(settings.models.index(IMPROVED))
    return CurvatureResult(
        folder=out,
        settings=settings,
        tracks=len(found.k),
        fitted={model: int(np.isfinite(found.ratio[:, j]).sum()) for j, model in enumerate(settings.models)},
        sizes=tuple(_sizes(found, settings)),
        biases=biases,
        bins=tuple(along(improved.ratio, improved.eta, eta_edges)),
        unknown=found.unknown,
        max_failed_share=config.input.max_failed_share,
    )


def _sizes(found: Curvatures, settings: AuditSettings) -> Iterator[Size]:
    at = settings.models.index(IMPROVED)
    for place, (low, high) in PLACES.items():
        for pt in settings.pt:
            inside = (np.abs(found.eta) >= low) & (np.abs(found.eta) < high)
            one = found[inside & (found.k <= 1 / pt[0]) & (found.k > 1 / pt[1])]
            for column, model in enumerate(settings.models):
                own, base = one.ratio[:, column], 0.0 if column == at else one.ratio[:, at]
                shift = (1 + own) / (1 + base) - 1
                yield Size(model, place, pt, location(shift[np.isfinite(shift)]))


def view_columns(found: Curvatures, settings: AuditSettings) -> dict[str, AnyArray]:
    """One row per model, view and bin: k_reco/k_gen - 1 against eta, phi, k, and charge times k."""
    k_edges = 1 / np.array(settings.pt_edges[::-1])
    views: Mapping[str, tuple[str, FloatArray]] = {
        "eta": ("eta", np.array(settings.eta_edges)),
        "phi": ("phi", np.array(settings.phi_edges)),
        "k": ("k", k_edges),
        "charge k": ("charge k", np.concatenate((-k_edges[::-1], k_edges))),
    }
    rows: list[tuple[str, str, float, float, float, float, float, int]] = []
    for column, model in enumerate(settings.models):
        one = found.of(column)
        values = {"eta": one.eta, "phi": one.phi, "k": one.k, "charge k": one.charge * one.k}
        for view, (name, edges) in views.items():
            for (low, high), found_there in zip(pairwise(edges), along(one.ratio, values[name], edges), strict=True):
                rows.append((model, view, low, high, *found_there))
    names = ("model", "view", "low", "high", "shift", "error", "width", "entries")
    return dict(zip(names, (np.array(column) for column in zip(*rows, strict=True)), strict=True))


def _bias_columns(result: CurvatureResult) -> dict[str, AnyArray]:
    """One row per model and bin of eta: A, e, M, their errors, chi2, ndf."""
    bins = list(pairwise(result.settings.eta_edges))
    rows = [
        (model, *edges, *fit.values, *fit.errors, fit.chi2, fit.ndf)
        for model, fits in result.biases.items()
        for edges, fit in zip(bins, fits, strict=True)
    ]
    names = ("model", "eta_low", "eta_high", "A", "e", "M", "A_error", "e_error", "M_error", "chi2", "ndf")
    return dict(zip(names, (np.array(column) for column in zip(*rows, strict=True)), strict=True))
