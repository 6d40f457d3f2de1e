"""`muonkit calibrate CONFIG.toml -o OUT/`, and before there are data `muonkit calibrate CONFIG.toml --forecast N`"""

import argparse
from pathlib import Path
from typing import Any

from muonkit.core.errors import InputError
from muonkit.core.result import Result


def add(commands: Any, common: argparse.ArgumentParser, work: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "calibrate", parents=[common, work], help="derive corrections; resumes in OUT/ of the same config"
    )
    parser.add_argument("config", type=Path, metavar="CONFIG.toml")
    parser.add_argument("-o", dest="out", type=Path, metavar="OUT/", help="needed but for a forecast")
    parser.add_argument(
        "--forecast",
        metavar="N",
        help="do not run: give the errors that N selected pairs will have, such as 1e8; no data are needed. "
        "N1,N2,... for several samples; one N is shared by them as in simulation",
    )
    parser.add_argument(
        "--background",
        metavar="SHARE",
        help="of a forecast: share of the pairs in the window that is background, such as 0.05 (none)",
    )
    parser.set_defaults(run=run, resumes=True)


def run(options: argparse.Namespace) -> Result:
    if options.forecast is not None:
        return _forecast(options)
    if options.background is not None:
        raise InputError("--background: belongs to --forecast; a calibration finds the background itself")
    if options.out is None:
        raise InputError("-o OUT/: is missing; name the folder of the results")
    from muonkit.pipelines.calibrate import calibrate
    from muonkit.pipelines.report import report
    from muonkit.run.progress import talk
    from muonkit.run.runner import runner

    with runner(options.jobs, options.scheduler, talk(), options.timeout) as work:
        calibrate(options.config, options.out, work)
    return report(options.out)


def _forecast(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.forecast import Expectation, forecast
    from muonkit.run.progress import talk
    from muonkit.run.runner import runner

    expected = Expectation.of(options.forecast, options.background)
    with runner(options.jobs, options.scheduler, talk(), options.timeout) as work:
        return forecast(options.config, expected, work, options.out)
