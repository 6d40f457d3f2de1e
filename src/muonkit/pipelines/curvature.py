"""The audit of the track fit: the same hits by the improved fit, by the standard one, and by each approximation alone,
against the truth. Curvature generated and reconstructed, in views, and the A, e, M that describe it."""

from collections import Counter
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field, field_validator

from muonkit.calibration import audit
from muonkit.calibration.audit import Curvatures, Edges, View
from muonkit.calibration.curvature import Location
from muonkit.core.arrays import AnyArray, FloatArray, IntArray
from muonkit.core.config import Range, Section, load, read_text, rising
from muonkit.core.errors import InputError
from muonkit.core.files import check_folder, make_folder, write_json, write_text
from muonkit.core.indices import PHI, QOP, THETA
from muonkit.core.provenance import state_of
from muonkit.data.tracks import Perigees
from muonkit.data.truth import TrackTruth
from muonkit.detector.detector import Detector
from muonkit.io.tables import write_tables
from muonkit.io.track_hits import Rows, open_hits, open_truth, read_hits, read_truth, rows_of
from muonkit.pipelines.curvature_result import Counts, CurvatureResult
from muonkit.pipelines.pieces import ChosenDetector, detector_of
from muonkit.pipelines.refit import RefitInput, RefitJob, require_hits
from muonkit.report.audit import page
from muonkit.run.checkpoint import remembered, unfinished
from muonkit.run.runner import Runner
from muonkit.tracking.models import STANDARD, acting
from muonkit.tracking.perigee import closest
from muonkit.tracking.refit import FitChoice, prepared, refit

IMPROVED = "improved"
MODELS = (IMPROVED, "standard", *STANDARD)
LEAST_PT = 1e-3  # GeV
PARAMETERS = ("d0", "z0", "phi", "theta", "q/p")
TABLE, BIASES, RESULT = "curvature.parquet", "biases.parquet", "curvature.json"
Rising = Annotated[tuple[float, ...], Field(min_length=2, max_length=1001), AfterValidator(rising)]


class AuditSettings(Section):
    """models: which fits; edges of bins in eta, phi, and pT [GeV] (those of charge times k are 1/pT); pt: three ranges
    [GeV] of the table of sizes; goal: largest shift of the improved fit in a bin."""

    models: tuple[str, ...] = MODELS
    eta_edges: Rising = tuple(round(-2.4 + 0.2 * j, 1) for j in range(25))
    phi_edges: Rising = tuple(np.linspace(-np.pi, np.pi, 13).tolist())
    pt_edges: Rising = (3.0, 4.0, 5.5, 7.5, 10.0, 14.0, 20.0, 30.0, 45.0, 70.0, 100.0)
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

    @property
    def edges(self) -> Edges:
        """Of the bins; those of k rise as pT falls."""
        return Edges(np.array(self.eta_edges), np.array(self.phi_edges), 1 / np.array(self.pt_edges[::-1]))


class AuditConfig(Section):
    """`muonkit validate --curvature`: as for `refit`; `fit` is that of the improved model."""

    input: RefitInput
    detector: str = "cms_like_tracker"
    fit: FitChoice = FitChoice()
    audit: AuditSettings = AuditSettings()


@dataclass(frozen=True, slots=True)
class AuditPiece:
    """Curvatures of the tracks of a piece; pulls (n, 5) and status (n,) of the improved fit; tracks without truth."""

    found: Curvatures
    pulls: FloatArray
    status: IntArray
    without_truth: int


