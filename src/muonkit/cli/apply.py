"""`muonkit apply CORRECTIONS IN -o OUT`"""

import argparse
from pathlib import Path
from typing import Any

from muonkit.core.result import Result


def add(commands: Any, common: argparse.ArgumentParser, work: argparse.ArgumentParser) -> None:  # noqa: ARG001
    parser = commands.add_parser("apply", parents=[common], help="write corrected (or, for simulation, smeared) muons")
    parser.add_argument("corrections", type=Path, metavar="CORRECTIONS", help="corrections.json.gz of a calibration")
    parser.add_argument("input", type=Path, metavar="IN", help="muons; written back in the format they came in")
    parser.add_argument("-o", dest="out", type=Path, required=True, metavar="OUT")
    parser.add_argument("--format", choices=("dimuon", "cms-csv", "nanoaod"), help="recognised if not given")
    parser.add_argument("--variation", default="nominal", help="nominal, eigen_i_up, eigen_i_down, ...")
    parser.add_argument(
        "--smear",
        action="store_true",
        help="smear simulation to the resolution of data instead of correcting the scale",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.apply import apply

    return apply(options.corrections, options.input, options.out, options.format, options.variation, options.smear)
