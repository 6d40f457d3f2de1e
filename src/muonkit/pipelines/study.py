"""What a calibration and a validation have in common: files to counts, counts to parameters."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from muonkit.calibration.accumulate import CellMasses, CountSettings, narrowed
from muonkit.calibration.config import Calibrate, Fit, Sample
from muonkit.calibration.derive import Derived, FitPlan, derive_jointly, plan_cells
from muonkit.calibration.extract import NotFixedError
from muonkit.calibration.massfit import prepare_options
from muonkit.calibration.parameters import with_resolution
from muonkit.calibration.result import CORRECTIONS, LIKELIHOOD, CalibrationResult, Peak, Provenance, ValidationResult
from muonkit.calibration.toys import Coverage, ToyFits, coverage
from muonkit.calibration.weights import notes
from muonkit.core.config import parse, read_text
from muonkit.core.errors import InputError
from muonkit.core.files import check_folder, check_outputs
from muonkit.core.particles import resonance
from muonkit.core.plain import rebuilt
from muonkit.core.provenance import describe
from muonkit.io import repeated
from muonkit.io.source import Chunk
from muonkit.pipelines import inputs
from muonkit.pipelines.counting import Count, Counted, CountTask, PieceCounts, count, rows_of
from muonkit.pipelines.looks import reconstructed_cut
from muonkit.pipelines.tables import names
from muonkit.pipelines.workspace import CONFIG, RECORD, RunFolder, claim
from muonkit.run.alone import alone
from muonkit.run.checkpoint import remembered
from muonkit.run.runner import Runner

RESULTS = (CalibrationResult.FILE, ValidationResult.FILE, CORRECTIONS, LIKELIHOOD)
OUTPUTS = (*RESULTS, RECORD, "report.html", "report.json")


@dataclass(frozen=True)
class SampleStudy:
    """One sample of a study: its files, what is counted, and the means to do so. `several`: whether there are others,
    so that steps and warnings need its name."""

    config: Sample
    pieces: inputs.Pieces
    settings: CountSettings
    parts: Path
    runner: Runner
    several: bool

    def count_template(self) -> Counted:
        """Reconstructed masses of the simulation, and what it knows of generated muons."""
        one_in = repeated.one_in(rows_of(self.pieces.template))
        tasks = [
            CountTask(piece, self.settings, truth=True, one_in=one_in if isinstance(piece, Chunk) else 0)
            for piece in self.pieces.template
        ]
        return self._count("count simulation", tasks)

    def count_data(self, what: str, counts: Sequence[Count], look: bool) -> Counted:
        """See `Study.count_data`."""
        one_in = repeated.one_in(rows_of(self.pieces.data)) if look else 0
        tasks = [CountTask(piece, self.settings, tuple(counts), one_in=one_in) for piece in self.pieces.data]
        return self._count(what, tasks)

    def _count(self, what: str, tasks: list[CountTask]) -> Counted:
        step = f"{what} of {self.config.label}" if self.several else what
        run = remembered(self.runner.map(step), self.parts, step.replace(" ", "-"), PieceCounts)
        return count(tasks, run, self.config.input.max_bad_share)

    def plan(self, template: Counted, data: CellMasses, choice: Fit) -> FitPlan:
        """The cells that hold enough of `data` and of the template. Raises InputError if there are none."""
        truth = template.known_truth
        try:
            merging = plan_cells(data, truth.masses, self.settings, choice.min_entries)
        except InputError as error:
            raise InputError(self._named(error.faults)) from None
        free, threads = self.config.resonance.fitted_masses, max(1, min(self.runner.workers(), os.cpu_count() or 1))
        return FitPlan(self.settings, choice, truth, merging, template.masses[0], free, threads=threads)

    @property
    def peak(self) -> Peak:
        """The resonance of a result."""
        name = self.config.resonance.name
        return Peak(name, resonance(name).mass, self.settings.window)

    def warnings(self, template: Counted, data: Counted) -> list[str]:
        """What was left out, what was wrong in the files, and with the cuts behind them."""
        cut = reconstructed_cut(data.softest, self.settings)
        signed = (*notes("data", data.masses[0]), *notes("simulation", template.masses[0]))
        return self._named((*self.pieces.notes, *template.warnings, *data.warnings, *signed, *([cut] if cut else [])))

    def _named(self, lines: Sequence[str]) -> list[str]:
        return [f"sample {self.config.label}: {line}" if self.several else line for line in lines]


@dataclass(frozen=True)
class Study:
    """One configuration, its samples, files and OUT/, and the means to work on them."""

    text: str
    config: Calibrate
    samples: tuple[SampleStudy, ...]
    files: list[Path]
    workspace: RunFolder
    runner: Runner

    @classmethod
    @contextmanager
    def open(cls, config_path: Path, out: Path, runner: Runner, *more_files: Path) -> Iterator[Self]:
        """Check the configuration and the files, and take OUT/: no other run writes there in this block.
        Raises InputError with every fault found."""
        text = read_text(config_path)
        config = parse(text, Calibrate, str(config_path))
        pieces = _all_pieces(config, config_path.resolve().parent)
        data = [piece for each in pieces for piece in each.data]
        template = [piece for each in pieces for piece in each.template]
        files = inputs.files(data, template, *more_files)
        check_folder(out)
        _check_outputs(out, (config_path, *files), tuple(each.label for each in config.samples))
        with alone(out / "run"):
            workspace = claim(out, text, files)
            several, keeps_pairs = len(config.samples) > 1, config.fit.method == "unbinned"
            counting = [
                replace(inputs.settings(each, part.data, runner.results), keeps_pairs=keeps_pairs)
                for each, part in zip(config.samples, pieces, strict=True)
            ]
            samples = tuple(
                SampleStudy(each, part, settings, workspace.parts, runner, several)
                for each, part, settings in zip(config.samples, pieces, counting, strict=True)
            )
            yield cls(text, config, samples, files, workspace, runner)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the samples."""
        return tuple(each.config.label for each in self.samples)

    def count_template(self) -> list[Counted]:
        """Of each sample: reconstructed masses of the simulation, and what it knows of generated muons."""
        return [each.count_template() for each in self.samples]

    def count_data(self, what: str, *counts: Count, look: bool = False) -> list[Counted]:
        """Of each sample: masses of the data, one CellMasses for each of `counts`; `what` names the step. `look`: for
        repeated pairs and for a cut on reconstructed pT."""
        return [each.count_data(what, counts, look) for each in self.samples]

    def fitter(self, templates: Sequence[Counted], data: Sequence[CellMasses]) -> "Fitter":
        """Fits of the cells that hold enough of `data` and of the template. Raises InputError if there are none."""
        parts = zip(self.samples, templates, data, strict=True)
        plans = (each.plan(template, masses, self.config.fit) for each, template, masses in parts)
        return Fitter(tuple(plans), self.names, self.runner)

    def warnings(self, templates: Sequence[Counted], data: Sequence[Counted]) -> tuple[str, ...]:
        """What was left out, what was wrong in the files, and with the cuts behind them."""
        parts = zip(self.samples, templates, data, strict=True)
        return tuple(line for each, template, counted in parts for line in each.warnings(template, counted))

    def reduced_resolution(self, simulated: Sequence[Derived]) -> tuple[str, ...]:
        """One line if the cells fixed less of the resolution of the simulation than a and c."""
        if simulated[0].extraction.layout.fitted == with_resolution(self.config.fit.parameters)[0]:
            return ()
        return ("the cells do not fix a and c of the resolution: a alone is used, the same resolution at every pT",)

    def unused_pairs(self, found: Sequence[Derived], data: Sequence[CellMasses]) -> tuple[str, ...]:
        """One line on the pairs of an unbinned fit: how many it uses."""
        if self.config.fit.method == "cells":
            return ()
        all_pairs, used = len(data[0].kept), int((found[0].merging.group[data[0].kept.cell] >= 0).sum())
        return (f"unbinned: {used} of {all_pairs} selected pairs are fitted; the others lie in cells that are skipped",)

    def provenance(self) -> Provenance:
        """What is needed to make a result again."""
        content = describe(self.text, self.files)
        labels = dict.fromkeys(each.config.input.label for each in self.samples)
        sample = ", ".join(label for label in labels if label)
        return rebuilt(Provenance, content | {"sample": sample, "state": self.workspace.state})


