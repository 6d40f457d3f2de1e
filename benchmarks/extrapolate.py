"""Muons from the drift chamber through crystals, coil and yoke, on one core: ours with covariance, matched hits and
updates, against Geant4's bare mean trajectory through the same volumes (no covariance, no hits).

Geant4 has its best case: uniform fields that it follows in C++, processes removed but for ionisation without
fluctuations, no limit of steps. The trajectories are compared first, in the detector's own field, which takes Geant4
thirty times as long."""

import argparse
import json
import time

import numpy as np
from tests.muid.samples import BELLE2, YOKE, muons
from tests.oracles.geant4_yoke import speed

from muonkit.core.arrays import FloatArray
from muonkit.data.klm import Candidates, KLMHits
from muonkit.data.muid import Extrapolated
from muonkit.muid.swim.config import MuidSettings
from muonkit.muid.swim.crossing import HIT
from muonkit.muid.swim.extrapolate import extrapolate
from muonkit.muid.swim.yoke import build_yoke

ROUNDS = 5


def states_of(candidates: Candidates) -> list[list[float]]:
    """Start states for Geant4."""
    states: FloatArray = np.concatenate((candidates.states.position, candidates.states.momentum), axis=1)
    return states.tolist()


def difference(candidates: Candidates, theirs: FloatArray) -> FloatArray:
    """Distances [cm] of the crossings of layers that both have, without energy loss but ionisation."""
    few = candidates[: len(theirs)]
    none = KLMHits(*(np.zeros(0, dtype=np.int64) for _ in range(5)), np.zeros((0, 3)), np.zeros(0), np.zeros((0, 2)))
    ours = extrapolate(few, none, build_yoke(BELLE2, MuidSettings(energy_loss="ionisation"))).layers
    apart = np.linalg.norm(ours.position - theirs[:, :, :3], axis=2)
    return apart[~np.isnan(apart)]


def fastest(candidates: Candidates, hits: KLMHits) -> tuple[float, Extrapolated]:
    """Seconds of CPU time of the quickest of some rounds, and the result."""
    seconds = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        found = extrapolate(candidates, hits, YOKE)
        seconds.append(time.process_time() - begin)
    return min(seconds), found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer tracks")
    n = 1000 if parser.parse_args().quick else 10_000
    candidates, hits, _ = muons(n)
    negative = candidates[candidates.states.charge < 0]
    other, compared = speed(states_of(negative), len(negative))
    apart = difference(negative, compared["states"])
    print(f"{len(candidates)} muons; difference of {len(apart)} crossings: median {np.median(apart):.4f} cm, "
          f"99 % below {np.quantile(apart, 0.99):.3f} cm")  # fmt: skip
    if np.median(apart) > 0.05 or np.quantile(apart, 0.99) > 0.3:
        raise SystemExit("the results do not agree: no speed is printed")
    extrapolate(candidates, hits, YOKE)
    seconds, found = fastest(candidates, hits)
    rate = len(candidates) / seconds
    print(f"hits matched: {np.sum(found.layers.crossing == HIT)}; tracks/s: muonkit {rate:.0f}, Geant4 {other:.0f}")
    print(json.dumps({"name": "extrapolate", "ours": rate, "theirs": other, "ratio": rate / other, "unit": "tracks/s"}))


if __name__ == "__main__":
    main()
