"""`muonkit open-data fetch NAME -o DIR`"""

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any, common: argparse.ArgumentParser, work: argparse.ArgumentParser) -> None:  # noqa: ARG001
    parser = commands.add_parser("open-data", help="published dimuons of CERN Open Data")
    what = parser.add_subparsers(dest="what", required=True, metavar="fetch|list")
    fetch = what.add_parser("fetch", parents=[common], help="download a record; resumes, verifies size and checksum")
    fetch.add_argument("name", metavar="NAME")
    fetch.add_argument("-o", dest="out", type=Path, required=True, metavar="DIR")
    fetch.set_defaults(run=run_fetch)
    what.add_parser("list", parents=[common], help="the records that can be fetched").set_defaults(run=run_list)


def run_fetch(options: argparse.Namespace) -> dict[str, Any]:
    from muonkit.core.errors import InputError
    from muonkit.io.opendata import RECORDS, fetch

    if options.name not in RECORDS:
        raise InputError(f"{options.name}: no such record; known are {', '.join(RECORDS)}")
    path = fetch(RECORDS[options.name], options.out)
    return {"file": str(path), "text": str(path)}


def run_list(options: argparse.Namespace) -> dict[str, Any]:  # noqa: ARG001
    from muonkit.io.opendata import RECORDS

    rows = [f"{name:20} {record.size:>12} bytes  {record.title}" for name, record in RECORDS.items()]
    return {"records": list(RECORDS), "text": "\n".join(rows)}
