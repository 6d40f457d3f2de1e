"""What training and comparison of classifiers read: features and truth of the tracks in samples."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np

from muonkit.core.arrays import AnyArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.io.samples import OpenSample
from muonkit.muid.build.count import hypothesis_of
from muonkit.muid.classifier.config import EvaluateClassifier, TrainClassifier
from muonkit.muid.classifier.features import NAMES, features
from muonkit.muid.likelihood.evaluate import likelihood
from muonkit.muid.likelihood.hypotheses import HYPOTHESES, SIGNED, signed_number
from muonkit.muid.likelihood.payload import LikelihoodParameters
from muonkit.muid.swim.extrapolate import extrapolate
from muonkit.muid.swim.yoke import Yoke, build_yoke
from muonkit.pipelines.made_for import of_samples
from muonkit.pipelines.pieces import SamplePiece, cut_samples, detector_of, open_samples, read_sample
from muonkit.run.runner import Runner

EXCLUDED = -1e9  # Delta of a track without a likelihood


@dataclass(frozen=True, slots=True)
class LabelledFeatures:
    """Features X (n, len(NAMES)), species (n,) by place in HYPOTHESES, true p [GeV] and event (n,), Delta = ln L(mu) -
    ln L(background) (n,) where a payload was given, else 0."""

    X: FloatArray
    species: IntArray
    p: FloatArray
    event: IntArray
    delta: FloatArray

    def __getitem__(self, rows: AnyArray | slice) -> "LabelledFeatures":
        """The tracks selected by a mask, an index array or a slice."""
        return LabelledFeatures(*(getattr(self, field.name)[rows] for field in fields(self)))

    def feature(self, name: str) -> FloatArray:
        """One feature (n,)."""
        return np.asarray(self.X[:, NAMES.index(name)])


def concatenate(parts: Sequence[LabelledFeatures]) -> LabelledFeatures:
    """The tracks of many pieces, one after the other."""
    names = [field.name for field in fields(LabelledFeatures)]
    return LabelledFeatures(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def input_files(config: TrainClassifier | EvaluateClassifier, base: Path) -> list[Path]:
    """The files of the samples and of the detector. Raises InputError for samples that are not whole."""
    samples = open_samples(config.input.samples, base)
    return [*(part for sample in samples for part in sample.files), *detector_of(config.detector, base).files]


def read_features(
    config: TrainClassifier | EvaluateClassifier, base: Path, runner: Runner, wanted: Sequence[str],
    payload: LikelihoodParameters | None = None,
) -> tuple[LabelledFeatures, list[OpenSample]]:  # fmt: skip
    """Features and truth of the tracks of the wanted species that reach the muon detector, at most config.input.most of
    each, with a payload also Delta of the first two; and the samples.

    Raises InputError for samples that cannot be used or are of different detectors, and if a species has no
    tracks."""
    samples, detector = open_samples(config.input.samples, base), detector_of(config.detector, base).detector
    of_samples(samples, detector)
    yoke = build_yoke(detector, config.muid)
    places = tuple(HYPOTHESES.index(name) for name in wanted)
    work = partial(features_of_piece, yoke, payload, places)
    parts = list(runner.map("features")(work, cut_samples(samples, config.input.chunk_size)))
    found = concatenate(parts) if parts else None
    of_species = [np.flatnonzero(found.species == place) if found else () for place in places]
    missing = [name for name, rows in zip(wanted, of_species, strict=True) if not len(rows)]
    if found is None or missing:
        raise InputError(f"input.samples: hold no {', '.join(missing)}; simulate them with `muonkit simulate klm`")
    first = np.concatenate([rows[: config.input.most] for rows in of_species])
    return found[np.sort(first)], samples


def features_of_piece(
    yoke: Yoke, payload: LikelihoodParameters | None, wanted: tuple[int, ...], piece: SamplePiece
) -> LabelledFeatures:
    """Of the wanted tracks of a piece; module-level, so that it can travel to another process."""
    events = read_sample(piece)
    extrapolated = extrapolate(events.tracks, events.hits, yoke)
    species = species_of(events.truth.pdg_id)
    delta = np.zeros(len(events.tracks))
    if payload is not None:
        log_pdf = likelihood(extrapolated.tracks, payload).log_pdf
        delta = np.nan_to_num(log_pdf[:, wanted[0]] - log_pdf[:, wanted[1]], nan=EXCLUDED)
    X, p = features(events.tracks, events.hits, extrapolated), np.linalg.norm(events.truth.momentum, axis=1)
    whole = LabelledFeatures(X, species, p, events.tracks.event, delta)
    return whole[np.isin(species, wanted) & (extrapolated.tracks.outcome > 0)]


def species_of(pdg_id: IntArray) -> IntArray:
    """Place in HYPOTHESES (n,) of PDG codes. Raises InputError for one that is none of the six species."""
    place = np.zeros(SIGNED, dtype=np.int64)
    for i, name in enumerate(HYPOTHESES):
        place[[signed_number(name, 1), signed_number(name, -1)]] = i
    return np.asarray(place[hypothesis_of(pdg_id)])
