"""Events through Geant4, in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from muonkit.core.arrays import AnyArray, FloatArray, IntArray
from muonkit.core.caches import machine_code_folder
from muonkit.core.errors import InputError
from muonkit.core.files import scratch
from muonkit.core.stopping import signals_blocked

SETS = (
    *("G4NEUTRONHPDATA", "G4LEDATA", "G4LEVELGAMMADATA", "G4RADIOACTIVEDATA", "G4PARTICLEXSDATA", "G4PIIDATA"),
    *("G4REALSURFACEDATA", "G4SAIDXSDATA", "G4ABLADATA", "G4INCLDATA", "G4ENSDFSTATEDATA", "G4CHANNELINGDATA"),
)
ESSENTIAL = ("G4LEDATA", "G4PARTICLEXSDATA", "G4ENSDFSTATEDATA")  # without these the physics list does not start
QUIET: dict[str, Any] = {
    "stdin": subprocess.DEVNULL,
    "stdout": subprocess.PIPE,
    "stderr": subprocess.STDOUT,
    "text": True,
    "errors": "replace",
}
WHOLE = "GEANT4_DATA_DIR"


@dataclass(frozen=True)
class Job:
    """states (n, 6): position [cm] and momentum [GeV] of the primaries; codes (n,): their PDG codes; start: radius and
    ends in z [cm] of the tracker; step [mm]: longest in matter; cut [mm]: range below which delta rays and photons
    are not made; least, neutrons [MeV]: kinetic energy below which secondaries, and neutrons, are dropped."""

    detector: str
    states: FloatArray
    codes: IntArray
    seed: int
    start: tuple[float, float, float]
    step: float = 10.0
    cut: float = 10.0
    least: float = 1.0
    neutrons: float = 5.0
    field: str = "own"


def data_sets(folder: Path | None, scratch: Path) -> dict[str, str]:
    """Environment that tells Geant4 where its data are: those in `folder`, which holds one directory per variable, or
    what the environment names. Sets that are not needed are empty directories in `scratch`, so that none is asked for.

    Raises InputError if there are no data, or no Geant4."""
    if find_spec("geant4_pybind") is None:
        raise InputError("engine: geant4 is not installed. pip install 'muonkit[geant4]', or take engine = \"fast\".")
    given = dict(os.environ)
    if folder is not None:
        given |= {name: str(folder / name) for name in SETS if (folder / name).is_dir()}
        given.pop(WHOLE, None)
    missing = [name for name in ESSENTIAL if name not in given]
    if missing and WHOLE not in given:
        raise InputError(
            f"engine: Geant4 has no data ({', '.join(missing)}). Set {WHOLE} or these variables, or name a folder with "
            "a directory for each in geant4.data (of a benchmark: --data)."
        )
    if WHOLE not in given:
        for name in SETS:
            (scratch / name).mkdir(parents=True, exist_ok=True)
            given.setdefault(name, str(scratch / name))
    return given


def is_stand_in(environment: Mapping[str, str]) -> bool:
    """Whether the data are not the official ones: these hold hundreds of files that stand-ins have no use for."""
    where = environment.get("G4LEDATA") or str(Path(environment[WHOLE]) / "G4EMLOW")
    return not any(Path(where).glob("**/livermore/**/*.dat"))


def run(job: Job, folder: Path | None = None) -> dict[str, AnyArray]:
    """The arrays of `worker.run`, and `version` and `stand_in`. Raises InputError, see `data_sets`, and if Geant4
    fails."""
    return launch("worker", {name: getattr(job, name) for name in job.__dataclass_fields__}, folder)


def launch(module: str, job: Mapping[str, Any], folder: Path | None) -> dict[str, AnyArray]:
    """What a module of this room makes of a job, in a process of its own. Raises as `run`."""
    with scratch() as directory:
        environment = data_sets(folder, directory)
        (directory / ".geant4_pybind").mkdir()  # geant4_pybind wants it at home, and fails where it is not
        place, out = directory / "job.npz", directory / "out.npz"
        np.savez(place, **job)
        command = [
            sys.executable,
            "-m",
            "muonkit.simulation.geant4.serve",
            module,
            str(os.getpid()),
            str(place),
            str(out),
        ]
        home = environment | {"HOME": str(directory), "NUMBA_CACHE_DIR": cache(directory)}
        with signals_blocked():
            process = subprocess.Popen(command, env=home, **QUIET)
        with process:
            words = process.communicate()[0]
        if process.returncode or not out.exists():
            said = [line for line in words.splitlines() if line.strip()][-1:]
            raise InputError(f"engine: Geant4 ended with {process.returncode}: {' '.join(said)}")
        with np.load(out, allow_pickle=False) as arrays:
            return dict(arrays) | {"stand_in": np.array(is_stand_in(environment))}


def cache(otherwise: Path) -> str:
    """Where compiled kernels are kept, for a process with another home."""
    return str(machine_code_folder(os.environ.get("NUMBA_CACHE_DIR", "")) or otherwise)
