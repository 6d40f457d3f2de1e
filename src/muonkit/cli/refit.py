"""`muonkit refit CONFIG.toml -o FILE`"""

import argparse
from pathlib import Path
from typing import Any

from muonkit.core.result import Result


def add(commands: Any, common: argparse.ArgumentParser, work: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "refit", parents=[common, work], help="hits of a tracker to tracks at the beam line, and pairs of them"
    )
    parser.add_argument("config", type=Path, metavar="CONFIG.toml")
    help_out = ".parquet, .root or .csv; pairs stand beside it in NAME.pairs.parquet"
    parser.add_argument("-o", dest="out", type=Path, required=True, metavar="FILE", help=help_out)
    parser.set_defaults(run=run, resumes=True)


def run(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.refit import refit_tables
    from muonkit.run.progress import talk
    from muonkit.run.runner import runner

    with runner(options.jobs, options.scheduler, talk(), options.timeout) as work:
        return refit_tables(options.config, options.out, work)
