"""Makes pythia_line.json: the line of q qbar -> gamma*/Z -> mu+ mu- and the masses lost to photons, as PYTHIA has them.

    python tests/simulation/dimuons/make_pythia_line.py

`counts`: masses before radiation, of the hard process at 13 TeV. The mass is PDG's. PYTHIA computes the width, and the
file records it. The parton densities are those of `make_luminosities`.

`lost`: histograms of 1 - m/M, where M is the mass of the parent, with alpha that runs with pT (`running`, PYTHIA's
default) and with alpha of the Thomson limit (`thomson`), which real photons have. The Z comes from the hard process,
J/psi and Upsilon from the gun. `z-initial` has the radiation of the quarks, too."""

import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from muonkit.core.arrays import FloatArray
from muonkit.core.files import write_json
from muonkit.core.particles import PDG_ID, resonance
from muonkit.core.units import MUON_MASS
from muonkit.simulation.dimuons import pythia

FILE = Path(__file__).with_name("pythia_line.json")
EDGES = np.linspace(60, 180, 601)
LOST = np.concatenate([[-1e-6], np.geomspace(1e-6, 1, 181)])
LINE, BLOCKS = 8_000_000, 8
EVENTS = {
    "running": {"z": 1_200_000, "z-initial": 80_000, "jpsi": 800_000, "upsilon1s": 800_000},
    "thomson": {"z": 480_000, "jpsi": 400_000, "upsilon1s": 400_000},
}
ALPHA = {"running": 1, "thomson": 0}  # TimeShower:alphaEMorder
HARD = ("WeakSingleBoson:ffbar2gmZ = on", "PDF:pSet = 20", "23:onMode = off", "23:onIfAny = 13", "Beams:eCM = 13000")
SHOWER = ("PartonLevel:MPI = off", "HadronLevel:all = off", "BeamRemnants:primordialKT = off")


def started(*settings: str, seed: int) -> Any:
    """An engine with muons of the right mass."""
    import pythia8mc

    engine = pythia8mc.Pythia("", False)
    first = ("Print:quiet = on", "Random:setSeed = on", f"Random:seed = {seed}", f"13:m0 = {MUON_MASS!r}")
    if not all(engine.readString(line) for line in (*first, *settings)) or not engine.init():
        raise SystemExit("PYTHIA refuses a setting")
    return engine


def hard(*settings: str, seed: int) -> Any:
    """An engine of the hard process."""
    z = f"23:m0 = {resonance('z').mass!r}"
    return started(*HARD, z, "PhaseSpace:mHatMin = 55", "PhaseSpace:mHatMax = 300", *settings, seed=seed)


def events(engine: Any, n: int) -> Iterator[Any]:
    """n events."""
    for _ in range(n):
        while not engine.next():
            pass
        yield engine


def line(n: int, seed: int) -> list[int]:
    """Histogram of the masses of n pairs before radiation."""
    engine = hard("PartonLevel:all = off", seed=seed)
    masses = np.fromiter((each.process[5].m() for each in events(engine, n)), float, n)
    return np.histogram(masses, EDGES)[0].tolist()


def decays(n: int, seed: int) -> FloatArray:
    """Mass [GeV], rapidity, and cos theta of mu- along the z axis, of n pairs before radiation; (n, 3)."""
    found = np.empty((n, 3))
    for i, each in enumerate(events(hard("PartonLevel:all = off", seed=seed), n)):
        minus, plus = sorted((each.process[6], each.process[7]), key=lambda muon: -muon.id())
        found[i] = each.process[5].m(), each.process[5].y(), np.tanh((minus.y() - plus.y()) / 2)
    return found


def lost(name: str, alpha: str, n: int, seed: int) -> list[int]:
    """Histogram of 1 - m/M of n pairs."""
    order = f"TimeShower:alphaEMorder = {ALPHA[alpha]}"
    if name in PDG_ID and name != "z":
        found = _gun(name, order, n, seed)
    else:
        initial = () if name.endswith("initial") else ("PartonLevel:ISR = off",)
        engine = hard(*SHOWER, *initial, order, seed=seed)
        found = np.fromiter((_pair(each.event) / each.process[5].m() for each in events(engine, n)), float, n)
    return np.histogram(1 - found, LOST)[0].tolist()


def _pair(event: Any) -> float:
    """Mass [GeV] of the two muons of the hard process, after the photons that they radiate."""
    size = event.size()
    muons = [event[event[i].iBotCopyId()] for i in range(size) if event[i].idAbs() == 13 and event[i].statusAbs() == 23]
    return float((muons[0].p() + muons[1].p()).mCalc())


def _gun(name: str, order: str, n: int, seed: int) -> FloatArray:
    """m/M of n decays at rest."""
    engine, m0, found = started(*pythia._settings(name), order, seed=seed), resonance(name).mass, np.empty(n)
    for i in range(n):
        momenta = np.array(pythia._gun(engine, PDG_ID[name], [0.0, 0.0, 0.0, m0, m0]))
        energy = np.sqrt((momenta**2).sum(axis=1) + MUON_MASS**2).sum()
        found[i] = np.sqrt(energy**2 - (momenta.sum(axis=0) ** 2).sum()) / m0
    return found


def main() -> None:
    with ProcessPoolExecutor(2) as pool:
        lines = [pool.submit(line, LINE // BLOCKS, 1 + i) for i in range(BLOCKS)]
        jobs = {
            (name, alpha): [pool.submit(lost, name, alpha, n // BLOCKS, 1 + i) for i in range(BLOCKS)]
            for alpha in ALPHA
            for name, n in EVENTS[alpha].items()
        }
        counts = np.sum([job.result() for job in lines], axis=0).tolist()
        losses = {" ".join(key): np.sum([job.result() for job in each], axis=0).tolist() for key, each in jobs.items()}
    command = "python tests/simulation/dimuons/make_pythia_line.py"
    z = hard("PartonLevel:all = off", seed=1).particleData
    about = {"command": command, "pythia": version("pythia8mc"), "mass": z.m0(23), "width": z.mWidth(23)}
    write_json(FILE, about | {"counts": counts, "lost": losses})
    sys.stdout.write(f"{FILE}\n")


if __name__ == "__main__":
    main()
