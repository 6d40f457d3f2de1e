"""Payloads of the Belle II software: a dump of KLMLikelihoodParameters -> payload, and back."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muonkit import __version__
from muonkit.core.files import check_output
from muonkit.core.plain import plain_fields
from muonkit.core.provenance import digest_file
from muonkit.core.result import Result
from muonkit.io.basf2.maps import ending, read_maps, write_maps
from muonkit.muid.likelihood.maps import from_maps, to_maps, unknown_ids
from muonkit.muid.shipped import DEFAULT, payload_of

NO_ERRORS = "maps do not say how many tracks stand behind a number: uncertainties and numbers of tracks are 0"
NOT_STORED = "uncertainties, numbers of tracks and provenance have no place in the maps: they are left out"


@dataclass(frozen=True, slots=True)
class ConvertedPdfs(Result):
    """The file that was written, the checksum of the payload, entries of every map, and notes: what is not in it."""

    file: Path
    checksum: str
    entries: dict[str, int]
    notes: tuple[str, ...]

    def report(self) -> str:
        counts = ", ".join(f"{number} {name}" for name, number in self.entries.items())
        return "\n".join([f"{self.file}: payload {self.checksum[:12]}, {counts}", *self.notes])

    def to_json(self) -> dict[str, Any]:
        return plain_fields(self) | {"file": str(self.file), "text": str(self)}


def import_pdfs(dump: Path, out: Path, as_is: bool = False) -> ConvertedPdfs:
    """Write the payload of a dump to `out`. Raises InputError, with a line for every kind of fault, if it is none."""
    check_output(out, [dump])
    maps = read_maps(dump)
    origin = {"made by": f"muonkit {__version__} pdfs import", "from": dump.name, "sha256": digest_file(dump)}
    payload = from_maps(maps, str(dump), origin, as_is)
    payload.save(out)
    unknown = {name: number for name, number in unknown_ids(maps).items() if number}
    notes = [f"{name}: {number} ids that no track has are left out" for name, number in unknown.items()]
    return ConvertedPdfs(out, payload.checksum(), _sizes(to_maps(payload)), (*notes, NO_ERRORS))


def export_pdfs(payload: str, out: Path) -> ConvertedPdfs:
    """Write the maps of a payload, a file or `default`, to `out`. Raises InputError for an unknown ending."""
    ending(out)
    check_output(out, [] if payload == DEFAULT else [Path(payload)])
    found = payload_of(payload, Path())
    maps = to_maps(found)
    write_maps(out, maps)
    return ConvertedPdfs(out, found.checksum(), _sizes(maps), (NOT_STORED,))


def _sizes(maps: dict[str, Any]) -> dict[str, int]:
    return {name: len(entries) for name, entries in maps.items()}
