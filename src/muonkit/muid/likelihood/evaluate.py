"""The verb: tracks and a payload -> six log-likelihoods, probabilities and the junk flag.

pdf of a hypothesis = P_L (`longitudinal`) x P_T (`transverse`), in logarithms throughout. Muid stores the pdf as it is
and uses the sum of the six only to call a track junk, its documentation divides by the sum: here are both, `log_pdf`
and `probability`."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Self

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray
from muonkit.core.errors import InputError
from muonkit.data.muid import MuidTracks
from muonkit.muid.likelihood import kernels as kernel
from muonkit.muid.likelihood.hypotheses import signed_numbers
from muonkit.muid.likelihood.longitudinal import efficiency_known, longitudinal
from muonkit.muid.likelihood.outcome import NOT_REACHED, class_index
from muonkit.muid.likelihood.payload import LikelihoodParameters, first_entries
from muonkit.muid.likelihood.transverse import FIRST_BINS, transverse

FirstBin = Literal["faithful", "clamp", "power"]
LastLayer = Literal["faithful", "strict"]
JUNK = 1e-20  # on the sum of the six densities
FLOOR = 1e-5  # of the improved mode: an empty bin does not veto a hypothesis


@dataclass(frozen=True, slots=True)
class LikelihoodSettings:
    """first_bin: see `transverse`; last_layer: `strict` counts every missing hit; floor: keeps probabilities from 0
    and 1; keep_junk: junk tracks have likelihoods like all others, and the flag; junk: threshold on the sum."""

    first_bin: FirstBin = "faithful"
    last_layer: LastLayer = "faithful"
    floor: float = 0.0
    keep_junk: bool = False
    junk: float = JUNK

    def __post_init__(self) -> None:
        faults = []
        if self.first_bin not in FIRST_BINS:
            faults.append(f"likelihood.first_bin: {self.first_bin!r} is none of {', '.join(FIRST_BINS)}")
        if self.last_layer not in ("faithful", "strict"):
            faults.append(f"likelihood.last_layer: {self.last_layer!r} is neither 'faithful' nor 'strict'")
        if not 0 <= self.floor < 0.5:
            faults.append(f"likelihood.floor: {self.floor} is no small probability; take 0, or 1e-5")
        if not self.junk > 0:
            faults.append(f"likelihood.junk: {self.junk} is not above 0; take {JUNK}")
        if faults:
            raise InputError(faults)

    @classmethod
    def of(cls, mode: str, first_bin: FirstBin | None = None, last_layer: LastLayer | None = None) -> Self:
        """`faithful` does what the code of Muid does, `improved` what it should; keys that are given override the
        mode. Raises InputError for another mode."""
        if mode not in ("faithful", "improved"):
            raise InputError(f"likelihood.mode: {mode!r} is neither 'faithful' nor 'improved'")
        better = mode == "improved"
        return cls(
            first_bin or ("power" if better else "faithful"),
            last_layer or "faithful",
            FLOOR if better else 0.0,
            keep_junk=better,
        )


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
    out = kernel.Out(np.zeros((n, 6)), np.zeros((n, 6)), np.zeros(n, dtype=np.bool_))
    first_bin = FIRST_BINS.index(settings.first_bin)
    rules = kernel.Rules(settings.last_layer == "strict", first_bin, np.log(settings.junk), settings.keep_junk)
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
