"""From hits to corrections: J/psi, Z and muons in a distorted detector, fitted as if it were ideal, by the standard and
by the improved fit; module corrections; A, e, M from J/psi; and the scale that is left after each stage.

Every step is a verb with a configuration in OUT/ that can be run alone. A step that is done is not done again."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from muonkit.calibration.export import Corrections
from muonkit.calibration.result import CORRECTIONS, CalibrationResult, ValidationResult
from muonkit.core.config import load
from muonkit.core.files import check_folder, check_outputs, make_folder, write_json, write_text
from muonkit.core.result import Result
from muonkit.detector.distort import distorted
from muonkit.pipelines.align import align
from muonkit.pipelines.calibrate import calibrate
from muonkit.pipelines.full_study_config import (
    ALIGNED,
    FITS,
    IMPROVED,
    MODULES,
    StudyConfig,
    Texts,
    folder_of,
    is_reference,
    pairs_of,
)
from muonkit.pipelines.full_study_result import Left, Muons, Stage, StudyResult, error_at, of_jpsi, of_z
from muonkit.pipelines.full_study_steps import Step, Told
from muonkit.pipelines.pieces import detector_of
from muonkit.pipelines.refit import refit_tables
from muonkit.pipelines.report import report
from muonkit.pipelines.simulate_tracks import field_maps, placed_knobs, simulate_track_sample
from muonkit.pipelines.validate import validate
from muonkit.report.study import page
from muonkit.run.alone import alone
from muonkit.run.runner import Runner


@dataclass(frozen=True)
class Plan:
    """The configurations of a study, and the files that its detector is read from: `described` as the fit knows it,
    `true` with the field maps of distortions."""

    texts: Texts
    described: tuple[Path, ...]
    true: tuple[Path, ...]

    @classmethod
    def of(cls, config_path: Path) -> "Plan":
        """Raises InputError with every fault of the configuration, the detector, or a distortion."""
        base = config_path.parent.resolve()
        config = load(config_path, StudyConfig)
        config = config.model_copy(update={"distort": placed_knobs(config.distort, base)})
        chosen = detector_of(config.detector.name, base)
        distorted(chosen.detector, config.distort)
        texts = Texts(config, chosen.place)
        texts.check(str(config_path))
        return cls(texts, chosen.files, (*chosen.files, *field_maps(config.distort)))

    def steps(self) -> Iterator[Step]:
        """All steps in their order."""
        samples = self.texts.simulations
        yield from (self._simulate(name, text) for name, text in samples.items())
        yield from (self._refit(name, IMPROVED) for name in samples if is_reference(name))
        for fit in self.texts.config.fits:
            if fit == MODULES:
                yield self._modules()
            yield from (self._refit(name, fit) for name in samples if not is_reference(name))
            yield from (self._calibrate(name, fit) for name in self.texts.config.pairs)

    def _simulate(self, name: str, text: str) -> Step:
        def run(config: Path, out: Path, runner: Runner) -> Result:
            return simulate_track_sample(config, out / f"{name}.parquet", runner)

        return Step(name, text, (), (f"{name}.hits.parquet", f"{name}.truth.parquet"), run, self.true)

    def _refit(self, sample: str, fit: str) -> Step:
        name = f"{sample}-{fit}"

        def run(config: Path, out: Path, runner: Runner) -> Result:
            return refit_tables(config, out / f"{name}.parquet", runner)

        inputs = (f"{sample}.hits.parquet", f"{sample}.truth.parquet", *([ALIGNED] if fit == MODULES else []))
        outputs = (f"{name}.parquet", *([] if sample == "muons" else [f"{name}.pairs.parquet"]))
        return Step(name, self.texts.refit(sample, fit), inputs, outputs, run, self.described)

    def _modules(self) -> Step:
        def run(config: Path, out: Path, runner: Runner) -> Result:
            return align(config, out / MODULES, runner)

        inputs = "jpsi-data.hits.parquet", pairs_of("jpsi-simulation", MODULES)
        outputs = ALIGNED, f"{MODULES}/align.html"
        return Step(MODULES, self.texts.modules, inputs, outputs, run, self.described, folder=True)

    def _calibrate(self, resonance: str, fit: str) -> Step:
        name, corrections = folder_of(resonance, fit), f"{folder_of('jpsi', fit)}/{CORRECTIONS}"
        is_z = resonance == "z"
        inputs = [pairs_of(f"{resonance}-{which}", fit) for which in ("data", "simulation")]
        files = (ValidationResult.FILE,) if is_z else (CalibrationResult.FILE, CORRECTIONS)

        def run(config: Path, out: Path, runner: Runner) -> Result:
            verb = partial(validate, config, out / corrections) if is_z else partial(calibrate, config)
            verb(out / name, runner)
            return report(out / name)

        outputs = tuple(f"{name}/{file}" for file in (*files, "report.html"))
        needed = (*inputs, corrections) if is_z else tuple(inputs)
        return Step(name, self.texts.calibrate(resonance, fit), needed, outputs, run, folder=True)


def study(config_path: Path, out: Path, runner: Runner) -> StudyResult:
    """Run a study into the folder `out`, and write study.json and study.html there. Raises InputError for a
    configuration that cannot be used; then nothing is written."""
    plan = Plan.of(config_path)
    steps = list(plan.steps())
    check_folder(out)
    written = [out / name for step in steps for name in step.files]
    check_outputs([*written, out / StudyResult.FILE, out / StudyResult.PAGE], [config_path, *plan.true])
    make_folder(out)
    with alone(out / "study"):
        told = {step.name: step.do(out, runner) for step in steps}
        return finished(plan, out, told)


def finished(plan: Plan, out: Path, told: dict[str, Told]) -> StudyResult:
    """The result of steps that are done; writes the table and the page."""
    stages = [stage for fit in plan.texts.config.fits for stage in stages_of(plan.texts.config, out, fit)]
    result = StudyResult(out, tuple(stages), told)
    write_json(out / StudyResult.FILE, result.to_json())
    write_text(out / StudyResult.PAGE, page(result.stages, result.rows, result.verdict, result.counts, list(told)))
    return result


def stages_of(config: StudyConfig, out: Path, fit: str) -> tuple[Stage, Stage]:
    """What is left by a fit alone, and after the corrections that were made on it. Those of the last fit are the last
    stage."""
    left = [of_jpsi(CalibrationResult.open(out / folder_of("jpsi", fit)))]
    names = list(config.pairs)
    if config.z is not None:
        left.append(of_z(ValidationResult.open(out / folder_of("z", fit))))
    if config.muons is not None:
        names += [f"μ {low:g}-{high:g} GeV" for low, high in config.muons.pt]
        left += of_muons(config, out, fit)
    before, after = (dict(zip(names, column, strict=True)) for column in zip(*left, strict=True))
    title, last = FITS[fit], fit == list(config.fits)[-1]
    corrected = ", ".join((title, *config.calibration.parameters))
    return Stage(title, fit, False, False, before), Stage(corrected, fit, True, not last, after)


def of_muons(config: StudyConfig, out: Path, fit: str) -> list[tuple[Left, Left]]:
    """Scale left of single muons before and after the corrections, in every range of pT. The error after them has that
    of A - e k."""
    assert config.muons is not None
    folder = out / folder_of("jpsi", fit)
    corrections, calibration = Corrections.open(folder / CORRECTIONS), CalibrationResult.open(folder)
    found = Muons.read(out / f"muons-{fit}.parquet", out / "muons.truth.parquet")
    edges = config.calibration.eta_edges
    eta = edges[0], edges[-1]
    return [
        (found.left(span, eta, None), found.left(span, eta, corrections).with_error(error_at(calibration, span)))
        for span in config.muons.pt
    ]
