"""`muonkit conditions create|draw|add|tag|clone|close|remove|publish|invalidate|list|get|check|history LOCATION ...`"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muonkit.core.result import Result

if TYPE_CHECKING:
    from muonkit.conditions.store import Store

Run = Callable[[argparse.Namespace], Result]


def add(commands: Any, common: argparse.ArgumentParser, work: argparse.ArgumentParser) -> None:  # noqa: ARG001
    parser = commands.add_parser("conditions", help="payloads, the runs they hold for, and global tags")
    what = parser.add_subparsers(dest="what", required=True, metavar="WHAT")

    def verb(name: str, run: Run, summary: str, *arguments: str) -> argparse.ArgumentParser:
        new: argparse.ArgumentParser = what.add_parser(name, parents=[common], help=summary)
        new.add_argument("location", metavar="LOCATION", help="a folder, or postgresql+pg8000://USER@HOST/DATABASE")
        new.add_argument("--payloads", type=Path, metavar="DIR", help="the payload files of a store on a server")
        for argument in arguments:
            new.add_argument(argument, metavar=argument.upper())
        new.set_defaults(run=run)
        return new

    verb("create", run_create, "make a store, or migrate an older one")
    _add_arguments(verb("add", run_add, "keep a file as the next revision of a payload", "name"))
    _tag_arguments(verb("tag", run_tag, "create a global tag, or put a payload into it", "tag"))
    cloner = verb("clone", run_clone, "make a new, open global tag with the entries of another one", "tag", "new")
    cloner.add_argument("--comment", default="", metavar="TEXT")
    closer = verb("close", run_close, "give the open interval of a payload in an open tag its last run", "tag", "name")
    closer.add_argument("--last", required=True, metavar="E,R", help="its last experiment and run; run -1: to the end")
    remover = verb("remove", run_remove, "take an entry out of a global tag that is open", "tag", "name")
    remover.add_argument("--iov", required=True, metavar="E,R,E,R", help="the interval of the entry")
    verb("publish", run_publish, "freeze a global tag", "tag")
    verb("invalidate", run_invalidate, "mark a global tag as not to be used", "tag")
    verb("list", run_list, "tags and payloads, or the entries of a tag").add_argument("tag", nargs="?", metavar="TAG")
    _get_arguments(verb("get", run_get, "write the payload of a run to a file", "tag", "name"))
    cleaner = verb("check", run_check, "is the store whole?")
    cleaner.add_argument("--clean", action="store_true", help="remove what killed writers left over an hour ago")
    verb("history", run_history, "every change, oldest first")
    drawer = what.add_parser("draw", parents=[common], help="dead strips and efficiencies as in real life, as payloads")
    drawer.add_argument("config", type=Path, metavar="CONFIG.toml")
    drawer.add_argument("-o", dest="out", type=Path, required=True, metavar="DIR")
    drawer.set_defaults(run=run_draw)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--schema", required=True, metavar="KIND/VERSION", help="e.g. KLMLikelihoodParameters/1")
    parser.add_argument("--opaque", action="store_true", help="keep a file of a schema that muonkit does not know")
    parser.add_argument("--comment", default="", metavar="TEXT")


def _tag_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME")
    parser.add_argument("revision", nargs="?", type=int, metavar="REVISION")
    parser.add_argument("--iov", metavar="E,R,E,R", help="first_exp,first_run,final_exp,final_run, inclusive; -1: open")
    parser.add_argument("--comment", default="", metavar="TEXT", help="of a new tag")


def _get_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--experiment", type=int, required=True, metavar="E")
    parser.add_argument("--run", type=int, required=True, metavar="R", dest="run_number")
    parser.add_argument("-o", dest="out", type=Path, required=True, metavar="FILE")


def run_create(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.conditions import create

    return create(options.location, options.payloads)


def run_draw(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.conditions_draw import draw

    return draw(options.config, options.out)


def run_add(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.conditions import add

    with _store(options) as store:
        return add(store, options.name, options.file, options.schema, options.comment, options.opaque)


def run_tag(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.conditions import tag

    with _store(options) as store:
        return tag(store, options.tag, options.name, options.revision, options.iov, options.comment)


def run_clone(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.conditions import clone

    with _store(options) as store:
        return clone(store, options.tag, options.new, options.comment)


def run_close(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.conditions import close

    with _store(options) as store:
        return close(store, options.tag, options.name, options.last)


def run_remove(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.conditions import remove

    with _store(options) as store:
        return remove(store, options.tag, options.name, options.iov)


def run_publish(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.conditions import publish

    with _store(options) as store:
        return publish(store, options.tag)


def run_invalidate(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.conditions import invalidate

    with _store(options) as store:
        return invalidate(store, options.tag)


def run_list(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.conditions import show

    with _store(options) as store:
        return show(store, options.tag)


def run_get(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.conditions import get

    with _store(options) as store:
        return get(store, options.tag, options.name, options.experiment, options.run_number, options.out)


def run_check(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.conditions import check

    with _store(options) as store:
        return check(store, clean=options.clean)


def run_history(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.conditions import history

    with _store(options) as store:
        return history(store)


def _store(options: argparse.Namespace) -> "Store":
    from muonkit.pipelines.conditions import opened

    return opened(options.location, options.payloads)
