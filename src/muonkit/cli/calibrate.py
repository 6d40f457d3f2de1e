"""`muonkit calibrate CONFIG.toml -o OUT/`"""

import argparse
from pathlib import Path
from typing import Any

from muonkit.core.result import Result


def add(commands: Any, common: argparse.ArgumentParser, work: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "calibrate", parents=[common, work], help="derive corrections; resumes in OUT/ of the same config"
    )
    parser.add_argument("config", type=Path, metavar="CONFIG.toml")
    parser.add_argument("-o", dest="out", type=Path, required=True, metavar="OUT/")
    parser.set_defaults(run=run, resumes=True)


def run(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.calibrate import calibrate
    from muonkit.pipelines.report import report
    from muonkit.run.progress import talk
    from muonkit.run.runner import runner

    with runner(options.jobs, options.scheduler, talk(), options.timeout) as work:
        calibrate(options.config, options.out, work)
    return report(options.out)
