"""A simulated sample of tracks: NAME.parquet stands for NAME.hits.parquet and, apart from what the fit reads,
NAME.truth.parquet.

    hits     event track module u v sigma_u sigma_v          in the order of the path [cm]
    truth    event track parent species charge x y z px py pz parent_mass end

v and sigma_v are NaN where a module measures one coordinate. Words are stored as dictionaries. The metadata say how the
sample was made (`About`), and which sample it is (`origin`)."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from muonkit.core.arrays import AnyArray
from muonkit.core.errors import InputError
from muonkit.core.files import atomic
from muonkit.core.limits import parse_json
from muonkit.data.hits import TrackHits
from muonkit.data.truth import WORDS, TrackTruth
from muonkit.io.layout import ending_of, kind_of
from muonkit.io.origin import KEY as SAMPLE

ABOUT = "muonkit_tracks"  # key of the metadata
HIT_COLUMNS = ("event", "track", "module", "u", "v", "sigma_u", "sigma_v")
TRUTH_COLUMNS = (
    *("event", "track", "parent", "species", "charge", "x", "y", "z", "px", "py", "pz", "parent_mass", "end"),
)
Columns = Mapping[str, AnyArray]
Words = Mapping[str, Sequence[str]]
Write = Callable[[Columns], None]


class TrackFiles(NamedTuple):
    """Where the parts of a sample are."""

    hits: Path
    truth: Path


@dataclass(frozen=True, slots=True)
class About:
    """How a sample was made. detector: its name; checksum: of its description; distorted: the same with distortions;
    engine, seed; version: of muonkit; config: all of the configuration; data: of Geant4, official or stand-in."""

    detector: str
    checksum: str
    distorted: str
    engine: str
    seed: int
    version: str
    config: dict[str, Any] = field(default_factory=dict)
    data: str = ""


def track_files(path: Path) -> TrackFiles:
    """The files for which NAME.parquet stands. Raises InputError for another ending."""
    if kind_of(path) != "Parquet":
        raise InputError(f"{path}: tracks are written as Parquet; give a name that ends in .parquet")
    at = len(path.name) - len(ending_of(path))
    stem, ending = path.name[:at], path.name[at:]
    return TrackFiles(*(path.with_name(f"{stem}.{part}{ending}") for part in TrackFiles._fields))


def hit_columns(found: TrackHits) -> dict[str, AnyArray]:
    """Columns (k,) of the table of hits; `module` is a number of a surface."""
    hits = found.hits
    value, sigma = hits.value.copy(), np.sqrt(hits.variance)
    missing = sigma == 0
    value[missing], sigma[missing] = np.nan, np.nan
    names = dict(zip(("u", "v", "sigma_u", "sigma_v"), (*value.T, *sigma.T), strict=True))
    row = hits.track
    return {"event": found.event[row], "track": found.track[row], "module": hits.surface, **names}


def truth_columns(truth: TrackTruth) -> dict[str, AnyArray]:
    """Columns (n,) of the table of truth; words are positions."""
    columns = {name: getattr(truth, name) for name in ("event", "track", "parent", "species", "charge")}
    columns |= dict(zip(("x", "y", "z", "px", "py", "pz"), (*truth.position.T, *truth.momentum.T), strict=True))
    return columns | {"parent_mass": truth.parent_mass, "end": truth.end}


@contextmanager
def writing(path: Path, names: Sequence[str], words: Words, about: About, origin: str) -> Iterator[Write]:
    """A function that appends columns to a table, which appears when the block ends. Each call makes a group of rows.
    words: of the columns of numbers that stand for words. Raises OSError if the folder cannot be written."""
    schema = pa.schema([(name, _kind(name, words)) for name in names])
    note = json.dumps(asdict(about), sort_keys=True)
    schema = schema.with_metadata({ABOUT: note, SAMPLE: origin})
    spelt = {name: pa.array(list(known), pa.string()) for name, known in words.items()}

    def table(columns: Columns) -> "pa.Table":
        return pa.table([_column(columns[name], schema.field(name), spelt.get(name)) for name in names], schema=schema)

    with atomic(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        yield lambda columns: writer.write_table(table(columns))


def _kind(name: str, words: Words) -> "pa.DataType":
    if name in words:
        return pa.dictionary(pa.int32(), pa.string())
    return pa.int64() if name in ("event", "track", "charge") else pa.float64()


def _column(values: AnyArray, column: "pa.Field", words: "pa.Array | None") -> "pa.Array":
    if words is None:
        return pa.array(values, column.type)
    return pa.DictionaryArray.from_arrays(pa.array(values, pa.int32()), words)


def write_hits(path: Path, modules: Sequence[str], about: About, origin: str) -> Any:
    """`writing` of the table of hits on these modules."""
    return writing(path, HIT_COLUMNS, {"module": modules}, about, origin)


def write_truth(path: Path, about: About, origin: str) -> Any:
    """`writing` of the table of truth."""
    return writing(path, TRUTH_COLUMNS, WORDS, about, origin)


def about_of(metadata: Mapping[bytes, bytes] | None, name: str) -> About | None:
    """What the metadata of a table say; None for a table that people made themselves. Raises InputError if it is
    damaged."""
    note = (metadata or {}).get(ABOUT.encode())
    if note is None:
        return None
    content = parse_json(note, name)
    known = About.__dataclass_fields__
    if not isinstance(content, dict) or not all(isinstance(content.get(key), str) for key in ("detector", "checksum")):
        raise InputError(f"{name}: its metadata '{ABOUT}' do not name a detector. Simulate the sample again.")
    return About(**{"distorted": "", "engine": "", "seed": 0, "version": ""} | {
        key: value for key, value in content.items() if key in known
    })  # fmt: skip
