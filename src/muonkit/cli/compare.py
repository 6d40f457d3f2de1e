"""`muonkit compare OURS.json.gz OTHER ... -o DIR`"""

import argparse
from pathlib import Path
from typing import Any

from muonkit.core.result import Result


def add(commands: Any, common: argparse.ArgumentParser, work: argparse.ArgumentParser) -> None:  # noqa: ARG001
    parser = commands.add_parser("compare", parents=[common], help="corrections of several files on one grid")
    parser.add_argument("first", type=Path, metavar="OURS.json.gz", help="corrections.json.gz of a calibration")
    parser.add_argument(
        "others", type=Path, nargs="+", metavar="OTHER", help="Rochester text file, JSON of MuonScaRe, or of muonkit"
    )
    parser.add_argument("-o", dest="out", type=Path, required=True, metavar="DIR", help="table, JSON and figures")
    parser.add_argument(
        "--pt", type=float, nargs="+", default=[6.0, 20.0, 45.0], metavar="GEV", help="momenta (6 20 45)"
    )
    parser.add_argument(
        "--layers", type=int, default=13, metavar="N", help="tracker layers of the muons, for the resolution (13)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.compare import compare

    return compare(options.first, options.others, options.out, options.pt, options.layers)
