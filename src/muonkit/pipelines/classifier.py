"""Samples -> a classifier; a classifier and samples -> how well it does beside the likelihood."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from muonkit import __version__
from muonkit.core.arrays import FloatArray
from muonkit.core.config import load
from muonkit.core.errors import InputError
from muonkit.core.files import check_output, write_json
from muonkit.core.result import Result
from muonkit.muid.classifier.config import EvaluateClassifier, TrainClassifier
from muonkit.muid.classifier.evaluate import Comparison, FakeRate, compare
from muonkit.muid.classifier.model import Classifier
from muonkit.muid.classifier.train import train, unseen, without_halves
from muonkit.muid.likelihood.hypotheses import HYPOTHESES
from muonkit.muid.shipped import DEFAULT, payload_of
from muonkit.pipelines.classifier_inputs import input_files, read_features
from muonkit.pipelines.made_for import about_fit, doubts_of, of_samples
from muonkit.pipelines.pieces import detector_of, notes_on
from muonkit.run.alone import alone
from muonkit.run.runner import Runner


@dataclass(frozen=True, slots=True)
class ClassifierResult(Result):
    """A classifier that was trained: its file and size in bytes, numbers of tracks by species; notes: on its
    samples."""

    file: Path
    tracks: dict[str, int]
    size: int
    notes: tuple[str, ...] = ()

    def report(self) -> str:
        """One line, and the notes."""
        line = f"{self.file}: from {self.tracks} tracks, {self.size / 1e6:.2f} MB"
        return "\n".join([line, *self.notes])

    def to_json(self) -> dict[str, Any]:
        """File, numbers, and the text."""
        return {"file": str(self.file), "tracks": self.tracks, "notes": list(self.notes), "text": str(self)}


@dataclass(frozen=True, slots=True)
class ClassifierComparison(Result):
    """Classifiers and the likelihood on the same muons and tracks of the background, of momenta p [GeV]: all, and by
    bins of p; notes: on the samples."""

    background: str
    p: tuple[float, float]
    bins: dict[str, Comparison]
    notes: tuple[str, ...] = ()

    def report(self) -> str:
        """A line for every bin, and the notes."""
        return "\n".join([*(_line(name, self.background, found) for name, found in self.bins.items()), *self.notes])

    def numbers(self) -> dict[str, Any]:
        """Everything but the text."""
        return {
            "background": self.background,
            "p": self.p,
            "bins": {name: found.to_json() for name, found in self.bins.items()},
        }

    def to_json(self) -> dict[str, Any]:
        """The numbers and the text."""
        return self.numbers() | {"notes": list(self.notes), "text": str(self)}


def _line(name: str, background: str, found: Comparison) -> str:
    scores = "; ".join(f"{score} {_rate(one)}" for score, one in found.scores.items())
    return f"p {name} GeV, {found.signal} mu, {found.background} {background}: {scores}"


def _rate(one: FakeRate) -> str:
    text = f"{100 * one.fake_rate:.2f} % [{100 * one.low:.2f}, {100 * one.high:.2f}]"
    return text if one.ratio is None else f"{text}, ratio {one.ratio:.3f} [{one.ratio_low:.3f}, {one.ratio_high:.3f}]"


def train_classifier(config_path: Path, out: Path, runner: Runner) -> ClassifierResult:
    """Write the classifier. Raises InputError for samples that cannot be used, and while another run writes `out`."""
    config, base = load(config_path, TrainClassifier), config_path.parent
    check_output(out, [config_path, *input_files(config, base)])
    with alone(out):
        return trained(config, base, out, runner)


def trained(config: TrainClassifier, base: Path, out: Path, runner: Runner) -> ClassifierResult:
    """See `train_classifier`, which sees that no other run writes `out`."""
    choice, detector = config.training, detector_of(config.detector, base).detector
    found, samples = read_features(config, base, runner, HYPOTHESES)
    measured = found.feature("p")
    used = (found.p > 0) & (measured >= choice.p[0]) & (measured <= choice.p[1]) & (found.feature("crossed") > 0)
    numbers = np.bincount(found.species[used], minlength=len(HYPOTHESES))
    tracks = dict(zip(HYPOTHESES, numbers.tolist(), strict=True))
    about = {"made by": f"muonkit {__version__}", "training": choice.model_dump(mode="json"), "tracks": tracks}
    about |= of_samples(samples, detector)
    about |= {"samples": {Path(sample.name).name: sample.about for sample in samples}}
    train(found.X[used], found.species[used], found.event[used], choice, about).save(out)
    notes = (*notes_on(samples), *doubts_of(samples, detector))
    return ClassifierResult(out, tracks, out.stat().st_size, notes)


def evaluate_classifier(
    config_path: Path, files: list[Path], runner: Runner, out: Path | None = None
) -> ClassifierComparison:
    """Fake rates at equal efficiency of the likelihood and of the classifiers in `files`, on the same tracks; `out`:
    write them there as JSON.

    Raises InputError for samples or classifiers that cannot be used."""
    config, base = load(config_path, EvaluateClassifier), config_path.parent
    own = [] if config.payload == DEFAULT else [base / config.payload]
    if out is not None:
        check_output(out, [config_path, *files, *own, *input_files(config, base)])
    choice, payload = config.evaluation, payload_of(config.payload, base)
    classifiers = open_classifiers(files)
    found, samples = read_features(config, base, runner, ("mu", choice.background), payload)
    used = (found.p >= choice.p[0]) & (found.p <= choice.p[1]) & (found.feature("crossed") > 0)
    if choice.unseen:
        used &= unseen(found.event)
    X = found.X if choice.halves else without_halves(found.X, np.ones(len(found.X), dtype=bool))
    scores = {"likelihood": found.delta} | {name: odds(one, X, choice.background) for name, one in classifiers.items()}
    muon = found.species == HYPOTHESES.index("mu")
    of_bins = {
        f"{low:g}-{high:g}": used & (found.p >= low) & (found.p < high) for low, high in pairwise(choice.p_edges)
    }
    how = choice.efficiency, choice.toys, choice.seed
    detector = detector_of(config.detector, base).detector
    used_with = {f"payload {config.payload}": payload.provenance}
    used_with |= {f"classifier {name}": one.about for name, one in classifiers.items()}
    notes = (*notes_on(samples), *doubts_of(samples, detector), *about_fit(used_with, detector))
    result = ClassifierComparison(choice.background, choice.p, {
        name: compare({score: values[rows] for score, values in scores.items()}, muon[rows], *how)
        for name, rows in ({"all": used} | of_bins).items()
    }, notes)  # fmt: skip
    if out is not None:
        write_json(out, result.numbers())
    return result


def open_classifiers(paths: list[Path]) -> dict[str, Classifier]:
    """Name -> classifier. Raises InputError for names that are taken."""
    names = ["likelihood", *(path.stem for path in paths)]
    faults = [f"{path}: the name '{path.stem}' is taken; rename it" for path in paths if names.count(path.stem) > 1]
    if faults:
        raise InputError(faults)
    return {path.stem: Classifier.load(path) for path in paths}


def odds(classifier: Classifier, X: FloatArray, background: str) -> FloatArray:
    """ln of the probability of a muon over that of the background (n,)."""
    log = classifier.log_posterior(X)
    return np.asarray(log[:, HYPOTHESES.index("mu")] - log[:, HYPOTHESES.index(background)])
