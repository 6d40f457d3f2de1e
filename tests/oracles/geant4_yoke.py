"""Geant4 through the Belle II-like detector: `python -m tests.oracles.geant4_yoke OUT.json [--events N] [--jobs 2]`.

Muons from one state in front of the calorimeter, through crystals, coil and yoke, in the detector's own field. At every
plane of the muon detector that the primary reaches: local coordinates and momentum. Two tables per beam:

spread  all of FTFP_BERT with lateral displacement, steps of 10 mm; what the primary makes is not followed
mean    ionisation without fluctuations, steps of 0.1 mm: deterministic

`speed` times the bare mean trajectory: nothing recorded, no limit of steps."""

import argparse
import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from muonkit.data.muid import BARREL_LAYERS
from muonkit.detector.detector import load_detector
from muonkit.detector.surfaces import to_local
from muonkit.muid.swim.kernels.planes import quadrant_of, sector_of
from muonkit.muid.swim.layout import build_layout
from tests.oracles.geant4_iron import ROOT, environment, half_width, rounded, written

BELLE2 = load_detector("belle2")
LAYOUT = build_layout(BELLE2, 2)
CHUNK = 3000  # events in one process
LEAST = 0.2  # of the muons: layers that fewer reach are left out
Json = dict[str, Any]


def start(theta: float, phi: float, p: float) -> list[float]:
    """x, y, z [cm] and p [GeV] on a straight line from the origin, in front of the calorimeter; angles in degrees."""
    theta, phi = np.radians(theta), np.radians(phi)
    t = np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])
    ends = 120 / np.sin(theta), (190 if t[2] > 0 else 100) / abs(t[2])
    return [*(min(ends) * t).tolist(), *(p * t).tolist()]


BEAMS: dict[str, tuple[str, list[float]]] = {
    "mu- 1 GeV barrel 80 deg": ("mu-", start(80, 6, 1.0)),
    "mu- 2 GeV barrel 80 deg": ("mu-", start(80, 6, 2.0)),
    "mu+ 2 GeV barrel 70 deg": ("mu+", start(70, 186, 2.0)),
    "mu- 5 GeV barrel 65 deg": ("mu-", start(65, 96, 5.0)),
    "mu- 2 GeV forward 30 deg": ("mu-", start(30, 20, 2.0)),
    "mu+ 5 GeV forward 25 deg": ("mu+", start(25, 70, 5.0)),
    "mu- 2 GeV backward 138 deg": ("mu-", start(138, -40, 2.0)),
}


