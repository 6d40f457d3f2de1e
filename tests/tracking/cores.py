"""Where the core of k_reco/k_gen lies with Landau losses and Moliere angles, and how wide its pull is.

    python -m tests.tracking.cores [--pt 3 10] [--detector cms_like_tracker]

Every toy track is fitted twice, with the same losses and mirrored angles and hit errors: what is odd in these is gone
from the location. What the same losses do to a linear fit is subtracted, since its location is known: it is that of the
law of the track (`tracking.law`; test_law compares it with its density). So the errors are those of what is not linear.
The table has the location with `restricted` and with `landau`, and the width of the pull. Toys do not radiate.

Below it, own simulation against the law of every track, tails included, and against a Gaussian."""

import argparse
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import stats
from tests.tracking import toys

from muonkit.calibration.curvature import Location, location
from muonkit.core.arrays import FloatArray, sums
from muonkit.core.robust import HUBER
from muonkit.data.hits import Hits
from muonkit.data.truth import Truth
from muonkit.detector.detector import Detector, load_detector
from muonkit.simulation.gun import Gun
from muonkit.simulation.tracker.step import Physics
from muonkit.simulation.tracker.tracks import simulate_tracks
from muonkit.tracking.fit import fit
from muonkit.tracking.fitted import FittedTracks
from muonkit.tracking.perigee import started
from muonkit.tracking.refit import FitChoice, prepared, refit
from muonkit.tracking.seed import seed
from muonkit.tracking.tails import crossed, laws

CHOICE = FitChoice()
ETA = np.linspace(-2.4, 2.4, 25)
PLACES = (0.0, 0.9), (0.9, 1.2), (1.2, 1.6), (1.6, 2.4)


class Core(NamedTuple):
    """Location of the core of k_reco/k_gen - 1 before and after the correction of every track, its error, width of the
    pull, its error."""

    before: float
    after: float
    error: float
    pull: float
    pull_error: float


class Sample(NamedTuple):
    """Of n pairs of mirrored tracks: corrected k_reco/k_gen - 1 (2, n), sigma (2, n); what a linear fit makes of the
    losses, corrected (n,); correction (n,)."""

    y: FloatArray
    sigma: FloatArray
    linear: FloatArray
    shift: FloatArray


def ratio(parameters: FloatArray, truth: Truth) -> FloatArray:
    """k_reco/k_gen - 1 (n,), NaN without fit."""
    true = truth.charge / np.hypot(truth.momentum[:, 0], truth.momentum[:, 1])
    return toys.curvature(parameters) / true - 1


def with_gains(hits: Hits, detector: Detector) -> FittedTracks:
    """As `refit` fits, before the correction."""
    settings = CHOICE.transport
    return fit(hits, started(seed(hits, detector), detector, settings), detector, settings, CHOICE.fitting)


def by_losses(fitted: FittedTracks, detector: Detector, way: toys.Ways, tails: toys.Tails) -> FloatArray:
    """What a linear fit makes of losses (n, L) around the mean; it leaves out the mean of those above the cut."""
    stops = crossed(fitted, detector, CHOICE.transport)
    same = way.surface[stops.row] == fitted.route[stops.row, stops.stop][:, None]
    loss = tails.loss[stops.row, np.argmax(same, axis=1)] * same.any(axis=1)
    part = np.minimum(stops.cut / stops.hardest, 1.0)
    return sums(
        stops.row, stops.gain * loss + stops.loss * (-np.log(part) - stops.beta2 * (1 - part)), len(way.surface)
    )


def sample(plain: Detector, detector: Detector, gun: Gun, n: int, random_seed: int) -> Sample:
    """Toys, fitted."""
    truth, _ = toys.quiet(plain, gun, n, random_seed)
    way = toys.ways(plain, truth)
    noise, tails = toys.draw(way, random_seed + 1), toys.draw_tails(way, random_seed + 2)
    hits = [toys.noisy(way, s * noise, toys.Tails(tails.loss, s * tails.angle)) for s in (1, -1)]
    both = [refit(one, detector, CHOICE) for one in hits]
    fitted = with_gains(hits[0], detector)
    shift = laws(fitted, detector, CHOICE.transport, True, True)[1]
    y = np.array([ratio(one.perigees.parameters, truth) for one in both])
    sigma = np.array([one.law.sigma for one in both])
    good = np.isfinite(y + sigma).all(axis=0)
    linear = by_losses(fitted, detector, way, tails) - shift
    return Sample(y[:, good], sigma[:, good], linear[good], shift[good])


