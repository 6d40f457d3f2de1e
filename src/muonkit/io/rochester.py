"""Text files of the Rochester corrections (`RoccoR*.txt`, from 2017 on), one line per array.

    NSET 2                            sets of corrections; the first is the default, others are variations
    NMEM 1 100                        members of each set
    TVAR 0 1                          kind of each set: 0 default, 1 replicas, 2 a variation
    RMIN 6 | RTRK 12                  fewest tracker layers, number of bins of layers
    RETA 3 0 0.9 1.6 2.4              bins of |eta| of the resolution, and their edges
    CPHI 16 | CETA 2 -2.4 0 2.4       bins of phi; bins of eta of the scale, and their edges
    s m R v b  x ...                  set, member, variable, bin of |eta|: one number per bin of layers. v: 0 1 2 of the
                                      polynomial (2 in per cent), 3 width, 4 alpha, 5 power of the Crystal Ball
    s m T t b  x ...                  t: 0 simulation, 1 data. Cumulative shares of the layers, one more than bins
    s m F t  x ...                    factor on the width, one per bin of |eta|
    s m C t v b  x ...                v: 0 M - 1, 1 A, both in per cent; bin of eta: one number per bin of phi

Sources: A. Bodek et al., EPJC 72 (2012) 2194; the public notes that come with the files. Every line is checked; a
fault is one line that names the line of the file. Lines T are checked and not kept."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice, pairwise, product
from pathlib import Path

import numpy as np

from muonkit.core import limits
from muonkit.core.arrays import FloatArray
from muonkit.core.config import MOST_FAULTS
from muonkit.core.errors import InputError
from muonkit.data.rochester import Rochester, RochesterResolution

MOST_BYTES = 100_000_000  # those of the collaboration have 3 MB
MOST = 10_000  # of sets, members and bins
WHAT = "text file of Rochester corrections"
EDGES = ("RETA", "CETA")
SCALE_KEYS = ("NSET", "NMEM", "TVAR", "CPHI", "CETA")
KEYS = (*SCALE_KEYS, "RMIN", "RTRK", "RETA")
INDICES = {
    "C": ("type", "variable", "bin of eta"),
    "F": ("type",),
    "R": ("variable", "bin of |eta|"),
    "T": ("type", "bin of |eta|"),
}
Key = tuple[str, tuple[int, ...]]  # tag; set, member and the indices of the tag


class FaultError(ValueError):
    """What is wrong with a line."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the lines with keys say. Without resolution `least_layers`, `layers` and `abs_eta` are 0 or empty."""

    members: tuple[int, ...]
    kinds: tuple[int, ...]
    phi_bins: int
    eta: tuple[float, ...]
    least_layers: int = 0
    layers: int = 0
    abs_eta: tuple[float, ...] = ()

    def shape(self, tag: str) -> tuple[int, ...]:
        """How many values each index of a tag takes; the last number is that of the values in a line."""
        bins = max(len(self.abs_eta) - 1, 0)
        shapes = {"R": (6, bins, self.layers), "T": (2, bins, self.layers + 1), "F": (2, bins)}
        return shapes.get(tag, (2, 2, len(self.eta) - 1, self.phi_bins))

    def keys(self, tag: str) -> Iterator[Key]:
        """All keys that lines of a tag must have."""
        indices = [range(size) for size in self.shape(tag)[:-1]]
        for number, members in enumerate(self.members):
            yield from ((tag, key) for key in product((number,), range(members), *indices))

    def count(self, tag: str) -> int:
        """How many lines a tag must have."""
        return sum(self.members) * math.prod(self.shape(tag)[:-1])


