"""What the mass of a pair should be, and how much a pair counts.

Photons take mass away, so the mean of a window is not the mass of the resonance, and it depends on the window and on
the resolution. So no mean is compared with a pole. The location of the mass is Huber's M-estimate with the error of
every pair: sum psi(t)/sigma = 0, t = (m - m_ref)/sigma, psi(t) = t up to 1.345 and constant beyond: a pair in the tail
of radiation pulls with a bounded force, on both sides. In simulation with the detector as it is described, fitted in
the same way, m_ref(sigma) is found in bins of sigma, since a wider line hides more of the tail. In data the same
weights psi(t)/t are given to the equations of the pairs. So a detector that is as described needs no correction,
whatever the tail is; and a pair far off the peak changes little."""

from dataclasses import dataclass

import numpy as np

from muonkit.core.arrays import FloatArray
from muonkit.core.errors import InputError

CORNER = 1.345  # of psi: 95 % of the information of a Gaussian
PASSES = 50
PER_BIN, MOST_BINS = 500, 8  # pairs of the simulation


@dataclass(frozen=True, slots=True)
class MassReference:
    """sigma (k,), rising, and mass (k,) [GeV] there, error (k,) of the mass; pairs: of the simulation, 0 without."""

    sigma: FloatArray
    mass: FloatArray
    error: FloatArray
    pairs: int

    def at(self, sigma: FloatArray) -> FloatArray:
        """m_ref (n,) [GeV] of pairs whose mass has the errors sigma (n,) [GeV]."""
        return np.interp(sigma, self.sigma, self.mass)


def fixed(mass: float) -> MassReference:
    """The same mass [GeV] for all pairs."""
    return MassReference(np.zeros(1), np.array([mass]), np.zeros(1), 0)


def reference_of(mass: FloatArray, sigma: FloatArray) -> MassReference:
    """From masses and their errors (n,) [GeV] of simulated pairs. Raises InputError for fewer than 100 pairs."""
    if len(mass) < 100:
        raise InputError(f"alignment: {len(mass)} simulated pairs are in the window of the mass; 100 are needed")
    bins = int(np.clip(len(mass) // PER_BIN, 1, MOST_BINS))
    parts = np.array_split(np.argsort(sigma, kind="stable"), bins)
    places = np.array([np.median(sigma[part]) for part in parts])
    found, errors = np.array([location(mass[part], sigma[part]) for part in parts]).T
    return MassReference(places, found, errors, len(mass))


def weight(pull: FloatArray) -> FloatArray:
    """psi(t)/t (n,)."""
    return np.minimum(1.0, CORNER / np.maximum(np.abs(pull), CORNER))


def location(mass: FloatArray, sigma: FloatArray) -> tuple[float, float]:
    """Huber's M-estimate of masses with errors (n,), and its own error."""
    found = float(np.median(mass))
    for _ in range(PASSES):
        t = (mass - found) / sigma
        info = weight(t) / sigma**2
        step = float((info * (mass - found)).sum() / info.sum())
        found += step
        if abs(step) < 1e-9 * found:
            break
    t = (mass - found) / sigma
    force, slope = weight(t) * t / sigma, (np.abs(t) < CORNER) / sigma**2
    return found, float(np.sqrt((force**2).sum()) / max(slope.sum(), 1e-300))