def core(found: Sample) -> Core:
    """Of mirrored pairs."""
    y, random = found.y, (found.y[0] - found.y[1]) / 2
    straight = np.array([found.linear + random, found.linear - random])
    at, known, pull = location(y.ravel()), location(straight.ravel()), location((y / found.sigma).ravel())
    limit = HUBER * at.width
    held = [
        np.clip(values - middle.value, -limit, limit).mean(axis=0) for values, middle in ((y, at), (straight, known))
    ]
    free = float(np.mean(np.abs(y - at.value) < limit))
    error = float((held[0] - held[1]).std() / free / np.sqrt(y.shape[1]))
    after = at.value - known.value
    return Core(after + float(found.shift.mean()), after, error, pull.width, 1.17 / np.sqrt(2 * y.size))


def row(place: str, cell: Core) -> str:
    """A line of the table."""
    shifts = f"{1e5 * cell.before:8.1f} {1e5 * cell.after:8.1f} +- {1e5 * cell.error:4.1f}"
    return f"{place:>12} {shifts} {cell.pull:8.3f} +- {cell.pull_error:.3f}"


def evenness(u: FloatArray) -> float:
    """Probability of chi2 that values (n,) are flat: twenty bins, and the first and last percent by themselves."""
    edges = np.concatenate(([0, 0.002, 0.01], np.linspace(0.05, 0.95, 19), [0.99, 0.998, 1]))
    return float(stats.chisquare(np.histogram(u, edges)[0], np.diff(edges) * len(u)).pvalue)


def simulated(plain: Detector, detector: Detector, gun: Gun, n: int) -> tuple[Location, float, float, list[float]]:
    """Of own simulation: width of the pull; probability that the law, and a Gaussian, are right; shares of tracks
    outside of each 1 % and 0.1 % of the law, over what is expected."""
    truth, hits = simulate_tracks(plain, gun, n, 41, Physics(scattering="tails"))
    fitted = refit(hits, detector, CHOICE)
    good = fitted.good & np.isfinite(fitted.law.sigma)
    y, law = ratio(fitted.perigees.parameters, truth)[good], fitted.law[good]
    u = law.cdf(y)
    flat = evenness(u), evenness(stats.norm.cdf(y / law.sigma))
    shares = [float(np.mean(part < q)) / q for q in (0.01, 0.001) for part in (u, 1 - u)]
    return location(y / law.sigma), *flat, shares


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tracks", type=int, default=400, help="toys per bin of eta")
    parser.add_argument("--simulated", type=int, default=20_000, help="tracks of the simulation per row")
    parser.add_argument("--pt", type=float, nargs="+", default=[3.0, 10.0, 30.0, 100.0], help="GeV")
    parser.add_argument("--detector", default="cms_like_layers")
    chosen = parser.parse_args()
    plain = load_detector(chosen.detector)
    detector = prepared(plain)
    for pt in chosen.pt:
        print(f"pT {pt:g} GeV\n         eta location restricted, landau [1e-5], pull", flush=True)
        for number, eta in enumerate(pairwise(ETA) if chosen.tracks else ()):
            found = sample(plain, detector, Gun(pt=pt, eta=eta), chosen.tracks, 7 + number)
            print(row(f"{eta[0]:.1f} {eta[1]:.1f}", core(found)), flush=True)
        print("simulation: pull, p of the law, of a Gaussian, shares below and above 1 %, 0.1 %", flush=True)
        for eta in PLACES:
            pull, right, gauss, shares = simulated(plain, detector, Gun(pt=pt, eta=eta), chosen.simulated)
            parts = " ".join(f"{share:6.2f}" for share in shares)
            print(f"{eta[0]:6.1f} {eta[1]:5.1f} {pull.width:6.3f} {right:9.2g} {gauss:9.2g}  {parts}", flush=True)


if __name__ == "__main__":
    main()
