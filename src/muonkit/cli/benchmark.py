"""`muonkit benchmark muid|score`"""

import argparse
from pathlib import Path
from typing import Any

from muonkit.core.result import Result


def add(commands: Any, common: argparse.ArgumentParser, work: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("benchmark", help="a fixed sample for muon identification, and scores compared on it")
    what = parser.add_subparsers(dest="what", required=True, metavar="muid|score")
    muid = what.add_parser("muid", parents=[common, work], help="make the sample: tracks, hits and, apart, truth")
    muid.add_argument("-o", dest="out", type=Path, required=True, metavar="DIR")
    muid.add_argument("--events", type=int, metavar="N", help="a smaller one (default 1000000)")
    muid.add_argument("--engine", choices=("fast", "geant4"), default="fast")
    muid.add_argument("--data", type=Path, metavar="FOLDER", help="Geant4's data sets, if the environment has none")
    muid.set_defaults(run=run_muid, resumes=True)
    score = what.add_parser("score", parents=[common], help="fake rates of your scores, and of muonkit's")
    score.add_argument("folder", type=Path, metavar="DIR")
    score.add_argument(
        "tables", type=Path, nargs="+", metavar="SCORES", help="event, track and score, or logL_e ... logL_d"
    )
    help_column = "another score, or six columns NAME_e ... NAME_d; may be repeated"
    score.add_argument("--column", action="append", default=[], metavar="NAME", help=help_column)
    score.add_argument("-o", dest="out", type=Path, required=True, metavar="REPORT.json")
    score.set_defaults(run=run_score)


def run_muid(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.benchmark.make import make_benchmark
    from muonkit.run.progress import talk
    from muonkit.run.runner import runner

    with runner(options.jobs, options.scheduler, talk(), options.timeout) as work:
        return make_benchmark(options.out, work, options.engine, options.events, options.data)


def run_score(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.benchmark.score import score_benchmark

    return score_benchmark(options.folder, options.tables, options.out, options.column)
