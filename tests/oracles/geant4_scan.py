"""Densities along straight lines through a detector as Geant4 has it: `python -m tests.oracles.geant4_scan JOB.npz
OUT.npz`. JOB: detector (a name or path), start (n, 3) and direction (n, 3), length [cm]. OUT: column (n,) [g/cm2] of
each line; overlaps: how many volumes Geant4 finds to overlap. Geant4's navigator alone, without physics."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from muonkit.core.arrays import FloatArray
from tests.oracles.geant4_iron import blanks


def scan(
    detector: str, start: FloatArray, direction: FloatArray, length: float, folder: Path
) -> tuple[FloatArray, int]:
    """Column (n,) [g/cm2] of lines from start (n, 3) [cm], and the number of overlaps; in a process of its own."""
    (folder / ".geant4_pybind").mkdir()
    job, out = folder / "job.npz", folder / "out.npz"
    np.savez(job, detector=detector, start=start, direction=direction, length=length)
    home = blanks(dict(os.environ), folder) | {"HOME": str(folder)}  # sets are asked for at import, none is read
    subprocess.run([sys.executable, "-m", __name__, str(job), str(out)], env=home, check=True, capture_output=True)
    with np.load(out) as found:
        return found["column"], int(found["overlaps"])


def main() -> None:
    import geant4_pybind as g4

    from muonkit.detector.detector import load_detector
    from muonkit.simulation.geant4.world import Geant4World, Options

    with np.load(sys.argv[1]) as job:
        detector, start, direction, length = (job[name] for name in ("detector", "start", "direction", "length"))
    world = Geant4World(load_detector(str(detector)), Options(0.0), None)
    whole = world.Construct()
    navigator = g4.G4Navigator()
    navigator.SetWorldVolume(whole)
    column = [line(g4, navigator, *pair, float(length)) for pair in zip(start, direction, strict=True)]
    daughters = (whole.GetLogicalVolume().GetDaughter(i) for i in range(whole.GetLogicalVolume().GetNoDaughters()))
    overlaps = sum(bool(one.CheckOverlaps(300, 1e-4 * g4.cm, False)) for one in daughters)
    np.savez(sys.argv[2], column=np.array(column), overlaps=overlaps)
    sys.stdout.flush()
    os._exit(0)  # the interpreter crashes when it takes Geant4 apart


def line(g4, navigator, start, direction, length):
    """g/cm2 on one line."""
    point, along = g4.G4ThreeVector(*(start * g4.cm)), g4.G4ThreeVector(*direction)
    here, gone, total = navigator.LocateGlobalPointAndSetup(point, None, False), 0.0, 0.0
    while here is not None and gone < length * g4.cm:
        step = min(navigator.ComputeStep(point, along, length * g4.cm - gone, 0.0), length * g4.cm - gone)
        total += step * here.GetLogicalVolume().GetMaterial().GetDensity()
        gone += step
        point = point + along * step
        navigator.SetGeometricallyLimitedStep()
        here = navigator.LocateGlobalPointAndSetup(point, along, True)
    return total / (g4.g / g4.cm2)


if __name__ == "__main__":
    main()