def run(job: Json, variables: dict[str, str]) -> Json:
    """The arrays of one job, done in a process of its own."""
    with tempfile.TemporaryDirectory() as directory:
        place, out = Path(directory) / "job.json", Path(directory) / "out.npz"
        (Path(directory) / ".geant4_pybind").mkdir()  # geant4_pybind wants it at home, and fails where it is not
        place.write_text(json.dumps(job))
        command = [sys.executable, "-m", "tests.oracles.geant4_yoke_worker", str(place), str(out)]
        done = subprocess.run(
            command, cwd=ROOT, env=variables | {"HOME": directory}, capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode or not out.exists():
            raise RuntimeError(f"Geant4 ended with {done.returncode}: {done.stderr[-1000:]}")
        with np.load(out) as arrays:
            return dict(arrays)


def job(particle: str, starts: list[list[float]], **more: Any) -> Json:
    """What the worker needs to know."""
    base = {
        "detector": "belle2",
        "physics": "full",
        "events": 1,
        "seed": 1,
        "step": 10.0,
        "field": "own",
        "planes": True,
    }
    return base | {"particle": particle, "starts": starts} | more


def surface_of(bit: int, point: Any) -> int:
    """Our plane of a layer where a point is."""
    section = int(point[2] > LAYOUT.z0)
    if bit >= BARREL_LAYERS:
        return int(LAYOUT.endcap[section, quadrant_of(point[0], point[1]), bit - BARREL_LAYERS])
    return int(LAYOUT.barrel[section, sector_of(LAYOUT, point[0], point[1]), bit])


def at_plane(states: Any, bit: int) -> Json:
    """Figures of those (n, 6) that arrive: [loc0, loc1 [cm], p [GeV]] each, with errors by the bootstrap."""
    arrived = states[~np.isnan(states[:, 0])]
    surface = surface_of(bit, np.median(arrived[:, :3], axis=0))
    local = to_local(BELLE2.surfaces, np.full(len(arrived), surface), arrived[:, :3])
    values = np.column_stack((local, np.linalg.norm(arrived[:, 3:], axis=1)))
    rng = np.random.default_rng(1)
    picks = [rng.integers(0, len(values), len(values)) for _ in range(50)]
    figures = {"mean": lambda v: v.mean(axis=0), "half": lambda v: np.array([half_width(column) for column in v.T])}
    table: Json = {"surface": BELLE2.layers[surface], "arrived": len(arrived)}
    for name, figure in figures.items():
        table[name] = rounded(figure(values), 6)
        table[f"{name} error"] = rounded(np.std([figure(values[pick]) for pick in picks], axis=0), 2)
    return table


def layers_of(states: Any, least: float) -> dict[int, Any]:
    """Layer bit -> states, of the layers that enough muons reach."""
    reached = np.mean(~np.isnan(states[:, :, 0]), axis=0)
    return {int(bit): states[:, bit] for bit in np.flatnonzero(reached >= least)}


def beam(name: str, events: int, variables: dict[str, str], pool: ThreadPoolExecutor) -> Json:
    """Both tables of a beam."""
    particle, state = BEAMS[name]
    sizes = [min(CHUNK, events - first) for first in range(0, events, CHUNK)]
    seeds = [1000 * (1 + list(BEAMS).index(name)) + i for i in range(len(sizes))]
    jobs = [job(particle, [state], events=n, seed=seed) for n, seed in zip(sizes, seeds, strict=True)]
    jobs.append(job(particle, [state], physics="mean", step=0.1))
    *parts, mean = pool.map(lambda one: run(one, variables)["states"], jobs)
    spread = {str(bit): at_plane(s, bit) for bit, s in layers_of(np.concatenate(parts), LEAST).items()}
    trajectory = {str(bit): rounded(s[0]) for bit, s in layers_of(mean, 1.0).items()}
    return {
        "particle": particle,
        "start": rounded(state, 15),
        "events": events,
        "seeds": seeds,
        "spread": spread,
        "mean": trajectory,
    }


def speed(starts: list[list[float]], events: int, field: str = "uniform") -> tuple[float, Json]:
    """Tracks per second of CPU time for the bare mean trajectory of mu- (the best case: uniform fields in C++), and the
    states at the planes of the first of them in the detector's own field, for comparison."""
    with tempfile.TemporaryDirectory() as directory:
        variables, _ = environment(Path(directory))
        bare = run(job("mu-", starts, physics="mean", step=0.0, events=events, field=field, planes=False), variables)
        few = min(40, len(starts))
        compared = run(job("mu-", starts[:few], physics="mean", step=1.0, events=few), variables)
    return events / float(bare["seconds"]), compared


def oracle(events: int, jobs: int, command: str) -> Json:
    """All beams and where they come from."""
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(jobs) as pool:
        variables, data = environment(Path(directory))
        version = str(run(job("mu-", [BEAMS["mu- 2 GeV barrel 80 deg"][1]]), variables)["version"])
        about = {
            "command": command,
            "geant4": version.strip("$ ").removeprefix("Name: "),
            "physics": "FTFP_BERT with G4StepLimiterPhysics and lateral displacement of muons",
            "data": data,
            "units": "cm, GeV; start and mean: x, y, z, px, py, pz; spread: loc0, loc1, p in the frame of the surface; "
            "half: half of the interval from the 16 % to the 84 % quantile",
            "layers": "bits: barrel layers 0 to 14, then endcap layers",
        }
        return {"about": about} | {name: beam(name, events, variables, pool) for name in BEAMS}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.oracles.geant4_yoke", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--events", type=int, default=6000, help="muons per beam")
    parser.add_argument("--jobs", type=int, default=2)
    chosen = parser.parse_args()
    command = f"python -m tests.oracles.geant4_yoke OUT.json --events {chosen.events} --jobs {chosen.jobs}"
    chosen.out.write_text(written(oracle(chosen.events, chosen.jobs, command)) + "\n")


if __name__ == "__main__":
    main()
