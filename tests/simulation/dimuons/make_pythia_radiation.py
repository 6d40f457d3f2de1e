"""Writes pythia_radiation.json: how much of the mass PYTHIA's photons take.

    python tests/simulation/dimuons/make_pythia_radiation.py

Parents of pT 8 GeV at y = 0, all at their PDG mass m0; m is the mass of the two muons after radiation."""

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from muonkit.core.arrays import FloatArray
from muonkit.core.files import write_json
from muonkit.core.kinematics import mass
from muonkit.core.particles import PDG_ID, resonance
from muonkit.simulation.dimuons import pythia

DECAYS = 400_000
SEED = 20_240
PERCENT = (1, 2, 3, 5, 8, 10, 15, 20)
FILE = Path(__file__).with_name("pythia_radiation.json")


def mass_ratio(name: str, n: int, seed: int) -> FloatArray:
    """m/m0 of `n` decays."""
    flat, m0 = np.ones(n), resonance(name).mass
    return mass(*pythia.decay_mass(name, m0 * flat, 8 * flat, 0 * flat, 0 * flat, seed)) / m0


def summary(name: str, n: int, seed: int) -> dict[str, Any]:
    """Fractions, mean logarithm and quantiles of m/m0, with statistical errors."""
    ratio, m0 = mass_ratio(name, n, seed), resonance(name).mass
    logarithm = np.log(ratio)
    return {
        "m0": m0,
        "decays": n,
        "below_0.99": float((ratio < 0.99).mean()),
        "lost_5_MeV": float((m0 * (1 - ratio) > 0.005).mean()),
        "mean_log": float(logarithm.mean()),
        "mean_log_error": float(logarithm.std() / np.sqrt(n)),
        "quantiles": {str(q): float(np.quantile(ratio, q / 100)) for q in PERCENT},
    }


def main() -> None:
    table = {name: summary(name, DECAYS, SEED) for name in PDG_ID}
    command = "python tests/simulation/dimuons/make_pythia_radiation.py"
    write_json(FILE, {"command": command, "pythia": version("pythia8mc"), "seed": SEED, "radiation": table})
    sys.stdout.write(f"{FILE}\n")


if __name__ == "__main__":
    main()
