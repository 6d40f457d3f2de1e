"""`python -m tests.calibration.thin_templates`: cells with 2000 simulated Z, with their own and with tilted templates.

The numbers are in docs/results.md. One sample takes about 4 s, the first one longer."""

import argparse
from unittest.mock import patch

import numpy as np
from tests.calibration import samples

from muonkit.calibration import pooling
from muonkit.calibration.derive import Derived
from muonkit.core.arrays import FloatArray
from muonkit.simulation.dimuons.generate import generate

ETA = tuple(np.linspace(-2.4, 2.4, 7))
A, C = 0.015, 1.3e-4
SECTIONS = {
    "spectrum": {"pt_scale": 12.0, "pt_power": 2.2, "pt_max": 200.0},
    "resolution": {"a": [A], "c": [C]},
    "background": {"fraction": 0.01, "slope": -0.02},
    "selection": {"scaled_pt_min": 20.0},
}
NAMES = ("sigma [%]", "a [1e-4]", "c [1e-5/GeV]", "A [1e-5]", "chi2/ndf", "pulls mu", "pulls sigma")


def counted(seed: int) -> samples.Counts:
    """Data and simulation, counted."""
    generator = {"events": 600_000, "resonance": "z"}
    data, simulation = (samples.sample(0, 0, **SECTIONS, generate=generator | {"seed": s}) for s in (seed, seed + 1))
    settings = samples.settings_for(next(generate(data)), ETA, "z", 20.0)
    return samples.count(data, simulation, ETA, settings=settings)


def numbers(derived: Derived) -> FloatArray:
    """What NAMES says, less the truth."""
    cells, fits, found = derived.cells[derived.fits.good], derived.fits[derived.fits.good], derived.extraction
    muons = ((cells.response_plus, cells.pt2_plus), (cells.response_minus, cells.pt2_minus))
    sigma = np.sqrt(sum(w**2 * (A**2 + C**2 * pt2) for w, pt2 in muons) + cells.angular)
    scaled = fits.expected_covariance * (sigma**2 / fits.theta[:, 1] ** 2)[:, None, None]
    errors = np.sqrt(np.diagonal(scaled + fits.template_covariance, axis1=1, axis2=2))
    off = fits.theta[:, :2] - np.stack([np.ones(len(sigma)), sigma], axis=1)
    scale, a, c = found.vector.reshape(3, -1).mean(axis=1)
    pulls = (off / errors[:, :2]).std(axis=0)
    values = (100 * np.mean(off[:, 1] / sigma), 1e4 * (a - A), 1e5 * (c - C), 1e5 * scale, found.chi2 / found.ndf)
    return np.array([*values, *pulls])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=8)
    rows: dict[str, list[FloatArray]] = {"own": [], "tilted": []}
    for i in range(parser.parse_args().samples):
        counts = counted(201 + 2 * i)
        for name, bias in (("own", np.inf), ("tilted", pooling.BIAS)):
            with patch.object(pooling, "BIAS", bias):
                rows[name].append(numbers(samples.fit(counts, ("A", "a", "c"), min_entries=1500)))
    for name, values in rows.items():
        mean, error = np.mean(values, axis=0), np.std(values, axis=0) / np.sqrt(len(values))
        line = ", ".join(f"{n} {m:+.2f} +- {e:.2f}" for n, m, e in zip(NAMES, mean, error, strict=True))
        print(f"{name}: {line}")


if __name__ == "__main__":
    main()
