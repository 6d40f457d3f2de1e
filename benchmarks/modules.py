"""Simulation and fit of tracks through 200 and through 20 000 sensors: the search for modules must not see the number.

Ten barrel layers in the field of the CMS-like tracker, the same in both but for the size of the modules. Muons of 2 to
50 GeV, on one core. `ratio`: time per track with many sensors over that with few; `simulation` and `fit` apart. What is
left of it are the caches of the processor: it is 1.05 for tracks that share their modules."""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from muonkit.core.files import atomic
from muonkit.detector.detector import Detector, load_detector
from muonkit.simulation.gun import Gun
from muonkit.simulation.tracker.tracks import simulate_tracks
from muonkit.tracking.fit import fit
from muonkit.tracking.seed import seed

GUN = Gun(pt=(2, 50), distribution="log-uniform", eta=(-0.8, 0.8))
LAYERS = """
schema = 1
name = "sensors"
title = "Ten layers of modules"
envelope = {{ r = 120, z = [-150, 150] }}

[field]
kind = "sampled"
r_max = 125
z = [-160, 160]
step = 5
of = {{ kind = "cms_like" }}

[[layers]]
name = "layer"
shape = "barrel"
radius = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]
z = [-120, 120]
ladders = {ladders}
modules = {modules}
overlap = 0.02
stagger = 0.1
material = "silicon"
thickness_um = 500
resolution_um = [20, 50]
"""


def layers(ladders: int, modules: int) -> Detector:
    """The detector with so many ladders in a layer, and modules in a ladder."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sensors.toml"
        with atomic(path) as part:
            part.write_text(LAYERS.format(ladders=ladders, modules=modules))
        return load_detector(path)


def seconds(work: Callable[[], object]) -> float:
    """The least of five."""
    taken = []
    for _ in range(5):
        begin = time.process_time()
        work()
        taken.append(time.process_time() - begin)
    return min(taken)


def measure(detector: Detector, n: int) -> tuple[float, float]:
    """Seconds per track of simulation and of seed and fit."""
    simulate_tracks(detector, GUN, 10, 1)
    _, hits = simulate_tracks(detector, GUN, n, 2)
    fit(hits[:10], seed(hits[:10], detector), detector)
    simulation = seconds(lambda: simulate_tracks(detector, GUN, n, 2))
    return simulation / n, seconds(lambda: fit(hits, seed(hits, detector), detector)) / n


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer tracks")
    n = 1000 if parser.parse_args().quick else 4000
    few, many = layers(10, 2), layers(50, 40)
    results = [measure(detector, n) for detector in (few, many)]
    for detector, (simulation, fitting) in zip((few, many), results, strict=True):
        print(f"{len(detector.layers)} sensors: {1 / simulation:.0f} tracks/s simulated, {1 / fitting:.0f} fitted")
    (few_simulated, few_fitted), (many_simulated, many_fitted) = results
    parts = {"simulation": many_simulated / few_simulated, "fit": many_fitted / few_fitted}
    ratio = (many_simulated + many_fitted) / (few_simulated + few_fitted)
    rate = 1 / (many_simulated + many_fitted)
    print(json.dumps({"name": "modules", "ours": rate, "ratio": ratio, "unit": "tracks/s"} | parts))


if __name__ == "__main__":
    main()
