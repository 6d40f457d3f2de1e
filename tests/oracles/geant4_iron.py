"""Geant4 through a block of magnetised iron: `python -m tests.oracles.geant4_iron OUT.json [--events N] [--jobs 2]`.

Fifteen plates of 4.7 cm of iron, the first from z = 0, 1.5 T along y inside the plates only; in the middle of every gap
of 4.4 cm a scintillator of 1 cm; vacuum between. The particle starts along z before the first plate. Three tables:

mean    ionisation without fluctuations: deterministic. Geant4 bends a step with the momentum at its beginning and takes
        the loss at its end, so the deflection is short by a part proportional to the step: 1.9 % of x at 2 GeV behind
        15 plates in one step per plate, 4e-3 with 10 mm, 1e-5 with 0.02 mm. The table is made with 0.02 mm.
        `convergence` shows the approach, `one step per plate` what comes without a limit, with air in the gaps.
        Geant4 caps its cuts at 10 GeV: at 20 GeV the loss leaves out larger transfers, 0.3 % of it.
spread  muons with all of FTFP_BERT and lateral displacement; what they make is not followed.
dedx    mean losses by G4EmCalculator."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = ROOT.parent / "shared" / "tools" / "geant4_substitute_data.py"
DATA = (
    *("G4NEUTRONHPDATA", "G4LEDATA", "G4LEVELGAMMADATA", "G4RADIOACTIVEDATA", "G4PARTICLEXSDATA", "G4PIIDATA"),
    *("G4REALSURFACEDATA", "G4SAIDXSDATA", "G4ABLADATA", "G4INCLDATA", "G4ENSDFSTATEDATA", "G4CHANNELINGDATA"),
)
ESSENTIAL = ("G4LEDATA", "G4PARTICLEXSDATA", "G4ENSDFSTATEDATA")  # without these the physics list does not start
PLATES, PLATE, PITCH, SCINTILLATOR = 15, 4.7, 9.1, 1.0  # cm
SLAB = 1e-5  # cm, thickness of the plane that looks; the one before a scintillator ends where it begins
EXITS = tuple(round(PITCH * i + PLATE, 6) for i in range(PLATES))
BEFORE = tuple(round(PITCH * i + (PLATE + PITCH - SCINTILLATOR) / 2 - SLAB, 6) for i in range(PLATES))
FINE = 0.02  # mm, step of the mean trajectory
STEPS = (10.0, 1.0, 0.1, FINE)
CHUNK = 10000  # events in one process
MEAN = (("mu-", 2.0), ("mu+", 2.0), ("mu-", 5.0), ("mu-", 20.0), ("pi+", 2.0), ("proton", 2.0))
SPREAD = (("mu-", 2.0, 1.0), ("mu-", 5.0, 0.5))  # particle, p [GeV], fraction of the events asked for
SPREAD_STEPS = (10.0, 1.0)  # mm
SPREAD_PLATES = (1, 5, 15)
ENERGIES = (0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.273, 0.3, 0.5, 1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 300, 500, 1000)
MATERIALS = ("G4_Fe", "G4_Si", "G4_POLYSTYRENE", "G4_CESIUM_IODIDE")
HADRONS = ("pi+", "kaon+", "proton")
Json = dict[str, Any]


class MissingError(RuntimeError):
    """Geant4 or its data are not here."""


@dataclass(frozen=True)
class Beam:
    """What one process shoots; p [GeV], field [T], step [mm] (0: no limit), physics `ionisation` or `full`."""

    particle: str
    p: float
    planes: tuple[float, ...]
    physics: str
    step: float
    field: float = 1.5
    events: int = 1
    seed: int = 1
    gap: str = "G4_Galactic"

    def job(self) -> Json:
        block = {"plates": PLATES, "plate": PLATE, "pitch": PITCH, "scintillator": SCINTILLATOR, "gap": self.gap}
        return {"kind": "beam", "block": block, **asdict(self)}


@dataclass(frozen=True)
class Stopping:
    """Whose mean loss in what; energies: kinetic [GeV], cuts [MeV] of the restricted ionisation."""

    particles: tuple[str, ...]
    materials: tuple[str, ...]
    energies: tuple[float, ...] = ENERGIES
    cuts: tuple[float, ...] = ()

    def job(self) -> Json:
        return {**Beam("mu-", 2.0, (), "full", 0.0).job(), **asdict(self), "kind": "stopping"}


def environment(scratch: Path) -> tuple[dict[str, str], str]:
    """Variables that tell Geant4 where its data are, and what these are; stand-ins are written into `scratch`."""
    given = dict(os.environ)
    if "GEANT4_DATA_DIR" in given or all(name in given for name in ESSENTIAL):
        return blanks(given, scratch), "as given by the environment"
    if not STAND_IN.exists():
        raise MissingError("Geant4 has no data here: set GEANT4_DATA_DIR, or G4LEDATA and its companions")
    subprocess.run([sys.executable, str(STAND_IN), str(scratch)], check=True, capture_output=True)
    made = {name: str(scratch / name) for name in DATA}
    return blanks(
        given | made, scratch
    ), "stand-in, made from formulas: neutrons, photons and electrons are not official"


def blanks(variables: dict[str, str], scratch: Path) -> dict[str, str]:
    """An empty directory for each set that is not given, so that none is asked for or downloaded."""
    if "GEANT4_DATA_DIR" in variables:
        return variables
    for name in DATA:
        (scratch / name).mkdir(parents=True, exist_ok=True)
        variables.setdefault(name, str(scratch / name))
    return variables


def run(job: Json, variables: dict[str, str]) -> dict[str, Any]:
    """The arrays of one job, done in a process of its own."""
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "out.npz"
        (Path(directory) / ".geant4_pybind").mkdir()  # geant4_pybind wants it at home, and fails where it is not
        command = [sys.executable, "-m", "tests.oracles.geant4_worker", json.dumps(job), str(out)]
        home = variables | {"HOME": directory}
        done = subprocess.run(
            command, cwd=ROOT, env=home, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )
        if done.returncode or not out.exists():
            raise RuntimeError(f"Geant4 ended with {done.returncode}: {done.stderr[-1000:]}")
        with np.load(out) as arrays:
            return dict(arrays)


class Farm:
    """Runs jobs beside each other, with the same data."""

    def __init__(self, variables: dict[str, str], jobs: int) -> None:
        self.variables, self.jobs = variables, jobs

    def __call__(self, jobs: Iterable[Json]) -> list[dict[str, Any]]:
        with ThreadPoolExecutor(self.jobs) as pool:
            return list(pool.map(lambda job: run(job, self.variables), jobs))


def rounded(array: Any, digits: int = 8) -> Any:
    return [rounded(a, digits) for a in array] if np.ndim(array) else float(f"{float(array):.{digits}g}")


def name(particle: str, p: float) -> str:
    return f"{particle} {p:g} GeV"


def mean_beam(particle: str, p: float, step: float = FINE) -> Beam:
    return Beam(particle, p, (*EXITS, *BEFORE), "ionisation", step)


def trajectory(arrays: dict[str, Any]) -> Json:
    """Rows (x, y, z [cm], px, py, pz [GeV]) at the exit of every plate and just before every scintillator that is
    reached; `end`: where the track ends (z = 400 is the end of the world)."""
    states = arrays["states"][0]
    exits, before = (rounded(s[~np.isnan(s[:, 0])]) for s in np.split(states, [PLATES]))
    return {"exit": exits, "scintillator": before, "end": rounded(arrays["ends"][0])}


def mean(farm: Farm) -> Json:
    """Deterministic trajectories, their convergence with the step, and one with no limit and air in the gaps."""
    beams = {name(*who): mean_beam(*who) for who in MEAN}
    beams |= {f"convergence {step:g} mm": mean_beam("mu-", 2.0, step) for step in STEPS}
    beams["one step per plate"] = replace(mean_beam("mu-", 2.0, 0.0), gap="G4_AIR")
    results = map(trajectory, farm(beam.job() for beam in beams.values()))
    table: Json = dict(zip(beams, results, strict=True))
    single = {f"{step:g} mm": thin(table.pop(f"convergence {step:g} mm")) for step in STEPS}
    return {
        "step_mm": FINE,
        "one step per plate": thin(table.pop("one step per plate")),
        "convergence": single,
        **table,
    }


def thin(whole: Json) -> Json:
    """Only plate 1 and scintillators 8 and 15."""
    return {
        "exit 1": whole["exit"][0],
        "scintillator 8": whole["scintillator"][7],
        "scintillator 15": whole["scintillator"][14],
    }


def spread_beams(particle: str, p: float, events: int, step: float, seed: int) -> list[Beam]:
    """Beams of at most CHUNK events with seeds of their own."""
    planes = tuple(EXITS[plate - 1] for plate in SPREAD_PLATES)
    sizes = [min(CHUNK, events - first) for first in range(0, events, CHUNK)]
    return [Beam(particle, p, planes, "full", step, events=n, seed=seed + 10 * i) for i, n in enumerate(sizes)]


def observables(states: Any) -> dict[str, Any]:
    """x, y [cm], tx = px/p, ty = py/p, p [GeV] of those (n, 6) that arrive."""
    x, y, _, px, py, pz = states[~np.isnan(states[:, 0])].T
    p = np.sqrt(px**2 + py**2 + pz**2)
    return {"x": x, "y": y, "tx": px / p, "ty": py / p, "p": p}


def central(values: Any) -> Any:
    """Those between the 1 % and the 99 % quantile."""
    low, high = np.quantile(values, [0.01, 0.99])
    return values[(values >= low) & (values <= high)]


def half_width(values: Any) -> float:
    """Half of the interval from the 16 % to the 84 % quantile (15.87 and 84.13)."""
    low, high = np.quantile(values, [0.158655, 0.841345])
    return float(high - low) / 2


def summary(values: dict[str, Any]) -> dict[str, float]:
    """`x.mean`, `x.rms`, `x.half`, `x.rms98` ... of each observable, and the correlation of y and ty."""
    figures = {"mean": np.mean, "rms": np.std, "half": half_width, "rms98": lambda v: np.std(central(v))}
    table = {f"{key}.{what}": float(f(v)) for key, v in values.items() for what, f in figures.items()}
    return table | {"corr(y,ty)": float(np.corrcoef(values["y"], values["ty"])[0, 1])}


def errors(values: dict[str, Any], replicas: int = 100) -> dict[str, float]:
    """Statistical errors of the summary, by the bootstrap."""
    rng, n = np.random.default_rng(1), len(values["x"])
    picks = (rng.integers(0, n, n) for _ in range(replicas))
    samples = [summary({key: v[pick] for key, v in values.items()}) for pick in picks]
    return {key: float(np.std([sample[key] for sample in samples], ddof=1)) for key in samples[0]}


def at_plane(states: Any) -> Json:
    """Every figure with its error: {"x.mean": [value, error], ...}."""
    values = observables(states)
    table, error = summary(values), errors(values)
    pairs = {key: [rounded(table[key], 6), rounded(error[key], 2)] for key in table}
    return {"arrived": len(values["x"]), **pairs}


def spread(farm: Farm, particle: str, p: float, events: int, step: float, seed: int) -> Json:
    """Muons with all physics, at the exits of SPREAD_PLATES."""
    beams = spread_beams(particle, p, events, step, seed)
    states = np.concatenate([arrays["states"] for arrays in farm(beam.job() for beam in beams)])
    planes = {f"plate {plate}": at_plane(states[:, i]) for i, plate in enumerate(SPREAD_PLATES)}
    seeds = [beam.seed for beam in beams]
    return {"particle": particle, "p": p, "events": events, "step_mm": step, "seeds": seeds, **planes}


def spreads(farm: Farm, events: int) -> Json:
    asked = [(particle, p, int(part * events), step) for particle, p, part in SPREAD for step in SPREAD_STEPS]
    return {f"{name(a[0], a[1])}, {a[3]:g} mm": spread(farm, *a, 1000 * (i + 1)) for i, a in enumerate(asked)}


def dedx(farm: Farm) -> Json:
    """Rows of `columns` for every energy of T, by particle and material."""
    jobs = Stopping(("mu-",), MATERIALS), Stopping(HADRONS, ("G4_Fe",))
    muon, hadrons = (rounded(arrays["dedx"], 6) for arrays in farm(job.job() for job in jobs))
    table: Json = {"mu-": dict(zip(MATERIALS, muon[0], strict=True))}
    table |= {hadron: {"G4_Fe": rows[0]} for hadron, rows in zip(HADRONS, hadrons, strict=True)}
    columns = ["total", "ionisation", "bremsstrahlung", "pair production"]
    return {"unit": "MeV cm2/g", "columns": columns, "T": list(ENERGIES), **table}


def version(farm: Farm) -> str:
    return str(farm([mean_beam("mu-", 2.0, 0.0).job()])[0]["version"]).strip("$ ").removeprefix("Name: ")


def oracle(events: int, jobs: int, command: str) -> Json:
    """All tables and where they come from."""
    with tempfile.TemporaryDirectory() as directory:
        variables, data = environment(Path(directory))
        farm = Farm(variables, jobs)
        about = {
            "command": command,
            "geant4": version(farm),
            "physics": "FTFP_BERT with G4StepLimiterPhysics; lateral displacement of muons in `spread`",
            "data": data,
            "seeds": "/random/setSeeds s s+1 with s from `seeds`; the mean trajectory uses no random numbers",
            "block": f"{PLATES} plates of {PLATE} cm G4_Fe every {PITCH} cm from z = 0, 1.5 T along y in the plates "
            "only, 1 cm G4_POLYSTYRENE in the middle of each gap, G4_Galactic elsewhere",
            "units": "cm, GeV; rows of the mean: x, y, z, px, py, pz; spread: [value, statistical error]",
        }
        return {"about": about, "mean": mean(farm), "spread": spreads(farm, events), "dedx": dedx(farm)}


def written(value: Any, indent: str = "") -> str:
    """JSON with one line for each list of numbers."""
    if not isinstance(value, dict):
        return json.dumps(value)
    inner = indent + " "
    rows = (f"{inner}{json.dumps(key)}: {written(item, inner)}" for key, item in value.items())
    return "{\n" + ",\n".join(rows) + f"\n{indent}}}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.oracles.geant4_iron", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--events", type=int, default=60000, help="muons of 2 GeV; half as many of 5 GeV")
    parser.add_argument("--jobs", type=int, default=2)
    chosen = parser.parse_args()
    command = f"python -m tests.oracles.geant4_iron OUT.json --events {chosen.events} --jobs {chosen.jobs}"
    chosen.out.write_text(written(oracle(chosen.events, chosen.jobs, command)) + "\n")


if __name__ == "__main__":
    main()
