"""`muonkit open-data fetch NAME -o DIR`"""

import argparse
from pathlib import Path
from typing import Any

from muonkit.core.result import Result


def add(commands: Any, common: argparse.ArgumentParser, work: argparse.ArgumentParser) -> None:  # noqa: ARG001
    parser = commands.add_parser("open-data", help="published dimuons of CERN Open Data")
    what = parser.add_subparsers(dest="what", required=True, metavar="fetch|list")
    fetch = what.add_parser("fetch", parents=[common], help="download a record; resumes, verifies size and checksum")
    fetch.add_argument("name", metavar="NAME")
    fetch.add_argument("-o", dest="out", type=Path, required=True, metavar="DIR")
    fetch.set_defaults(run=run_fetch, resumes=True)
    what.add_parser("list", parents=[common], help="the records that can be fetched").set_defaults(run=run_list)


def run_fetch(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.open_data import fetch

    return fetch(options.name, options.out)


def run_list(options: argparse.Namespace) -> Result:  # noqa: ARG001
    from muonkit.pipelines.open_data import known

    return known()