def _all_pieces(config: Calibrate, base: Path) -> list[inputs.Pieces]:
    """The pieces of every sample. Raises InputError with the faults of all files."""
    found, faults = [], list[str]()
    for sample in config.samples:
        try:
            found.append(inputs.pieces(sample, base))
        except InputError as error:
            faults += error.faults
    if faults:
        raise InputError(faults)
    return found


def _check_outputs(out: Path, inputs: tuple[Path, ...], samples: tuple[str, ...]) -> None:
    """Raises InputError if a file of a finished run would be one of the inputs. A run again from the kept configuration
    is not: the same text is written again."""
    kept = out / CONFIG
    check_outputs([out / name for name in (*OUTPUTS, *names(samples))], inputs)
    check_outputs([kept], [path for path in inputs if path is not inputs[0]])


@dataclass(frozen=True)
class Fitter:
    """Fits masses of all samples by their plans; the steps are shown by the runner."""

    plans: tuple[FitPlan, ...]
    names: tuple[str, ...]
    runner: Runner

    def __call__(
        self,
        what: str,
        masses: Sequence[CellMasses],
        fitted: tuple[str, ...] | None = None,
        template_errors: bool = True,
    ) -> tuple[Derived, ...]:
        """See `derive_jointly`; `what` names the step."""
        found = derive_jointly(self.plans, masses, self.runner.map(what), fitted, template_errors)
        lost = [name for name, each in zip(self.names, found, strict=True) if not each.extraction.used.any()]
        if lost:
            raise InputError(f"sample {lost[0]}: {what}: no mass fit succeeded; look at its window and its template")
        return found

    def simulation(self, masses: Sequence[CellMasses]) -> tuple[Derived, ...]:
        """The fit to the simulation, with as many resolution parameters as its cells fix if none is configured."""
        *choices, last = with_resolution(self.plans[0].choice.parameters)
        for fitted in choices:
            with suppress(NotFixedError):
                return self("fit simulation", masses, fitted, template_errors=False)
        return self("fit simulation", masses, last, template_errors=False)

    def narrower(self, what: str, masses: Sequence[CellMasses]) -> tuple[Derived, ...]:
        """The same fits in windows that are narrower by a tenth on either side."""
        cut = [
            narrowed(each, plan.counting, plan.counting.mass_bins // 10, plan.merging)
            for plan, each in zip(self.plans, masses, strict=True)
        ]
        plans = [replace(plan, counting=settings) for plan, (_, settings) in zip(self.plans, cut, strict=True)]
        return replace(self, plans=tuple(plans))(what, [narrow for narrow, _ in cut])

    def coverage(self, derived: Derived, toys: int) -> Coverage | None:
        """The errors of a fit of one sample against the spread of `toys` toys drawn from its curves."""
        plan = self.plans[0]
        fits = ToyFits(derived, prepare_options(derived.data, plan.options), plan.rules(template_errors=False))
        return coverage(fits, toys, self.runner.map("fit toys"))
