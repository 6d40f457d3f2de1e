"""A look into a payload."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from muonkit.core.errors import InputError
from muonkit.core.result import Result
from muonkit.data.muid import BARREL_LAYERS
from muonkit.muid.likelihood.hypotheses import HYPOTHESES, signed_number
from muonkit.muid.likelihood.outcome import OUTCOMES, class_index, classes
from muonkit.muid.likelihood.payload import LikelihoodParameters, first_entries
from muonkit.muid.shipped import payload_of
from muonkit.pipelines.made_for import OF_SAMPLES, THROUGH, found_in, shown


@dataclass(frozen=True, slots=True)
class LayerEntry:
    """Probability of a hit in a layer, its standard deviation, and the number of tracks that crossed the layer."""

    layer: str
    p: float
    uncertainty: float
    crossed: int

    def __str__(self) -> str:
        return f"{self.layer:>10} {self.p:8.4f} +- {self.uncertainty:.4f} of {self.crossed}"


@dataclass(frozen=True, slots=True)
class PayloadSummary(Result):
    """What a payload is made of: numbers of tracks by signed species; table: of one class, if it was asked for."""

    checksum: str
    tracks: dict[str, int]
    provenance: dict[str, Any]
    table: tuple[LayerEntry, ...] | None

    def report(self) -> str:
        """The making, then the table."""
        lines = [
            f"checksum {self.checksum[:16]}, made by {self.provenance.get('made by', 'nobody knows')}",
            *self.made_for(),
            f"tracks: {', '.join(f'{n} {who}' for who, n in self.tracks.items())}",
        ]
        return "\n".join([*lines, *map(str, self.table or ())])

    def made_for(self) -> list[str]:
        """The detector of the samples, and the one through which their tracks were extrapolated."""
        found = {key: found_in(self.provenance, key) for key in (OF_SAMPLES, THROUGH)}
        return [f"{key} {shown(one) if one else 'not recorded'}" for key, one in found.items()]

    def to_json(self) -> dict[str, Any]:
        """All fields, the table only if it was asked for, and the text."""
        result: dict[str, Any] = {name: getattr(self, name) for name in ("checksum", "tracks", "provenance")}
        table = {} if self.table is None else {"table": [asdict(entry) for entry in self.table]}
        return result | table | {"text": str(self)}


def show(name: str, species: str, charge: int, outcome: int | None, last: int | None) -> PayloadSummary:
    """What the payload is made of, and the table of a class if one is named. Raises InputError for one that is none."""
    payload = payload_of(name, Path())
    if outcome is None and last is not None:
        raise InputError(f"--last {last}: is one of an outcome; give --outcome too")
    tracks = {
        f"{who}{'+' if q > 0 else '-'}": int(payload.tracks[signed_number(who, q)].sum())
        for who in HYPOTHESES
        for q in (1, -1)
    }
    entries = None if outcome is None else table(payload, signed_number(species, charge), outcome, last)
    return PayloadSummary(payload.checksum(), tracks, payload.provenance, entries)


def table(payload: LikelihoodParameters, hypothesis: int, outcome: int, last: int | None) -> tuple[LayerEntry, ...]:
    """The entries of a class, those of layers that no track of it can cross left out; without a last layer, of the
    class with most tracks. Raises InputError for a class that does not exist."""
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
    columns = (values[hypothesis, rows] for values in (payload.longitudinal, payload.uncertainty, payload.crossed))
    return tuple(
        LayerEntry(f"{'barrel' if i < BARREL_LAYERS else 'endcap'} {i % BARREL_LAYERS}", float(p), float(e), int(n))
        for i, (p, e, n) in enumerate(zip(*columns, strict=True))
        if n > 0 or p > 0
    )
