"""The weak modes of the CMS-like tracker, and what tracks know of the distortions that have names.

    python -m benchmarks.weak_modes [--detector NAME] [--tracks N] [--level LEVEL] [--modes N] [--figure FILE]

Layers (or ladders and rings, or modules alone) move as bodies, along with a field of few coefficients. The
eigenvalues are the information of the tracks over that of the priors: 100 um, 1 mrad, 1e-2 of the field. Below 1 the
prior knows more. Named distortions are also listed for modules that move alone: a radial one needs them."""

import argparse
from pathlib import Path

from muonkit.alignment.config import AlignmentSettings, Groups
from muonkit.alignment.modes import Modes, books
from muonkit.alignment.solve import solve
from muonkit.alignment.solver import Solver
from muonkit.alignment.system import NormalSystem, accumulate
from muonkit.detector.detector import Detector, load_detector
from muonkit.report.alignment import weak_modes
from muonkit.simulation.gun import Gun
from muonkit.simulation.tracker.step import Physics
from muonkit.simulation.tracker.tracks import simulate_tracks
from muonkit.tracking.fit import fit
from muonkit.tracking.seed import seed
from muonkit.transport.propagate import Settings

GUN = Gun(pt=(3, 50), distribution="log-uniform", eta=(-2.4, 2.4), spread=(0.001, 0.001, 3.0))
PHYSICS = Physics(energy_loss="gaussian", scattering="gaussian")
SETTINGS = Settings(energy_loss="ionisation")
ALIGNMENT = AlignmentSettings(
    u=0.01, v=0.01, w=0.01, alpha=1e-3, beta=1e-3, gamma=1e-3, material=0, field_order=4, tolerance=1e-8
)
CHUNK = 2000


def sums(detector: Detector, tracks: int) -> NormalSystem:
    """Of single muons from the beam line through the detector as described."""
    terms = ALIGNMENT.harmonics(detector)
    system = NormalSystem(len(detector.layers), terms)
    for first in range(0, tracks, CHUNK):
        _, hits = simulate_tracks(detector, GUN, min(CHUNK, tracks - first), 1, PHYSICS, first=first)
        fitted = fit(hits, seed(hits, detector), detector, SETTINGS)
        system.merge(accumulate(hits, fitted, detector, SETTINGS, terms))
    return system


def modes(detector: Detector, system: NormalSystem, level: str, count: int) -> Modes:
    """The weakest ones, of bodies of a level."""
    groups = Groups.model_validate({"moves": level})
    found = solve(system, detector, ALIGNMENT.model_copy(update={"groups": groups}), modes=count).modes
    assert found is not None
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--detector", default="cms_like_tracker")
    parser.add_argument("--tracks", type=int, default=20_000)
    parser.add_argument("--level", choices=("surface", "ladder", "layer"), default="layer")
    parser.add_argument("--modes", type=int, default=10)
    parser.add_argument("--figure", type=Path, help="a picture of the modes")
    options = parser.parse_args()
    detector = load_detector(options.detector)
    system = sums(detector, options.tracks)
    found = modes(detector, system, options.level, options.modes)
    print(f"{detector.title}: {options.tracks} muons of 3 to 50 GeV")
    print(found)
    print("Named distortions of modules that move alone")
    alone = books(Solver(system, detector, ALIGNMENT.model_copy(update={"method": "iterative"})).scaled(), detector)
    for name, information in sorted(alone.items(), key=lambda one: one[1]):
        print(f"  {name:<19}{information:11.3g}")
    if options.figure:
        weak_modes(found, detector).savefig(options.figure)


if __name__ == "__main__":
    main()
