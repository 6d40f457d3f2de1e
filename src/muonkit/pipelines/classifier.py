"""Samples -> a classifier; a classifier and samples -> how well it does beside the likelihood."""

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from muonkit import __version__
from muonkit.core.arrays import AnyArray, BoolArray, FloatArray, IntArray
from muonkit.core.config import load
from muonkit.core.errors import InputError
from muonkit.detector.detector import Detector, load_detector, shipped
from muonkit.io.klm import read_hits, read_tracks, read_truth
from muonkit.io.samples import Sample, open_sample
from muonkit.muid.build.count import hypothesis_of
from muonkit.muid.classifier.config import Evaluate, Train
from muonkit.muid.classifier.evaluate import compare
from muonkit.muid.classifier.features import NAMES, features
from muonkit.muid.classifier.model import Model
from muonkit.muid.classifier.train import train, unseen
from muonkit.muid.likelihood.evaluate import likelihood
from muonkit.muid.likelihood.hypotheses import HYPOTHESES, signed_number
from muonkit.muid.likelihood.payload import LikelihoodParameters
from muonkit.muid.shipped import payload_of
from muonkit.muid.swim.extrapolate import extrapolate
from muonkit.pipelines.pdfs import Piece, cut, found
from muonkit.run.runner import Runner


@dataclass(frozen=True)
class Known:
    """Features (n, ...), species (n,) by place in HYPOTHESES, true p [GeV] and event (n,), Delta ln L of muon and pion
    (n,) where a payload was given."""

    X: FloatArray
    species: IntArray
    p: FloatArray
    event: IntArray
    delta: FloatArray


def train_classifier(config_path: Path, out: Path, runner: Runner) -> dict[str, Any]:
    """Write the classifier. Raises InputError for samples that cannot be used."""
    config, base = load(config_path, Train), config_path.parent
    choice, samples = config.training, opened(config.input.samples, base)
    wanted: list[str] = [choice.signal, choice.background]
    known = collected(config, detector_of(config.detector, base), samples, runner, None, wanted)
    measured = known.X[:, NAMES.index("p")]
    used = (known.p > 0) & (measured >= choice.p[0]) & (measured <= choice.p[1]) & (crossed(known))
    signal = known.species[used] == HYPOTHESES.index(choice.signal)
    about = {"made by": f"muonkit {__version__}", "training": choice.model_dump(mode="json")}
    about |= {"tracks": {choice.signal: int(signal.sum()), choice.background: int((~signal).sum())}}
    about |= {"samples": {Path(s.name).name: s.about for s in samples}}
    model = train(known.X[used], signal, known.event[used], choice, about)
    model.save(out)
    size = out.stat().st_size / 1e6
    text = f"{out}: {choice.model} from {about['tracks']} tracks, {size:.2f} MB"
    return {"file": str(out), "tracks": about["tracks"], "text": text}


def evaluate_classifier(config_path: Path, models: list[Path], runner: Runner) -> dict[str, Any]:
    """Fake rates at equal efficiency of the likelihood and of classifiers, on the same tracks."""
    config, base = load(config_path, Evaluate), config_path.parent
    choice, payload = config.evaluation, payload_of(config.payload, base)
    samples, loaded = opened(config.input.samples, base), loaded_models(models)
    known = collected(config, detector_of(config.detector, base), samples, runner, payload, ["mu", "pi"])
    used = (known.p >= choice.p[0]) & (known.p <= choice.p[1]) & (crossed(known))
    if choice.unseen:
        used &= unseen(known.event)
    scores = {"likelihood": known.delta} | {name: model.score(known.X) for name, model in loaded.items()}
    muon = known.species == HYPOTHESES.index("mu")
    edges = choice.p_edges
    bins = {f"{low:g}-{high:g}": used & (known.p >= low) & (known.p < high) for low, high in pairwise(edges)}
    result = {
        name: compare({k: v[rows] for k, v in scores.items()}, muon[rows], choice.efficiency, choice.toys, choice.seed)
        for name, rows in ({"all": used} | bins).items()
    }
    return {"p": choice.p, "bins": result, "text": "\n".join(lines(name, row) for name, row in result.items())}


