"""`python -m tests.calibration.z_after`: Z corrected with the result of J/psi, in many samples; docs/results.md.

J/psi as in `tests.calibration.recovery`; Z have the same biases and the same resolution. The muons of the Z are
corrected, and A is fitted: it should be 0. Its error has two parts, the Z and the corrections at 1/45 GeV."""

import argparse
from functools import partial

import numpy as np
from tests.calibration import samples
from tests.calibration.recovery import LETTERS, TAILS, configurations, mean

from muonkit.calibration.closure import BiasCorrector
from muonkit.calibration.extract import Extraction
from muonkit.calibration.validate import ScaleLeft, against_one
from muonkit.core.arrays import FloatArray
from muonkit.simulation.dimuons.config import SimulateDimuons

PT = 45.0  # GeV
SPECTRUM = {"pt_scale": 12.0, "pt_power": 2.2, "pt_max": 200.0}
CUT = 25.0  # GeV


def as_z(jpsi: SimulateDimuons, events: int) -> SimulateDimuons:
    """Z with the biases and the resolution of a sample of J/psi."""
    content = jpsi.model_dump() | {"spectrum": SPECTRUM}
    content["generate"] |= {"events": events, "resonance": "z", "mass_window": (75.0, 110.0)}
    return SimulateDimuons.model_validate(content)


def covariance_at(jpsi: Extraction, pt: float) -> FloatArray:
    """Of the corrections A - e k in every eta bin; M of the two charges cancels."""
    bins = jpsi.layout.bins
    design = np.hstack((np.eye(bins), -np.eye(bins) / pt, np.zeros((bins, bins))))
    covariance: FloatArray = design @ jpsi.covariance @ design.T
    return covariance


def left(seed: int, events: int, z_events: int, bins: int, tails: str) -> ScaleLeft:
    """The scale of the Z after the corrections of the J/psi."""
    jpsi = tuple(configurations(seed, events, bins, tails))
    edges = jpsi[0].bias.eta_edges
    found = samples.fit(samples.count(*jpsi, edges), LETTERS).extraction
    corrector = BiasCorrector(found.bins, found.values.bias)
    data, simulation = (as_z(each, z_events) for each in jpsi)
    first = next(samples.generate(data))
    settings = samples.settings_for(first, edges, "z", CUT)
    after = samples.fit(samples.count(data, simulation, edges, corrector, settings), ("A",)).extraction
    scale = 1 + after.layout.of(after.vector, "A")
    return against_one(after.bins, scale, after.covariance, covariance_at(found, PT))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--toys", type=int, default=5)
    parser.add_argument("--first", type=int, default=500, help="seed of the first sample")
    parser.add_argument("--events", type=int, default=10_000_000, help="J/psi of data, and as many of simulation")
    parser.add_argument("--z-events", type=int, default=4_000_000, help="Z of data, and as many of simulation")
    parser.add_argument("--bins", type=int, default=12, help="in eta")
    parser.add_argument("--tails", choices=TAILS, default="none")
    options = parser.parse_args()
    work = partial(left, events=options.events, z_events=options.z_events, bins=options.bins, tails=options.tails)
    found = []
    for seed in range(options.first, options.first + options.toys):
        found.append(each := work(seed))
        size = f"{1e5 * (each.mean - 1):+.2f} +- {1e5 * each.mean_error:.2f}"
        print(f"sample {len(found)}: scale of Z less 1 [1e-5]: {size}, chi2 {each.chi2:.1f}/{each.ndf}", flush=True)
    if len(found) > 1:
        print(f"mean {mean(np.array([1e5 * (each.mean - 1) for each in found]))}")


if __name__ == "__main__":
    main()
