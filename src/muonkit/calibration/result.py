"""The results of `calibrate` and `validate`: frozen records that print themselves, judge themselves, and are written to
and read from OUT/.

`to_json` gives the content of calibration.json or validation.json; the keys are described in docs/formats.md."""

import json
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from muonkit.calibration import key
from muonkit.calibration.budget import BudgetLine
from muonkit.calibration.config import MAX_FAILED_SHARE, Calibrate
from muonkit.calibration.drift import Drift
from muonkit.calibration.periods import Period
from muonkit.calibration.quantities import Reference
from muonkit.calibration.reach import ReachCounts
from muonkit.calibration.records import Closure, Peak, Provenance, SampleOutcome
from muonkit.calibration.summary import (
    ClosureFit,
    RowCounts,
    SampleFit,
    with_values,
)
from muonkit.calibration.toys import Coverage
from muonkit.calibration.validate import ScaleLeft
from muonkit.calibration.verdict import (
    Verdict,
    all_periods,
    all_read,
    covers,
    extraction,
    failed_cells,
    notes_on_drift,
    notes_on_fit,
    notes_on_periods,
    notes_on_simulation,
    same_closure,
    sample_fit,
    simulation_fit,
    split_closure,
    validated,
)
from muonkit.core.arrays import FloatArray
from muonkit.core.config import load
from muonkit.core.errors import InputError
from muonkit.core.limits import UNPACKED_BYTES, parse_json, read_text, reading
from muonkit.core.plain import plain_fields, rebuilt_fields
from muonkit.core.provenance import digest_file
from muonkit.core.result import Result, Status
from muonkit.io.chunks import Unread

CORRECTIONS, LIKELIHOOD = "corrections.json.gz", "likelihood.npz"
AGAIN = "Remove it and run the same command again."
UNWRITTEN = "max_failed_share"  # a field that stands in config.toml and not in the file of the result


