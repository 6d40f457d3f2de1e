"""What a calibration and a validation have in common: files to counts, counts to parameters."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

from muonkit.calibration.accumulate import CellMasses, Corrector, CountSettings, GenMasses
from muonkit.calibration.binning import Merging
from muonkit.calibration.config import Calibrate
from muonkit.calibration.derive import Derived, derive, plan_cells
from muonkit.core.arrays import AnyArray
from muonkit.core.config import parse, read_text
from muonkit.core.particles import resonance
from muonkit.core.provenance import describe
from muonkit.io.source import Chunk
from muonkit.pipelines import inputs
from muonkit.pipelines.counting import Counted, Piece, Task, count, load
from muonkit.pipelines.workspace import Workspace, claim
from muonkit.run.checkpoint import remembered
from muonkit.run.runner import Runner

Counts = tuple[tuple[Corrector | None, int | None], ...]


@dataclass(frozen=True)
class Study:
    """One configuration, its files, its OUT/, and the means to work on them."""

    text: str
    config: Calibrate
    data: list[Chunk]
    template: list[Piece]
    files: list[Path]
    workspace: Workspace
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
        return self._count("count simulation", [Task(piece, self.settings, generator=True) for piece in self.template])

    def count_data(self, what: str, counts: Counts) -> Counted:
        """Masses of the data, once for each (corrector, half)."""
        return self._count(what, [Task(piece, self.settings, counts) for piece in self.data])

    def _count(self, what: str, tasks: list[Task]) -> Counted:
        run: Callable[[Callable[[Any], Mapping[str, AnyArray]], Iterable[Any]], Iterable[Mapping[str, AnyArray]]]
        run = remembered(self.runner.map(what), self.workspace.parts, what.replace(" ", "-"), dict[str, AnyArray])
        return count(tasks, run, self.config.input.max_bad_share)

    def plan(self, data: CellMasses, generator: GenMasses) -> Merging:
        """The cells that are fitted."""
        return plan_cells(data, generator, self.settings, self.config.fit.min_entries)

    def fitter(self, template: Counted, merging: Merging) -> Callable[..., Derived]:
        """`derive` with everything but the name of the step and the masses: fit(what, masses, **options)."""

        def fit(what: str, masses: CellMasses, settings: CountSettings = self.settings, **options: Any) -> Derived:
            derived = partial(derive, run=self.runner.map(what), simulation=template.masses[0])
            return derived(masses, template.gen_masses, settings, self.config.fit, merging, **options)

        return fit

    def heading(self, *counted: Counted) -> dict[str, Any]:
        """Resonance, warnings and provenance of a result."""
        name, state = self.config.resonance.name, self.workspace.state
        cut = inputs.reconstructed_cut(load(self.data[0])[0], self.settings)
        warnings = [line for each in counted for line in each.warnings]
        return {
            "resonance": {"name": name, "mass": resonance(name).mass, "window": self.settings.window},
            "warnings": [*warnings, *([cut] if cut else [])],
            "provenance": describe(self.text, self.files) | {"sample": self.config.input.label, "state": state},
        }
