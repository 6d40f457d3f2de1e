"""Calibration of posteriors: of tracks with a posterior of 0.8, 80 % should be what they are said to be.

With tracks drawn from the payload (`sampling`), every species as often, and the class independent of the species, the
likelihood of the payload is exact if it counts every missing hit (`last_layer = "strict"`) and the density below the
first bin is a density (`first_bin = "power"`); the efficiencies of the modules cancel. If the classes are as frequent
as each species makes them, their frequencies are part of the prior: see `class_prior`. The mode `improved` is exact for
tracks that are drawn with correlated layers."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2 as chi2_probability

from muonkit.core.arrays import FloatArray, IntArray
from muonkit.data.muid import MuidTracks
from muonkit.muid.checks.sampling import class_shares
from muonkit.muid.likelihood.config import LikelihoodSettings
from muonkit.muid.likelihood.hypotheses import HYPOTHESES, signed_numbers
from muonkit.muid.likelihood.longitudinal import classes_of
from muonkit.muid.likelihood.payload import LikelihoodParameters

EXACT = LikelihoodSettings(first_bin="power", last_layer="strict", keep_junk=True)
LEAST_EXPECTED = 10.0  # right and wrong ones in a bin, for a pull that is a Gaussian


@dataclass(frozen=True, slots=True)
class Reliability:
    """Of one hypothesis, by bins of its posterior: number, mean posterior, share of tracks that are of it, and the pull
    of that share; chi2 over the bins with enough tracks."""

    edges: FloatArray
    number: IntArray
    predicted: FloatArray
    observed: FloatArray
    pull: FloatArray
    chi2: float
    ndf: int

    @property
    def p_value(self) -> float:
        return float(chi2_probability.sf(self.chi2, self.ndf))

    @property
    def largest_difference(self) -> float:
        """Of observed and predicted share, in the bins with enough tracks."""
        return float(np.nanmax(np.where(np.isnan(self.pull), np.nan, np.abs(self.observed - self.predicted))))


def reliability(posterior: FloatArray, species: IntArray, hypothesis: str, bins: int = 10) -> Reliability:
    """Posteriors (n, 6) of tracks of true species (n,), places in HYPOTHESES; rows with NaN are left out."""
    column = HYPOTHESES.index(hypothesis)
    fine = ~np.isnan(posterior).any(axis=1)
    q, right = posterior[fine, column], species[fine] == column
    edges = np.linspace(0, 1, bins + 1)
    place = np.minimum((q * bins).astype(np.int64), bins - 1)
    number, expected, variance, found = (
        np.bincount(place, weights, bins) for weights in (np.ones(len(q)), q, q * (1 - q), right)
    )
    enough = (expected > LEAST_EXPECTED) & (number - expected > LEAST_EXPECTED)
    pull = np.where(enough, (found - expected) / np.sqrt(np.where(enough, variance, 1.0)), np.nan)
    safe = np.maximum(number, 1)
    whole = number.astype(np.int64)
    return Reliability(
        edges, whole, expected / safe, found / safe, pull, float(np.nansum(pull**2)), int(np.sum(enough))
    )


def posterior(log_pdf: FloatArray, log_prior: FloatArray | None = None) -> FloatArray:
    """Probabilities (n, 6) from ln of the densities (n, 6) and of priors (n, 6), equal ones if not given."""
    total = log_pdf if log_prior is None else log_pdf + log_prior
    with np.errstate(invalid="ignore"):
        share = np.exp(total - np.max(total, axis=1, keepdims=True))
        return np.asarray(share / share.sum(axis=1, keepdims=True))


def class_prior(tracks: MuidTracks, payload: LikelihoodParameters) -> FloatArray:
    """ln of the share (n, 6) of every hypothesis' tracks that are of the class of this one; NaN without a class."""
    position = classes_of(tracks)
    with np.errstate(divide="ignore"):
        shares = np.log(class_shares(payload))
    found = shares[signed_numbers(tracks.charge), np.maximum(position, 0)[:, None]]
    return np.where(position[:, None] >= 0, found, np.nan)
