"""One track of an identification, explained layer by layer and drawn."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from muonkit.core.arrays import AnyArray, IntArray
from muonkit.core.config import load
from muonkit.core.errors import InputError
from muonkit.core.files import atomic, check_output
from muonkit.core.result import Result
from muonkit.data.klm import Candidates, KLMHits
from muonkit.io.klm import IDS, RUN_COLUMNS, KLMFile, read_ids
from muonkit.muid.config import Identify, IdentifyInput
from muonkit.muid.explain import ExplainedLayer, ExplainedTrack, explain_track
from muonkit.muid.likelihood.hypotheses import HYPOTHESES
from muonkit.muid.swim.crossing import STATUS
from muonkit.muid.swim.hits import usable
from muonkit.pipelines.identify_events import piece_events
from muonkit.pipelines.identify_inputs import IdentifyJob, opened, prepare
from muonkit.report.muid import event_picture

PICTURES = (".png", ".pdf", ".svg")


@dataclass(frozen=True, slots=True)
class Explanation(Result):
    """A track, what it is called, and the picture of it."""

    title: str
    track: ExplainedTrack
    figure: Path

    def report(self) -> str:
        """A table: layers, then the reduced chi2, the sum and the probabilities."""
        tracks, likelihoods = self.track.found.tracks, self.track.likelihoods
        names = "".join(f"{name:>8}" for name in HYPOTHESES)
        columns = f"{'predicted [cm]':>18}{'sigma [cm]':>14}{'p':>7}{'hit':>7}{'pulls':>14}{'chi2':>8}"
        end = f"outcome {tracks.outcome[0]}, chi2 {tracks.chi2[0]:.2f}, ndof {tracks.ndof[0]}"
        return "\n".join([
            self.title,
            f"{end}; it {STATUS[tracks.status[0]]}",
            "",
            f"{'':22}{columns}  ln P:{names}",
            *(_line(layer) for layer in self.track.layers),
            f"{'reduced chi2':90}       {_numbers(self.track.transverse)}",
            f"{'ln pdf' + (' (junk)' if likelihoods.junk[0] else ''):90}       {_numbers(likelihoods.log_pdf[0])}",
            f"{'probability':90}       {_numbers(likelihoods.probability[0])}",
            str(self.figure),
        ])  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """The layers, the picture, and the text."""
        layers = [_as_json(layer) for layer in self.track.layers]
        return {"layers": layers, "figure": str(self.figure), "text": str(self)}


def explain(config_path: Path, which: str, out: Path) -> Explanation:
    """Explain track `which` ("EXPERIMENT:RUN:EVENT:TRACK", or less where that is one only), drawn to `out`.

    Raises InputError if there is no such track, or several, or `out` is no picture."""
    if out.suffix not in PICTURES:
        raise InputError(f"{out}: --explain draws a picture; give -o a name that ends in {', '.join(PICTURES)}")
    config, base = load(config_path, Identify), config_path.parent
    row = row_of(opened(config.input, base)[0], config.input, which)
    job = prepare(config, base, row)
    check_output(out, (config_path, *job.files, *job.stores))
    candidates, hits, own = event_of(job, row)
    how, candidate = job.how[job.pieces[0].run], candidates[own : own + 1]
    detector, track = how.yoke.detector, explain_track(candidates, own, hits, how)
    ids = read_ids(job.tracks, row, row + 1)
    title = f"{detector.title}: event {ids['event'][0]}, track {ids['track'][0]}"
    figure = event_picture(detector, track, hits, candidate.states.position[0], title)
    with atomic(out) as temporary:
        figure.savefig(temporary, dpi=160, format=out.suffix[1:])
    return Explanation(title, track, out)


def row_of(tracks: KLMFile, choice: IdentifyInput, which: str) -> int:
    """The row of a track in the table. Raises InputError if there is none, or several."""
    try:
        wanted = [int(number) for number in which.split(":")]
    except ValueError:
        wanted = []
    if not 1 <= len(wanted) <= 4:
        raise InputError(f"--explain {which}: give [[[EXPERIMENT:]RUN:]EVENT:]TRACK, whole numbers")
    ids = read_ids(tracks, 0, tracks.rows)
    default = {"experiment": choice.experiment, "run": choice.run}
    columns = [ids.get(name, np.full(tracks.rows, default.get(name, 0))) for name in (*RUN_COLUMNS, *IDS)]
    same = [column == number for column, number in zip(columns[-len(wanted) :], wanted, strict=True)]
    rows: IntArray = np.flatnonzero(np.all(same, axis=0))
    if len(rows) != 1:
        count = str(len(rows) or "no")
        raise InputError(
            f"--explain {which}: {tracks.name} has {count} such tracks; give [[EXPERIMENT:]RUN:]EVENT:TRACK of one"
        )
    return int(rows[0])


def event_of(job: IdentifyJob, row: int) -> tuple[Candidates, KLMHits, int]:
    """All tracks and usable hits of the event of the track in `row` of the table, and its place among the tracks."""
    piece = job.pieces[0]
    read = piece_events(job, piece)
    candidates = read.tracks
    hits, _ = usable(read.hits, job.how[piece.run].yoke.layout)
    here = row - piece.tracks[0]
    event = candidates.event[here]
    same: IntArray = np.flatnonzero(candidates.event == event)
    return candidates[same], hits[hits.event == event], int(np.flatnonzero(same == here)[0])


def _as_json(layer: ExplainedLayer) -> dict[str, Any]:
    def plain(values: Any) -> Any:
        return [None if not np.isfinite(value) else round(float(value), 6) for value in values]

    return {
        "layer": layer.name,
        "predicted_cm": plain(layer.predicted),
        "sigma_cm": plain(layer.sigma),
        "p_GeV": plain([layer.momentum])[0],
        "hit": layer.hit,
        "pull": plain(layer.pull),
        "chi2": plain([layer.chi2])[0],
        "reason": layer.reason,
        "terms": dict(zip(HYPOTHESES, plain(layer.terms), strict=True)),
    }


def _line(layer: ExplainedLayer) -> str:
    hit = f"{layer.hit:7}" if layer.hit >= 0 else f"{'-':>7}"
    pulls = "".join(f"{pull:7.2f}" if np.isfinite(pull) else f"{'-':>7}" for pull in layer.pull)
    chi2 = f"{layer.chi2:8.2f}" if np.isfinite(layer.chi2) else f"{'-':>8}"
    place = "".join(f"{value:9.2f}" for value in layer.predicted) + "".join(f"{value:7.2f}" for value in layer.sigma)
    return (
        f"{layer.name:22}{place}{layer.momentum:7.3f}{hit}{pulls}{chi2}       {_numbers(layer.terms)}  {layer.reason}"
    )


def _numbers(values: AnyArray) -> str:
    return "".join(f"{value:8.2f}" for value in values)