@dataclass(slots=True)
class Lines:
    """Lines of a file, sorted: those with keys by key, the others in order; each with its number in the file."""

    header: dict[str, tuple[int, list[str]]] = field(default_factory=dict)
    body: list[tuple[int, list[str]]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def read_rochester(path: Path) -> Rochester:
    """The corrections in a file, `.txt` or `.txt.gz`. Raises InputError, a line per fault with its line number."""
    return parse_rochester(read_source(path), str(path))


def read_source(path: Path) -> str:
    """The text of a file, gzipped or not. Raises InputError if it is too large or not text."""
    packed = path.name.lower().endswith(".gz")
    content = (limits.read_gzip if packed else limits.read_bytes)(path, MOST_BYTES, WHAT)
    with limits.reading(str(path), WHAT):
        return content.decode("utf-8")


def parse_rochester(text: str, name: str) -> Rochester:
    """The corrections in the text of a file called `name`. Raises InputError, a line per fault."""
    lines = _sorted(text)
    header = None if lines.faults else _header(lines)
    if header is None:
        raise InputError(_few(name, lines.faults))
    found = _values(lines, header)
    lines.faults += _missing(found, header)
    if lines.faults:
        raise InputError(_few(name, lines.faults))
    return _arrays(found, header)


def _few(name: str, faults: list[str]) -> list[str]:
    shown = [f"{name}: {fault}" for fault in faults[:MOST_FAULTS]]
    more = len(faults) - len(shown)
    return [*shown, f"{name}: {more} more faults"] if more else shown


def _sorted(text: str) -> Lines:
    lines = Lines()
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if words and words[0][0].isdigit():
            lines.body.append((number, words))
        elif words and not words[0].startswith("#"):
            lines.faults += _put(lines, number, words)
    return lines


def _put(lines: Lines, number: int, words: list[str]) -> Iterator[str]:
    key = words[0]
    if key not in KEYS:
        yield f"line {number}: begins with {key[:20]!r}; give {', '.join(KEYS)}, or set and member (is it a {WHAT}?)"
    elif key in lines.header:
        yield f"line {number}: {key} once more, see line {lines.header[key][0]}"
    else:
        lines.header[key] = (number, words[1:])


def _header(lines: Lines) -> Header | None:
    """What the keys say; None and faults if they are not complete."""
    resolution = [key for key in KEYS if key not in SCALE_KEYS]
    needed = KEYS if any(key in lines.header for key in resolution) else SCALE_KEYS
    if missing := [key for key in needed if key not in lines.header]:
        lines.faults.append(f"has no line {', '.join(missing)}; is it a {WHAT}?")
        return None
    numbers: dict[str, tuple[int, ...]] = {}
    edges: dict[str, tuple[float, ...]] = {}
    for key in needed:
        number, words = lines.header[key]
        try:
            numbers[key] = _counts(words[:1] if key in EDGES else words, least=key not in ("TVAR", "RMIN"))
            if key in EDGES:
                edges[key] = _edges(words[1:], numbers[key][0])
        except FaultError as fault:
            lines.faults.append(f"line {number}: {key} {fault}")
    lines.faults += [] if lines.faults else _inconsistent(numbers, lines)
    return None if lines.faults else _built(numbers, edges)


def _built(numbers: dict[str, tuple[int, ...]], edges: dict[str, tuple[float, ...]]) -> Header:
    scale = Header(numbers["NMEM"], numbers["TVAR"], numbers["CPHI"][0], edges["CETA"])
    if "RETA" not in edges:
        return scale
    fields = (scale.members, scale.kinds, scale.phi_bins, scale.eta)
    return Header(*fields, numbers["RMIN"][0], numbers["RTRK"][0], edges["RETA"])


def _inconsistent(numbers: dict[str, tuple[int, ...]], lines: Lines) -> Iterator[str]:
    sets = numbers["NSET"][0]
    for key, found in numbers.items():
        expected = sets if key in ("NMEM", "TVAR") else 1
        if len(found) != expected:
            yield f"line {lines.header[key][0]}: {key} has {len(found)} numbers in place of {expected}"


def _counts(words: list[str], least: int) -> tuple[int, ...]:
    """Whole numbers from `least` to MOST. Raises FaultError."""
    if not words:
        raise FaultError("has no number")
    return tuple(_whole(word, least, MOST) for word in words)


def _whole(word: str, least: int, most: int) -> int:
    good = word.isascii() and word.isdecimal() and len(word) < 10
    if not good or not least <= int(word) <= most:
        raise FaultError(f"has {word[:20]!r} in place of a whole number from {least} to {most}")
    return int(word)


def _edges(words: list[str], bins: int) -> tuple[float, ...]:
    edges = _reals(words, bins + 1)
    if any(high <= low for low, high in pairwise(edges)):
        raise FaultError("has edges that do not rise")
    return edges


def _reals(words: list[str], count: int) -> tuple[float, ...]:
    if len(words) != count:
        raise FaultError(f"has {len(words)} values in place of {count}")
    return tuple(_real(word) for word in words)


def _real(word: str) -> float:
    try:
        value = math.nan if "_" in word else float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise FaultError(f"has {word[:20]!r} in place of a number")
    return value


def _values(lines: Lines, header: Header) -> dict[Key, tuple[float, ...]]:
    """Numbers of all lines by their keys; the faults are put to those of `lines`."""
    found: dict[Key, tuple[float, ...]] = {}
    places: dict[Key, int] = {}
    for number, words in lines.body:
        try:
            key, values = _line(words, header)
            _check(key, values, places.get(key))
        except FaultError as fault:
            lines.faults.append(f"line {number}: {fault}")
            continue
        found[key], places[key] = values, number
    return found


def _line(words: list[str], header: Header) -> tuple[Key, tuple[float, ...]]:
    tag = words[2] if len(words) > 2 else ""
    if tag not in INDICES:
        raise FaultError(f"has {tag[:20]!r} in place of R, T, F or C after set and member")
    names, shape = INDICES[tag], header.shape(tag)
    if not shape[-1]:
        raise FaultError(f"{tag} without the lines RMIN, RTRK and RETA")
    number = _index("set", words[0], len(header.members))
    member = _index("member", words[1], header.members[number])
    given = words[3 : 3 + len(names)]
    if len(given) < len(names):
        raise FaultError(f"{tag} needs {', '.join(names)} and then {shape[-1]} values")
    indices = [_index(name, word, size) for name, word, size in zip(names, given, shape[:-1], strict=True)]
    return (tag, (number, member, *indices)), _reals(words[3 + len(names) :], shape[-1])


def _index(name: str, word: str, size: int) -> int:
    try:
        return _whole(word, 0, size - 1)
    except FaultError as fault:
        raise FaultError(f"{name} {fault}") from None


def _check(key: Key, values: tuple[float, ...], other: int | None) -> None:
    """Raises FaultError for values that no momentum can be corrected with, and if the line `other` has this key."""
    tag, indices = key
    if other is not None:
        raise FaultError(f"repeats line {other}")
    if tag == "C" and indices[3] == 0 and min(values) <= -100:
        raise FaultError(f"M - 1 is {min(values):g} per cent; it must be above -100")
    if tag == "F" and min(values) <= 0:
        raise FaultError(f"the factor on the width is {min(values):g}; it must be above 0")


def _missing(found: dict[Key, tuple[float, ...]], header: Header) -> Iterator[str]:
    present = dict.fromkeys(INDICES, 0)
    for tag, _ in found:
        present[tag] += 1
    resolution = any(present[tag] for tag in "RTF")
    for tag, count in present.items():
        lacking = header.count(tag) - count if tag == "C" or (resolution and tag != "T") else 0
        if lacking:
            first = islice((key for key in header.keys(tag) if key not in found), 3)
            words = (f"'{key[0]} {key[1]} {tag} {' '.join(str(index) for index in key[2:])}'" for _, key in first)
            yield f"lacks {lacking} of {header.count(tag)} lines {tag}, the first are {', '.join(words)}"


def _arrays(found: dict[Key, tuple[float, ...]], header: Header) -> Rochester:
    scale = _stacked(found, header, "C") / 100
    resolution = _resolution(found, header) if any(tag == "R" for tag, _ in found) else None
    edges = np.array(header.eta)
    return Rochester(header.members, header.kinds, edges, 1 + scale[:, :, 0], scale[:, :, 1], resolution)


def _resolution(found: dict[Key, tuple[float, ...]], header: Header) -> RochesterResolution:
    rows = _stacked(found, header, "R")
    rows[:, 2] /= 100
    shape = (rows[:, 3], rows[:, 4], rows[:, 5])
    factors = _stacked(found, header, "F")
    return RochesterResolution(np.array(header.abs_eta), header.least_layers, factors, rows[:, :3], *shape)


def _stacked(found: dict[Key, tuple[float, ...]], header: Header, tag: str) -> FloatArray:
    """All lines of a tag as one array: (members, *shape)."""
    rows = [found[key] for key in header.keys(tag)]
    return np.array(rows).reshape(sum(header.members), *header.shape(tag))
