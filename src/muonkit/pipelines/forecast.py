"""Configuration and simulation -> the errors that a number of pairs will give. Data are not read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from muonkit.calibration.accumulate import CellMasses
from muonkit.calibration.config import Calibrate, Sample
from muonkit.calibration.forecast import ExpectedSample, expected_errors, expected_masses
from muonkit.calibration.forecast_result import ForecastResult, ForecastSample
from muonkit.core.config import load
from muonkit.core.errors import InputError
from muonkit.core.files import check_folder, check_output, write_json
from muonkit.core.limits import shown
from muonkit.io.finding import find
from muonkit.pipelines import inputs
from muonkit.pipelines.study import SampleStudy, all_pieces
from muonkit.run.runner import Runner

FILE = "forecast.json"
MOST_PAIRS = 1e12  # of one forecast
MOST_BACKGROUND = 0.9


@dataclass(frozen=True, slots=True)
class Expectation:
    """Numbers of selected pairs: one for every sample, or one that is shared by all as in simulation; the share of the
    pairs that is background. Raises InputError for numbers that cannot be."""

    pairs: tuple[float, ...]
    background: float = 0.0

    def __post_init__(self) -> None:
        if wrong := [each for each in self.pairs if not 1 <= each <= MOST_PAIRS]:
            raise InputError(f"--forecast {wrong[0]:g}: give a number of pairs from 1 to {MOST_PAIRS:g}, such as 1e8")
        if not 0 <= self.background <= MOST_BACKGROUND:
            raise InputError(f"--background {self.background:g}: give a share from 0 to {MOST_BACKGROUND:g}")

    @classmethod
    def of(cls, pairs: str, background: str | None = None) -> Self:
        """From the options of the command: `1e8`, or `1e8,2e7` for several samples; `0.05`."""
        numbers = tuple(_number(part, "--forecast", "1e8, or one per sample: 1e8,2e7") for part in pairs.split(","))
        return cls(numbers, 0.0 if background is None else _number(background, "--background", "0.05"))

    def require(self, samples: Sequence[Sample]) -> None:
        """Raises InputError if there are neither one number nor as many as samples."""
        if len(self.pairs) not in (1, len(samples)):
            names = ", ".join(each.label for each in samples)
            raise InputError(
                f"--forecast: {len(self.pairs)} numbers for {len(samples)} samples ({names}); give one for each, in "
                "this order, or one for all"
            )

    def shared(self, simulated: Sequence[CellMasses]) -> tuple[float, ...]:
        """The pairs of every sample."""
        sizes = [float(each.entries.sum()) for each in simulated]
        if len(self.pairs) == len(sizes):
            return self.pairs
        return tuple(self.pairs[0] * size / sum(sizes) for size in sizes)


def _number(text: str, option: str, example: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{option} {shown(text)}: is no number; give one such as {example}") from None


def forecast(config_path: Path, expected: Expectation, runner: Runner, out: Path | None = None) -> ForecastResult:
    """The errors to expect; written to OUT/forecast.json if there is an `out`.

    Raises InputError for a configuration or simulation that cannot be used, and where parameters stay open."""
    config = load(config_path, Calibrate)
    if expected.background and not config.fit.background:
        raise InputError("--background: fit.background is false in the configuration; leave out one of them")
    expected.require(config.samples)
    base = config_path.resolve().parent
    pieces = all_pieces(config, base, inputs.template_pieces)
    if out is not None:
        check_folder(out)
        files = inputs.files([], [piece for each in pieces for piece in each.template], config_path)
        check_output(out / FILE, files)
    samples = [_study(*each, runner, len(pieces) > 1) for each in zip(config.samples, pieces, strict=True)]
    result = derive(config, samples, expected, _unread(config, base), runner)
    if out is not None:
        write_json(out / FILE, result.to_json())
    return result


def _study(sample: Sample, pieces: inputs.Pieces, runner: Runner, several: bool) -> SampleStudy:
    return SampleStudy(sample, pieces, inputs.settings(sample, pieces.template, runner.results), None, runner, several)


def derive(
    config: Calibrate, samples: Sequence[SampleStudy], expected: Expectation, unread: str, runner: Runner
) -> ForecastResult:
    """Count the simulation, scale it to what is expected, and extract."""
    templates = [each.count_template() for each in samples]
    simulated = [template.masses[0] for template in templates]
    for sample, masses in zip(samples, simulated, strict=True):
        _require_pairs(sample.config, masses)
    pairs = expected.shared(simulated)
    planned = []
    for study, template, masses, number in zip(samples, templates, simulated, pairs, strict=True):
        plan = study.plan(template, expected_masses(masses, number), config.fit)
        planned.append(ExpectedSample(number, expected.background, plan, masses))
    both, alone, fitted = expected_errors(planned, runner.map("fit expected counts"))
    outcomes = tuple(
        ForecastSample.of(study.config.label, study.peak, each, *found)
        for study, each, found in zip(samples, planned, fitted, strict=True)
    )
    left_out = (note for study, each in zip(samples, templates, strict=True) for note in study.template_notes(each))
    notes = (unread, *left_out)
    return ForecastResult.of(outcomes, both, alone, fitted, notes)


def _require_pairs(sample: Sample, masses: CellMasses) -> None:
    if masses.entries.sum() <= 0:
        raise InputError(
            f"sample {sample.label}: no simulated pair passes the selection in the mass window. Check resonance.name, "
            "resonance.window, selection.scaled_pt_min and the units."
        )


def _unread(config: Calibrate, base: Path) -> str:
    """That data are not read, and which are not there yet."""
    patterns = dict.fromkeys(pattern for each in config.samples for pattern in each.input.data)
    missing = [pattern for pattern in patterns if find([pattern], base).faults]
    there = f" ({', '.join(map(shown, missing))}: not there yet)" if missing else ""
    return f"data are not read{there}: momenta, cells and widths are those of the simulation"
