"""muonkit: how large is a muon's momentum, and is it a muon at all.

    import muonkit
    result = muonkit.calibrate("calibrate.toml", "OUT", jobs=2)
    print(result)                       # a table, and what to do about it
    result.A, result.errors["A"]        # per eta bin

The names below are loaded when they are first used: `import muonkit` costs nothing."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from muonkit.api import (
        align,
        apply,
        build_pdfs,
        calibrate,
        compare,
        convert,
        create_store,
        forecast,
        identify,
        make_benchmark,
        open_store,
        performance,
        refit,
        score_benchmark,
        simulate_dimuons,
        simulate_klm,
        simulate_track_sample,
        simulate_tracks,
        study,
        validate,
        write_report,
    )
    from muonkit.calibration.export import Corrections
    from muonkit.calibration.forecast_result import ForecastResult
    from muonkit.calibration.result import CalibrationResult, ValidationResult
    from muonkit.core.errors import InputError
    from muonkit.core.result import Result
    from muonkit.detector.detector import Detector, load_detector
    from muonkit.pipelines.apply import ApplyResult
    from muonkit.pipelines.compare import CompareResult
    from muonkit.pipelines.convert import ConvertResult
    from muonkit.pipelines.report import ReportResult
    from muonkit.pipelines.simulate import SimulationResult
    from muonkit.run.runner import Runner, runner
    from muonkit.simulation.gun import Gun
    from muonkit.tracking.fit import FitSettings
    from muonkit.tracking.fitted import FittedTracks

__version__ = "0.1.0"

_VERBS = (
    "align", "apply", "build_pdfs", "calibrate", "compare", "convert", "create_store", "forecast", "identify",
    "make_benchmark", "open_store", "performance", "refit", "score_benchmark", "simulate_dimuons", "simulate_klm",
    "simulate_track_sample", "simulate_tracks", "study", "validate", "write_report",
)  # fmt: skip
_HOMES = dict.fromkeys(_VERBS, "api") | {
    "ApplyResult": "pipelines.apply",
    "CalibrationResult": "calibration.result",
    "CompareResult": "pipelines.compare",
    "ConvertResult": "pipelines.convert",
    "Corrections": "calibration.export",
    "Detector": "detector.detector",
    "FitSettings": "tracking.fit",
    "FittedTracks": "tracking.fitted",
    "ForecastResult": "calibration.forecast_result",
    "Gun": "simulation.gun",
    "InputError": "core.errors",
    "ReportResult": "pipelines.report",
    "Result": "core.result",
    "Runner": "run.runner",
    "SimulationResult": "pipelines.simulate",
    "ValidationResult": "calibration.result",
    "load_detector": "detector.detector",
    "runner": "run.runner",
}

__all__ = [
    "ApplyResult",
    "CalibrationResult",
    "CompareResult",
    "ConvertResult",
    "Corrections",
    "Detector",
    "FitSettings",
    "FittedTracks",
    "ForecastResult",
    "Gun",
    "InputError",
    "ReportResult",
    "Result",
    "Runner",
    "SimulationResult",
    "ValidationResult",
    "align",
    "apply",
    "build_pdfs",
    "calibrate",
    "compare",
    "convert",
    "create_store",
    "forecast",
    "identify",
    "load_detector",
    "make_benchmark",
    "open_store",
    "performance",
    "refit",
    "runner",
    "score_benchmark",
    "simulate_dimuons",
    "simulate_klm",
    "simulate_track_sample",
    "simulate_tracks",
    "study",
    "validate",
    "write_report",
]

if not TYPE_CHECKING:  # a type checker reads the imports above

    def __getattr__(name: str) -> Any:
        """The public name, loaded from where it lives. Raises AttributeError for any other."""
        if name not in _HOMES:
            raise AttributeError(f"module 'muonkit' has no attribute '{name}'")
        return getattr(import_module(f"muonkit.{_HOMES[name]}"), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
