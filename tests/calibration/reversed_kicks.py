"""`python -m tests.calibration.reversed_kicks`: the simulation's own fit, without most of the chance; docs/results.md.

Every simulated pair stands in the sample twice, with kicks of opposite sign. The fit must find no scale."""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from functools import reduce
from itertools import count
from operator import add

import numpy as np
from tests.calibration import samples
from tests.calibration.recovery import LETTERS, SCALE_PT, TAILS

from muonkit.calibration.accumulate import accumulate
from muonkit.calibration.closure import scale_off
from muonkit.calibration.response import accumulate_truth
from muonkit.core.kinematics import MuonArrays
from muonkit.data.dimuons import Dimuons
from muonkit.simulation.dimuons import generate
from muonkit.simulation.dimuons.config import SimulateDimuons

EDGES = tuple(np.linspace(-2.4, 2.4, 13))
SIGMA = tuple(0.006 + 0.0035 * np.abs(np.array(EDGES[1:]) + np.array(EDGES[:-1])) / 2)


def configuration(seed: int, tails: str) -> SimulateDimuons:
    """The sample of `recovery`, without bias and background."""
    return samples.sample(1, seed, resolution={"eta_edges": EDGES, "a": SIGMA, "c": (1.2e-4,)} | TAILS[tails])


def pairs(config: SimulateDimuons, block: int) -> Iterator[Dimuons]:
    """The pairs of one block, then the same with kicks of opposite sign."""
    table = generate._generated(generate.EventBlock(config, block))
    rng, resolution = np.random.default_rng([config.generate.seed, block]), config.resolution
    kicks = []
    for muon in (table.gen_plus, table.gen_minus):
        n = len(muon.pt)
        wide = rng.random(n) < generate.per_muon(resolution.tail_share, resolution, muon.eta)
        factor = np.where(wide, generate.per_muon(resolution.tail_factor, resolution, muon.eta), 1.0)
        symmetric = rng.standard_normal(n) * generate._relative_sigma(muon, config) * factor
        loss = generate.per_muon(resolution.straggling, resolution, muon.eta) / muon.pt
        u = rng.random(n)
        kicks.append((symmetric - loss * (np.log(u) + 1), -symmetric - loss * (np.log1p(-u) + 1)))
    for kick_plus, kick_minus in zip(*kicks, strict=True):
        yield kicked(table, kick_plus, kick_minus, config)


def kicked(table: Dimuons, plus: np.ndarray, minus: np.ndarray, config: SimulateDimuons) -> Dimuons:
    """The accepted pairs with generated curvatures changed by relative kicks (n,)."""
    assert table.gen_plus is not None
    assert table.gen_minus is not None
    muons = [
        MuonArrays(muon.pt / (1 + kick), muon.eta, muon.phi)
        for muon, kick in ((table.gen_plus, plus), (table.gen_minus, minus))
    ]
    moved = replace(table, plus=muons[0], minus=muons[1])
    return moved[np.all(list(generate._passed(moved, config).values()), axis=0)]


def counted(config: SimulateDimuons, events: int) -> samples.Counts:
    """Sums over at least `events` pairs."""
    settings, total, parts = None, 0, []
    for block in count():
        for table in pairs(config, block):
            settings = settings or samples.settings_for(table, EDGES)
            parts.append((accumulate(table, settings), accumulate_truth(table, settings)))
            total += len(table)
        parts = [tuple(reduce(add, same) for same in zip(*parts, strict=True))]
        if total >= events:
            break
    assert settings is not None
    return samples.Counts(settings, parts[0][0], *parts[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tails", choices=list(TAILS), default="both")
    parser.add_argument("--events", type=int, default=4_000_000)
    parser.add_argument("--samples", type=int, default=2)
    options = parser.parse_args()
    for seed in range(7000, 7000 + options.samples):
        counts = counted(configuration(seed, options.tails), options.events)
        for kernel in ("response", "curvature"):
            own = samples.fit_simulation(counts, LETTERS, kernel=kernel).extraction
            scale = ", ".join(f"{1e5 * off.value:+.1f} at {off.pt:g} GeV" for off in scale_off(own, momenta=SCALE_PT))
            print(f"{options.tails}, {kernel}: scale off [1e-5] {scale}; chi2/ndf {own.chi2 / own.ndf:.2f}", flush=True)


if __name__ == "__main__":
    main()
