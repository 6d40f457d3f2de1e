"""`muonkit classifier train|evaluate`"""

import argparse
from pathlib import Path
from typing import Any

from muonkit.core.result import Result


def add(commands: Any, common: argparse.ArgumentParser, work: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("classifier", help="train a classifier on all layers; compare it with the likelihood")
    what = parser.add_subparsers(dest="what", required=True, metavar="train|evaluate")
    train = what.add_parser(
        "train", parents=[common, work], help="samples -> classifier (needs the extra `classifier`)"
    )
    train.add_argument("config", type=Path, metavar="CONFIG.toml")
    train.add_argument("-o", dest="out", type=Path, required=True, metavar="MODEL.npz")
    train.set_defaults(run=run_train)
    evaluate = what.add_parser("evaluate", parents=[common, work], help="fake rates beside those of the likelihood")
    evaluate.add_argument("config", type=Path, metavar="CONFIG.toml")
    evaluate.add_argument(
        "--model", type=Path, action="append", required=True, metavar="MODEL.npz", help="may be repeated"
    )
    evaluate.add_argument("-o", dest="out", type=Path, metavar="OUT.json")
    evaluate.set_defaults(run=run_evaluate)


def run_train(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.classifier import train_classifier
    from muonkit.run.progress import talk
    from muonkit.run.runner import runner

    with runner(options.jobs, options.scheduler, talk(), options.timeout) as work:
        return train_classifier(options.config, options.out, work)


def run_evaluate(options: argparse.Namespace) -> Result:
    from muonkit.pipelines.classifier import evaluate_classifier
    from muonkit.run.progress import talk
    from muonkit.run.runner import runner

    with runner(options.jobs, options.scheduler, talk(), options.timeout) as work:
        return evaluate_classifier(options.config, options.model, work, options.out)
