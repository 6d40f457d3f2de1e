"""The verbs of muonkit for scripts and notebooks. Each does what the command of the same name does, shows its progress
where stderr is a terminal, and returns a result that prints itself.

Paths may be texts. `jobs` is the number of processes; a script that asks for more than one calls the verb under
`if __name__ == "__main__":`, since each process imports the script. `work` takes a `runner` that is open already, such
as one on a Dask cluster, in place of `jobs`. All verbs raise `muonkit.InputError` for a configuration or files that
cannot be used."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muonkit.run.progress import bar, silent
from muonkit.run.runner import Runner, runner

if TYPE_CHECKING:
    from muonkit.calibration.forecast_result import ForecastResult
    from muonkit.calibration.result import CalibrationResult, ValidationResult
    from muonkit.conditions.store import Store
    from muonkit.data.hits import Hits
    from muonkit.data.tracks import BoundStates
    from muonkit.data.truth import Truth
    from muonkit.detector.detector import Detector
    from muonkit.pipelines.align_result import AlignResult
    from muonkit.pipelines.apply import ApplyResult
    from muonkit.pipelines.compare import CompareResult
    from muonkit.pipelines.convert import ConvertResult
    from muonkit.pipelines.full_study_result import StudyResult
    from muonkit.pipelines.report import ReportResult
    from muonkit.pipelines.simulate import SimulationResult
    from muonkit.pipelines.simulate_tracks import TrackSampleResult
    from muonkit.simulation.gun import Gun
    from muonkit.tracking.fit import FitSettings
    from muonkit.tracking.fitted import FittedTracks

AnyPath = str | PathLike[str]


def calibrate(config: AnyPath, out: AnyPath, jobs: int = 1, work: Runner | None = None) -> "CalibrationResult":
    """Dimuons -> corrections of the momentum scale and resolution, with their proof, in the folder `out`.

    Goes on where an earlier call stopped, and returns at once where one has finished."""
    from muonkit.pipelines.calibrate import calibrate
    from muonkit.pipelines.report import report

    with _running(jobs, work) as open_work:
        result = calibrate(Path(config), Path(out), open_work)
    report(Path(out))
    return result


def forecast(
    config: AnyPath,
    pairs: float | Iterable[float],
    out: AnyPath | None = None,
    *,
    background: float = 0.0,
    jobs: int = 1,
    work: Runner | None = None,
) -> "ForecastResult":
    """The errors that `pairs` selected pairs will have, before there are data (`muonkit calibrate --forecast`).

    `pairs`: a number, of several samples one for each, or one that they share as in simulation; `background`: share of
    the pairs in the window; `out`: a folder for forecast.json."""
    from muonkit.pipelines.forecast import Expectation, forecast

    expected = Expectation(tuple(pairs) if isinstance(pairs, Iterable) else (float(pairs),), background)
    with _running(jobs, work) as open_work:
        return forecast(Path(config), expected, open_work, None if out is None else Path(out))


def validate(
    config: AnyPath, corrections: AnyPath, out: AnyPath, jobs: int = 1, work: Runner | None = None, toys: int = 0
) -> "ValidationResult":
    """Corrections, a file or the folder of a calibration, tested on muons that did not make them, in `out`; the errors
    are tested by `toys` toys."""
    from muonkit.pipelines.report import report
    from muonkit.pipelines.validate import validate

    with _running(jobs, work) as open_work:
        result = validate(Path(config), _corrections(corrections), Path(out), open_work, toys)
    report(Path(out))
    return result


def apply(
    corrections: AnyPath,
    file: AnyPath,
    out: AnyPath,
    *,
    file_format: str | None = None,
    tree: str | None = None,
    columns: Mapping[str, str] | None = None,
    max_bad_share: float = 0.01,
    fallback: Mapping[str, Any] | None = None,
    variation: str = "nominal",
    smear: bool = False,
    stretch: bool = False,
    slim: bool = False,
) -> "ApplyResult":
    """Write the muons of `file`, a path or a URL, to `out` with corrected pT, or, for simulation, `smear`ed with noise
    or with a response that is `stretch`ed about the generated pT.

    `corrections`: a file or the folder of a calibration; `file_format`: dimuon, cms-csv or nanoaod, recognised if None;
    `tree`, `columns`, `max_bad_share`, `fallback`: as in [input] of a configuration; `variation`: see
    `Corrections.variation_names`; `slim`: only muons and the numbers of their events."""
    from muonkit.io.config import Table
    from muonkit.io.places import place
    from muonkit.pipelines.apply import apply

    table = Table(file_format, tree, columns or {}, max_bad_share, fallback)
    correction = "stretch" if stretch else "smear" if smear else "scale"
    return apply(_corrections(corrections), place(fspath(file)), Path(out), table, variation, correction, slim)


def convert(rochester: AnyPath, out: AnyPath, sets: Iterable[str] = ()) -> "ConvertResult":
    """Write Rochester corrections, a text file, as correctionlib JSON. `sets`: names of the sets of variations."""
    from muonkit.pipelines.convert import convert

    return convert(Path(rochester), Path(out), tuple(sets))


def compare(
    corrections: AnyPath, others: Iterable[AnyPath], out: AnyPath, pt: Iterable[float] = (6, 20, 45), layers: int = 13
) -> "CompareResult":
    """Corrections, a file or the folder of a calibration, against `others` on one grid; figures and JSON in `out`.

    `others`: Rochester text files, JSON of MuonScaRe or of muonkit; `pt` [GeV]; `layers`: tracker layers of muons whose
    resolution is compared."""
    from muonkit.pipelines.compare import compare

    return compare(_corrections(corrections), [Path(path) for path in others], Path(out), tuple(pt), layers)


def write_report(out: AnyPath, validation: AnyPath | None = None) -> "ReportResult":
    """Write report.html and report.json of a finished calibration or validation anew (`muonkit report`).

    `validation`: folder of a validation to show on the page of a calibration; out/validation if None."""
    from muonkit.pipelines.report import report

    return report(Path(out), None if validation is None else Path(validation))


def simulate_dimuons(config: AnyPath, out: AnyPath, jobs: int = 1, work: Runner | None = None) -> "SimulationResult":
    """A file of J/psi, psi(2S), Upsilon or Z to two muons with known truth (`muonkit simulate dimuons`)."""
    from muonkit.pipelines.simulate import simulate_dimuons

    with _running(jobs, work) as open_work:
        return simulate_dimuons(Path(config), Path(out), open_work)


def simulate_tracks(detector: "Detector | AnyPath", gun: "Gun", n: int, seed: int) -> "tuple[Truth, Hits]":
    """`n` particles of the gun through a detector, a name or a file: what truly happened, and the hits of it."""
    from muonkit.simulation.tracker.tracks import simulate_tracks

    return simulate_tracks(_detector(detector), gun, n, seed)


def simulate_track_sample(
    config: AnyPath, out: AnyPath, jobs: int = 1, work: Runner | None = None
) -> "TrackSampleResult":
    """Files of hits and truth of particles or pairs in a tracker (`muonkit simulate tracks`)."""
    from muonkit.pipelines.simulate_tracks import simulate_track_sample

    with _running(jobs, work) as open_work:
        return simulate_track_sample(Path(config), Path(out), open_work)


def study(config: AnyPath, out: AnyPath, jobs: int = 1, work: Runner | None = None) -> "StudyResult":
    """From hits to corrections: the scale left after each stage, in the folder `out` (`muonkit study`).

    Steps that are done are not done again."""
    from muonkit.pipelines.full_study import study

    with _running(jobs, work) as open_work:
        return study(Path(config), Path(out), open_work)


def simulate_klm(config: AnyPath, out: AnyPath, jobs: int = 1, work: Runner | None = None) -> Any:
    """Tracks and hits of a muon detector, for identification (`muonkit simulate klm`)."""
    from muonkit.pipelines.simulate_klm import simulate_klm

    with _running(jobs, work) as open_work:
        return simulate_klm(Path(config), Path(out), open_work)


def refit(
    hits: "Hits",
    detector: "Detector | AnyPath",
    start: "BoundStates | None" = None,
    fitting: "FitSettings | None" = None,
    momentum: float = 10.0,
) -> "FittedTracks":
    """Hits -> tracks by Kalman filter and smoother; `start`: a state per track on its first surface, else a helix
    through three of its hits. momentum [GeV]: of such a track where no field bends it."""
    from muonkit.tracking.fit import FitSettings, fit
    from muonkit.tracking.seed import seed

    described = _detector(detector)
    begin = seed(hits, described, momentum) if start is None else start
    return fit(hits, begin, described, fitting=fitting or FitSettings())


def align(config: AnyPath, out: AnyPath, jobs: int = 1, work: Runner | None = None) -> "AlignResult":
    """Tables of hits -> corrections of the modules of a tracker, its weak modes, and a page, in the folder `out`."""
    from muonkit.pipelines.align import align

    with _running(jobs, work) as open_work:
        return align(Path(config), Path(out), open_work)


def identify(config: AnyPath, out: AnyPath, jobs: int = 1, work: Runner | None = None) -> Any:
    """Tracks and hits of a muon detector -> likelihoods of six species, one row per track in the file `out`."""
    from muonkit.pipelines.identify import identify_tables

    with _running(jobs, work) as open_work:
        return identify_tables(Path(config), Path(out), open_work)


def build_pdfs(config: AnyPath, out: AnyPath, jobs: int = 1, work: Runner | None = None) -> Any:
    """Simulated samples -> the payload of the likelihood in the file `out` (`muonkit pdfs build`)."""
    from muonkit.pipelines.pdfs import build_pdfs

    with _running(jobs, work) as open_work:
        return build_pdfs(Path(config), Path(out), open_work)


def performance(config: AnyPath, out: AnyPath) -> Any:
    """Identified tracks and their truth -> efficiencies, fake rates and cuts in the folder `out`."""
    from muonkit.pipelines.performance import performance

    return performance(Path(config), Path(out))


def make_benchmark(out: AnyPath, events: int | None = None, jobs: int = 1, work: Runner | None = None) -> Any:
    """The sample of the public benchmark of identification, by the fast engine, in the folder `out`; events: so many in
    place of a million."""
    from muonkit.pipelines.benchmark.make import make_benchmark

    with _running(jobs, work) as open_work:
        return make_benchmark(Path(out), open_work, events=events)


def score_benchmark(folder: AnyPath, scores: Iterable[AnyPath], out: AnyPath, columns: Iterable[str] = ()) -> Any:
    """Tables of scores of the tracks of a benchmark -> fake rates, in the file `out`; columns: more scores."""
    from muonkit.pipelines.benchmark.score import score_benchmark

    return score_benchmark(Path(folder), [Path(one) for one in scores], Path(out), tuple(columns))


def open_store(location: AnyPath, payloads: AnyPath | None = None) -> "Store":
    """The store of conditions in a folder or at a PostgreSQL URL (with `payloads`, the folder of its files). It checks
    the content of every payload by its schema."""
    from muonkit.pipelines.conditions import opened

    return opened(fspath(location), None if payloads is None else Path(payloads))


def create_store(location: AnyPath, payloads: AnyPath | None = None) -> "Store":
    """As `open_store`, but made if absent, and migrated if it is of an older version (`muonkit conditions create`)."""
    from muonkit.pipelines.conditions import create

    create(fspath(location), None if payloads is None else Path(payloads))
    return open_store(location, payloads)


@contextmanager
def _running(jobs: int, work: Runner | None) -> Iterator[Runner]:
    if work is not None:
        yield work
        return
    with runner(jobs, progress=bar if sys.stderr.isatty() else silent) as own:
        yield own


def _corrections(given: AnyPath) -> Path:
    path = Path(given)
    return path / "corrections.json.gz" if path.is_dir() else path


def _detector(given: "Detector | AnyPath") -> "Detector":
    from muonkit.detector.detector import load_detector

    return load_detector(fspath(given)) if isinstance(given, str | PathLike) else given