def loaded_models(paths: list[Path]) -> dict[str, Model]:
    """Name -> classifier. Raises InputError for one that does not tell mu from pi, and for names that are taken."""
    names = ["likelihood", *(path.stem for path in paths)]
    faults = [f"{path}: the name '{path.stem}' is taken; rename it" for path in paths if names.count(path.stem) > 1]
    models = {path.stem: Model.load(path) for path in paths}
    for path, model in zip(paths, (models[path.stem] for path in paths), strict=True):
        if model.species != ("mu", "pi"):
            faults.append(f"{path}: tells {' from '.join(model.species)}, not mu from pi; give another")
    if faults:
        raise InputError(faults)
    return models


def lines(name: str, row: dict[str, Any]) -> str:
    """A line of text for a momentum bin."""
    scores = {key: value for key, value in row.items() if isinstance(value, dict)}
    told = [
        f"{key} {100 * v['fake_rate']:.2f} % [{100 * v['low']:.2f}, {100 * v['high']:.2f}]" + ratio_text(v)
        for key, v in scores.items()
    ]
    return f"p {name} GeV, {row['signal']} mu, {row['background']} pi: " + "; ".join(told)


def ratio_text(row: dict[str, float | None]) -> str:
    """Of a score to the first, nothing where that one has no fakes."""
    if row["ratio"] is None:
        return ""
    return f", ratio {row['ratio']:.3f} [{row['ratio_low']:.3f}, {row['ratio_high']:.3f}]"


def opened(patterns: tuple[str, ...], base: Path) -> list[Sample]:
    """The samples that globs stand for."""
    return [open_sample(path) for path in found(patterns, base)]


def detector_of(name: str, base: Path) -> Detector:
    """A detector that comes with the package, or a file."""
    return load_detector(name if name in shipped() else base / name)


def collected(
    config: Train | Evaluate, detector: Detector, samples: list[Sample], runner: Runner,
    payload: LikelihoodParameters | None, wanted: list[str],
) -> Known:  # fmt: skip
    """Features and truth of all tracks of the wanted species. Raises InputError if one has none."""
    pieces = [piece for sample in samples for piece in cut(sample, config.input.chunk_size)]
    work = partial(known_piece, config, detector, payload, tuple(HYPOTHESES.index(name) for name in wanted))
    parts = list(runner.map("features")(work, pieces))
    known = Known(*(np.concatenate([getattr(part, name) for part in parts]) for name in Known.__dataclass_fields__))
    missing = [name for name in wanted if not np.any(known.species == HYPOTHESES.index(name))]
    if missing:
        raise InputError(f"input.samples: hold no {', '.join(missing)}; simulate them with `muonkit simulate klm`")
    rows = np.sort(np.concatenate([first(known.species, HYPOTHESES.index(n), config.input.most) for n in wanted]))
    return Known(*(getattr(known, name)[rows] for name in Known.__dataclass_fields__))


def crossed(known: Known) -> BoolArray:
    """Whether a track (n,) crosses any layer."""
    return np.asarray(known.X[:, NAMES.index("crossed")] > 0)


def first(species: IntArray, which: int, most: int) -> AnyArray:
    """The first rows of a species."""
    return np.flatnonzero(species == which)[:most]


def known_piece(
    config: Train | Evaluate, detector: Detector, payload: LikelihoodParameters | None, wanted: tuple[int, ...],
    piece: Piece,
) -> Known:  # fmt: skip
    """The wanted tracks of a piece that reach the muon detector."""
    sample = piece.sample
    tracks, truth = read_tracks(sample.tracks, *piece.tracks), read_truth(sample.truth, *piece.tracks)
    hits = read_hits(sample.hits, *piece.hits)
    extrapolated = extrapolate(tracks, hits, detector, config.muid.settings())
    kept = np.isin(species_of(truth.pdg_id), wanted) & (extrapolated.tracks.outcome > 0)
    delta = np.zeros(len(tracks))
    if payload is not None:
        log_pdf = likelihood(extrapolated.tracks, payload).log_pdf
        delta = np.nan_to_num(log_pdf[:, HYPOTHESES.index("mu")] - log_pdf[:, HYPOTHESES.index("pi")], nan=-1e9)
    X, p = features(tracks, hits, extrapolated), np.linalg.norm(truth.momentum, axis=1)
    return Known(X[kept], species_of(truth.pdg_id)[kept], p[kept], tracks.event[kept], delta[kept])


def species_of(pdg_id: IntArray) -> IntArray:
    """Place in HYPOTHESES (n,) of PDG codes."""
    place = np.zeros(12, dtype=np.int64)
    for i, name in enumerate(HYPOTHESES):
        place[[signed_number(name, 1), signed_number(name, -1)]] = i
    return np.asarray(place[hypothesis_of(pdg_id)])
