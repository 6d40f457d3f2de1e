"""What a calibration and a validation have in common: files to counts, counts to parameters."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from muonkit.calibration.accumulate import CellMasses, CountSettings
from muonkit.calibration.config import Calibrate
from muonkit.calibration.derive import Derived, FitPlan, derive, plan_cells
from muonkit.calibration.result import Peak, Provenance
from muonkit.core.config import parse, read_text
from muonkit.core.files import check_folder
from muonkit.core.particles import resonance
from muonkit.core.plain import rebuilt
from muonkit.core.provenance import describe
from muonkit.io import repeated
from muonkit.io.source import Chunk
from muonkit.pipelines import inputs
from muonkit.pipelines.counting import Count, Counted, CountTask, PieceCounts, count, rows_of
from muonkit.pipelines.looks import reconstructed_cut
from muonkit.pipelines.workspace import RunFolder, claim
from muonkit.run.alone import alone
from muonkit.run.checkpoint import remembered
from muonkit.run.runner import Runner


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
        with alone(out / "run"):
            workspace = claim(out, text, files)
            settings = inputs.settings(config, pieces.data, runner.results)
            yield cls(text, config, pieces, files, workspace, settings, runner)

    def count_template(self) -> Counted:
        """Reconstructed and generator masses of the simulation."""
        one_in = repeated.one_in(rows_of(self.pieces.template))
        tasks = [
            CountTask(piece, self.settings, generator=True, one_in=one_in if isinstance(piece, Chunk) else 0)
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
        generator, choice = template.gen_masses, self.config.fit
        merging = plan_cells(data, generator, self.settings, choice.min_entries)
        return Fitter(FitPlan(self.settings, choice, generator, merging, template.masses[0]), self.runner)

    @property
    def peak(self) -> Peak:
        """The resonance of a result."""
        name = self.config.resonance.name
        return Peak(name, resonance(name).mass, self.settings.window)

    def warnings(self, template: Counted, data: Counted) -> tuple[str, ...]:
        """What was left out, what was wrong in the files, and with the cuts behind them."""
        cut = reconstructed_cut(data.softest, self.settings)
        return (*self.pieces.notes, *template.warnings, *data.warnings, *([cut] if cut else []))

    def provenance(self) -> Provenance:
        """What is needed to make a result again."""
        content = describe(self.text, self.files)
        return rebuilt(Provenance, content | {"sample": self.config.input.label, "state": self.workspace.state})


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

    def counted_by(self, settings: CountSettings) -> "Fitter":
        """The same fits to masses in another window."""
        return replace(self, plan=replace(self.plan, counting=settings))
