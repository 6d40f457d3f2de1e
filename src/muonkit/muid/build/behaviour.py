"""Shares of every hypothesis that behave as each species (eq. 18c of `likelihood.chain`), from a sample of the tracks.

Expectation maximisation: the share of species j among the tracks of a hypothesis is the mean of the probability that
they behave as j. It is the most probable set of shares, with `own` tracks that behave as their species beside."""

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np

from muonkit.core.additive import Additive
from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.data.muid import LAYERS, MuidTracks
from muonkit.muid.build.config import ChainFit
from muonkit.muid.likelihood.config import LikelihoodSettings
from muonkit.muid.likelihood.evaluate import likelihood
from muonkit.muid.likelihood.hypotheses import HYPOTHESES, SIGNED, signed_numbers
from muonkit.muid.likelihood.longitudinal import classes_of
from muonkit.muid.likelihood.payload import LikelihoodParameters

START = 0.01  # of every other species


@dataclass(frozen=True, slots=True)
class TrackSample(Additive):
    """Columns of `MuidTracks` (n,) that the likelihood reads, and the signed hypothesis; samples add up one after the
    other."""

    hypothesis: IntArray
    outcome: IntArray
    is_forward: BoolArray
    ext_layer_pattern: IntArray
    hit_layer_pattern: IntArray
    barrel_ext_layer: IntArray
    endcap_ext_layer: IntArray
    chi2: FloatArray
    ndof: IntArray

    def __add__(self, other: Self) -> Self:
        pairs = ((getattr(self, field.name), getattr(other, field.name)) for field in fields(self))
        return type(self)(*(np.concatenate(pair) for pair in pairs))

    def tracks(self) -> MuidTracks:
        """The tracks, in perfect modules."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)[1:]}
        n, zero = len(self.hypothesis), np.zeros(len(self.hypothesis), dtype=np.int64)
        return MuidTracks(
            charge=np.where(self.hypothesis % 2 == 1, -1.0, 1.0), barrel_hit_layer=zero, endcap_hit_layer=zero,
            efficiency=np.broadcast_to(1.0, (n, LAYERS)), status=zero, **columns,
        )  # fmt: skip


def no_sample() -> TrackSample:
    """No tracks yet."""
    kinds = {"is_forward": np.bool_, "chi2": np.float64}
    return TrackSample(*(np.zeros(0, kinds.get(field.name, np.int64)) for field in fields(TrackSample)))


def sampled(tracks: MuidTracks, hypothesis: IntArray, most: int) -> TrackSample:
    """The first tracks that have a class, at most `most`."""
    rows = np.flatnonzero(classes_of(tracks) >= 0)[:most]
    names = [field.name for field in fields(TrackSample)[1:]]
    return TrackSample(hypothesis[rows], *(getattr(tracks, name)[rows] for name in names))


def no_others() -> FloatArray:
    """b (12, 6) of particles that all behave as their species."""
    b = np.zeros((SIGNED, len(HYPOTHESES)))
    b[signed_numbers(np.array([1.0, -1.0])), np.arange(len(HYPOTHESES))] = 1.0
    return b


def shares(sample: TrackSample, payload: LikelihoodParameters, fit: ChainFit) -> FloatArray:
    """b (12, 6); payload: with the tables of correlated layers, and any shares."""
    own = no_others()
    log_pdf = likelihood(sample.tracks(), replace(payload, behaviour=own), LikelihoodSettings(mode="improved")).log_pdf
    fine = np.isfinite(log_pdf).all(axis=1)
    log_pdf, hypothesis = log_pdf[fine], sample.hypothesis[fine]
    density = np.exp(log_pdf - log_pdf.max(axis=1, keepdims=True))
    b = START + (1 - len(HYPOTHESES) * START) * own
    for _ in range(fit.rounds):
        joint = b[hypothesis] * density
        found = fit.own * own
        np.add.at(found, hypothesis, joint / joint.sum(axis=1, keepdims=True))
        b = found / found.sum(axis=1, keepdims=True)
    return np.asarray(b)