class KeptResult(Result):
    """A result that stands in a file of its OUT/ with a verdict on it."""

    __slots__ = ()
    FILE: ClassVar[str]

    @property
    @abstractmethod
    def verdict(self) -> Verdict:
        """The checks on this result, PASS or ATTENTION, and why."""

    @property
    def status(self) -> Status:
        return self.verdict.word

    @property
    def message(self) -> str:
        return self.verdict.message

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.status}>"

    @classmethod
    @abstractmethod
    def from_json(cls, content: Mapping[str, Any], max_failed_share: float = MAX_FAILED_SHARE) -> Self:
        """The result that `to_json` made `content` of. Raises KeyError with the names of missing keys.

        `max_failed_share`: of the configuration that made the result."""

    @classmethod
    def from_bytes(cls, content: bytes, name: str) -> Self:
        """The result in the content of its file, called `name`. Raises InputError if it is none."""
        with reading(name, f"{cls.FILE} of muonkit"):
            return cls.from_json(parse_json(content, name))

    @classmethod
    def open(cls, out: str | Path) -> Self:
        """The result in the folder of a finished run. Raises InputError if there is none."""
        path = Path(out) / cls.FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return cls.from_json(content, load(path.with_name("config.toml"), Calibrate).fit.max_failed_share)
        except KeyError as error:
            raise InputError(f"{path}: {error.args[0]} missing. {AGAIN}") from error
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: cannot be read ({error}). {AGAIN}") from error


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class CalibrationResult(KeptResult, SampleFit):
    """Corrections of the momentum scale, and the resolution, with their proof.

    A, e, M, a, c, g, d and `errors`: per eta bin, in the units of `bias` and `resolution`; NaN where a parameter was
    not fitted. `reference`: what the scale of data is compared with. `simulation`: the same fit to the simulated
    sample, against 0. `systematics`: name -> shift of all values in the order of `parameter_names`. `drift`: the scale
    of every sample over runs. `samples`: what each sample gave; `resonance`: that of the first. `periods`: the run
    periods, where there are several. `unread`: chunks of files that could not be read, in all steps;
    `verdict`: PASS or ATTENTION, and why."""

    FILE: ClassVar[str] = "calibration.json"

    reference: Reference
    simulation: ClosureFit
    systematics: Mapping[str, FloatArray]
    budget: tuple[BudgetLine, ...]
    closure: Closure
    rows_read: RowCounts
    resonance: Peak
    samples: tuple[SampleOutcome, ...]
    warnings: tuple[str, ...]
    provenance: Provenance
    corrections_sha256: str
    unread: tuple[Unread, ...] = ()
    drift: tuple[Drift, ...] = ()
    periods: tuple[Period, ...] = ()
    max_failed_share: float = MAX_FAILED_SHARE

    @property
    def A(self) -> FloatArray:
        """Scale of the magnetic field per bin of muons."""
        return self.value("A")

    @property
    def e(self) -> FloatArray:
        """Energy loss per bin of muons [GeV]."""
        return self.value("e")

    @property
    def M(self) -> FloatArray:
        """Misalignment per bin of muons [1/GeV]."""
        return self.value("M")

    @property
    def a(self) -> FloatArray:
        """Scattering term of sigma_k/k per bin of muons."""
        return self.value("a")

    @property
    def c(self) -> FloatArray:
        """Hit resolution per bin of muons [1/GeV]."""
        return self.value("c")

    @property
    def g(self) -> FloatArray:
        """First pT of the hit term per bin of muons [GeV]."""
        return self.value("g")

    @property
    def d(self) -> FloatArray:
        """Second pT of the hit term per bin of muons [GeV]."""
        return self.value("d")

    @property
    def verdict(self) -> Verdict:
        """The checks on this result alone."""
        return self.judged()

    def judged(self, validation: "ValidationResult | None" = None) -> Verdict:
        """The checks on this result, and on a validation of it where there is one."""
        checks = (
            all_read(len(self.unread)),
            failed_cells(self.cells, self.max_failed_share),
            extraction(self),
            simulation_fit(self.simulation, self.reference),
            *(sample_fit(each.name, each.chi2, each.measurements) for each in self.samples if len(self.samples) > 1),
            same_closure(self.closure.same.test),
            split_closure(self.closure.split.test),
            *([all_periods(self.periods)] if self.periods else []),
        )
        on_fit = (*notes_on_fit(self), *notes_on_simulation(self.simulation, self.reference))
        notes = (*self.warnings, *on_fit, *notes_on_drift(self.drift), *notes_on_periods(self.periods))
        if validation is None:
            return Verdict(checks, notes)
        more = (f"Validation: {warning}" for warning in validation.warnings)
        return Verdict((*checks, validated(validation.after, validation.reference)), (*notes, *more))

    @property
    def numbers(self) -> dict[str, Any]:
        """The key numbers, as they stand in report.json."""
        closure = self.closure
        simulation = key.of_closure("simulation", self.simulation)
        return (
            key.of_fit(self)
            | simulation
            | key.of_closure("same", closure.same)
            | key.of_closure("split", closure.split)
        )

    @property
    def rows(self) -> key.Rows:
        """The key numbers as rows of a table."""
        closure = self.closure
        closures = [
            key.closure_row("simulation", self.simulation),
            key.closure_row("same sample", closure.same),
            key.closure_row("other half", closure.split),
        ]
        read = [key.reference_row(self.reference), *key.row_rows(self.rows_read)]
        fit = [*key.fit_rows(self, closures), *key.drift_rows(self.drift)]
        return [*read, *fit, *key.period_rows(self.periods), *self._sample_rows]

    @property
    def _sample_rows(self) -> key.Rows:
        """Of several samples, what each gave."""
        if len(self.samples) == 1:
            return []
        return [
            (
                f"Sample {each.name}",
                f"{key.spaced(each.pairs.selected)} pairs, {each.cells.fitted} cells, "
                f"χ² = {each.chi2:.1f} of {each.measurements} measurements, "
                f"simulation {each.chi2_simulation:.1f} of {each.measurements_simulation}",
            )
            for each in self.samples
        ]

    def report(self) -> str:
        on = ", ".join(each.name for each in self.samples)
        head = f"{self.status}: {', '.join(self.values)} in {self.bins.number} on {on}"
        return "\n".join([head, "", *key.parameter_lines(self), "", *key.aligned(self.rows)])

    def to_json(self) -> dict[str, Any]:
        content = SampleFit.to_json(self)
        del content[UNWRITTEN]
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any], max_failed_share: float = MAX_FAILED_SHARE) -> Self:
        return cls(**rebuilt_fields(cls, with_values(content) | {UNWRITTEN: max_failed_share}))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class ValidationResult(KeptResult):
    """Corrections, tested on muons that did not make them.

    `before`, `after`: the scale left without and with the corrections; `fit`: that of A after them; `parameters`: all
    configured parameters after them, against 0, where there are more than A. All these are relative to `reference`,
    which is that of the corrections. `muons`: of the selected pairs, how many the corrections reach; `toys`: how many
    were asked for, to test the errors of these parameters: `coverage`; `unread`: chunks of files that could not be
    read."""

    FILE: ClassVar[str] = "validation.json"

    before: ScaleLeft
    after: ScaleLeft
    fit: SampleFit
    parameters: ClosureFit | None = None
    reference: Reference
    rows_read: RowCounts
    muons: ReachCounts
    resonance: Peak
    warnings: tuple[str, ...]
    provenance: Provenance
    corrections_sha256: str
    toys: int = 0
    coverage: Coverage | None = None
    unread: tuple[Unread, ...] = ()
    max_failed_share: float = MAX_FAILED_SHARE

    @property
    def verdict(self) -> Verdict:
        """The checks on this result."""
        covered = (covers(self.coverage),) if self.toys else ()
        fits = failed_cells(self.fit.cells, self.max_failed_share)
        checks = (all_read(len(self.unread)), fits, validated(self.after, self.reference), *covered)
        return Verdict(checks, (*self.warnings, *notes_on_fit(self.fit)))

    @property
    def numbers(self) -> dict[str, Any]:
        """The key numbers besides those of the fit, as they stand in report.json."""
        name = {"resonance": self.resonance.name}
        return name | key.of_scale("before", self.before) | key.of_scale("after", self.after)

    @property
    def rows(self) -> key.Rows:
        """The scale left, as rows of a table."""
        scales = [key.scale_row("before", self.before), key.scale_row("after", self.after)]
        covered = key.coverage_rows(self.coverage) if self.coverage else []
        read = [key.reference_row(self.reference), *key.row_rows(self.rows_read)]
        return [*read, *key.reach_rows(self.muons), *scales, *covered]

    def report(self) -> str:
        head = f"{self.status}: scale left in {self.after.bins.number} on {self.resonance.name}"
        return "\n".join([head, *key.aligned([*self.rows, *key.fit_rows(self.fit)])])

    def to_json(self) -> dict[str, Any]:
        content = plain_fields(self)
        del content[UNWRITTEN]
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any], max_failed_share: float = MAX_FAILED_SHARE) -> Self:
        return cls(**rebuilt_fields(cls, {**content, UNWRITTEN: max_failed_share}))


def require_own_corrections(path: Path) -> None:
    """Raises InputError if a calibration.json beside the corrections.json.gz `path` is of other corrections: a run was
    stopped in between, or one of the files was changed."""
    beside = path.with_name(CalibrationResult.FILE)
    if path.name != CORRECTIONS or not (path.exists() and beside.exists()):
        return
    content = parse_json(read_text(beside, most=UNPACKED_BYTES), str(beside))
    if not isinstance(content, dict) or content.get("corrections_sha256") != digest_file(path):
        raise InputError(
            f"{path}: is not of the same run as {beside.name} beside it. Run the same calibration again, or put the "
            "corrections in a folder of their own."
        )
