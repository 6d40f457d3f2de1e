"""Losses, field and places in Geant4, as the improved fit sees them: `python -m tests.oracles.geant4_audit --data DIR`;
with `--own` those of the own engine alone, in bins of eta; with `--losses` the losses and angles up to the last layer.

Muons that do not scatter, hits without errors: what is left of k_reco/k_gen - 1 is by losses, field and places. It is
folded with the error that the fit expects, so that the core lies where that of real tracks lies; without the noise a
thousand tracks tell as much as some ten thousand. A part even in the charge that falls with pT is a loss, one that does
not is the field, one that is odd and rises with pT is a displacement."""

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from muonkit.calibration.curvature import TO_SIGMA, Location, location
from muonkit.core.arrays import FloatArray, IntArray
from muonkit.core.indices import QOP, THETA
from muonkit.core.robust import HUBER
from muonkit.data.truth import Truth
from muonkit.detector.detector import load_detector
from muonkit.simulation.gun import Gun, shoot
from muonkit.simulation.tracker import by_geant4, step
from muonkit.simulation.tracker.by_geant4 import Geant4Job
from muonkit.simulation.tracker.digitise import Readout, digitise
from muonkit.tracking.refit import FitChoice, prepared, refit

DETECTOR = "cms_like_tracker"
STRAIGHT = ("msc", "CoulombScat")  # processes that scatter
EXACT = Readout(smearing="none")
GRID = norm.ppf((np.arange(64) + 0.5) / 64)  # of a Gaussian with equal weights
GRID /= GRID.std()
BARREL, ENDCAP = (-0.9, 0.9), (1.4, 2.2)
OWN = 10_000  # muons of the own engine
BINS = [(round(0.2 * j, 1), round(0.2 * j + 0.2, 1)) for j in range(12)]
CASES = [(eta, pt) for eta in (BARREL, ENDCAP) for pt in (3.0, 10.0, 30.0)]


class Found(NamedTuple):
    """Of n muons: k_reco/k_gen - 1 without noise, the noise that the fit expects, charge."""

    ratio: FloatArray
    sigma: FloatArray
    charge: FloatArray


def fitted(truth: Truth, choice: FitChoice | None = None) -> Found:
    """The improved fit to the exact hits of a truth."""
    plain = load_detector(DETECTOR)
    found = refit(digitise(truth, plain, 1, EXACT)[0], prepared(plain), choice or FitChoice())
    p, cov = found.perigees.parameters, found.perigees.covariance
    k = p[:, QOP] / np.sin(p[:, THETA])
    pt, sigma = np.hypot(*truth.momentum.T[:2]), np.sqrt(cov[:, QOP, QOP]) / np.abs(p[:, QOP])
    good = found.good & (np.abs(k * truth.charge * pt - 1) < 1)
    return Found((k * truth.charge * pt - 1)[good], sigma[good], truth.charge[good])


def by_own_engine(pt: float, eta: tuple[float, float], n: int, seed: int = 1) -> Truth:
    """Muons that lose, but do not scatter."""
    physics = step.Physics(scattering="none", radiation=True)
    return step.follow(load_detector(DETECTOR), shoot(Gun(particle="mu", pt=pt, eta=eta), n, seed), "mu", seed, physics)


def in_geant4(pt: float, eta: tuple[float, float], n: int, data: Path | None, seed: int = 1) -> Truth:
    """The same in Geant4."""
    start = shoot(Gun(particle="mu", pt=pt, eta=eta), n, seed)
    job = Geant4Job(DETECTOR, (), data, 1e-3, STRAIGHT)
    return by_geant4.follow(job, load_detector(DETECTOR), start, "mu", seed, np.pi)


