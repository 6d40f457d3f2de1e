"""`muonkit detector show FILE|NAME`"""

import argparse
from pathlib import Path
from typing import Any

from muonkit.core.errors import InputError
from muonkit.core.result import Result


def add(commands: Any, common: argparse.ArgumentParser, work: argparse.ArgumentParser) -> None:  # noqa: ARG001
    parser = commands.add_parser("detector", help="look at the description of a detector")
    what = parser.add_subparsers(dest="what", required=True, metavar="show|list")
    show = what.add_parser("show", parents=[common], help="check a description, sum it up, draw it")
    show.add_argument("detector", metavar="FILE|NAME", help="a TOML file, or a detector of `muonkit detector list`")
    show.add_argument("-o", dest="out", type=Path, metavar="DIR", help="draw r-z, x-y and x/X0 against eta there")
    show.add_argument("--material", type=Path, metavar="FILE", help="compare with this table of material (CSV)")
    show.add_argument(
        "--material-from", type=float, nargs=3, metavar=("R", "ZMIN", "ZMAX"), help="its lines begin there [cm]"
    )
    show.set_defaults(run=run_show)
    what.add_parser("list", parents=[common], help="the detectors that come with muonkit").set_defaults(run=run_list)


def run_show(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.detector import show

    start = options.material_from
    if start and not (options.material and start[0] > 0 and start[1] < 0 < start[2]):
        raise InputError("--material-from: needs --material FILE, R > 0 and ZMIN < 0 < ZMAX")
    return show(options.detector, options.out, options.material, tuple(start) if start else None)


def run_list(options: argparse.Namespace) -> Result:  # noqa: ARG001
    from muonkit.pipelines.detector import known

    return known()
