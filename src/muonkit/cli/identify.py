"""`muonkit identify CONFIG.toml -o FILE [--explain EVENT:TRACK]`"""

import argparse
from pathlib import Path
from typing import Any

from muonkit.core.result import Result


def add(commands: Any, common: argparse.ArgumentParser, work: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "identify", parents=[common, work], help="tracks and hits of a muon detector to likelihoods of six species"
    )
    parser.add_argument("config", type=Path, metavar="CONFIG.toml")
    parser.add_argument("-o", dest="out", type=Path, required=True, metavar="FILE")
    parser.add_argument(
        "--explain",
        metavar="[[[EXPERIMENT:]RUN:]EVENT:]TRACK",
        help="explain one track, layer by layer, and draw it to -o FILE.png",
    )
    parser.set_defaults(run=run, resumes=True)


def run(options: argparse.Namespace) -> Result:
    if options.explain is not None:
        from muonkit.pipelines.explain import explain

        return explain(options.config, options.explain, options.out)
    from muonkit.pipelines.identify import identify_tables
    from muonkit.run.progress import talk
    from muonkit.run.runner import runner

    with runner(options.jobs, options.scheduler, talk(), options.timeout) as work:
        return identify_tables(options.config, options.out, work)
