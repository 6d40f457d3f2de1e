"""A look into a payload."""

from pathlib import Path
from typing import Any

import numpy as np

from muonkit.core.errors import InputError
from muonkit.data.muid import BARREL_LAYERS
from muonkit.muid.likelihood.hypotheses import HYPOTHESES, signed_number
from muonkit.muid.likelihood.outcome import OUTCOMES, class_index, classes
from muonkit.muid.likelihood.payload import LikelihoodParameters, first_entries
from muonkit.muid.shipped import payload_of


def show(name: str, species: str, charge: int, outcome: int | None, last: int | None) -> dict[str, Any]:
    """What the payload is made of, and the table of a class if one is named. Raises InputError for one that is none."""
    payload = payload_of(name, Path())
    numbers = {f"{who}{'+' if q > 0 else '-'}": signed_number(who, q) for who in HYPOTHESES for q in (1, -1)}
    tracks = {who: int(payload.tracks[n].sum()) for who, n in numbers.items()}
    lines = [f"checksum {payload.checksum()[:16]}, made by {payload.provenance.get('made by', 'nobody knows')}"]
    lines += [f"tracks: {', '.join(f'{n} {who}' for who, n in tracks.items())}"]
    result: dict[str, Any] = {"checksum": payload.checksum(), "tracks": tracks, "provenance": payload.provenance}
    if outcome is None and last is not None:
        raise InputError(f"--last {last}: is one of an outcome; give --outcome too")
    if outcome is not None:
        rows = table(payload, signed_number(species, charge), outcome, last)
        lines += [f"{layer:>10} {p:8.4f} +- {e:.4f} of {n}" for layer, p, e, n in rows]
        result["table"] = [dict(zip(("layer", "p", "uncertainty", "crossed"), row, strict=True)) for row in rows]
    return result | {"text": "\n".join(lines)}


def table(
    payload: LikelihoodParameters, hypothesis: int, outcome: int, last: int | None
) -> list[tuple[str, float, float, int]]:
    """Layer, probability, uncertainty and number of crossings of a class; without a last layer of the fullest."""
    if not 0 < outcome < OUTCOMES:
        raise InputError(f"--outcome {outcome}: outcomes with a table are 1 to {OUTCOMES - 1}")
    if last is None:
        places = [place for place, pair in enumerate(classes()) if pair[0] == outcome]
        place = max(places, key=lambda one: int(payload.tracks[hypothesis, one]))
    else:
        place = int(class_index()[outcome, last]) if 0 <= last < class_index().shape[1] else -1
    if place < 0:
        raise InputError(f"--last {last}: is no last layer of outcome {outcome}")
    rows = np.arange(*first_entries()[place : place + 2])
    columns = payload.longitudinal[hypothesis, rows], payload.uncertainty[hypothesis, rows]
    numbers = payload.crossed[hypothesis, rows]
    return [
        (f"{'barrel' if i < BARREL_LAYERS else 'endcap'} {i % BARREL_LAYERS}", float(p), float(e), int(n))
        for i, (p, e, n) in enumerate(zip(*columns, numbers, strict=True))
        if n > 0 or p > 0
    ]
