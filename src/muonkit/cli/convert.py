"""`muonkit convert ROCHESTER.txt -o OUT.json.gz`"""

import argparse
from pathlib import Path
from typing import Any

from muonkit.core.result import Result


def add(commands: Any, common: argparse.ArgumentParser, work: argparse.ArgumentParser) -> None:  # noqa: ARG001
    parser = commands.add_parser(
        "convert", parents=[common], help="write Rochester corrections (text) as correctionlib JSON"
    )
    parser.add_argument("input", type=Path, metavar="ROCHESTER.txt", help="such as RoccoR2018UL.txt; may be gzipped")
    parser.add_argument("-o", dest="out", type=Path, required=True, metavar="OUT.json.gz")
    parser.add_argument(
        "--sets",
        nargs="+",
        default=[],
        metavar="NAME",
        help="names of the sets of variations after the default (Stat Zpt Ewk deltaM Ewk2)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.convert import convert

    return convert(options.input, options.out, tuple(options.sets))
