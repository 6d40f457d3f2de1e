"""Muons with their covariance through a solenoid map to r = 1.1 m, on one core: against ACTS' Eigen stepper.

Both get the same map, nodes 4 cm apart and linear between them, and the same 0.5 to 100 GeV muons. Accuracy is the
distance to our own end points with a far smaller tolerance. ACTS' tolerance cannot be set from Python; ours is set so
that both are equally exact. ACTS' time is without the cost of the calls (one per track from Python), measured with a
target 0.1 mm away. Times are those of the processor: medians of rounds in which both take turns. Our
covariance has the gradient of the field in it, ACTS' has not."""

import argparse
import json
import time

import numpy as np
from tests.oracles import acts_compare, acts_propagation

from muonkit.core.arrays import FloatArray
from muonkit.data.tracks import BoundStates
from muonkit.detector.detector import Detector
from muonkit.transport.propagate import Propagated, Settings, propagate

ROUNDS = 5
TOLERANCES = {"equal accuracy": 6e-6, "default": 1e-4}  # cm at the target


def settings(tolerance: float, gradient: bool = True) -> Settings:
    """No matter: this is about the field."""
    empty = {"energy_loss": "none", "scattering": "none", "straggling": False}
    return Settings(tolerance=tolerance, max_steps=100_000, field_gradient=gradient, **empty)  # type: ignore[arg-type]


def run(states: BoundStates, detector: Detector, tolerance: float, gradient: bool = True) -> Propagated:
    """All tracks to the last surface."""
    return propagate(states, len(detector.surfaces.kind) - 1, detector, settings(tolerance, gradient))


def time_of(states: BoundStates, detector: Detector, tolerance: float) -> float:
    """Seconds of the processor."""
    begin = time.process_time()
    run(states, detector, tolerance)
    return time.process_time() - begin


def accuracy(ends: FloatArray, exact: FloatArray) -> str:
    """Distances of the end points."""
    far = np.abs(ends - exact)[:, :2].max(axis=1)
    return f"median {np.median(far):.1e} cm, rms {np.sqrt((far**2).mean()):.1e} cm, largest {far.max():.1e} cm"


def agree(theirs: acts_propagation.Run, ours: Propagated) -> None:
    """Stop unless positions and covariances are those of ACTS."""
    far = np.abs(ours.states.parameters - theirs.end)[:, :2].max()
    assert ours.states.covariance is not None
    sigma = np.sqrt(np.einsum("nii->ni", theirs.cov))
    cov = np.abs(ours.states.covariance - theirs.cov) / (sigma[:, :, None] * sigma[:, None, :])
    print(f"largest difference to ACTS: position {far:.1e} cm, covariance (without gradient) {cov.max():.1e}")
    if far > 5e-5 or cov.max() > 1e-5:
        raise SystemExit("the results do not agree: no speed is printed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer tracks")
    n = 4000 if parser.parse_args().quick else 20_000
    tracks = acts_compare.sample(n)
    field, provider = acts_compare.fields("solenoid")
    states, detector = acts_compare.start(tracks, field)
    theirs = acts_propagation.propagate(*tracks, provider)
    exact = run(states, detector, 1e-8).states.parameters
    agree(theirs, run(states, detector, 1e-7, gradient=False))
    print(f"{n} muons; ACTS: {accuracy(theirs.end, exact)}")
    for name, tolerance in TOLERANCES.items():
        print(f"muonkit, {name}: {accuracy(run(states, detector, tolerance).states.parameters, exact)}")
    seconds: dict[str, list[float]] = {name: [] for name in (*TOLERANCES, "ACTS", "ACTS and calls")}
    for _ in range(ROUNDS):  # in turn: other work on the machine meets both
        theirs = acts_propagation.propagate(*tracks, provider)
        seconds["ACTS and calls"].append(theirs.seconds)
        seconds["ACTS"].append(theirs.seconds - theirs.seconds_of_calls)
        for name, tolerance in TOLERANCES.items():
            seconds[name].append(time_of(states, detector, tolerance))
    rates = {name: n / float(np.median(each)) for name, each in seconds.items()}
    net, gross = rates["ACTS"], rates["ACTS and calls"]
    each = np.divide(seconds["ACTS"], seconds["equal accuracy"])
    print(f"ratio of every round: {each.round(2)}")
    print(f"tracks/s: muonkit {rates['equal accuracy']:.0f} (default tolerance: {rates['default']:.0f}),")
    print(f"          ACTS {net:.0f} without the cost of its calls, {gross:.0f} with it")
    ours = rates["equal accuracy"]
    print(json.dumps({"name": "propagate", "ours": ours, "theirs": net, "ratio": ours / net, "unit": "tracks/s"}))


if __name__ == "__main__":
    main()
