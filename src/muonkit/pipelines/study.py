"""What a calibration and a validation have in common: files to counts, counts to parameters."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from muonkit.calibration.accumulate import CellMasses, CountSettings
from muonkit.calibration.config import Calibrate
from muonkit.calibration.derive import Derived, FitPlan, derive, plan_cells
from muonkit.calibration.extract import NotFixedError
from muonkit.calibration.massfit import FitOptions, prepare_options
from muonkit.calibration.parameters import with_resolution
from muonkit.calibration.result import CORRECTIONS, CalibrationResult, Peak, Provenance, ValidationResult
from muonkit.calibration.toys import Coverage, ToyFits, coverage
from muonkit.calibration.weights import notes
from muonkit.core.config import parse, read_text
from muonkit.core.files import check_folder, check_outputs
from muonkit.core.particles import resonance
from muonkit.core.plain import rebuilt
from muonkit.core.provenance import describe
from muonkit.io import repeated
from muonkit.io.source import Chunk
from muonkit.pipelines import inputs
from muonkit.pipelines.counting import Count, Counted, CountTask, PieceCounts, count, rows_of
from muonkit.pipelines.looks import reconstructed_cut
from muonkit.pipelines.tables import NAMES
from muonkit.pipelines.workspace import CONFIG, RECORD, RunFolder, claim
from muonkit.run.alone import alone
from muonkit.run.checkpoint import remembered
from muonkit.run.runner import Runner

OUTPUTS = (CalibrationResult.FILE, ValidationResult.FILE, CORRECTIONS, *NAMES, RECORD, "report.html", "report.json")


@dataclass(frozen=True)
class Study:
    """One configuration, its files, its OUT/, and the means to work on them."""

    text: str
    config: Calibrate
    pieces: inputs.Pieces
    files: list[Path]
    workspace: RunFolder
    settings: CountSettings
    runner: Runner

    @classmethod
    @contextmanager
    def open(cls, config_path: Path, out: Path, runner: Runner, *more_files: Path) -> Iterator[Self]:
        """Check the configuration and the files, and take OUT/: no other run writes there in this block.
        Raises InputError with every fault found."""
        text = read_text(config_path)
        config = parse(text, Calibrate, str(config_path))
        pieces = inputs.pieces(config, config_path.resolve().parent)
        files = inputs.files(pieces.data, pieces.template, *more_files)
        check_folder(out)
        _check_outputs(out, (config_path, *files))
        with alone(out / "run"):
            workspace = claim(out, text, files)
            settings = inputs.settings(config, pieces.data, runner.results)
            yield cls(text, config, pieces, files, workspace, settings, runner)

    def count_template(self) -> Counted:
        """Reconstructed masses of the simulation, and what it knows of generated muons."""
        one_in = repeated.one_in(rows_of(self.pieces.template))
        tasks = [
            CountTask(piece, self.settings, truth=True, one_in=one_in if isinstance(piece, Chunk) else 0)
            for piece in self.pieces.template
        ]
        return self._count("count simulation", tasks)

    def count_data(self, what: str, *counts: Count, look: bool = False) -> Counted:
        """Masses of the data, one CellMasses for each of `counts`; `what` names the step. `look`: for repeated pairs
        and for a cut on reconstructed pT."""
        one_in = repeated.one_in(rows_of(self.pieces.data)) if look else 0
        return self._count(what, [CountTask(piece, self.settings, counts, one_in=one_in) for piece in self.pieces.data])

    def _count(self, what: str, tasks: list[CountTask]) -> Counted:
        run = remembered(self.runner.map(what), self.workspace.parts, what.replace(" ", "-"), PieceCounts)
        return count(tasks, run, self.config.input.max_bad_share)

    def fitter(self, template: Counted, data: CellMasses) -> "Fitter":
        """Fits of the cells that hold enough of `data` and of the template. Raises InputError if there are none."""
        truth, choice = template.known_truth, self.config.fit
        merging = plan_cells(data, truth.masses, self.settings, choice.min_entries)
        return Fitter(FitPlan(self.settings, choice, truth, merging, template.masses[0]), self.runner)

    @property
    def peak(self) -> Peak:
        """The resonance of a result."""
        name = self.config.resonance.name
        return Peak(name, resonance(name).mass, self.settings.window)

    def warnings(self, template: Counted, data: Counted) -> tuple[str, ...]:
        """What was left out, what was wrong in the files, and with the cuts behind them."""
        cut = reconstructed_cut(data.softest, self.settings)
        signed = (*notes("data", data.masses[0]), *notes("simulation", template.masses[0]))
        return (*self.pieces.notes, *template.warnings, *data.warnings, *signed, *([cut] if cut else []))

    def reduced_resolution(self, simulated: Derived) -> tuple[str, ...]:
        """One line if the cells fixed less of the resolution of the simulation than a and c."""
        if simulated.extraction.layout.fitted == with_resolution(self.config.fit.parameters)[0]:
            return ()
        return ("the cells do not fix a and c of the resolution: a alone is used, the same resolution at every pT",)

    def provenance(self) -> Provenance:
        """What is needed to make a result again."""
        content = describe(self.text, self.files)
        return rebuilt(Provenance, content | {"sample": self.config.input.label, "state": self.workspace.state})


def _check_outputs(out: Path, inputs: tuple[Path, ...]) -> None:
    """Raises InputError if a file of a finished run would be one of the inputs. A run again from the kept configuration
    is not: the same text is written again."""
    kept = out / CONFIG
    check_outputs([out / name for name in OUTPUTS], inputs)
    check_outputs([kept], [path for path in inputs if path is not inputs[0]])


@dataclass(frozen=True)
class Fitter:
    """Fits masses by a plan; the steps are shown by the runner."""

    plan: FitPlan
    runner: Runner

    def __call__(
        self, what: str, masses: CellMasses, fitted: tuple[str, ...] | None = None, template_errors: bool = True
    ) -> Derived:
        """See `derive`; `what` names the step."""
        return derive(self.plan, masses, self.runner.map(what), fitted, template_errors)

    def simulation(self, masses: CellMasses) -> Derived:
        """The fit to the simulation, with as many resolution parameters as its cells fix if none is configured."""
        *choices, last = with_resolution(self.plan.choice.parameters)
        for fitted in choices:
            with suppress(NotFixedError):
                return self("fit simulation", masses, fitted, template_errors=False)
        return self("fit simulation", masses, last, template_errors=False)

    def coverage(self, derived: Derived, toys: int) -> Coverage | None:
        """The errors of a fit against the spread of `toys` toys drawn from its curves."""
        choice = self.plan.choice
        options = prepare_options(derived.data, FitOptions(choice.kernel, choice.background))
        priors = {str(name): value for name, value in choice.priors.items()}
        return coverage(ToyFits(derived, options, priors), toys, self.runner.map("fit toys"))

    def counted_by(self, settings: CountSettings) -> "Fitter":
        """The same fits to masses in another window."""
        return replace(self, plan=replace(self.plan, counting=settings))
