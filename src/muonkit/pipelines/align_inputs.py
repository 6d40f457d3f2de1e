"""What `muonkit align` takes besides hits: what the mass of pairs should be, and whose errors are wanted."""

from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from muonkit.alignment import reference
from muonkit.alignment.folded import FEW, standing_for
from muonkit.alignment.parameters import SIZE
from muonkit.core.arrays import IntArray
from muonkit.core.errors import InputError
from muonkit.core.limits import shown
from muonkit.core.particles import WINDOW, resonance
from muonkit.detector.detector import Detector
from muonkit.io.columns import read_columns
from muonkit.pipelines.align_config import MOST_ERRORS, AlignConfig, MassChoice, kinds_of
from muonkit.pipelines.align_piece import MassJob, usable

COLUMNS = ("mass", "mass_error", "vertex_chi2")


def mass_job(choice: MassChoice, kinds: IntArray, base: Path, detector: Detector) -> MassJob:
    """What pairs should weigh. Raises InputError for a table of simulated pairs that cannot be used."""
    window, width = choice.window or WINDOW[choice.resonance], resonance(choice.resonance).width / 2
    all_of_it = choice.acts_on == "everything" or (choice.acts_on == "auto" and len(detector.layers) <= FEW)
    standing = None if all_of_it else standing_for(detector)
    if choice.reference is not None:
        return MassJob(reference.fixed(choice.reference), window, width, standing, kinds)
    return MassJob(_of_simulation(base / str(choice.simulation), window, width), window, width, standing, kinds)


def _of_simulation(path: Path, window: tuple[float, float], width: float) -> reference.MassReference:
    columns = read_columns(path, COLUMNS)
    missing = [name for name in COLUMNS if name not in columns]
    if missing:
        raise InputError(f"{path}: has no column {', '.join(missing)}; give a table of pairs of `muonkit refit`")
    mass, error, chi2 = (columns[name].astype(np.float64) for name in COLUMNS)
    used = usable(mass, error, chi2, window)
    try:
        return reference.reference_of(mass[used], np.hypot(error[used], width))
    except InputError as fault:
        raise InputError(f"{path}: {line.removeprefix('alignment: ')}" for line in fault.faults) from None


def asked_of(config: AlignConfig, detector: Detector) -> IntArray:
    """The parameters whose errors are wanted. Raises InputError for a pattern that fits no surface, also of references,
    and for too many parameters."""
    rows_of("alignment.reference", config.alignment.reference, detector)
    rows = rows_of("errors", config.errors, detector)
    asked: IntArray = (SIZE * rows[:, None] + kinds_of(config.alignment)).reshape(-1)
    if len(asked) > MOST_ERRORS:
        raise InputError(f"errors: of {len(asked)} parameters; {MOST_ERRORS} are the most. Give narrower patterns.")
    return asked


def rows_of(key: str, patterns: tuple[str, ...], detector: Detector) -> IntArray:
    """Surfaces (k,) whose names fit one of the patterns. Raises InputError for each that fits none."""
    fits = {each: [i for i, name in enumerate(detector.layers) if fnmatchcase(name, each)] for each in patterns}
    lost = [shown(each) for each, rows in fits.items() if not rows]
    if lost:
        like = f"names are like {shown(', '.join(detector.layers[:3]))}"
        raise InputError(f"{key}: no surface of {detector.name} fits '{each}'; {like}" for each in lost)
    return np.unique(np.array([row for each in fits.values() for row in each], dtype=np.int64))
