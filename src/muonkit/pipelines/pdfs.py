"""Simulated samples -> the payload of the likelihood, piece by piece; a killed run goes on where it stopped."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from muonkit import __version__
from muonkit.core.config import load, read_text
from muonkit.core.files import check_outputs, write_text
from muonkit.core.provenance import state_of
from muonkit.core.result import Result
from muonkit.io.samples import OpenSample
from muonkit.muid.build.build import build
from muonkit.muid.build.config import BuildPdfs
from muonkit.muid.build.count import PdfCounts, check, count, nothing
from muonkit.muid.swim.extrapolate import extrapolate
from muonkit.muid.swim.yoke import Yoke, build_yoke
from muonkit.pipelines.made_for import doubts_of, of_samples
from muonkit.pipelines.pieces import SamplePiece, cut_samples, detector_of, notes_on, open_samples, read_sample
from muonkit.report.pdfs import page
from muonkit.run.checkpoint import remembered, unfinished
from muonkit.run.runner import Runner


@dataclass(frozen=True, slots=True)
class PdfsResult(Result):
    """The payload that was built: its file, the page about it, checksum and size in bytes; numbers of tracks: all,
    selected, of them with holes in their layers; tracker_decays: primaries that decayed inside of the tracker,
    which are left out if dropped; notes: on samples that do not say that their parts belong together, or of which
    detector they are, and on those of another one."""

    file: Path
    page: Path
    checksum: str
    size: int
    tracks: int
    selected: int
    with_holes: int
    tracker_decays: int
    dropped: bool
    notes: tuple[str, ...] = ()

    def report(self) -> str:
        """Files and numbers, and the notes."""
        lines = (
            f"{self.file}: {self.tracks} tracks, {self.selected} selected, {self.with_holes} of them with holes in "
            f"their layers (chi2 only); payload {self.checksum[:12]}, {self.size / 1e6:.2f} MB"
        )
        fate = "left out" if self.dropped else "kept"
        decays = f"{self.tracker_decays} of all tracks from primaries that decayed in the tracker: {fate}"
        return "\n".join([lines, decays, str(self.page), *self.notes])

    def to_json(self) -> dict[str, Any]:
        """Numbers, files, and the text."""
        names = ("tracks", "selected", "with_holes", "tracker_decays", "dropped", "checksum")
        files = {"file": str(self.file), "page": str(self.page), "notes": list(self.notes)}
        return {name: getattr(self, name) for name in names} | files | {"text": str(self)}


def build_pdfs(config_path: Path, out: Path, runner: Runner) -> PdfsResult:
    """Write the payload to `out` and a page about it beside it. Raises InputError for samples that cannot be used."""
    config, base = load(config_path, BuildPdfs), config_path.parent
    chosen = detector_of(config.detector, base)
    yoke = build_yoke(chosen.detector, config.muid)
    samples = open_samples(config.input.samples, base)
    pieces = cut_samples(samples, config.input.chunk_size)
    made_for = of_samples(samples, chosen.detector)
    files = [file.path for sample in samples for file in (sample.tracks, sample.hits, sample.truth)]
    of_payload = out.with_suffix(".html") if out.name else out
    read = [part for sample in samples for part in sample.files]
    check_outputs((out, of_payload), (config_path, *read, *chosen.files))
    with unfinished(out, state_of(read_text(config_path), [*files, *chosen.files])) as parts:
        run = remembered(runner.map("count"), parts, "piece", PdfCounts)
        counts = sum(run(partial(count_piece, yoke, config), pieces), nothing())
        check(counts)
        payload = build(counts, config, provenance(samples) | made_for)
        payload.save(out)
        write_text(of_payload, page(payload, counts, out.name))
    sums = (counts.seen, counts.selected, counts.with_holes, counts.tracker_decays)
    tracks, selected, with_holes, decays = (int(each.sum()) for each in sums)
    notes = (*notes_on(samples), *doubts_of(samples, chosen.detector))
    numbers = len(payload.to_bytes()), tracks, selected, with_holes, decays
    dropped = config.selection.tracker_decays == "drop"
    return PdfsResult(out, of_payload, payload.checksum(), *numbers, dropped, notes)


def count_piece(yoke: Yoke, config: BuildPdfs, piece: SamplePiece) -> PdfCounts:
    """The counts of a piece; module-level, so that it can travel to another process."""
    events = read_sample(piece)
    tracks = extrapolate(events.tracks, events.hits, yoke).tracks
    return count(tracks, events.truth, config.selection, config.chain.sample)


def provenance(samples: list[OpenSample]) -> dict[str, Any]:
    """Where the payload comes from."""
    names = {Path(sample.name).name: {"tracks": sample.tracks.rows, "about": sample.about} for sample in samples}
    return {"made by": f"muonkit {__version__} pdfs build", "samples": names}