def audit_curvature(config_path: Path, out: Path, runner: Runner) -> CurvatureResult:
    """Fit the hits by every model and write curvature.parquet (views), biases.parquet, curvature.json and audit.html
    into OUT/.

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
        run = remembered(runner.map("audit of the track fit"), parts, "piece", AuditPiece)
        pieces = list(run(partial(run_piece, job, config.audit.models), table.pieces))
        if not any(len(piece.status) for piece in pieces):
            raise InputError(f"{truth}: has none of the tracks of {hits}; give their truth")
        result = examined(pieces, config, out)
        written(result, chosen, "" if table.about is None else table.about.engine)
    return result


def written(result: CurvatureResult, chosen: ChosenDetector, engine: str) -> None:
    """All files of an audit."""
    write_tables(result.folder / BIASES, iter([_bias_columns(result)]))
    write_json(result.folder / RESULT, result.to_json())
    sample = {"fast": "Simulation", "geant4": "Geant4 simulation"}.get(engine, "Simulation")
    write_text(result.folder / result.PAGE, page(result, result.verdict, result.word, sample, chosen.detector.title))
    write_tables(result.folder / TABLE, iter([view_columns(result.views)]))


def run_piece(job: RefitJob, models: tuple[str, ...], rows: Rows) -> AuditPiece:
    """One piece by every model; module-level, so that it can travel to another process."""
    found = read_hits(job.table, rows)
    assert job.truth is not None
    truth = read_truth(job.truth, (int(found.event[0]), int(found.event[-1])))
    row = rows_of(truth, found.event, found.track)
    known = row >= 0
    fits = [refit(found.hits[known], job.detector, choice_of(job.choice, model)) for model in models]
    with np.errstate(divide="ignore", invalid="ignore"):  # a muon along the beam has no curvature, and is in no bin
        pulls = _pulls(fits[0].perigees, truth[row[known]], job.detector)
        curvatures = _curvatures([fit.perigees for fit in fits], truth[row[known]])
    return AuditPiece(curvatures, pulls, fits[0].status, int(np.sum(~known)))


def _curvatures(fits: list[Perigees], truth: TrackTruth) -> Curvatures:
    """Generated and reconstructed curvatures of the same tracks."""
    px, py, pz = truth.momentum.T
    pt, charge = np.hypot(px, py), truth.charge.astype(np.float64)
    ratio = [_curvature(fit.parameters) * charge * pt - 1 for fit in fits]
    return Curvatures(np.arcsinh(pz / pt), np.arctan2(py, px), 1 / pt, charge, np.column_stack(ratio))


def _pulls(fitted: Perigees, truth: TrackTruth, detector: Detector) -> FloatArray:
    """(n, 5) at the points where the true tracks are closest to the beam line."""
    px, py, pz = truth.momentum.T
    momentum = np.column_stack((np.arctan2(py, px), np.arctan2(np.hypot(px, py), pz), truth.charge))
    momentum[:, 2] /= np.linalg.norm(truth.momentum, axis=1)
    true = closest(truth.position, momentum, detector.field.value(truth.position))[0]
    difference = fitted.parameters - true
    difference[:, PHI] = np.remainder(difference[:, PHI] + np.pi, 2 * np.pi) - np.pi
    pulls: FloatArray = difference / np.sqrt(np.einsum("nii->ni", fitted.covariance))
    return pulls


def _curvature(parameters: FloatArray) -> FloatArray:
    """q/pT (n,) of perigee parameters (n, 5) [1/GeV]."""
    curvature: FloatArray = parameters[:, QOP] / np.sin(parameters[:, THETA])
    return curvature


def choice_of(choice: FitChoice, model: str) -> FitChoice:
    """The fit of a model: improved, standard, or one approximation alone."""
    alone = {IMPROVED: (), "standard": STANDARD}.get(model, (model,))
    return choice.model_copy(update={"model": IMPROVED, "approximations": alone})


def _joined(parts: list[Curvatures]) -> Curvatures:
    names = Curvatures.__dataclass_fields__
    return Curvatures(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def examined(pieces: list[AuditPiece], config: AuditConfig, out: Path) -> CurvatureResult:
    """Views, sizes, biases and bins of the tracks."""
    found, settings = _joined([piece.found for piece in pieces]), config.audit
    models, edges = settings.models, settings.edges
    seen = tuple(audit.views(found, models, edges, acting(STANDARD)))
    counts = Counts(
        tracks=len(found.k),
        without_truth=sum(piece.without_truth for piece in pieces),
        fitted={model: int(np.isfinite(found.ratio[:, j]).sum()) for j, model in enumerate(models)},
        status=Counter(np.concatenate([piece.status for piece in pieces]).tolist()),
        outside={view.name: view.outside for view in seen},
        max_failed_share=config.input.max_failed_share,
    )
    return CurvatureResult(
        folder=out,
        goal=settings.goal,
        counts=counts,
        sizes=tuple(audit.sizes(found, models, settings.pt)),
        sums=tuple(audit.sums(found, models, settings.pt, acting(STANDARD))),
        views=seen,
        biases=audit.biases(found, models, edges),
        pulls=tuple(audit.pulls(np.concatenate([piece.pulls for piece in pieces]), PARAMETERS)),
        bins=audit.judged(found, seen, models[0], edges),
    )


NONE = Location(np.nan, np.nan, np.nan, 0)


def view_columns(views: tuple[View, ...]) -> dict[str, AnyArray]:
    """One row per model, view and bin: k_reco/k_gen - 1 against eta, phi, k, and charge times k, and the change against
    the improved fit."""
    rows = [
        (model, view.name, *edges, *shift, change.value, change.error)
        for model in views[0].shift
        for view in views
        for edges, shift, change in _rows(view, model)
    ]
    names = ("model", "view", "low", "high", "shift", "error", "width", "entries", "change", "change_error")
    return dict(zip(names, (np.array(column) for column in zip(*rows, strict=True)), strict=True))


def _rows(view: View, model: str) -> list[tuple[tuple[float, float], Location, Location]]:
    shift = view.shift[model]
    change = view.change.get(model, (NONE,) * len(shift))
    return list(zip(pairwise(view.edges.tolist()), shift, change, strict=True))


def _bias_columns(result: CurvatureResult) -> dict[str, AnyArray]:
    """One row per model and bin of eta: A, e, M, their errors, chi2, ndf."""
    bins = list(pairwise(result.views[0].edges.tolist()))
    rows = [
        (model, *edges, *fit.values, *fit.errors, fit.chi2, fit.ndf)
        for model, fits in result.biases.items()
        for edges, fit in zip(bins, fits, strict=True)
    ]
    names = ("model", "eta_low", "eta_high", "A", "e", "M", "A_error", "e_error", "M_error", "chi2", "ndf")
    return dict(zip(names, (np.array(column) for column in zip(*rows, strict=True)), strict=True))
