"""Hits to tracks at the beam line, on one core: the improved fit (seed, two passes, perigee with covariance).

First tracks of a CMS-like tracker, in layers and in modules, 14 to 17 hits in a field map, against the standard fit of
the same code; and the derivatives that module corrections need: fit, linear equations, and elimination of the track.
Then, where ACTS is installed, sixteen silicon planes in a constant field against ACTS' Kalman fit of the same hits: one
pass from true starts, whose time is that of its C++ alone, as it counts it. There both are times of a clock, rounds are
short and in turn, and the least of each counts; the others are times of the processor."""

import argparse
import json
import re
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from muonkit.alignment.linear import eliminate, equations
from muonkit.core.indices import PHI, QOP
from muonkit.data.hits import Hits
from muonkit.detector.detector import SHIPPED, Detector, load_detector
from muonkit.simulation.gun import Gun
from muonkit.simulation.tracker.step import Physics
from muonkit.simulation.tracker.tracks import simulate_tracks
from muonkit.tracking.fit import fit
from muonkit.tracking.fitted import FittedTracks
from muonkit.tracking.perigee import started
from muonkit.tracking.refit import FitChoice, prepared, refit
from muonkit.tracking.seed import seed

PLANES = tuple(4.0 * (k + 1) for k in range(16))
SIGMA = (15e-4, 25e-4)
ROUNDS, PER_ROUND = 5, 2000
CHUNK = 500  # tracks whose derivatives are in memory together, as `alignment.system` has it


def seconds(*works: Callable[[], object]) -> list[float]:
    """The least of some rounds, in which all take turns: other people's work on the machine meets all alike."""
    for work in works:
        work()
    taken: list[list[float]] = []
    for _ in range(ROUNDS):
        taken.append([])
        for work in works:
            begin = time.process_time()
            work()
            taken[-1].append(time.process_time() - begin)
    return np.min(taken, axis=0).tolist()


def in_tracker(name: str, n: int) -> tuple[float, float]:
    """Rates of the improved and of the standard fit in a CMS-like tracker; they must agree to 1 %."""
    detector = prepared(load_detector(name))
    gun = Gun(pt=(3, 100), distribution="log-uniform", eta=(-2.4, 2.4))
    _, hits = simulate_tracks(load_detector(name), gun, n, 1, Physics(energy_loss="gaussian"))
    number = np.diff(hits.offsets)
    hits = hits[(number >= 14) & (number <= 17)]
    choices = [
        FitChoice(model=model, energy_loss="ionisation", scattering="highland") for model in ("improved", "standard")
    ]
    one, other = (refit(hits, detector, choice) for choice in choices)
    apart = np.abs(other.perigees.parameters[:, QOP] / one.perigees.parameters[:, QOP] - 1)
    number = np.diff(hits.offsets)
    print(f"{name}: {len(hits)} tracks, {number.mean():.1f} hits each, {one.good.sum()} fitted")
    print(f"difference of the improved and the standard fit: median {np.nanmedian(apart):.1e} of q/p")
    if not np.nanmedian(apart) < 0.01:
        raise SystemExit("the results do not agree: no speed is printed")
    fast, slow = (len(hits) / spent for spent in seconds(*(partial(refit, hits, detector, each) for each in choices)))
    print(f"tracks/s: improved {fast:.0f}, standard {slow:.0f}")
    return fast, with_derivatives(hits[:CHUNK], detector, choices[0])


def with_derivatives(hits: Hits, detector: Detector, choice: FitChoice) -> float:
    """Rate of the improved fit with the derivatives by every surface; its parts are printed."""
    settings = choice.transport
    start = started(seed(hits, detector), detector, settings)

    def fitted() -> FittedTracks:
        return fit(hits, start, detector, settings, choice.fitting)

    done = fitted()
    some = equations(hits, done, detector, settings)
    spent = seconds(
        lambda: started(seed(hits, detector), detector, settings),
        fitted,
        lambda: equations(hits, done, detector, settings),
        lambda: eliminate(some),
    )
    parts = [f"{1e6 * each / len(hits):.0f}" for each in spent]
    print("microseconds of a track: seed {}, fit {}, equations {}, elimination {}".format(*parts))
    print(f"tracks/s with derivatives: {len(hits) / sum(spent):.0f}")
    return len(hits) / sum(spent)


def planes(folder: Path) -> Detector:
    """The telescope that comes with muonkit, with sixteen planes."""
    text = (SHIPPED / "telescope.toml").read_text()
    path = folder / "sixteen.toml"
    path.write_text(re.sub(r"(?m)^distance = .*$", f"distance = {list(PLANES)}", text))
    return load_detector(path)


def in_telescope(n: int) -> tuple[float, float] | None:
    """Rates of the improved fit and of ACTS' in a telescope; None without ACTS."""
    try:
        from tests.oracles import acts_telescope
    except ImportError:
        return None
    telescope = acts_telescope.Telescope(x=PLANES)
    starts = acts_telescope.gun(n, 5.0, seed=1)
    true = acts_telescope.simulate(starts, telescope)
    whole = ~np.isnan(true.position).any(axis=(1, 2))
    measured, starts = acts_telescope.measure(true, SIGMA)[whole], starts[whole]
    cov = np.tile(np.diag([0.1, 0.1, 0.01, 0.01, 0.2]) ** 2, (len(starts), 1, 1))
    theirs = acts_telescope.fit(measured, starts, cov, telescope, SIGMA)
    count = len(PLANES)
    surface, variance = np.tile(np.arange(count), len(starts)), np.tile(np.square(SIGMA), (len(starts) * count, 1))
    hits = Hits(np.arange(len(starts) + 1) * count, surface, measured.reshape(-1, 2), variance)
    with tempfile.TemporaryDirectory() as folder:
        detector = prepared(planes(Path(folder)))
    choice = FitChoice(energy_loss="mean", scattering="highland")
    ours = refit(hits, detector, choice)
    sigma = np.sqrt(np.einsum("nii->ni", ours.perigees.covariance))
    apart = np.abs(ours.perigees.parameters - theirs.bound)[:, PHI:] / sigma[:, PHI:]
    print(f"difference of ACTS' fit and ours in {count} planes, in sigma: median {np.nanmedian(apart):.3f}")
    if not np.nanmedian(apart) < 0.1:
        raise SystemExit("the results do not agree: no speed is printed")
    some, spent = min(PER_ROUND, len(starts)), []
    for _ in range(3 * ROUNDS):
        again = acts_telescope.fit(measured[:some], starts[:some], cov[:some], telescope, SIGMA)
        begin = time.perf_counter()
        refit(hits[:some], detector, choice)
        spent.append((time.perf_counter() - begin, again.seconds))
    fast, other = (some / min(column) for column in zip(*spent, strict=True))
    print(f"tracks/s: muonkit {fast:.0f}, ACTS {other:.0f}")
    return fast, other


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer tracks")
    n = 2000 if parser.parse_args().quick else 16_000
    rates = {}
    for name in ("cms_like_layers", "cms_like_tracker"):
        rates[name], rates[f"{name}, derivatives"] = in_tracker(name, n)
    ours, theirs = in_telescope(n) or (rates["cms_like_tracker"], None)
    ratio = theirs and ours / theirs
    print("tracks/s: " + ", ".join(f"{name} {rate:.0f}" for name, rate in rates.items()))
    print(json.dumps({"name": "refit", "ours": ours, "theirs": theirs, "ratio": ratio, "unit": "tracks/s"}))


if __name__ == "__main__":
    main()
