"""Makes pythia_line.json: masses of q qbar -> gamma*/Z -> mu+ mu- (gamma ...) as PYTHIA's hard process makes them.

    python tests/simulation/dimuons/make_pythia_line.py

The mass is PDG's. PYTHIA computes the width, and the file records it. The parton densities are those of
`make_luminosities`. Histograms:

    line       before radiation, PYTHIA's running alpha and its two values of sin^2 theta
    shower     after radiation, alpha running with pT (PYTHIA's default)
    thomson    after radiation, alpha of the Thomson limit, which real photons have
    initial    as `shower`, with radiation of the quarks in full"""

import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from muonkit.core.arrays import FloatArray
from muonkit.core.files import write_json
from muonkit.core.particles import resonance
from muonkit.core.units import MUON_MASS

FILE = Path(__file__).with_name("pythia_line.json")
EDGES = np.linspace(60, 180, 601)
EVENTS = {"line": 10_000_000, "shower": 3_000_000, "thomson": 3_000_000, "initial": 400_000}
SHOWER = ("PartonLevel:MPI = off", "HadronLevel:all = off", "BeamRemnants:primordialKT = off")
SETTINGS = {
    "line": ("PartonLevel:all = off",),
    "shower": (*SHOWER, "PartonLevel:ISR = off"),
    "thomson": (*SHOWER, "PartonLevel:ISR = off", "TimeShower:alphaEMorder = -1"),
    "initial": SHOWER,
}
BLOCKS = 8


def settings(kind: str, seed: int) -> Iterator[str]:
    """PYTHIA's settings of one histogram."""
    yield from ("Print:quiet = on", "Random:setSeed = on", f"Random:seed = {seed}", "Beams:eCM = 13000")
    yield from ("WeakSingleBoson:ffbar2gmZ = on", "PDF:pSet = 20", "23:onMode = off", "23:onIfAny = 13")
    yield from (f"13:m0 = {MUON_MASS!r}", f"23:m0 = {resonance('z').mass!r}")
    yield from ("PhaseSpace:mHatMin = 55", "PhaseSpace:mHatMax = 300", *SETTINGS[kind])


def started(kind: str, seed: int) -> Any:
    """An engine that makes one of the histograms."""
    import pythia8mc

    engine = pythia8mc.Pythia("", False)
    if not all(engine.readString(line) for line in settings(kind, seed)) or not engine.init():
        raise SystemExit("PYTHIA refuses a setting")
    return engine


def masses(kind: str, n: int, seed: int) -> FloatArray:
    """Masses [GeV] of n pairs."""
    engine = started(kind, seed)
    found = np.empty(n)
    for i in range(n):
        while not engine.next():
            pass
        found[i] = engine.process[5].m() if kind == "line" else _pair(engine.event)
    return found


def _pair(event: Any) -> float:
    """Mass [GeV] of the two muons of the hard process, after the photons that they radiate."""
    size = event.size()
    muons = [event[event[i].iBotCopyId()] for i in range(size) if event[i].idAbs() == 13 and event[i].statusAbs() == 23]
    return float((muons[0].p() + muons[1].p()).mCalc())


def histogram(kind: str, seed: int) -> list[int]:
    """One block of a histogram."""
    counts, _ = np.histogram(masses(kind, EVENTS[kind] // BLOCKS, seed), EDGES)
    return counts.tolist()


def main() -> None:
    with ProcessPoolExecutor(2) as pool:
        jobs = {kind: [pool.submit(histogram, kind, 1 + i) for i in range(BLOCKS)] for kind in EVENTS}
        counts = {kind: np.sum([job.result() for job in each], axis=0).tolist() for kind, each in jobs.items()}
    command = "python tests/simulation/dimuons/make_pythia_line.py"
    z = started("line", 1).particleData
    about = {"command": command, "pythia": version("pythia8mc"), "mass": z.m0(23), "width": z.mWidth(23)}
    write_json(FILE, about | {"edges": [60, 180, 601], "counts": counts})
    sys.stdout.write(f"{FILE}\n")


if __name__ == "__main__":
    main()
