"""`muonkit doctor`"""

import argparse
from typing import Any

from muonkit.core.result import Result


def add(commands: Any, common: argparse.ArgumentParser, work: argparse.ArgumentParser) -> None:  # noqa: ARG001
    parser = commands.add_parser("doctor", parents=[common], help="versions, cores, caches, a short self-test")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> Result:  # noqa: ARG001
    from muonkit.pipelines.doctor import examine

    return examine()
