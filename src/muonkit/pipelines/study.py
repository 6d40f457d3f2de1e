"""What a calibration and a validation have in common: files to counts, counts to parameters."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Self

from muonkit.calibration import pooling
from muonkit.calibration.accumulate import CellMasses, CountSettings, narrowed
from muonkit.calibration.config import Calibrate, Fit, Sample
from muonkit.calibration.derive import Derived, FitPlan, derive_jointly, plan_cells
from muonkit.calibration.drift import RunPairs, Slicing
from muonkit.calibration.export import Corrections
from muonkit.calibration.extract import Extraction, NotFixedError, Rules
from muonkit.calibration.massfit import prepare_options
from muonkit.calibration.parameters import with_resolution
from muonkit.calibration.records import Peak, Provenance
from muonkit.calibration.reference import difference, of_entries, without_simulation
from muonkit.calibration.result import CORRECTIONS, LIKELIHOOD, CalibrationResult, ValidationResult
from muonkit.calibration.summary import ClosureFit
from muonkit.calibration.toys import Coverage, ToyFits, coverage
from muonkit.calibration.weights import notes
from muonkit.core.config import parse, read_text
from muonkit.core.errors import InputError
from muonkit.core.files import check_folder, check_outputs, write_json
from muonkit.core.particles import resonance
from muonkit.core.plain import plain_fields, rebuilt
from muonkit.core.provenance import describe
from muonkit.io import repeated
from muonkit.io.source import Chunk, Unread
from muonkit.pipelines import inputs
from muonkit.pipelines.counting import Count, Counted, CountTask, Map, PieceCounts, count, rows_of
from muonkit.pipelines.looks import reconstructed_cut
from muonkit.pipelines.tables import names
from muonkit.pipelines.workspace import CONFIG, RECORD, RunFolder, claim
from muonkit.run.alone import alone
from muonkit.run.checkpoint import remembered
from muonkit.run.runner import Runner

FAILED = "failed.json"
RESULTS = (CalibrationResult.FILE, ValidationResult.FILE, CORRECTIONS, LIKELIHOOD, FAILED)
OUTPUTS = (*RESULTS, RECORD, "report.html", "report.json")


@dataclass(frozen=True)
class SampleStudy:
    """One sample of a study: its files, what is counted, and the means to do so. `parts`: the folder of unfinished
    parts, None if none is kept. `several`: whether there are others, so that steps and warnings need its name; `runs`:
    first and last of those that are counted."""

    config: Sample
    pieces: inputs.Pieces
    settings: CountSettings
    parts: Path | None
    runner: Runner
    several: bool
    runs: tuple[int, int] | None = None

    def of_runs(self, runs: tuple[int, int], of_pieces: Sequence[RunPairs]) -> Self:
        """The sample with the pairs of some runs alone, first and last; `of_pieces`: the runs of every piece."""
        data = [piece for piece, found in zip(self.pieces.data, of_pieces, strict=True) if found.between(*runs)]
        parts = self.parts and self.parts / f"{runs[0]}-{runs[1]}"
        return replace(self, pieces=replace(self.pieces, data=data), parts=parts, runs=runs)

    def count_template(self) -> Counted:
        """Reconstructed masses of the simulation, and what it knows of generated muons."""
        one_in = repeated.one_in(rows_of(self.pieces.template))
        tasks = [
            CountTask(piece, self.settings, truth=True, one_in=one_in if isinstance(piece, Chunk) else 0)
            for piece in self.pieces.template
        ]
        return self._count("count simulation", tasks)

    def count_data(self, what: str, counts: Sequence[Count], look: bool, slicing: Slicing | None = None) -> Counted:
        """See `Study.count_data`."""
        one_in = repeated.one_in(rows_of(self.pieces.data)) if look else 0
        task = CountTask(self.pieces.data[0], self.settings, tuple(counts), False, one_in, slicing, self.runs)
        tasks = [replace(task, piece=piece) for piece in self.pieces.data]
        return self._count(what, tasks)

    def _count(self, what: str, tasks: list[CountTask]) -> Counted:
        step = f"{what} of {self.config.label}" if self.several else what
        step = f"{step} in runs {self.runs[0]}-{self.runs[1]}" if self.runs else step
        run: Map = self.runner.map(step)
        if self.parts is not None:
            name = step.replace(" ", "-")
            run = remembered(run, self.parts, name, PieceCounts, lambda part: part.is_read)
        return count(tasks, run, self.config.input.max_bad_share)

    def plan(self, template: Counted, data: CellMasses, choice: Fit) -> FitPlan:
        """The cells that hold enough of `data` and of the template. Raises InputError if there are none."""
        truth = template.known_truth
        try:
            merging = plan_cells(data, truth.masses, self.settings, choice.min_entries)
        except InputError as error:
            raise InputError(self.named(error.faults)) from None
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
        return self.named((*self.pieces.notes, *template.warnings, *data.warnings, *signed, *([cut] if cut else [])))

    def template_notes(self, template: Counted) -> list[str]:
        """What was left out of the template, and what was wrong in its files."""
        return self.named((*self.pieces.notes, *template.warnings, *notes("simulation", template.masses[0])))

    def named(self, lines: Sequence[str]) -> list[str]:
        """The lines, with the name of the sample if there are several."""
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
        pieces = all_pieces(config, config_path.resolve().parent, inputs.pieces)
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

    def of_runs(self, runs: tuple[int, int], of_pieces: Sequence[Sequence[RunPairs]]) -> Self:
        """The same with the pairs of some runs alone, first and last; `of_pieces`: of each sample, the runs of every
        piece. Raises InputError if a sample has none."""
        parts = zip(self.samples, of_pieces, strict=True)
        samples = tuple(each.of_runs(runs, found) for each, found in parts)
        if empty := [each.config.label for each in samples if not each.pieces.data]:
            raise InputError(f"no pairs of {', '.join(empty)}")
        return replace(self, samples=samples)

    def count_template(self) -> list[Counted]:
        """Of each sample: reconstructed masses of the simulation, and what it knows of generated muons."""
        return [each.count_template() for each in self.samples]

    def count_data(
        self, what: str, *counts: Count, look: bool = False, slicings: Sequence[Slicing | None] = ()
    ) -> list[Counted]:
        """Of each sample: masses of the data, one CellMasses for each of `counts`; `what` names the step. `look`: for
        repeated pairs, a cut on reconstructed pT, and runs; `slicings`: of each sample, the slices of runs in which
        the first of `counts` is made too."""
        parts = zip(self.samples, slicings or [None] * len(self.samples), strict=True)
        return [each.count_data(what, counts, look, slicing) for each, slicing in parts]

    def fitter(self, templates: Sequence[Counted], data: Sequence[CellMasses]) -> "Fitter":
        """Fits of the cells that hold enough of `data` and of the template. Raises InputError if there are none."""
        parts = zip(self.samples, templates, data, strict=True)
        plans = (each.plan(template, masses, self.config.fit) for each, template, masses in parts)
        return Fitter(tuple(plans), self.names, self.runner)

    def warnings(self, templates: Sequence[Counted], data: Sequence[Counted]) -> tuple[str, ...]:
        """What was left out, what was wrong in the files, and with the cuts behind them."""
        parts = zip(self.samples, templates, data, strict=True)
        return tuple(line for each, template, counted in parts for line in each.warnings(template, counted))

    def relative_to(self, corrections: Corrections) -> Self:
        """The study with the reference of corrections. Raises InputError if the configuration has another one, or no
        simulation where it is needed."""
        fit, reference = self.config.fit, corrections.reference
        if "reference" in fit.model_fields_set and fit.reference != reference:
            raise InputError(
                f"fit.reference: is '{fit.reference}', that of {corrections.path} is '{reference}'; leave it out"
            )
        if reference == "simulation" and not all(each.config.input.simulation for each in self.samples):
            raise InputError(
                f"input.simulation: is missing. {corrections.path} brings data to the scale of the simulation, so that "
                "they are compared with simulated muons; give those of this resonance"
            )
        fit = fit.model_copy(update={"reference": reference})
        return replace(self, config=self.config.model_copy(update={"fit": fit}))

    def pooled(self, fitted: Sequence[Derived]) -> tuple[str, ...]:
        """A line for every sample with templates that are made from those of all its cells."""
        parts = zip(self.samples, fitted, strict=True)
        return tuple(line for each, found in parts for line in each.named(pooling.notes(found.cells.shared)))

    def reduced_resolution(self, simulated: Sequence[Derived]) -> tuple[str, ...]:
        """One line if the cells fixed less of the resolution of the simulation than a and c."""
        if simulated[0].extraction.layout.fitted == with_resolution(self.config.fit.parameters)[0]:
            return ()
        return ("the cells do not fix a and c of the resolution: a alone is used, the same resolution at every pT",)

    def finish(self, out: Path, outputs: Sequence[str], unread: Sequence[Unread]) -> None:
        """The run has ended with these outputs. Chunks that could not be read are listed in failed.json; then the run
        counts as unfinished, and the same command tries them again."""
        if unread:
            write_json(out / FAILED, {"unread": [plain_fields(each) for each in unread]})
        else:
            (out / FAILED).unlink(missing_ok=True)
            self.workspace.finish((*outputs, *names(self.names)))

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


def all_pieces(config: Calibrate, base: Path, of: Callable[[Sample, Path], inputs.Pieces]) -> list[inputs.Pieces]:
    """The pieces of every sample, found by `of`. Raises InputError with the faults of all files."""
    found, faults = [], list[str]()
    for sample in config.samples:
        try:
            found.append(of(sample, base))
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
        self, what: str, masses: Sequence[CellMasses], fitted: tuple[str, ...] | None = None
    ) -> tuple[Derived, ...]:
        """The fit to data, relative to the reference of the configuration; `what` names the step."""
        return self._relative(self.alone(what, masses, fitted))

    def _relative(self, found: tuple[Derived, ...]) -> tuple[Derived, ...]:
        return difference(found, self.simulated, self.rules) if self.subtracts else found

    @property
    def subtracts(self) -> bool:
        """Whether the simulation is the reference."""
        return self.plans[0].choice.reference == "simulation"

    @property
    def rules(self) -> Rules:
        """How parameters are extracted."""
        return self.plans[0].rules()

    def alone(
        self,
        what: str,
        masses: Sequence[CellMasses],
        fitted: tuple[str, ...] | None = None,
        template_errors: bool = True,
    ) -> tuple[Derived, ...]:
        """The fit to data or simulation against generator masses, see `derive_jointly`."""
        found = derive_jointly(self.plans, masses, self.runner.map(what), fitted, template_errors)
        lost = [name for name, each in zip(self.names, found, strict=True) if not each.extraction.used.any()]
        if lost:
            raise InputError(f"sample {lost[0]}: {what}: no mass fit succeeded; look at its window and its template")
        return found

    @cached_property
    def simulated(self) -> tuple[Derived, ...]:
        """The fit to the simulation, with as many resolution parameters as its cells fix if none is configured."""
        masses = [plan.simulation for plan in self.plans if plan.simulation is not None]
        *choices, last = with_resolution(self.plans[0].choice.parameters)
        for fitted in choices:
            with suppress(NotFixedError):
                return self.alone("fit simulation", masses, fitted, template_errors=False)
        return self.alone("fit simulation", masses, last, template_errors=False)

    def of_entries(self, found: Sequence[Derived], masses: Sequence[CellMasses]) -> Extraction:
        """A fit to `masses` with the errors of its entries alone."""
        if self.plans[0].choice.method == "unbinned":
            return self.alone("budget: statistics of the entries", masses, template_errors=False)[0].extraction
        return of_entries(found, self.rules)

    def split(self, crossed: Sequence[Derived], half: Sequence[Derived]) -> ClosureFit:
        """Corrections of one half on the other. The simulation that both were compared with cancels, so the errors are
        those of the halves."""
        if not self.subtracts:
            return ClosureFit.against(crossed[0].extraction, applied=half[0].extraction)
        tested, applied = (without_simulation(each, self.rules) for each in (crossed, half))
        return ClosureFit.against(tested, applied=applied)

    def varied(self, what: str, masses: Sequence[CellMasses], plans: tuple[FitPlan, ...], both: bool) -> Extraction:
        """The fit by other plans; `both`: they are those of the simulation, too, where it is subtracted."""
        other = replace(self, plans=plans)
        return (other(what, masses) if both else self._relative(other.alone(what, masses)))[0].extraction

    def narrower(self, what: str, masses: Sequence[CellMasses]) -> tuple[Derived, ...]:
        """The same fits in windows that are narrower by a tenth on either side."""
        cut = [_narrow(plan, each) for plan, each in zip(self.plans, masses, strict=True)]
        plans = [replace(plan, counting=settings) for plan, (_, settings) in zip(self.plans, cut, strict=True)]
        if self.subtracts:
            simulated = [_narrow(plan, plan.simulation)[0] for plan in self.plans if plan.simulation is not None]
            plans = [replace(plan, simulation=each) for plan, each in zip(plans, simulated, strict=True)]
        return replace(self, plans=tuple(plans))(what, [narrow for narrow, _ in cut])

    def coverage(self, derived: Derived, toys: int) -> Coverage | None:
        """The errors of a fit of one sample against the spread of `toys` toys drawn from its curves."""
        plan = self.plans[0]
        fits = ToyFits(derived, prepare_options(derived.data, plan.options), plan.rules(template_errors=False))
        return coverage(fits, toys, self.runner.map("fit toys"))


def _narrow(plan: FitPlan, masses: CellMasses) -> tuple[CellMasses, CountSettings]:
    return narrowed(masses, plan.counting, plan.counting.mass_bins // 10, plan.merging)
