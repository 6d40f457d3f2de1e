"""Hits to tracks at the beam line, on one core: the improved fit (seed, two passes, perigee with covariance).

First tracks of a CMS-like tracker, 14 to 17 hits in a field map, against the standard fit of the same code. Then, where
ACTS is installed, sixteen silicon planes in a constant field against ACTS' Kalman fit of the same hits: one pass from
true starts, whose time is that of its C++ alone."""

import argparse
import json
import re
import tempfile
import time
from pathlib import Path

import numpy as np

from muonkit.core.indices import PHI, QOP
from muonkit.data.hits import Hits
from muonkit.detector.detector import SHIPPED, Detector, load_detector
from muonkit.simulation.gun import Gun
from muonkit.simulation.tracker.step import Physics
from muonkit.simulation.tracker.tracks import simulate_tracks
from muonkit.tracking.refit import FitChoice, Refitted, prepared, refit

PLANES = tuple(4.0 * (k + 1) for k in range(16))
SIGMA = (15e-4, 25e-4)
ROUNDS = 5


def rate(hits: Hits, detector: Detector, choice: FitChoice) -> tuple[Refitted, float]:
    """The fit, and tracks per second of the fastest of some rounds."""
    fitted, seconds = refit(hits, detector, choice), []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        refit(hits, detector, choice)
        seconds.append(time.perf_counter() - begin)
    return fitted, len(hits) / min(seconds)


def in_tracker(n: int) -> tuple[float, float]:
    """Rates of the improved and of the standard fit in a CMS-like tracker; they must agree to 1 %."""
    detector = load_detector("cms_like_layers")
    gun = Gun(pt=(3, 100), distribution="log-uniform", eta=(-2.4, 2.4))
    _, hits = simulate_tracks(detector, gun, n, 1, Physics(energy_loss="gaussian"))
    number = np.diff(hits.offsets)
    hits = hits[(number >= 14) & (number <= 17)]
    (one, fast), (other, slow) = (
        rate(hits, prepared(detector), FitChoice(model=model, energy_loss="ionisation", scattering="highland"))
        for model in ("improved", "standard")
    )
    apart = np.abs(other.perigees.parameters[:, QOP] / one.perigees.parameters[:, QOP] - 1)
    number = np.diff(hits.offsets)
    print(f"{len(hits)} tracks of a CMS-like tracker, {number.mean():.1f} hits each, {one.good.sum()} fitted")
    print(f"difference of the improved and the standard fit: median {np.nanmedian(apart):.1e} of q/p")
    if not np.nanmedian(apart) < 0.01:
        raise SystemExit("the results do not agree: no speed is printed")
    print(f"tracks/s: improved {fast:.0f}, standard {slow:.0f}")
    return fast, slow


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
    ours, fast = rate(hits, detector, FitChoice(energy_loss="mean", scattering="highland"))
    sigma = np.sqrt(np.einsum("nii->ni", ours.perigees.covariance))
    apart = np.abs(ours.perigees.parameters - theirs.bound)[:, PHI:] / sigma[:, PHI:]
    print(f"difference of ACTS' fit and ours in {count} planes, in sigma: median {np.nanmedian(apart):.3f}")
    if not np.nanmedian(apart) < 0.1:
        raise SystemExit("the results do not agree: no speed is printed")
    print(f"tracks/s: muonkit {fast:.0f}, ACTS {len(starts) / theirs.seconds:.0f}")
    return fast, len(starts) / theirs.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer tracks")
    n = 2000 if parser.parse_args().quick else 16_000
    tracker = in_tracker(n)
    ours, theirs = in_telescope(n) or tracker
    print(json.dumps({"name": "refit", "ours": ours, "theirs": theirs, "ratio": ours / theirs, "unit": "tracks/s"}))


if __name__ == "__main__":
    main()
