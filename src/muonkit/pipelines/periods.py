"""Run periods: the same calibration for the pairs of each, with corrections of its own in OUT/periods/FIRST-LAST/."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

from muonkit.calibration.config import Calibrate
from muonkit.calibration.periods import Period
from muonkit.calibration.result import CORRECTIONS, LIKELIHOOD, CalibrationResult
from muonkit.core.errors import InputError
from muonkit.core.files import make_folder, write_json, write_text
from muonkit.pipelines.counting import Counted
from muonkit.pipelines.study import Study
from muonkit.pipelines.tables import names
from muonkit.pipelines.workspace import CONFIG

Runs = tuple[int, int]  # first and last of a period


def periods_of(config: Calibrate) -> list[Runs]:
    """First and last run of every period, by `binning.run_edges`."""
    return [(low, high - 1) for low, high in pairwise(config.binning.run_edges or ())]


def folder_of(runs: Runs) -> str:
    """The folder of a period in OUT/."""
    return f"periods/{runs[0]}-{runs[1]}"


def files_of(period: Period, samples: Sequence[str]) -> list[str]:
    """The files of a period in OUT/."""
    kinds = (CalibrationResult.FILE, CORRECTIONS, LIKELIHOOD, CONFIG, *names(tuple(samples)))
    return [f"{period.folder}/{name}" for name in kinds]


def check_periods(config: Calibrate, data: Sequence[Counted]) -> tuple[str, ...]:
    """One line for every sample with pairs outside of all periods. Raises InputError with one line for every period
    without pairs, or if there are no run numbers."""
    if not (periods := periods_of(config)):
        return ()
    found = [each.all_runs for each in data]
    if not all(len(each.run) for each in found):
        raise InputError("binning.run_edges: the data have no run and event numbers; leave it out")
    faults = [
        f"binning.run_edges: no pairs in runs {first} to {last}; correct the edges"
        for first, last in periods
        if not any(each.between(first, last) for each in found)
    ]
    if faults:
        raise InputError(faults)
    ends = periods[0][0], periods[-1][1]
    labels = (each.label for each in config.samples)
    outside = ((label, each.pairs.sum() - each.between(*ends)) for label, each in zip(labels, found, strict=True))
    line = "pairs are of runs outside of binning.run_edges"
    return tuple(f"{label}: {number} {line}" for label, number in outside if number)


def calibrate_periods(
    study: Study, data: Sequence[Counted], calibrated: Callable[[Study, Path], CalibrationResult]
) -> tuple[Period, ...]:
    """Every period by itself; `data`: the pairs of all runs; `calibrated`: derives the corrections of a study and
    writes them into a folder. A period that has too few pairs is a period without corrections."""
    return tuple(_period(study, runs, data, calibrated) for runs in periods_of(study.config))


def _period(
    study: Study, runs: Runs, data: Sequence[Counted], calibrated: Callable[[Study, Path], CalibrationResult]
) -> Period:
    folder = study.workspace.out / folder_of(runs)
    make_folder(folder)
    part = study.of_runs(runs, [each.runs for each in data])
    try:
        result = calibrated(part, folder)
    except InputError as error:
        pairs = sum(run.between(*runs) for each in data for run in each.runs)
        return Period(*runs, folder_of(runs), pairs, "FAILED", {}, {}, error.faults[0])
    write_json(folder / CalibrationResult.FILE, result.to_json())
    write_text(folder / CONFIG, study.text)
    return Period(*runs, folder_of(runs), result.pairs.selected, result.status, result.values, result.errors)
