"""A process for one Geant4 run: `python -m muonkit.simulation.geant4.serve MODULE PARENT JOB.npz OUT.npz`, started by
`engine`. It ends with the process PARENT, which started it. MODULE is `worker` or `targets`."""

import os
import sys
from importlib import import_module
from pathlib import Path

import numpy as np

from muonkit.core.stopping import end_with_parent


def serve(module: str, parent: str, job: str, out: str) -> None:
    """Read the job, write what comes of it, and end: the interpreter would crash when it takes Geant4 apart."""
    end_with_parent(int(parent))
    run = import_module(f"muonkit.simulation.geant4.{module}").run
    with np.load(Path(job), allow_pickle=False) as archive:
        arrays = dict(archive)
    done = run(arrays)
    np.savez(Path(out), version=str(sys.modules["geant4_pybind"].G4Version), **done)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    serve(*sys.argv[1:])
