"""`muonkit align CONFIG.toml -o OUT/`"""

import argparse
from pathlib import Path
from typing import Any

from muonkit.core.result import Result


def add(commands: Any, common: argparse.ArgumentParser, work: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "align", parents=[common, work], help="hits of a tracker to corrections of its modules, and its weak modes"
    )
    parser.add_argument("config", type=Path, metavar="CONFIG.toml")
    parser.add_argument("-o", dest="out", type=Path, required=True, metavar="OUT/", help="corrections and a page")
    parser.set_defaults(run=run, resumes=True)


def run(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.align import align
    from muonkit.run.progress import talk
    from muonkit.run.runner import runner

    with runner(options.jobs, options.scheduler, talk(), options.timeout) as work:
        return align(options.config, options.out, work)
