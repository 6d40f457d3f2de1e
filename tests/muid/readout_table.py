"""What a readout as in real life costs: `python -m tests.muid.readout_table FOLDER`, where FOLDER is that of
`make conditions`. Muon efficiency and pion fakes (Delta ln L > 0, of tracks that reach the muon detector), shares of
muons by ndof, hits per crossed layer."""

import argparse
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

CASES = {"ideal": "ideal readout", "known": "real readout, known", "untold": "real readout, not told"}
LAYERS = {"barrel 0-1": range(2), "barrel 2-14": range(2, 15), "endcap 0-13": range(15, 29)}


def share(passed, of):
    """Share and its binomial error, in words."""
    p = passed.mean() if len(passed) else np.nan
    return f"{p:.4f} +- {np.sqrt(p * (1 - p) / max(of, 1)):.4f}"


def read(folder, species, case):
    """Columns of the tracks that reach the muon detector; and the number of all tracks."""
    table = pq.read_table(folder / f"{species}-{case}.identified.parquet")
    reached = table["outcome"].to_numpy() > 0
    columns = {name: table[name].to_numpy(zero_copy_only=False)[reached] for name in table.column_names}
    return columns, len(reached)


def delta(columns):
    """ln L(mu) - ln L(pi)."""
    return columns["logL_mu"] - columns["logL_pi"]


def per_layer(columns, layers):
    """Matched hits over crossed layers."""
    crossed, hit = (columns[f"{what}_layer_pattern"].astype(np.int64) for what in ("ext", "hit"))
    return sum(np.sum(hit >> i & 1) for i in layers) / sum(np.sum(crossed >> i & 1) for i in layers)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.muid.readout_table", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    for case, words in CASES.items():
        (mu, every), (pi, _) = (read(folder, species, case) for species in ("mu", "pi"))
        n = len(mu["outcome"])
        print(words)
        print("  muons with Delta > 0:", share(delta(mu) > 0, n))
        pions = len(pi["outcome"])
        print("  pions with Delta > 0:", share(delta(pi) > 0, pions))
        print("  pions at 90 % of the muons:", share(delta(pi) > np.quantile(delta(mu), 0.1), pions))
        for ndof in (0, 30):
            print(f"  muons with ndof {ndof}:", share(mu["ndof"] == ndof, n))
        print(f"  of all muons, ndof 0 or not reached: {1 - np.sum(mu['ndof'] > 0) / every:.4f}")
        found = ", ".join(f"{name} {per_layer(mu, layers):.3f}" for name, layers in LAYERS.items())
        print("  hits of muons per crossed layer:", found)


if __name__ == "__main__":
    main()
