"""Identified tracks and their truth -> efficiencies and fake rates, a page of figures, and cuts for analysts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from muonkit.core.config import load, read_text
from muonkit.core.errors import InputError
from muonkit.core.files import check_folder, check_outputs, plain_name, write_json, write_text
from muonkit.core.provenance import describe
from muonkit.core.result import Result
from muonkit.io.identified import Joined, pieces
from muonkit.muid.likelihood.hypotheses import HYPOTHESES
from muonkit.muid.performance import cuts_file
from muonkit.muid.performance.config import Performance
from muonkit.muid.performance.counts import PerformanceCounts, count_tracks
from muonkit.muid.performance.labelled import endcap_sides, labelled
from muonkit.muid.performance.result import PerformanceSummary, numbers
from muonkit.pipelines.performance_inputs import PerformanceInputs, open_inputs
from muonkit.report.performance import pictures, write_pictures
from muonkit.report.performance_page import page, summary
from muonkit.run.alone import alone

ENOUGH, AGREE = 50, 0.75  # tracks in the endcaps, share of them in the right one: with another truth it is half


@dataclass(frozen=True, slots=True)
class PerformanceResult(Result):
    """The content of performance.json, the folder it is in, and the figures."""

    content: PerformanceSummary
    out: Path
    figures: tuple[str, ...]

    @property
    def file(self) -> Path:
        """The numbers."""
        return self.out / "performance.json"

    @property
    def page(self) -> Path:
        """The page."""
        return self.out / "performance.html"

    @property
    def cuts(self) -> Path:
        """The cuts, for correctionlib."""
        return self.out / "cuts.json.gz"

    def report(self) -> str:
        """What is doubtful, rates, curves, and where the page is."""
        return "\n".join([*summary(self.content), str(self.page)])

    def to_json(self) -> dict[str, Any]:
        """Files, and the numbers that are most asked for."""
        content = self.content.to_json()
        files = {"file": str(self.file), "page": str(self.page), "cuts": str(self.cuts), "figures": list(self.figures)}
        most = {name: content[name] for name in ("overall", "working_points")}
        return {"text": str(self), **files, "tracks": content["selection"]["tracks"], **most}


def performance(config_path: Path, out: Path) -> PerformanceResult:
    """Write performance.json, performance.html, cuts.json.gz and the figures to OUT/. Raises InputError for inputs that
    cannot be used, and while another run writes there."""
    config, config_text = load(config_path, Performance), read_text(config_path)
    check_folder(out)
    for score in config.score:
        plain_name(score.column, "score.column")  # it names a figure
    with alone(out / "run"):
        return measure(config, config_text, config_path, out)


def measure(config: Performance, config_text: str, config_path: Path, out: Path) -> PerformanceResult:
    """See `performance`, which sees that no other run writes OUT/."""
    inputs = open_inputs(config, config_path.parent)

    # the waist of the hourglass: from here on only sums
    counts, doubts = count_inputs(inputs, config)
    require_tracks(counts, config, str(config_path))

    found = numbers(counts, config, inputs.payload)
    provenance = describe(config_text, inputs.files) | {"sample": config.drawing.label}
    content, drawn = PerformanceSummary(found, inputs.samples(), doubts, provenance), pictures(found)
    result = PerformanceResult(content, out, tuple(str(out / f"{name}.png") for name in drawn))
    outputs = (result.file, result.page, result.cuts, *map(Path, result.figures))
    check_outputs(outputs, (config_path, *inputs.files))
    cuts_file.write(result.cuts, found.cuts, config.signal, config.background)
    write_pictures(out, drawn)
    write_text(result.page, page(content, drawn, config_text))
    write_json(result.file, content.to_json())
    return result


def count_inputs(inputs: PerformanceInputs, config: Performance) -> tuple[PerformanceCounts, list[str]]:
    """Sums over all pieces of all files, and what is doubtful about the files. Raises InputError without any track."""
    total, doubts = None, []
    for joined in inputs.joined:
        sides = np.zeros(2, dtype=np.int64)
        for table, truth in pieces(joined, config.chunk_size):
            tracks = labelled(table, truth, config)
            counts, sides = count_tracks(tracks, config, inputs.payload), sides + endcap_sides(tracks)
            total = counts if total is None else total + counts
        doubts += doubt(joined, *sides.tolist())
    if total is None:
        raise InputError([f"{joined.table.name}: holds no tracks. Identify some." for joined in inputs.joined])
    return total, doubts


def doubt(joined: Joined, crossed: int, agree: int) -> list[str]:
    """A line if the truth looks like that of other tracks, and one if nothing says that it is that of the table."""
    unknown = [each.path.name for each in (joined.table, joined.truth) if each.origin is None]
    trust = f"{joined.table.name}: that {joined.truth.path.name} is its truth is taken on trust"
    one_file = joined.table.path == joined.truth.path
    lines = [f"{trust} ({' and '.join(unknown)} without a sample)"] if unknown and not one_file else []
    if crossed < ENOUGH or agree > AGREE * crossed:
        return lines
    return [
        f"{joined.table.name}: of {crossed} tracks in the endcaps {crossed - agree} are in the other one than "
        f"{joined.truth.name} says; is it the truth of another sample?",
        *lines,
    ]


def require_tracks(counts: PerformanceCounts, config: Performance, name: str) -> None:
    """Raises InputError without a selected track of signal or background."""
    faults = []
    for key in ("signal", "background"):
        species = getattr(config, key)
        place = HYPOTHESES.index(species)
        if counts.selected[place] == 0:
            faults.append(
                f"{name}: {key}: none of {counts.read[place]} tracks of species '{species}' is selected; "
                f"add a sample of them to [[input]], or widen [selection]"
            )
    if faults:
        raise InputError(faults)
