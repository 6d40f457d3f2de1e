"""`muonkit simulate dimuons|tracks|klm CONFIG.toml -o FILE`"""

import argparse
from pathlib import Path
from typing import Any

from muonkit.core.result import Result


def add(commands: Any, common: argparse.ArgumentParser, work: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("simulate", help="make samples with known truth")
    what = parser.add_subparsers(dest="what", required=True, metavar="dimuons|tracks|klm")
    dimuons = what.add_parser("dimuons", parents=[common, work], help="J/psi, psi(2S), Upsilon or Z to two muons")
    dimuons.add_argument("config", type=Path, metavar="CONFIG.toml")
    dimuons.add_argument("-o", dest="out", type=Path, required=True, metavar="FILE", help=".parquet, .root or .csv")
    dimuons.set_defaults(run=run)
    tracks = what.add_parser("tracks", parents=[common, work], help="hits of single particles or of pairs in a tracker")
    tracks.add_argument("config", type=Path, metavar="CONFIG.toml")
    help_tracks = "NAME.parquet: becomes NAME.hits.parquet and NAME.truth.parquet"
    tracks.add_argument("-o", dest="out", type=Path, required=True, metavar="FILE", help=help_tracks)
    tracks.set_defaults(run=run_tracks, resumes=True)
    klm = what.add_parser("klm", parents=[common, work], help="tracks and hits of a muon detector, for identification")
    klm.add_argument("config", type=Path, metavar="CONFIG.toml")
    help_out = (
        "NAME.parquet, .root or .csv: becomes NAME.tracks.parquet, NAME.hits.parquet, NAME.truth.parquet, NAME.json"
    )
    klm.add_argument("-o", dest="out", type=Path, required=True, metavar="FILE", help=help_out)
    klm.set_defaults(run=run_klm, resumes=True)


def run(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.simulate import simulate_dimuons
    from muonkit.run.progress import talk
    from muonkit.run.runner import runner

    with runner(options.jobs, options.scheduler, talk(), options.timeout) as work:
        return simulate_dimuons(options.config, options.out, work)


def run_tracks(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.simulate_tracks import simulate_track_sample
    from muonkit.run.progress import talk
    from muonkit.run.runner import runner

    with runner(options.jobs, options.scheduler, talk(), options.timeout) as work:
        return simulate_track_sample(options.config, options.out, work)


def run_klm(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.simulate_klm import simulate_klm
    from muonkit.run.progress import talk
    from muonkit.run.runner import runner

    with runner(options.jobs, options.scheduler, talk(), options.timeout) as work:
        return simulate_klm(options.config, options.out, work)
