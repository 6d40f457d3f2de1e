"""Simulated samples -> the payload of the likelihood, piece by piece; a killed run goes on where it stopped."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from muonkit import __version__
from muonkit.core.arrays import AnyArray
from muonkit.core.config import load, read_text
from muonkit.core.errors import InputError
from muonkit.core.files import atomic
from muonkit.core.provenance import state_of
from muonkit.detector.detector import Detector, load_detector, shipped
from muonkit.io.klm import keys, read_hits, read_tracks, read_truth
from muonkit.io.samples import Sample, open_sample, sample_files
from muonkit.muid.build.build import build
from muonkit.muid.build.config import Build
from muonkit.muid.build.count import Counts, check, count, nothing
from muonkit.muid.likelihood.payload import LikelihoodParameters
from muonkit.muid.swim.extrapolate import extrapolate
from muonkit.report.pdfs import page
from muonkit.run.checkpoint import remembered, unfinished
from muonkit.run.runner import Runner


@dataclass(frozen=True)
class Piece:
    """Tracks [start, stop) of a sample and the hits of their events."""

    sample: Sample
    tracks: tuple[int, int]
    hits: tuple[int, int]


def build_pdfs(config_path: Path, out: Path, runner: Runner) -> dict[str, Any]:
    """Write the payload to `out` and a page about it beside it. Raises InputError for samples that cannot be used."""
    config, base = load(config_path, Build), config_path.parent
    own = [] if config.detector in shipped() else [base / config.detector]
    detector = load_detector(own[0] if own else config.detector)
    samples = [open_sample(path) for path in found(config.input.samples, base)]
    pieces = [piece for sample in samples for piece in cut(sample, config.input.chunk_size)]
    files = [file.path for sample in samples for file in (sample.tracks, sample.hits, sample.truth)]
    with unfinished(out, state_of(read_text(config_path), files + own)) as parts:
        counts = counted(config, detector, pieces, parts, runner)
        check(counts)
        payload = build(counts, config, provenance(samples))
        payload.save(out)
    with atomic(out.with_suffix(".html")) as temporary:
        temporary.write_text(page(payload, counts, out.name))
    return told(payload, counts) | {"file": str(out), "page": str(out.with_suffix(".html"))}


def counted(config: Build, detector: Detector, pieces: list[Piece], parts: Path, runner: Runner) -> Counts:
    """The counts of all pieces."""
    run = remembered(runner.map("count"), parts, "piece", dict[str, AnyArray])
    total = nothing()
    for arrays in run(partial(count_piece, config, detector), pieces):
        total = total + Counts(**arrays)
    return total


def count_piece(config: Build, detector: Detector, piece: Piece) -> dict[str, AnyArray]:
    """The counts of a piece, by name."""
    sample = piece.sample
    tracks, truth = read_tracks(sample.tracks, *piece.tracks), read_truth(sample.truth, *piece.tracks)
    found = extrapolate(tracks, read_hits(sample.hits, *piece.hits), detector, config.muid.settings()).tracks
    counts = count(found, truth, config.selection)
    return {name: getattr(counts, name) for name in Counts.__dataclass_fields__}


def found(patterns: tuple[str, ...], base: Path) -> list[Path]:
    """Samples that globs stand for, in the order of their names. Raises InputError for one that fits nothing."""
    faults, paths = [], []
    for pattern in patterns:
        files = sample_files(base / pattern)
        matches = sorted(files.tracks.parent.glob(files.tracks.name))
        if not matches:
            faults.append(f"input.samples: nothing fits {files.tracks}; simulate it with `muonkit simulate klm`")
        paths += [path.with_name(path.name.replace(".tracks.", ".", 1)) for path in matches]
    if faults:
        raise InputError(faults)
    return sorted(set(paths))


def cut(sample: Sample, size: int) -> Iterator[Piece]:
    """Whole events, about `size` tracks each."""
    rows, first = keys(sample.tracks, 0, 0)
    hits, _ = keys(sample.hits, 0, 0)
    event, starts = hits[:, 2], [0]
    for begin in first[:-1].tolist():
        if begin - starts[-1] >= size:
            starts.append(begin)
    for start, stop in zip(starts, [*starts[1:], len(rows)], strict=True):
        if stop > start:
            low = np.searchsorted(event, rows[start, 2], "left")
            high = np.searchsorted(event, rows[stop - 1, 2], "right")
            yield Piece(sample, (start, stop), (int(low), int(high)))


def provenance(samples: list[Sample]) -> dict[str, Any]:
    """Where the payload comes from."""
    names = {Path(sample.name).name: {"tracks": sample.tracks.rows, "about": sample.about} for sample in samples}
    return {"made by": f"muonkit {__version__} pdfs build", "samples": names}


def told(payload: LikelihoodParameters, counts: Counts) -> dict[str, Any]:
    """The result in words and numbers."""
    seen, selected = int(counts.seen.sum()), int(counts.selected.sum())
    holes = int(counts.with_holes.sum())
    text = (
        f"{seen} tracks, {selected} selected, {holes} of them with holes in their layers (chi2 only); "
        f"payload {payload.checksum()[:12]}, {len(payload.to_bytes()) / 1e6:.2f} MB"
    )
    return {"tracks": seen, "selected": selected, "with_holes": holes, "checksum": payload.checksum(), "text": text}
