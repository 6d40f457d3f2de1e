"""`muonkit validate CONFIG.toml --corrections F -o OUT/ [--toys N]`, and `muonkit validate CONFIG.toml --curvature -o
OUT/`"""

import argparse
from pathlib import Path
from typing import Any

from muonkit.core.result import Result


def add(commands: Any, common: argparse.ArgumentParser, work: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "validate", parents=[common, work], help="test corrections on another resonance, or close on the same"
    )
    parser.add_argument("config", type=Path, metavar="CONFIG.toml")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--corrections", type=Path, metavar="F", help="corrections.json.gz of a calibration")
    help_curvature = "audit of the track fit: hits by every model of the fit, against the truth"
    what.add_argument("--curvature", action="store_true", help=help_curvature)
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
    from muonkit.run.progress import talk
    from muonkit.run.runner import runner

    if options.curvature:
        from muonkit.pipelines.curvature import audit_curvature

        with runner(options.jobs, options.scheduler, talk(), options.timeout) as work:
            return audit_curvature(options.config, options.out, work)
    from muonkit.pipelines.report import report
    from muonkit.pipelines.validate import validate

    with runner(options.jobs, options.scheduler, talk(), options.timeout) as work:
        validate(options.config, options.corrections, options.out, work, options.toys)
    return report(options.out)
