"""`muonkit validate CONFIG.toml --corrections F -o OUT/`"""

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
    parser.set_defaults(run=run, resumes=True)


def run(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.report import report
    from muonkit.pipelines.validate import validate
    from muonkit.run.progress import talk
    from muonkit.run.runner import runner

    with runner(options.jobs, options.scheduler, talk(), options.timeout) as work:
        validate(options.config, options.corrections, options.out, work)
    return report(options.out)
