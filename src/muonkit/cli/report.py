"""`muonkit report OUT/`"""

import argparse
from pathlib import Path
from typing import Any

from muonkit.core.result import Result


def add(commands: Any, common: argparse.ArgumentParser, work: argparse.ArgumentParser) -> None:  # noqa: ARG001
    parser = commands.add_parser("report", parents=[common], help="rebuild the page of a calibration or validation")
    parser.add_argument("out", type=Path, metavar="OUT/")
    parser.add_argument(
        "--validation", type=Path, metavar="OUT2/", help="show this validation on the page of the calibration"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.report import report

    return report(options.out, options.validation)
