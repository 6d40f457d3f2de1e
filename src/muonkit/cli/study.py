"""`muonkit study CONFIG.toml -o OUT/`"""

import argparse
from pathlib import Path
from typing import Any

from muonkit.core.result import Result


def add(commands: Any, common: argparse.ArgumentParser, work: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "study", parents=[common, work], help="from hits to corrections: the scale left after each stage, on one page"
    )
    parser.add_argument("config", type=Path, metavar="CONFIG.toml")
    help_out = "all files of all steps; those that are done are not done again"
    parser.add_argument("-o", dest="out", type=Path, required=True, metavar="OUT/", help=help_out)
    parser.set_defaults(run=run, resumes=True)


def run(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.full_study import study
    from muonkit.run.progress import talk
    from muonkit.run.runner import runner

    with runner(options.jobs, options.scheduler, talk(), options.timeout) as work:
        return study(options.config, options.out, work)
