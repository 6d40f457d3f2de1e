"""The binary files that Millepede II reads (V. Blobel, C. Kleinwort; gitlab.desy.de/claus.kleinwort/millepede-ii).

A record is a track: an int32, twice the number of places; that many float32; that many int32. The first place is (0.,
0). Then for every measurement: (residual, 0); (derivative, 1 ... 5) by the parameters of the track; (sigma, 0);
(derivative, label) by the parameters of surfaces. Derivatives of 0 are left out. Measurements are the whitened ones of
`linear`, so sigma is 1. The label of parameter `index` is index + 1, because labels begin at 1."""

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from muonkit.alignment.config import AlignmentSettings, Groups
from muonkit.alignment.harmonics import names as names_of
from muonkit.alignment.linear import Equations
from muonkit.alignment.parameters import FIELD, SIZE
from muonkit.core.arrays import AnyArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.files import atomic
from muonkit.core.limits import read_bytes

LARGEST_LABEL = 99_999_999  # of Mille.cc
Places = tuple[AnyArray, AnyArray]


class Measurement(NamedTuple):
    """One residual, its sigma, derivatives by the track's parameters (named by numbers from 1) and by global ones
    (named by their labels)."""

    residual: float
    sigma: float
    local: dict[int, float]
    of_labels: dict[int, float]


def write_mille(path: Path, chunks: Iterable[Equations]) -> int:
    """Write the tracks of all chunks and return their number. The file appears whole or not at all.

    Raises InputError for labels that Millepede cannot hold, and OSError if the file cannot be written."""
    count = 0
    with atomic(path) as temporary, temporary.open("wb") as stream:
        for tracks in chunks:
            if SIZE * (int(tracks.surface.max(initial=0)) + 1) > LARGEST_LABEL:
                raise InputError(f"{path}: labels of so many surfaces do not fit into a Mille file")
            for row in range(len(tracks)):
                stream.write(_record(tracks, row))
            count += len(tracks)
    return count


def _record(tracks: Equations, row: int) -> bytes:
    """A track as bytes."""
    measured = tracks.measured[row]
    surface = np.repeat(tracks.surface[row], SIZE)
    z, A, D = (values[row][measured] for values in (tracks.z, tracks.A, tracks.D))
    one = np.ones((len(z), 1))
    values = np.concatenate((z[:, None], A, one, D), axis=1).astype("<f4")
    labels = np.where(surface >= 0, SIZE * surface + np.tile(np.arange(SIZE), len(tracks.surface[row])) + 1, 0)
    names = np.broadcast_to(np.concatenate(([0], 1 + np.arange(5), [0], labels)), values.shape)
    kept = (values != 0) & (names > 0)
    kept[:, [0, 6]] = True
    floats, integers = (np.concatenate(([0], part[kept])) for part in (values, names))  # the first place is (0, 0)
    return struct.pack("<i", 2 * len(floats)) + floats.astype("<f4").tobytes() + integers.astype("<i4").tobytes()


def read_mille(path: Path) -> list[list[Measurement]]:
    """The tracks of a file, each a list of measurements.
    Raises InputError, with the number of the track, if the file cannot be read or is damaged."""
    content = read_bytes(path, what="Mille file")
    return [list(_measurements(*places, f"{path}: track {n}")) for n, places in enumerate(_records(content, path))]


def _records(content: bytes, path: Path) -> Iterator[Places]:
    at, number = 0, 0
    while at < len(content):
        words = struct.unpack_from("<i", content, at)[0] if at + 4 <= len(content) else 0
        size = words // 2
        if words < 2 or words % 2 or at + 4 + 8 * size > len(content):
            raise InputError(
                f"{path}: track {number} is damaged at byte {at}, or this is not a Mille file of single precision; "
                "write it again"
            )
        floats = np.frombuffer(content, "<f4", size, at + 4)
        yield floats, np.frombuffer(content, "<i4", size, at + 4 + 4 * size)
        at, number = at + 4 + 8 * size, number + 1


def _measurements(floats: FloatArray, names: IntArray, place: str) -> Iterator[Measurement]:
    """Zeros among the names begin the residual and sigma of every measurement, after the first place."""
    marks = np.flatnonzero(names == 0)[1:]
    if len(marks) % 2 or (len(marks) and marks[0] != 1) or (names < 0).any() or not np.isfinite(floats).all():
        raise InputError(f"{place}: is damaged: residuals and sigmas do not alternate; write the file again")
    ends = np.append(marks[2::2], len(names))
    for first, second, end in zip(marks[::2], marks[1::2], ends, strict=True):
        if not floats[second] > 0:
            raise InputError(f"{place}: has a sigma of {floats[second]:g}; it must be above 0. Write the file again")
        local, of_labels = (
            dict(zip(names[span].tolist(), floats[span].tolist(), strict=True))
            for span in (slice(first + 1, second), slice(second + 1, end))
        )
        yield Measurement(float(floats[first]), float(floats[second]), local, of_labels)


def steering(binary: Path, surfaces: int, settings: AlignmentSettings = AlignmentSettings()) -> str:
    """The text that tells `pede` to read a file for so many surfaces, with the widths of the priors as presigmas.

    Raises InputError for settings with ties, which such a file does not have."""
    if settings.groups != Groups():
        raise InputError("alignment.groups: a file for Millepede has no ties; leave groups out")
    terms = 0 if settings.field_order is None else len(names_of(settings.field_order, settings.field_azimuth))
    widths = np.tile(settings.widths(), (surfaces, 1))
    widths[:, FIELD] *= terms == 0
    widths = np.concatenate((widths.reshape(-1), np.full(terms, settings.field)))
    prior = np.concatenate((np.tile(settings.has_prior(), surfaces), np.full(terms, settings.has_prior()[FIELD])))
    sigma = np.where(widths > 0, np.where(prior > 0, widths, 0.0), -1.0)
    lines = [f"{index + 1} 0.0 {value:g}" for index, value in enumerate(sigma)]
    return "\n".join(("Cfiles", str(binary), "", "Parameter", *lines, "", "method inversion 3 0.001", "end", ""))
