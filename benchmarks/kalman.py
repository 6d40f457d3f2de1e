"""Kalman filter and smoother through twelve silicon planes, on one core: against ACTS' fit of the same hits.

Muons of 1 to 20 GeV by ACTS' own fast simulation; both fits include matter and make one pass over the hits, from a
start with a wide covariance. Ours finds the planes of a track and smooths at every one of them in the same time; ACTS'
time is that of its C++ alone, as it counts it: times of a clock. Rounds are short and in turn, and the least of each
counts, so that other work on the machine meets neither."""

import argparse
import json
import time

import numpy as np
from tests.oracles import acts_telescope

from muonkit.core.arrays import FloatArray
from muonkit.data.hits import Hits
from muonkit.data.tracks import BoundStates
from muonkit.detector.detector import load_detector
from muonkit.tracking.fit import FitSettings, FittedTracks, fit
from muonkit.tracking.seed import seed
from muonkit.transport.propagate import Settings

SIGMA = (15e-4, 25e-4)
ROUNDS, PER_ROUND = 20, 2000
DETECTOR = load_detector("telescope")
SETTINGS = Settings(energy_loss="mean")


def simulated(n: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Starts (n, 5), measured (n, 12, 2) and true parameters at the first plane (n, 5)."""
    telescope = acts_telescope.Telescope()
    momenta = np.exp(np.linspace(0, np.log(20), 8))
    starts = np.concatenate([acts_telescope.gun(n // 8, p, seed=k) for k, p in enumerate(momenta)])
    true = acts_telescope.simulate(starts, telescope)
    whole = ~np.isnan(true.position).any(axis=(1, 2))
    t = true.direction[whole, 0]
    angles = np.arctan2(t[:, 1], t[:, 0]), np.arccos(t[:, 2])
    first = np.column_stack((true.position[whole, 0, 1:], *angles, -1 / true.p[whole, 0]))
    return starts[whole], acts_telescope.measure(true, SIGMA)[whole], first


def hits_of(measured: FloatArray) -> Hits:
    """The measurements as hits on the planes of our telescope."""
    n, planes, _ = measured.shape
    variance = np.tile(np.square(SIGMA), (n * planes, 1))
    return Hits(np.arange(n + 1) * planes, np.tile(np.arange(planes), n), measured.reshape(-1, 2), variance)


def run(hits: Hits, start: BoundStates) -> FittedTracks:
    """One pass, as ACTS does."""
    return fit(hits, start, DETECTOR, SETTINGS, FitSettings(iterations=1))


def widths(parameters: FloatArray, covariance: FloatArray, true: FloatArray) -> FloatArray:
    """Standard deviations of the pulls at the first plane; the central 99 %, for there are tails in ACTS' matter."""
    pulls = (parameters - true) / np.sqrt(np.einsum("nii->ni", covariance))
    low, high = np.quantile(pulls, [0.005, 0.995], axis=0)
    return np.array([pull[(pull > a) & (pull < b)].std() for pull, a, b in zip(pulls.T, low, high, strict=True)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer tracks")
    n = 2000 if parser.parse_args().quick else 16_000
    starts, measured, true = simulated(n)
    cov = np.tile(np.diag([0.1, 0.1, 0.01, 0.01, 0.2]) ** 2, (len(starts), 1, 1))
    theirs = acts_telescope.fit(measured, starts, cov, acts_telescope.Telescope(), SIGMA)
    hits = hits_of(measured)
    start = seed(hits, DETECTOR)
    ours = run(hits, start)
    assert ours.states.covariance is not None
    sigma = np.sqrt(np.einsum("nii->ni", ours.states.covariance))
    apart = np.abs(ours.states.parameters - theirs.first) / sigma
    print(f"{len(starts)} tracks; difference of the fits in sigma: median {np.median(apart):.3f}")
    print(f"widths of the pulls, muonkit: {widths(ours.states.parameters, ours.states.covariance, true).round(3)}")
    print(f"                        ACTS: {widths(theirs.first, theirs.first_cov, true).round(3)}")
    if np.median(apart) > 0.05:
        raise SystemExit("the results do not agree: no speed is printed")
    some, seconds = min(PER_ROUND, len(starts)), []
    for _ in range(ROUNDS):
        again = acts_telescope.fit(measured[:some], starts[:some], cov[:some], acts_telescope.Telescope(), SIGMA)
        begin = time.perf_counter()
        run(hits[:some], start[:some])
        seconds.append((time.perf_counter() - begin, again.seconds))
    rate, other = (some / min(column) for column in zip(*seconds, strict=True))
    print(f"tracks/s: muonkit {rate:.0f}, ACTS {other:.0f}")
    print(json.dumps({"name": "kalman", "ours": rate, "theirs": other, "ratio": rate / other, "unit": "tracks/s"}))


if __name__ == "__main__":
    main()
