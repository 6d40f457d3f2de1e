"""Tables of tracks and hits to a table of likelihoods, on one core, as `muonkit identify` does it: read, swim, six
hypotheses, write; with the classifier that comes with muonkit, and without it.

Half muons, half pions, made by the fast engine, one track per event. The time is that of the processor, and includes
what a run needs once: detector, payload, classifier. Both tables must agree in all that they have in common."""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from muonkit.pipelines.identify import identify_tables
from muonkit.pipelines.simulate_klm import simulate_klm
from muonkit.run.runner import runner

ROUNDS = 3
SAMPLE = """[generate]
events = {n}
seed = 5
chunk_size = 20000

[gun]
particle = "{particle}"
p = [0.5, 5.0]
theta = [0.2618, 2.618]
"""
CONFIG = '{first}\n[input]\ntracks = "tracks.parquet"\nhits = "hits.parquet"\nchunk_size = 20000\n'
WITH, WITHOUT = 'classifier = "default"', ""


def make_tables(folder: Path, n: int) -> int:
    """n/2 muons and as many pions in the two tables of the input; the number of tracks."""
    tables: dict[str, list[pa.Table]] = {"tracks": [], "hits": []}
    for k, particle in enumerate(("mu", "pi")):
        config = folder / f"{particle}.toml"
        config.write_text(SAMPLE.format(n=n // 2, particle=particle))
        with runner() as work:
            files = simulate_klm(config, folder / f"{particle}.parquet", work).files
        for name, file in zip(tables, files[:2], strict=True):
            table = pq.read_table(file)
            event = pa.array(table["event"].to_numpy() + k * n)
            tables[name].append(table.set_column(table.column_names.index("event"), "event", event))
    for name, parts in tables.items():
        pq.write_table(pa.concat_tables(parts).replace_schema_metadata(), folder / f"{name}.parquet")
    return sum(len(part) for part in tables["tracks"])


def fastest(folder: Path, first: str) -> tuple[float, pa.Table]:
    """Seconds of CPU time of the quickest of some rounds, and the table; first: first line of the configuration."""
    config, seconds = folder / "identify.toml", []
    config.write_text(CONFIG.format(first=first))
    for i in range(ROUNDS + 1):  # the first one compiles
        out = folder / f"{len(first)}-{i}.parquet"
        begin = time.process_time()
        with runner() as work:
            identify_tables(config, out, work)
        seconds.append(time.process_time() - begin)
    return min(seconds[1:]), pq.read_table(out)


def agree(table: pa.Table, more: pa.Table) -> bool:
    """Whether the columns of a table are the same in another one; NaN is equal to NaN."""
    pairs = ((table[name].to_numpy(), more[name].to_numpy()) for name in table.column_names)
    return all(np.array_equal(one, other, equal_nan=one.dtype.kind == "f") for one, other in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer tracks")
    n = 4_000 if parser.parse_args().quick else 40_000
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        tracks = make_tables(folder, n)
        plain, table = fastest(folder, WITHOUT)
        full, more = fastest(folder, WITH)
    p = more["classifier_mu"].to_numpy()
    if not agree(table, more) or not np.all((p >= 0) & (p <= 1) | np.isnan(p)):
        raise SystemExit("the results do not agree: no speed is printed")
    print(f"{tracks} tracks; tracks/s: {tracks / plain:.0f}, with classifier {tracks / full:.0f}")
    rates = {"ours": tracks / plain, "with_classifier": tracks / full}
    print(json.dumps({"name": "identify", **rates, "theirs": None, "ratio": None, "unit": "tracks/s"}))


if __name__ == "__main__":
    main()
