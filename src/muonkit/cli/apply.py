"""`muonkit apply CORRECTIONS IN -o OUT`"""

import argparse
from pathlib import Path
from typing import Any

from muonkit.core.result import Result


def add(commands: Any, common: argparse.ArgumentParser, work: argparse.ArgumentParser) -> None:  # noqa: ARG001
    parser = commands.add_parser("apply", parents=[common], help="write corrected (or, for simulation, smeared) muons")
    parser.add_argument("corrections", type=Path, metavar="CORRECTIONS", help="corrections.json.gz of a calibration")
    parser.add_argument("input", metavar="IN", help="muons, a file or a URL; written back in the format they came in")
    parser.add_argument("-o", dest="out", type=Path, required=True, metavar="OUT")
    parser.add_argument("--format", choices=("dimuon", "cms-csv", "nanoaod"), help="recognised if not given")
    parser.add_argument("--tree", metavar="NAME", help="tree of a ROOT file, if there are several")
    parser.add_argument(
        "--columns",
        nargs="+",
        default=[],
        metavar="KEY=NAME",
        help="names of columns in the file",
    )
    parser.add_argument(
        "--max-bad-share", type=float, default=None, metavar="X", help="refuse more bad muons than this share (0.01)"
    )
    parser.add_argument(
        "--fallback",
        nargs="*",
        default=None,
        metavar="CONDITION",
        help="NanoAOD: the standard columns for muons that are bad in those of --columns, or for which a condition "
        "does not hold, such as 'Muon_bsConstrainedChi2 < 10'",
    )
    parser.add_argument(
        "--max-fallback-share", type=float, default=None, metavar="X", help="refuse more such muons than this (0.05)"
    )
    parser.add_argument("--slim", action="store_true", help="write only muons and the numbers of their events")
    parser.add_argument("--variation", default="nominal", help="nominal, eigen_i_up, eigen_i_down, ...")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "--smear",
        dest="correction",
        action="store_const",
        const="smear",
        default="scale",
        help="smear simulation to the resolution of data instead of correcting the scale",
    )
    kind.add_argument(
        "--stretch",
        dest="correction",
        action="store_const",
        const="stretch",
        help="the same where the file has generated muons: stretch the response, with its tails",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> Result:
    from muonkit.io.config import Table
    from muonkit.io.places import place
    from muonkit.pipelines.apply import apply

    share = {} if options.max_bad_share is None else {"max_bad_share": options.max_bad_share}
    fallback = _fallback(options.fallback, options.max_fallback_share)
    table = Table(options.format, options.tree, _mapping(options.columns), **share, fallback=fallback)
    where = place(options.input)
    return apply(options.corrections, where, options.out, table, options.variation, options.correction, options.slim)


def _mapping(pairs: list[str]) -> dict[str, str]:
    from muonkit.core.errors import InputError

    bad = [pair for pair in pairs if not all(pair.partition("="))]
    if bad:
        raise InputError(f"--columns {pair}: write KEY=NAME, such as plus_pt=mu1_pt" for pair in bad)
    return dict(pair.split("=", 1) for pair in pairs)


def _fallback(conditions: list[str] | None, max_share: float | None) -> dict[str, Any] | None:
    if conditions is None and max_share is None:
        return None
    return {"require": tuple(conditions or ()), **({} if max_share is None else {"max_share": max_share})}
