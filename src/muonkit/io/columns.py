"""Plain columns to and from Parquet, and the cell-by-mass histogram to and from UHI JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import hist
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import uhi.io.json

from muonkit.core.arrays import AnyArray, FloatArray
from muonkit.core.files import atomic, write_gzip
from muonkit.core.limits import read_gzip, reading


def write_columns(path: Path, columns: Mapping[str, AnyArray]) -> None:
    """Write arrays (n,) as a Parquet file, atomically. Raises pyarrow's ArrowInvalid if their lengths differ."""
    with atomic(path) as temporary:
        pq.write_table(pa.table({name: pa.array(values) for name, values in columns.items()}), temporary)


def read_columns(path: Path, names: Sequence[str] | None = None) -> dict[str, AnyArray]:
    """Name -> array (n,) for columns of a Parquet file, all if no `names` are given. Raises InputError if it is absent
    or damaged."""
    with reading(str(path), "Parquet file"):
        table = pq.read_table(path, columns=None if names is None else list(names))
        return {name: table[name].to_numpy() for name in table.column_names}


def write_masses(path: Path, counts: FloatArray, edges: FloatArray, variances: FloatArray | None = None) -> None:
    """Write counts (cells, mass bins), with evenly spaced edges (mass bins + 1,) [GeV], as gzipped UHI JSON
    with the axes `cell` and `mass`, atomically. Without `variances`, the variances are the counts."""
    axes = (
        hist.axis.Integer(0, len(counts), name="cell", label="cell", flow=False),
        hist.axis.Regular(len(edges) - 1, edges[0], edges[-1], name="mass", label="mass [GeV]", flow=False),
    )
    histogram = hist.Hist(*axes, storage=hist.storage.Double() if variances is None else hist.storage.Weight())
    histogram.view()[...] = counts if variances is None else np.stack([counts, variances], axis=-1)
    text = json.dumps(histogram, default=uhi.io.json.default)
    write_gzip(path, text.encode())


def read_masses(path: Path) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Counts and their variances (cells, mass bins), and mass edges (mass bins + 1,) [GeV]. Raises InputError if the
    file is absent or damaged."""
    text = read_gzip(path, what="histogram of masses")
    with reading(str(path), "histogram of masses"):
        histogram = hist.Hist(json.loads(text, object_hook=uhi.io.json.object_hook))
        counts, variances = np.asarray(histogram.values()), np.asarray(histogram.variances())
        return counts, variances, np.asarray(histogram.axes[1].edges)
