"""`muonkit validate CONFIG.toml --corrections F -o OUT/ [--toys N]`"""

import argparse
from pathlib import Path
from typing import Any

from muonkit.core.result import Result


def add(commands: Any, common: argparse.ArgumentParser, work: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "validate", parents=[common, work], help="test corrections on another resonance, or close on the same"
    )
    parser.add_argument("config", type=Path, metavar="CONFIG.toml")
    parser.add_argument(
        "--corrections", type=Path, required=True, metavar="F", help="corrections.json.gz of a calibration"
    )
    parser.add_argument("-o", dest="out", type=Path, required=True, metavar="OUT/")
    parser.add_argument(
        "--toys", type=_toys, default=0, metavar="N", help="compare the errors with the spread of N toys, such as 200"
    )
    parser.set_defaults(run=run, resumes=True)


def _toys(text: str) -> int:
    """A number of toys: 0 for none, else 2 to 100 000."""
    number = int(text)
    if number != 0 and not 2 <= number <= 100_000:
        raise argparse.ArgumentTypeError(f"{number} toys: give 2 to 100000, or 0 for none")
    return number


def run(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.report import report
    from muonkit.pipelines.validate import validate
    from muonkit.run.progress import talk
    from muonkit.run.runner import runner

    with runner(options.jobs, options.scheduler, talk(), options.timeout) as work:
        validate(options.config, options.corrections, options.out, work, options.toys)
    return report(options.out)
