"""The factors of a density as the settings choose them: P_L of the pattern and P_T of the reduced chi2, given it."""

from functools import lru_cache

import numpy as np

from muonkit.core.arrays import FloatArray
from muonkit.data.muid import LAYERS, MuidTracks
from muonkit.muid.likelihood import longitudinal
from muonkit.muid.likelihood.chain import followed
from muonkit.muid.likelihood.chi2_distribution import chi2_distribution
from muonkit.muid.likelihood.config import LikelihoodSettings
from muonkit.muid.likelihood.hypotheses import signed_numbers
from muonkit.muid.likelihood.longitudinal import classes_of
from muonkit.muid.likelihood.outcome import region
from muonkit.muid.likelihood.payload import LikelihoodParameters
from muonkit.muid.likelihood.transverse import transverse


def layer_terms(tracks: MuidTracks, payload: LikelihoodParameters, settings: LikelihoodSettings) -> FloatArray:
    """The terms (n, LAYERS, 6) of ln P_L. Raises InputError for a payload that lacks the tables."""
    if settings.correlated:
        return followed(tracks, payload, settings.floor).terms
    return longitudinal.contributions(tracks, payload, settings.last_layer == "strict", settings.floor)


def log_pattern(tracks: MuidTracks, payload: LikelihoodParameters, settings: LikelihoodSettings) -> FloatArray:
    """ln P_L (n, 6); -inf for a combination of outcome and last layer that does not exist."""
    total = layer_terms(tracks, payload, settings).sum(axis=1)
    return np.where(classes_of(tracks)[:, None] < 0, -np.inf, total)


def log_chi2(tracks: MuidTracks, payload: LikelihoodParameters, settings: LikelihoodSettings) -> FloatArray:
    """ln P_T (n, 6); with correlated layers given the pattern, by what it says of the behaviour (eq. 18c)."""
    log_f = transverse(tracks, payload, settings.first_bin)
    if settings.normalised:
        log_f = log_f - np.where(tracks.ndof[:, None] <= 0, 0.0, log_norm_of(tracks, payload, settings.first_bin))
    if not settings.correlated:
        return log_f
    share = followed(tracks, payload, settings.floor).share
    top = np.max(log_f, axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = top + np.log(np.einsum("nhj,nj->nh", share, np.exp(log_f - top)))
    return np.where(np.isfinite(top), total, -np.inf)


def log_norm_of(tracks: MuidTracks, payload: LikelihoodParameters, first_bin: str) -> FloatArray:
    """ln of the integral (n, 6) of the densities of the reduced chi2 that hold for the tracks."""
    D, k = region(tracks.barrel_ext_layer, tracks.endcap_ext_layer), np.clip(tracks.ndof // 2, 1, LAYERS)
    return log_norm(payload, first_bin)[signed_numbers(tracks.charge), D[:, None], k[:, None] - 1]


@lru_cache(maxsize=4)
def log_norm(payload: LikelihoodParameters, first_bin: str) -> FloatArray:
    """ln of the integral (12, 3, LAYERS) of every density of the reduced chi2; kept for the four last used."""
    return np.asarray(np.log(chi2_distribution(payload, first_bin).norm))
