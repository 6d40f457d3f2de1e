"""Identified tracks and their truth -> efficiencies and fake rates, a page of figures, and cuts for analysts."""

from pathlib import Path
from typing import Any

import numpy as np

from muonkit.core.config import load, read_text
from muonkit.core.errors import InputError
from muonkit.core.files import write_json, write_text
from muonkit.core.provenance import describe
from muonkit.io.identified import Joined, pieces
from muonkit.muid.likelihood.hypotheses import HYPOTHESES
from muonkit.muid.performance import cuts_file
from muonkit.muid.performance.config import Performance
from muonkit.muid.performance.counts import Counts, counts
from muonkit.muid.performance.known import ends, known
from muonkit.muid.performance.result import cut_tables, result
from muonkit.pipelines.performance_inputs import Inputs, open_inputs
from muonkit.report.performance import pictures, write_pictures
from muonkit.report.performance_page import page, summary

ENOUGH, AGREE = 50, 0.75  # tracks in the endcaps, share of them in the right one: with another truth it is half


def performance(config_path: Path, out: Path) -> dict[str, Any]:
    """Write performance.json, performance.html, cuts.json.gz and the figures to OUT/. Raises InputError for inputs that
    cannot be used."""
    config, config_text = load(config_path, Performance), read_text(config_path)
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; give a folder with -o")
    inputs = open_inputs(config, config_path.parent)

    # the waist of the hourglass: from here on only sums
    found, doubts = count_inputs(inputs, config)
    require_tracks(found, config, str(config_path))

    content = result(found, config, inputs.payload)
    content["samples"], content["doubts"] = inputs.describe(), doubts
    content["provenance"] = describe(config_text, inputs.files) | {"sample": config.drawing.label}
    cuts_file.write(out / "cuts.json.gz", cut_tables(found, config), config.signal, config.background)
    drawn = pictures(content, config)
    figures = write_pictures(out, drawn)
    write_text(out / "performance.html", page(content, drawn, config_text))
    write_json(out / "performance.json", content)
    return {
        "text": summary(content, out),
        "file": str(out / "performance.json"),
        "page": str(out / "performance.html"),
        "cuts": str(out / "cuts.json.gz"),
        "figures": figures,
        "tracks": content["selection"]["tracks"],
        "overall": content["overall"],
        "working_points": content["working_points"],
    }


def count_inputs(inputs: Inputs, config: Performance) -> tuple[Counts, list[str]]:
    """Sums over all pieces of all files, and what is doubtful about the files."""
    total, doubts = None, []
    for joined in inputs.joined:
        sides = np.zeros(2, dtype=np.int64)
        for table, truth in pieces(joined, config.chunk_size):
            tracks = known(table, truth, config)
            found, sides = counts(tracks, config, inputs.payload), sides + ends(tracks)
            total = found if total is None else total + found
        doubts += doubt(joined, *sides.tolist())
    if total is None:
        raise InputError([f"{joined.table.name}: holds no tracks. Identify some." for joined in inputs.joined])
    return total, doubts


def doubt(joined: Joined, crossed: int, agree: int) -> list[str]:
    """A line if the truth looks like that of other tracks."""
    if crossed < ENOUGH or agree > AGREE * crossed:
        return []
    return [
        f"{joined.table.name}: of {crossed} tracks in the endcaps {crossed - agree} are in the other one than "
        f"{joined.truth.name} says; is it the truth of another sample?"
    ]


def require_tracks(found: Counts, config: Performance, name: str) -> None:
    """Raises InputError without a selected track of signal or background."""
    faults = []
    for key in ("signal", "background"):
        species = getattr(config, key)
        place = HYPOTHESES.index(species)
        if found.selected[place] == 0:
            faults.append(
                f"{name}: {key}: none of {found.read[place]} tracks of species '{species}' is selected; "
                f"add a sample of them to [[input]], or widen [selection]"
            )
    if faults:
        raise InputError(faults)
