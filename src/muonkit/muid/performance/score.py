"""The score that separates muons from others: Delta = ln L(signal) - ln L(background), or the score of a classifier.

A track without a score fails every cut: one that was not started or did not reach the muon detector, one without a
likelihood because all six densities are tiny (junk), and one that both hypotheses exclude (both ln L are -inf). Delta
is +inf where only the background is excluded, -inf where only the signal is. A cut demands Delta > cut, never =."""

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray

NO_SCORE = -np.inf


def delta(signal: FloatArray, background: FloatArray, junk: BoolArray) -> FloatArray:
    """Delta (n,) of two log-likelihoods (n,); -inf without a score."""
    with np.errstate(invalid="ignore"):  # inf - inf
        difference = signal - background
    return np.where(np.isnan(difference) | junk, NO_SCORE, difference)


def logit(probability: FloatArray) -> FloatArray:
    """ln(q/(1 - q)) (n,): orders as q does, and resolves what is close to 1; -inf without a score."""
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = np.log(probability) - np.log1p(-probability)
    return np.where(np.isnan(odds), NO_SCORE, odds)


def raw(score: FloatArray) -> FloatArray:
    """The score as it is; -inf where there is none."""
    return np.where(np.isnan(score), NO_SCORE, score)


TRANSFORMS = {"logit": logit, "none": raw}
