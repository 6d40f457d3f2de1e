"""`muonkit identify` called by tests: configurations, tables with changes."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
from tests.muid.samples import muons

from muonkit.cli import main
from muonkit.io.klm import table_of, worded
from muonkit.io.tables import write_tables
from muonkit.muid.checks.toy import toy_payload

N = 300


def prepared(path):
    """`path` with tables of tracks and hits, a payload and a configuration."""
    tracks, hits = table_of(*muons(N)[:2])
    write_tables(path / "tracks.parquet", iter([tracks]))
    write_tables(path / "hits.parquet", iter([worded(hits)]))
    toy_payload().save(path / "toy.npz")
    write(path)
    return path


def write(
    path, name="identify.toml", tracks="tracks.parquet", hits="hits.parquet", more="", payload='payload = "toy.npz"'
):
    text = f'{payload}\n[input]\ntracks = "{tracks}"\nhits = "{hits}"\nchunk_size = 100\n{more}\n'
    (path / name).write_text(text)
    return path / name


def run(capsys, *arguments):
    code = main(["identify", *(str(a) for a in arguments)])
    out, err = capsys.readouterr()
    return code, out, err.strip().splitlines()


def identified(folder, capsys, out, *options, config="identify.toml"):
    code, text, err = run(capsys, folder / config, "-o", folder / out, "--json", *options)
    assert code == 0, err
    return json.loads(text)


def changed(folder, name, **columns):
    """A copy of the tracks with other columns."""
    table = pq.read_table(folder / "tracks.parquet").to_pydict()
    pq.write_table(pa.table(table | columns), folder / name)
    return name


def hits_changed(folder, name, **columns):
    """A copy of the hits with other columns."""
    table = pq.read_table(folder / "hits.parquet").to_pydict()
    pq.write_table(pa.table(table | columns), folder / name)
    return name
