"""How time and memory of the normal system grow with its size: sums, matrix, solution, one error.

    python -m benchmarks.alignment [--quick] [--largest PARAMETERS] [--goal]

Made-up tracks meet 14 layers of modules, in each one of a few modules behind each other; five parameters of every track
are eliminated, so the system has the weak modes of a tracker. The last row extrapolates to 1.1e5 parameters and 3.3e8
nonzeros; with --goal such a system is made and solved (4 minutes, 6 GB). And the rate of the whole chain from fitted
tracks to sums, on one core, in the tracker that comes with muonkit."""

import argparse
import json
import math
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from muonkit.alignment.config import AlignmentSettings
from muonkit.alignment.linear import Eliminated, Scatter, eliminate, equations
from muonkit.alignment.parameters import SIZE
from muonkit.alignment.solve import solve
from muonkit.alignment.system import NormalSystem
from muonkit.core.arrays import FloatArray
from muonkit.detector.detector import Detector, load_detector
from muonkit.simulation.gun import Gun
from muonkit.simulation.tracker.tracks import simulate_tracks
from muonkit.tracking.fit import fit
from muonkit.tracking.seed import seed

LAYERS, CHUNK = 14, 500
GOAL = {"parameters": 1.1e5, "nonzeros": 3.3e8, "seconds": 300.0, "gigabytes": 12.0}
SETTINGS = AlignmentSettings(method="iterative", rigid="move", tolerance=1e-8)


@dataclass(frozen=True)
class Run:
    """What one size took: parameters, nonzeros; seconds of the sums of so many tracks, of matrix and solution; peak
    memory [GB]."""

    parameters: float
    nonzeros: float
    tracks: int
    adding: float
    solving: float
    gigabytes: float

    def row(self) -> str:
        return (
            f"{self.parameters:10.3g}{self.nonzeros:12.3g}{self.tracks:10d}{self.adding:10.1f}{self.solving:10.1f}"
            f"{self.gigabytes:9.2f}"
        )


def detector_of(modules: int) -> Detector:
    """A detector with so many surfaces: only their number and names count here."""
    small = load_detector("telescope")
    repeat = np.arange(modules) % len(small.layers)
    surfaces = type(small.surfaces)(*(column[repeat] for column in small.surfaces))
    return replace(small, surfaces=surfaces, layers=tuple(f"module/{i}" for i in range(modules)))


def tracks(modules: int, spread: int, n: int) -> Iterator[Eliminated]:
    """n tracks in chunks: in every layer one of `spread` modules around the same place."""
    rng, each = np.random.default_rng(1), modules // LAYERS
    smooth = np.stack([np.linspace(-1, 1, LAYERS) ** power for power in range(3)])
    A = np.zeros((2, LAYERS, 5))
    A[0, :, :3], A[1, :, 3:] = smooth.T, smooth[:2].T
    basis = np.linalg.qr(A.swapaxes(0, 1).reshape(-1, 5))[0]
    for first in range(0, n, CHUNK):
        m = min(CHUNK, n - first)
        place = rng.integers(0, each, (m, 1)) + rng.integers(0, spread, (m, LAYERS))
        D = np.zeros((m, LAYERS, 2, LAYERS, SIZE))
        D[:, range(LAYERS), :, range(LAYERS)] = 300 * rng.normal(size=(LAYERS, m, 2, SIZE))
        D[..., 6:] *= 0.01
        flat = D.reshape(m, 2 * LAYERS, LAYERS * SIZE)
        z = rng.normal(size=(m, 2 * LAYERS))
        flat = flat - basis @ (basis.T @ flat)
        empty = np.zeros((m, 5, 0))
        nothing = Scatter(np.zeros((m, LAYERS)), np.zeros((m, LAYERS, LAYERS)))
        surface = place % each + each * np.arange(LAYERS)
        yield Eliminated(surface, z, flat, empty, empty, (z**2).sum(axis=1), np.full(m, 23), nothing)


def measure(parameters: int, spread: int, share: int = 6) -> Run:
    """One size, with so many tracks for every module of every spread."""
    modules = parameters // SIZE // LAYERS * LAYERS
    system, detector = NormalSystem(modules), detector_of(modules)
    n = share * modules * spread
    made, adding = tracks(modules, spread, n), 0.0
    for chunk in made:
        begin = time.perf_counter()
        system.add(chunk)
        adding += time.perf_counter() - begin
    begin = time.perf_counter()
    found = solve(system, detector, SETTINGS, asked=np.array([0]))
    solving = time.perf_counter() - begin
    assert np.isfinite(found.values).all()
    nonzeros = system.matrix(np.ones(len(system))).nnz
    return Run(len(system), nonzeros, n, adding, solving, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)


def extrapolated(runs: list[Run]) -> Run:
    """The goal: time of the solution by the power of the nonzeros that the runs show, but at least linear; memory
    linear between first and last run; 1e6 tracks."""
    first, last = runs[0], runs[-1]
    power = math.log(last.solving / first.solving) / math.log(last.nonzeros / first.nonzeros)
    solving = last.solving * (GOAL["nonzeros"] / last.nonzeros) ** max(power, 1.0)
    slope = (last.gigabytes - first.gigabytes) / (last.nonzeros - first.nonzeros)
    memory = last.gigabytes + slope * (GOAL["nonzeros"] - last.nonzeros)
    adding = last.adding / last.tracks * 1e6
    return Run(GOAL["parameters"], GOAL["nonzeros"], 1_000_000, adding, solving, memory)


def chain(n: int) -> FloatArray:
    """Tracks per second of equations, of elimination, and of sums, for tracks of the CMS-like tracker."""
    detector = load_detector("cms_like_tracker")
    _, hits = simulate_tracks(detector, Gun(pt=(3, 50), eta=(-1, 1)), n, 1)
    fitted, system = fit(hits, seed(hits, detector), detector), NormalSystem(len(detector.layers))
    system.add(eliminate(equations(hits, fitted, detector)))  # compiled
    times = [time.perf_counter()]
    some = equations(hits, fitted, detector)
    times.append(time.perf_counter())
    gone = eliminate(some)
    times.append(time.perf_counter())
    system.add(gone)
    times.append(time.perf_counter())
    return len(some) / np.append(np.diff(times), times[-1] - times[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller systems")
    parser.add_argument("--goal", action="store_true", help="the whole size, measured")
    parser.add_argument("--largest", type=int, help="parameters of the largest system")
    options = parser.parse_args()
    largest = options.largest or (2000 if options.quick else 10_000)
    print("parameters    nonzeros    tracks   sums[s]  solve[s]  peak[GB]")
    runs = []
    for parameters, spread in ((largest // 4, 5), (largest // 2, 8), (largest, 12)):
        runs.append(measure(parameters, spread))
        print(runs[-1].row(), flush=True)
    goal = extrapolated(runs)
    print(goal.row(), " extrapolated")
    if options.goal:
        goal = measure(int(GOAL["parameters"]), 15, 2)
        print(goal.row(), " measured")
    rates = chain(200 if options.quick else 1000)
    print("tracks/s: equations {:.0f}, elimination {:.0f}, sums {:.0f}, together {:.0f}".format(*rates))
    ours = {"seconds": goal.adding + goal.solving, "gigabytes": goal.gigabytes, "tracks/s": rates[-1]}
    unit = "measured" if options.goal else "extrapolated"
    print(json.dumps({"name": "alignment", "ours": ours, "theirs": None, "ratio": None, "unit": unit}))


if __name__ == "__main__":
    main()
