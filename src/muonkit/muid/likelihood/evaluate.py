"""The verb: tracks and a payload -> six log-likelihoods, probabilities and the junk flag.

pdf of a hypothesis = P_L (`longitudinal`) x P_T (`transverse`), in logarithms throughout. Muid stores the pdf as it is
and uses the sum of the six only to call a track junk, its documentation divides by the sum: here are both, `log_pdf`
and `probability`."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray
from muonkit.data.muid import MuidTracks
from muonkit.muid.likelihood import kernels as kernel
from muonkit.muid.likelihood.config import LikelihoodSettings
from muonkit.muid.likelihood.hypotheses import signed_numbers
from muonkit.muid.likelihood.longitudinal import efficiency_known, longitudinal
from muonkit.muid.likelihood.outcome import NOT_REACHED, class_index
from muonkit.muid.likelihood.payload import LikelihoodParameters, first_entries
from muonkit.muid.likelihood.transverse import FIRST_BINS, transverse


@dataclass(frozen=True, slots=True)
class Likelihoods:
    """log_pdf (n, 6): ln of the density for HYPOTHESES of the tracks' charge, not normalised; probability (n, 6):
    normalised by their sum; NaN where nothing was computed. junk (n,): all six densities are tiny. efficiency_missing
    (n,): a crossed layer has no known efficiency and was taken as perfect."""

    log_pdf: FloatArray
    probability: FloatArray
    junk: BoolArray
    efficiency_missing: BoolArray

    def __len__(self) -> int:
        return len(self.junk)


def likelihood(
    tracks: MuidTracks, payload: LikelihoodParameters, settings: LikelihoodSettings = LikelihoodSettings()
) -> Likelihoods:
    """Likelihoods of all tracks. Outcome 0 gives NaN and is not junk; a combination of outcome and last layer that
    does not exist, or chi2 that is negative or not finite, has density 0 for all and is junk."""
    n = len(tracks)
    out = kernel.LikelihoodOut(np.zeros((n, 6)), np.zeros((n, 6)), np.zeros(n, dtype=np.bool_))
    first_bin = FIRST_BINS.index(settings.first_bin)
    rules = kernel.LikelihoodRules(
        settings.last_layer == "strict", first_bin, np.log(settings.junk), settings.keep_junk
    )
    kernel.likelihoods(prepared(payload, settings.floor), columns(tracks), rules, out)
    return Likelihoods(*out, ~efficiency_known(tracks))


def reference(
    tracks: MuidTracks, payload: LikelihoodParameters, settings: LikelihoodSettings = LikelihoodSettings()
) -> Likelihoods:
    """The same in NumPy, formula by formula."""
    strict = settings.last_layer == "strict"
    log_pdf = longitudinal(tracks, payload, strict, settings.floor) + transverse(tracks, payload, settings.first_bin)
    top = np.max(log_pdf, axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.exp(log_pdf - top)
        total = top[:, 0] + np.log(np.sum(share, axis=1))
        probability = share / np.sum(share, axis=1, keepdims=True)
        junk = (tracks.outcome != NOT_REACHED) & ~(total >= np.log(settings.junk))
    nothing = (tracks.outcome == NOT_REACHED) | (junk & (not settings.keep_junk))
    log_pdf[nothing], probability[nothing] = np.nan, np.nan
    return Likelihoods(log_pdf, probability, junk, ~efficiency_known(tracks))


@lru_cache(maxsize=8)
def prepared(payload: LikelihoodParameters, floor: float) -> kernel.Tables:
    """The payload as the kernel sees it; kept for the eight last used."""
    order = np.concatenate((signed_numbers(np.array([1.0])), signed_numbers(np.array([-1.0]))))
    p = kernel.side_by_side(np.clip(payload.longitudinal.astype(np.float64), floor, 1 - floor), order)
    with np.errstate(divide="ignore"):
        log_hit, log_miss = np.log(p), np.log1p(-p)
    splines = np.moveaxis(payload.splines[order], (0, 1), (-3, -2))
    return kernel.Tables(
        class_index(),
        first_entries(),
        p,
        log_hit,
        log_miss,
        np.ascontiguousarray(splines),
        *(kernel.side_by_side(v, order) for v in (payload.threshold, payload.scale_x, np.log(payload.scale_y))),
    )


def columns(tracks: MuidTracks) -> kernel.Columns:
    """The columns that the kernel reads."""
    return kernel.Columns(
        tracks.charge,
        tracks.outcome,
        tracks.is_forward,
        tracks.ext_layer_pattern,
        tracks.hit_layer_pattern,
        tracks.barrel_ext_layer,
        tracks.endcap_ext_layer,
        tracks.chi2,
        tracks.ndof,
        tracks.efficiency,
    )
