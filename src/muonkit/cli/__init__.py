"""`muonkit COMMAND ...`: one file per command. Heavy imports stand inside the commands, so that help is instant.

stdout is the result, stderr the talk. Exit codes: 0 done; 1 a physics check failed; 2 wrong input, one line per fault;
3 stopped or ended from outside.

SIGINT, SIGTERM and SIGHUP are taken before anything else is imported, see `core.stopping`."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from muonkit import __version__
from muonkit.core.errors import FULL, InputError, PhysicsError, StoppedError
from muonkit.core.stopping import STOPPED, Watch
from muonkit.core.streams import leave, prepare_streams, say, write_out

COMMANDS = (
    *(
        "simulate",
        "calibrate",
        "apply",
        "validate",
        "report",
        "open_data",
        "refit",
        "align",
        "identify",
        "pdfs",
        "performance",
    ),
    *("classifier", "benchmark", "conditions", "detector", "doctor", "convert", "compare", "study"),
)
RESUMES = "the same command goes on from here"
STARTS_AGAIN = "no half file is left; start it again"


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
    work.add_argument(
        "--timeout", type=float, default=60.0, metavar="S", help="wait so long [s] for a cluster or its workers (60)"
    )
    commands = main_parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        import_module(f"muonkit.cli.{command}").add(commands, common, work)
    return main_parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Without `arguments` those of this process are taken, and the process
    is the command's: it ends when a signal says so, and at once after exit code 3."""
    if arguments is not None:
        return _run(parser().parse_args(arguments))
    watch = Watch()
    watch.start()
    prepare_streams()
    try:
        options = parser().parse_args()
        watch.way_out = _way_out(options)
        code = _run(options)
    finally:
        leave()
    if code == STOPPED:  # what is left of a pool or a cluster could only wait or complain
        os._exit(code)
    return code


def _way_out(options: argparse.Namespace) -> str:
    resumes = getattr(options, "resumes", False) and getattr(options, "forecast", None) is None
    return RESUMES if resumes else STARTS_AGAIN


def _run(options: argparse.Namespace) -> int:
    try:
        result = options.run(options)
        write_out(json.dumps(result.to_json()) if options.json else str(result))
    except (Exception, KeyboardInterrupt) as error:
        found = _told(error, _way_out(options))
        if found is None:
            raise
        lines, code = found
        for line in lines:
            say(line)
        if options.verbose:
            sys.excepthook(type(error), error, error.__traceback__)
        return code
    return int(result.exit_code)


def _told(error: BaseException, way_out: str) -> tuple[list[str], int] | None:
    """The lines and the exit code for an error. None for a mistake in muonkit."""
    if isinstance(error, InputError):
        return error.faults, 2
    if isinstance(error, PhysicsError):
        return [str(error)], 1
    if isinstance(error, KeyboardInterrupt):
        return [f"interrupted; {way_out}"], STOPPED
    if isinstance(error, StoppedError):
        return [f"{error}; {way_out}"], STOPPED
    if isinstance(error, MemoryError):
        return [f"there is not enough memory; use fewer --jobs or a smaller chunk_size, then: {way_out}"], STOPPED
    if isinstance(error, OSError):
        return _of_files(error, way_out)
    return None


def _of_files(error: OSError, way_out: str) -> tuple[list[str], int]:
    line = f"{error.filename or 'file system'}: {error.strerror or error}"
    if error.errno in FULL:
        return [f"{line}; make room, then: {way_out}"], STOPPED
    return [f"{line}; mend it, or choose another place"], 2
