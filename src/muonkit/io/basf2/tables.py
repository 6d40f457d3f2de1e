"""A basf2 file as the tables that identification reads, see `io.klm`: tracks, hits, truth, and the results of Muid."""

from pathlib import Path

import numpy as np

from muonkit.core.arrays import AnyArray
from muonkit.data.tracks import Helices
from muonkit.io.basf2.hits import HitRows
from muonkit.io.basf2.hits_older import older_notes, open_any_hit_rows
from muonkit.io.basf2.records import SPECIES, open_record_rows, records_of
from muonkit.io.basf2.rows import IDS, Rows
from muonkit.io.basf2.tracks import open_track_rows, track_notes
from muonkit.io.basf2.tree import EventTree, open_tree
from muonkit.io.basf2.truth import open_truth_rows
from muonkit.io.klm import KLMFile, read_columns

OPEN = {"tracks": open_track_rows, "hits": open_any_hit_rows, "truth": open_truth_rows, "records": open_record_rows}
COMPARED = ("outcome", *(f"logL_{name}" for name in SPECIES))
UPPER = np.triu_indices(5)


def open_table(path: Path, what: str, tree: str | None = None) -> KLMFile:
    """The table `what` ("tracks", "hits", "truth", "records") of a file. Raises InputError if it cannot be read or does
    not hold it."""
    return table_of(open_tree(path, tree), what)


def table_of(tree: EventTree, what: str) -> KLMFile:
    """The table `what` of an open file. Raises InputError if the file does not hold it."""
    rows: Rows = OPEN[what](tree)
    columns = tuple((name, name) for name in (*IDS, *rows.names))
    return KLMFile(tree.path, tree.name, columns, len(rows), None, source=rows)


def open_both(tracks: Path, hits: Path, tree: str | None = None) -> tuple[KLMFile, KLMFile]:
    """Tracks and hits, of one file or two. Raises InputError if one cannot be read or used."""
    trees = {path: open_tree(path, tree) for path in dict.fromkeys((tracks, hits))}
    return table_of(trees[tracks], "tracks"), table_of(trees[hits], "hits")


def open_records(tracks: KLMFile) -> KLMFile | None:
    """The results of Muid that stand in the file of these tracks, None if there are none."""
    if not isinstance(tracks.source, Rows) or records_of(tracks.source.tree) is None:
        return None
    return table_of(tracks.source.tree, "records")


def read_helices(file: KLMFile, start: int, stop: int) -> Helices:
    """Helices of rows [start, stop) of a table of tracks, NaN without a fit. Raises InputError for a damaged file."""
    columns = read_columns(file, start, stop, ("hypothesis", "helix", "helix_cov"))
    covariance = np.zeros((len(columns["helix"]), 5, 5))
    covariance[:, UPPER[0], UPPER[1]] = columns["helix_cov"]
    covariance[:, UPPER[1], UPPER[0]] = columns["helix_cov"]
    return Helices(columns["helix"], covariance, columns["hypothesis"])


def read_compared(file: KLMFile, start: int, stop: int) -> dict[str, AnyArray]:
    """Outcome and ln L of the records, rows [start, stop), under the names of columns of the output."""
    columns = read_columns(file, start, stop, COMPARED)
    return {f"basf2_{name}": columns[name].astype(np.float64) for name in COMPARED}


def notes_on(tracks: KLMFile, hits: KLMFile) -> tuple[str, ...]:
    """What is not used of a file, a line each."""
    lines = track_notes(tracks.source.tree) if isinstance(tracks.source, Rows) else ()
    if not isinstance(hits.source, HitRows):
        return lines
    late = hits.source.left_out
    told = f"{hits.name}: {late} hits of the barrel carry the flag 'out of time': left out, as in Muid"
    return (*lines, *older_notes(hits.source), *((told,) if late else ()))
