"""`muonkit doctor`"""

import argparse
from typing import Any


def add(commands: Any, common: argparse.ArgumentParser, work: argparse.ArgumentParser) -> None:  # noqa: ARG001
    parser = commands.add_parser("doctor", parents=[common], help="versions, cores, caches, a short self-test")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> dict[str, Any]:  # noqa: ARG001
    from muonkit.pipelines.doctor import examine

    found = examine()
    failed = [check for check in found["checks"] if not check["ok"]]
    lines = [f"{key:22} {value}" for key, value in found.items() if key != "checks"]
    lines += [f"{check['name']:22} {'ok' if check['ok'] else 'FAILED'}  {check['detail']}" for check in found["checks"]]
    return found | {"text": "\n".join(lines), "exit_code": 1 if failed else 0}
