"""`muonkit COMMAND ...`: one file per command. Heavy imports stand inside the commands, so that help is instant.

stdout is the result, stderr the talk. Exit codes: 0 done; 1 a physics check failed; 2 wrong input, one line per fault;
3 interrupted, can be resumed."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool

from muonkit import __version__
from muonkit.cli import (
    apply,
    calibrate,
    classifier,
    conditions,
    detector,
    doctor,
    identify,
    open_data,
    pdfs,
    performance,
    report,
    simulate,
    validate,
)
from muonkit.core.errors import InputError, PhysicsError
from muonkit.core.result import Result

COMMANDS = (
    simulate,
    calibrate,
    apply,
    validate,
    report,
    open_data,
    identify,
    pdfs,
    performance,
    classifier,
    conditions,
    detector,
    doctor,
)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    main_parser = argparse.ArgumentParser(
        prog="muonkit", description="Muons one can trust: momentum scale, resolution, identification."
    )
    main_parser.add_argument("--version", action="version", version=f"muonkit {__version__}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print the result as JSON")
    common.add_argument("-v", "--verbose", action="store_true", help="show the traceback of an error")
    work = argparse.ArgumentParser(add_help=False)
    work.add_argument("--jobs", type=int, default=1, metavar="N", help="processes (default 1)")
    work.add_argument("--scheduler", metavar="tcp://HOST:PORT", help="a Dask cluster instead of processes")
    commands = main_parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands, common, work)
    return main_parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = parser().parse_args(arguments)
    try:
        result: Result = options.run(options)
    except InputError as error:
        return _fail(options, error.faults, 2)
    except KeyboardInterrupt:
        return _fail(options, ["interrupted; the same command goes on from here"], 3)
    except BrokenProcessPool:
        line = "a process of --jobs was ended from outside (out of memory?); the same command goes on from here"
        return _fail(options, [line], 3)
    except PhysicsError as error:
        return _fail(options, [str(error)], 1)
    except OSError as error:
        return _fail(
            options,
            [f"{error.filename or 'file system'}: {error.strerror or error}; mend it, or choose another place"],
            2,
        )
    _print(json.dumps(result.to_json()) if options.json else str(result))
    return result.exit_code


def _print(text: str) -> None:
    """Print a result; a reader that has left (`| head`) is no fault."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(options: argparse.Namespace, lines: list[str], code: int) -> int:
    for line in lines:
        print(line, file=sys.stderr)
    if options.verbose:
        raise
    return code
