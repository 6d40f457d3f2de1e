"""Small tables of pairs, and files made of them."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import uproot

from muonkit.core.arrays import AnyArray
from muonkit.core.kinematics import MuonArrays
from muonkit.data.dimuons import Dimuons, Identity
from muonkit.io.config import Input

Columns = dict[str, AnyArray]


def columns(rows: int = 57, seed: int = 1) -> Columns:
    """Simulated pairs with all columns that a dimuon table can have."""
    random = np.random.default_rng(seed)
    table: Columns = {}
    for sign in ("plus", "minus"):
        table[f"{sign}_pt"] = random.uniform(3, 20, rows)
        table[f"{sign}_eta"] = random.uniform(-2.4, 2.4, rows)
        table[f"{sign}_phi"] = random.uniform(-np.pi, np.pi, rows)
    for name in list(table):
        table[name.replace("_", "_gen_")] = table[name] * random.normal(1, 0.01, rows)
    table["weight"] = random.choice([-1.0, 1.0], rows)
    table["run"], table["luminosityBlock"] = random.integers(1, 4, (2, rows))
    table["event"] = 10**12 + np.arange(rows)
    return table


def dimuons(content: Columns) -> Dimuons:
    def muon(prefix: str) -> MuonArrays:
        return MuonArrays(*(content[f"{prefix}_{name}"] for name in ("pt", "eta", "phi")))

    where = Identity(content["run"], content["luminosityBlock"], content["event"])
    generator = muon("plus_gen"), muon("minus_gen")
    return Dimuons(muon("plus"), muon("minus"), content["weight"], where, *generator)


def write(path: Path, content: Columns, tree: str = "Events") -> Path:
    """Write by ending; .ntuple.root is an RNTuple."""
    if path.name.endswith(".parquet"):
        pq.write_table(pa.table(content), path, row_group_size=17)
    elif path.name.endswith(".root"):
        with uproot.recreate(path) as file:
            make = file.mkrntuple if path.name.endswith(".ntuple.root") else file.mktree
            make(tree, {name: column.dtype for name, column in content.items()}).extend(content)
    else:
        with pa.output_stream(path, compression="gzip" if path.name.endswith(".gz") else None) as stream:
            pc.write_csv(pa.table(content), stream)
    return path


def choice(**settings: object) -> Input:
    return Input.model_validate({"data": ("x",), **settings})
