"""One track of an identification, told layer by layer and drawn."""

from pathlib import Path
from typing import Any

import numpy as np

from muonkit.core.arrays import AnyArray
from muonkit.core.config import load
from muonkit.core.errors import InputError
from muonkit.core.files import atomic, check_output
from muonkit.io.klm import KLMFile, keys, read_columns, read_hits, read_tracks
from muonkit.muid.config import Identify, IdentifyInput
from muonkit.muid.explain import LayerStory, Story, tell
from muonkit.muid.identify import usable
from muonkit.muid.likelihood.hypotheses import HYPOTHESES
from muonkit.muid.swim.crossing import STATUS
from muonkit.pipelines.identify_inputs import Job, Piece, opened, prepare
from muonkit.report.muid import event_picture

PICTURES = (".png", ".pdf", ".svg")


def explain(config_path: Path, which: str, out: Path) -> dict[str, Any]:
    """Tell of track `which` ("EXPERIMENT:RUN:EVENT:TRACK", or less where that is one only), drawn to `out`.

    Raises InputError if there is no such track, or several, or `out` is no picture."""
    if out.suffix not in PICTURES:
        raise InputError(f"{out}: --explain draws a picture; give -o a name that ends in {', '.join(PICTURES)}")
    config, base = load(config_path, Identify), config_path.parent
    row = _row(opened(config.input, base)[0], config.input, which)
    job = prepare(config, base, row)
    check_output(out, (config_path, *job.files))
    piece = job.pieces[0]
    story, hits, candidate = _told(job, piece, row)
    title = f"{job.how.detector.title}: event {candidate.event[0]}, track {candidate.track[0]}"
    figure = event_picture(job.how.detector, story, hits, candidate.states.position[0], title)
    with atomic(out) as temporary:
        figure.savefig(temporary, dpi=160, format=out.suffix[1:])
    return {"layers": [_as_json(layer) for layer in story.layers], "figure": str(out), "text": _text(story, title, out)}


def _row(tracks: KLMFile, choice: IdentifyInput, which: str) -> int:
    """The row of the track in the table."""
    try:
        wanted = [int(number) for number in which.split(":")]
    except ValueError:
        wanted = []
    if not 1 <= len(wanted) <= 4:
        raise InputError(f"--explain {which}: give [[[EXPERIMENT:]RUN:]EVENT:]TRACK, whole numbers")
    number = read_columns(tracks, 0, tracks.rows, ("track",))["track"]
    table = np.column_stack((keys(tracks, choice.experiment, choice.run)[0], number))
    rows = np.flatnonzero(np.all(table[:, -len(wanted) :] == wanted, axis=1))
    if len(rows) != 1:
        count = str(len(rows) or "no")
        raise InputError(
            f"--explain {which}: {tracks.name} has {count} such tracks; give [[EXPERIMENT:]RUN:]EVENT:TRACK of one"
        )
    return int(rows[0])


def _told(job: Job, piece: Piece, row: int) -> tuple[Story, Any, Any]:
    candidates, (hits, _) = read_tracks(job.tracks, *piece.tracks), usable(read_hits(job.hits, *piece.hits), job.how)
    here = row - piece.tracks[0]
    same: AnyArray = np.flatnonzero(candidates.event == candidates.event[here])
    own = hits[hits.event == candidates.event[here]]
    position = int(np.flatnonzero(same == here)[0])
    story = tell(candidates[same], position, own, job.how, job.conditions[piece.run])
    return story, own, candidates[here : here + 1]


def _as_json(layer: LayerStory) -> dict[str, Any]:
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


def _text(story: Story, title: str, out: Path) -> str:
    tracks, likelihoods = story.found.tracks, story.likelihoods
    names = "".join(f"{name:>8}" for name in HYPOTHESES)
    lines = [
        title,
        f"outcome {tracks.outcome[0]}, chi2 {tracks.chi2[0]:.2f}, ndof {tracks.ndof[0]}; it {STATUS[tracks.status[0]]}",
        "",
        f"{'':22}{'predicted [cm]':>18}{'sigma [cm]':>14}{'p':>7}{'hit':>7}{'pulls':>14}{'chi2':>8}  ln P:{names}",
        *(_line(layer) for layer in story.layers),
        f"{'reduced chi2':90}       {_numbers(story.transverse)}",
        f"{'ln pdf' + (' (junk)' if likelihoods.junk[0] else ''):90}       {_numbers(likelihoods.log_pdf[0])}",
        f"{'probability':90}       {_numbers(likelihoods.probability[0])}",
        str(out),
    ]
    return "\n".join(lines)


def _line(layer: LayerStory) -> str:
    hit = f"{layer.hit:7}" if layer.hit >= 0 else f"{'-':>7}"
    pulls = "".join(f"{pull:7.2f}" if np.isfinite(pull) else f"{'-':>7}" for pull in layer.pull)
    chi2 = f"{layer.chi2:8.2f}" if np.isfinite(layer.chi2) else f"{'-':>8}"
    place = "".join(f"{value:9.2f}" for value in layer.predicted) + "".join(f"{value:7.2f}" for value in layer.sigma)
    return (
        f"{layer.name:22}{place}{layer.momentum:7.3f}{hit}{pulls}{chi2}       {_numbers(layer.terms)}  {layer.reason}"
    )


def _numbers(values: AnyArray) -> str:
    return "".join(f"{value:8.2f}" for value in values)
