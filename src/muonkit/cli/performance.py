"""`muonkit performance CONFIG.toml -o OUT/`"""

import argparse
from pathlib import Path
from typing import Any

from muonkit.core.result import Result


def add(commands: Any, common: argparse.ArgumentParser, work: argparse.ArgumentParser) -> None:  # noqa: ARG001
    parser = commands.add_parser(
        "performance", parents=[common], help="efficiency and fake rate of muon identification, and cuts made of them"
    )
    parser.add_argument("config", type=Path, metavar="CONFIG.toml")
    parser.add_argument("-o", dest="out", type=Path, required=True, metavar="OUT/")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.performance import performance

    return performance(options.config, options.out)
