"""`muonkit pdfs build|show|import|export`"""

import argparse
from pathlib import Path
from typing import Any

from muonkit.core.result import Result

SPECIES = ("e", "mu", "pi", "K", "p", "d")


def add(commands: Any, common: argparse.ArgumentParser, work: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("pdfs", help="make the PDFs of the likelihood from samples; look into a payload")
    what = parser.add_subparsers(dest="what", required=True, metavar="build|show|import|export")
    build = what.add_parser("build", parents=[common, work], help="simulated samples -> payload")
    build.add_argument("config", type=Path, metavar="CONFIG.toml")
    build.add_argument("-o", dest="out", type=Path, required=True, metavar="PAYLOAD.npz", help="and PAYLOAD.html")
    build.set_defaults(run=run_build, resumes=True)
    show = what.add_parser("show", parents=[common], help="what a payload says")
    show.add_argument("payload", metavar="PAYLOAD.npz", help="a file, or `default` for the one that comes with muonkit")
    show.add_argument("--species", choices=SPECIES, default="mu")
    show.add_argument("--charge", type=int, choices=(1, -1), default=1)
    show.add_argument("--outcome", type=int, help="print the table of this outcome ...")
    show.add_argument("--last", type=int, help="... and this last layer")
    show.set_defaults(run=run_show)
    bring = what.add_parser("import", parents=[common], help="a dump of Belle II's KLMLikelihoodParameters -> payload")
    bring.add_argument("dump", type=Path, metavar="DUMP", help="text (.txt), XML of the generator (.xml), or .root")
    bring.add_argument("-o", dest="out", type=Path, required=True, metavar="PAYLOAD.npz")
    bring.add_argument("--as-is", action="store_true", help="also with densities that are not normalised")
    bring.set_defaults(run=run_import)
    export = what.add_parser("export", parents=[common], help="payload -> such a dump")
    export.add_argument(
        "payload", metavar="PAYLOAD.npz", help="a file, or `default` for the one that comes with muonkit"
    )
    export.add_argument("-o", dest="out", type=Path, required=True, metavar="DUMP", help="ends in .txt, .xml or .root")
    export.set_defaults(run=run_export)


def run_build(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.pdfs import build_pdfs
    from muonkit.run.progress import talk
    from muonkit.run.runner import runner

    with runner(options.jobs, options.scheduler, talk(), options.timeout) as work:
        return build_pdfs(options.config, options.out, work)


def run_show(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.pdfs_show import show

    return show(options.payload, options.species, options.charge, options.outcome, options.last)


def run_import(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.pdfs_convert import import_pdfs

    return import_pdfs(options.dump, options.out, options.as_is)


def run_export(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.pdfs_convert import export_pdfs

    return export_pdfs(options.payload, options.out)
