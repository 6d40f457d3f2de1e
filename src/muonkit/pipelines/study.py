"""What a calibration and a validation have in common: files to counts, counts to parameters."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from muonkit.calibration.accumulate import CellMasses, CountSettings
from muonkit.calibration.config import Calibrate
from muonkit.calibration.derive import Derived, FitPlan, derive, plan_cells
from muonkit.calibration.result import Peak, Provenance
from muonkit.core.config import parse, read_text
from muonkit.core.particles import resonance
from muonkit.core.plain import rebuilt
from muonkit.core.provenance import describe
from muonkit.io.source import Chunk
from muonkit.pipelines import inputs
from muonkit.pipelines.counting import Count, Counted, CountTask, DimuonPiece, PieceCounts, count, load
from muonkit.pipelines.workspace import RunFolder, claim
from muonkit.run.checkpoint import remembered
from muonkit.run.runner import Runner


@dataclass(frozen=True)
class Study:
    """One configuration, its files, its OUT/, and the means to work on them."""

    text: str
    config: Calibrate
    data: list[Chunk]
    template: list[DimuonPiece]
    files: list[Path]
    workspace: RunFolder
    settings: CountSettings
    runner: Runner

    @classmethod
    def open(cls, config_path: Path, out: Path, runner: Runner, *more_files: Path) -> Self:
        """Check the configuration and the files, and take OUT/. Raises InputError with every fault found."""
        text = read_text(config_path)
        config = parse(text, Calibrate, str(config_path))
        data, template = inputs.pieces(config, config_path.resolve().parent)
        files = inputs.files(data, template, *more_files)
        workspace = claim(out, text, files)
        return cls(text, config, data, template, files, workspace, inputs.settings(config, data[0]), runner)

    def count_template(self) -> Counted:
        """Reconstructed and generator masses of the simulation."""
        return self._count(
            "count simulation", [CountTask(piece, self.settings, generator=True) for piece in self.template]
        )

    def count_data(self, what: str, *counts: Count) -> Counted:
        """Masses of the data, one CellMasses for each of `counts`; `what` names the step."""
        return self._count(what, [CountTask(piece, self.settings, counts) for piece in self.data])

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

    def warnings(self, *counted: Counted) -> tuple[str, ...]:
        """What was wrong in the files, and with the cuts behind them."""
        cut = inputs.reconstructed_cut(load(self.data[0])[0], self.settings)
        return (*(line for each in counted for line in each.warnings), *([cut] if cut else []))

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
