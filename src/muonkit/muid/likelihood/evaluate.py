"""The verb: tracks and a payload -> six log-likelihoods, probabilities and the junk flag.

pdf of a hypothesis = P_L x P_T (`factors`), in logarithms throughout. Muid stores the pdf as it is
and uses the sum of the six only to call a track junk, its documentation divides by the sum: here are both, `log_pdf`
and `probability`."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.data.muid import LAYERS, MuidTracks
from muonkit.muid.likelihood import kernels as kernel
from muonkit.muid.likelihood.config import LikelihoodSettings
from muonkit.muid.likelihood.factors import log_chi2, log_norm, log_pattern
from muonkit.muid.likelihood.hypotheses import SIGNED, signed_numbers
from muonkit.muid.likelihood.longitudinal import efficiency_known
from muonkit.muid.likelihood.outcome import NOT_REACHED, class_index
from muonkit.muid.likelihood.payload import CONTEXTS, NAME, REGIONS, WITHOUT, LikelihoodParameters, first_entries
from muonkit.muid.likelihood.transverse import FIRST_BINS


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
    does not exist, or chi2 that is negative or not finite, has density 0 for all and is junk. Raises InputError for a
    payload that lacks tables which the settings need."""
    n = len(tracks)
    out = kernel.LikelihoodOut(np.zeros((n, 6)), np.zeros((n, 6)), np.zeros(n, dtype=np.bool_))
    rules = kernel.LikelihoodRules(
        settings.correlated,
        settings.last_layer == "strict",
        FIRST_BINS.index(settings.first_bin),
        np.log(settings.junk),
        settings.keep_junk,
    )
    kernel.likelihoods(prepared(payload, settings), columns(tracks), rules, out)
    return Likelihoods(*out, ~efficiency_known(tracks))


def reference(
    tracks: MuidTracks, payload: LikelihoodParameters, settings: LikelihoodSettings = LikelihoodSettings()
) -> Likelihoods:
    """The same in NumPy, formula by formula."""
    log_pdf = log_pattern(tracks, payload, settings) + log_chi2(tracks, payload, settings)
    top = np.max(log_pdf, axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.exp(log_pdf - top)
        total = top[:, 0] + np.log(np.sum(share, axis=1))
        probability = share / np.sum(share, axis=1, keepdims=True)
        junk = (tracks.outcome != NOT_REACHED) & ~(total >= np.log(settings.junk))
    nothing = (tracks.outcome == NOT_REACHED) | (junk & (not settings.keep_junk))
    log_pdf[nothing], probability[nothing] = np.nan, np.nan
    return Likelihoods(log_pdf, probability, junk, ~efficiency_known(tracks))


def check_tables(payload: LikelihoodParameters, settings: LikelihoodSettings, name: str = NAME) -> None:
    """Raises InputError if the payload `name` lacks tables which the settings need."""
    if settings.correlated and not payload.is_correlated:
        raise InputError(f"{name}: {WITHOUT}")


@lru_cache(maxsize=8)
def prepared(payload: LikelihoodParameters, settings: LikelihoodSettings) -> kernel.Tables:
    """The payload as the kernel sees it; kept for the eight last used. Raises InputError as `check_tables` does."""
    check_tables(payload, settings)
    order = np.concatenate((signed_numbers(np.array([1.0])), signed_numbers(np.array([-1.0]))))  # (2, 6)
    floor = settings.floor
    p = kernel.side_by_side(np.clip(payload.longitudinal.astype(np.float64), floor, 1 - floor), order)
    with np.errstate(divide="ignore"):
        log_hit, log_miss = np.log(p), np.log1p(-p)
    splines = np.moveaxis(payload.splines[order], (0, 1), (-3, -2))
    threshold, scale_x, log_scale_y, log_norm_k = (kernel.side_by_side(v, order) for v in _of_chi2(payload, settings))
    signal, behaviour = _chain(payload, settings, order)
    return kernel.Tables(
        class_index(),
        first_entries(),
        p,
        log_hit,
        log_miss,
        np.ascontiguousarray(splines),
        threshold,
        scale_x,
        log_scale_y,
        log_norm_k,
        signal,
        behaviour,
    )


def _of_chi2(payload: LikelihoodParameters, settings: LikelihoodSettings) -> list[FloatArray]:
    """threshold, scale_x, ln scale_y (12, 3, 18), and ln of the integrals (12, 3, LAYERS) by which to divide."""
    undivided = np.zeros((SIGNED, REGIONS, LAYERS))
    divided = log_norm(payload, settings.first_bin) if settings.normalised else undivided
    return [payload.threshold, payload.scale_x, np.log(payload.scale_y), divided]


def _chain(
    payload: LikelihoodParameters, settings: LikelihoodSettings, order: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Probabilities of a signal (entries, 2, 6, 4) and behaviours (2, 6, 6); empty if they are not used."""
    if not settings.correlated:
        return np.zeros((0, 2, 6, CONTEXTS)), np.zeros((2, 6, 6))
    assert payload.behaviour is not None  # see check_tables
    q = np.clip(payload.signal, settings.floor, 1 - settings.floor)
    signal = np.moveaxis(q[order], (0, 1, 2), (-3, -2, -1))
    return np.ascontiguousarray(signal), np.ascontiguousarray(payload.behaviour[order])


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