def core(found: Found) -> Location:
    """Where the core of the folded ratio lies: Huber's estimate, with the error of n tracks."""
    values = found.ratio[:, None] + found.sigma[:, None] * GRID
    middle = float(np.median(values))
    width = TO_SIGMA * float(np.median(np.abs(values - middle)))
    for _ in range(50):
        free = float(np.mean(np.abs(values - middle) < HUBER * width))
        middle += float(np.clip(values - middle, -HUBER * width, HUBER * width).mean()) / free
    held = np.clip(values - middle, -HUBER * width, HUBER * width).mean(axis=1)
    return Location(middle, float(held.std() / np.sqrt(len(held)) / free), width, len(held))


def even_and_odd(found: Found) -> tuple[Location, Location]:
    """Mean and half the difference of the charges."""
    plus, minus = (core(Found(*(part[found.charge == sign] for part in found))) for sign in (1.0, -1.0))
    error, n = float(np.hypot(plus.error, minus.error)) / 2, len(found.ratio)
    even, odd = (plus.value + minus.value) / 2, (plus.value - minus.value) / 2
    return Location(even, error, plus.width, n), Location(odd, error, plus.width, n)


def lost(truth: Truth) -> Location:
    """Where the core of the momentum lost up to the last crossing lies [GeV]."""
    return location(np.linalg.norm(truth.momentum, axis=1) - 1 / np.abs(truth.qop[last(truth)]))


def bent(truth: Truth) -> Location:
    """Change of the polar angle up to the last crossing [rad]: the field hardly bends it."""
    before, after = (np.arctan2(np.hypot(x, y), z) for x, y, z in (truth.momentum.T, truth.direction[last(truth)].T))
    return location(after - before)


def last(truth: Truth) -> IntArray:
    """The last crossing of every track."""
    return truth.offsets[1:] - 1


def losses(muons: int, data: Path | None) -> None:
    """Print where both engines have the core of the loss, its width, and that of the angle."""
    detector, full = load_detector(DETECTOR), step.Physics(scattering="tails", radiation=True)
    job = Geant4Job(DETECTOR, (), data, 1e-3)
    for eta, pt in [(eta, pt) for eta in (BARREL, ENDCAP) for pt in (3.0, 30.0)]:
        gun = Gun(particle="mu", pt=pt, eta=eta)
        theirs = by_geant4.follow(job, detector, shoot(gun, muons, 1), "mu", 5, np.pi)
        own = step.follow(detector, shoot(gun, OWN, 1), "mu", 1, full)
        for name, truth in (("Geant4", theirs), ("own", own)):
            loss, width = lost(truth), bent(truth).width
            shown = f"{1e3 * loss.value:.2f} +- {1e3 * loss.error:.2f} MeV, width {1e3 * loss.width:.2f}"
            print(
                f"eta {eta[0]:g} to {eta[1]:g}, {pt:g} GeV, {name:<7} {shown}; angle {1e3 * width:.3f} mrad", flush=True
            )


def told(name: str, found: Found) -> None:
    """Print both parts."""
    parts = "   ".join(f"{1e5 * part.value:7.1f} +- {1e5 * part.error:4.1f}" for part in even_and_odd(found))
    print(f"{name:<36} {parts}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, help="folder of Geant4's data sets")
    parser.add_argument("--muons", type=int, default=1000)
    parser.add_argument("--own", action="store_true")
    parser.add_argument("--losses", action="store_true")
    options = parser.parse_args()
    if options.losses:
        losses(options.muons, options.data)
        return
    print("k_reco/k_gen - 1 [1e-5]: even and odd in the charge")
    for eta, pt in [(bin_, pt) for bin_ in BINS for pt in (3.0, 10.0, 30.0)] if options.own else CASES:
        name = f"eta {eta[0]:g} to {eta[1]:g}, {pt:g} GeV"
        told(f"{name}, own", fitted(by_own_engine(pt, eta, options.muons if options.own else OWN)))
        if not options.own:
            told(f"{name}, Geant4", fitted(in_geant4(pt, eta, options.muons, options.data)))


if __name__ == "__main__":
    main()
