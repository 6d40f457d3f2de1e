"""Every kind of input: the command that reads it, and the files that get mistakes."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from muonkit.cli import main

# numbers of a configuration that only ask for much work: key -> (small, the largest that is allowed)
WORK = {
    "events": (3000, 1e9),
    "epochs": (3, 1e5),
    "members": (2, 20),
    "width": (4, 1000),
    "hidden": (8, 1e4),
    "toys": (10, 1e5),
    "mass_bins": (100, 1e4),
    "log_pt_ratio_bins": (3, 1e3),
    "cos_dphi_bins": (3, 1e3),
    "block": (1000, 1e6),
    "tracks": (40, 1e9),
    "iterations": (2, 20),
}
Before = Callable[[], None]


@dataclass(frozen=True)
class Kind:
    """argv of a command; the files that get mistakes (one at a time) and those that it needs beside them; files that it
    may change beside out/; `before`: what is done once in the folder; share: how often, against the others."""

    argv: str
    wrong: str
    needs: str = ""
    writes: str = ""
    before: Before | None = None
    share: float = 1.0
    good: tuple[int, ...] = (0, 1)  # exit codes of the command without mistakes
    most: Mapping[str, tuple[int, float]] = field(default_factory=lambda: WORK)


def _kept_by_identify() -> None:
    with mock.patch("shutil.rmtree"), suppress(FileNotFoundError):
        main(["identify", "identify-parquet.toml", "-o", "o.parquet"])
        Path("o.parquet").unlink()


def _kept_by_calibrate() -> None:
    with mock.patch("shutil.rmtree"):
        main(["calibrate", "calibrate.toml", "-o", "o"])
    Path("o/calibration.json").unlink()


ALL = "mu pi K p d e"
SAMPLES = " ".join(f"{name}.{part}" for name in ALL.split() for part in ("tracks.parquet", "hits.parquet", "json"))
SAMPLES += " " + " ".join(f"{name}.truth.parquet" for name in ALL.split())
KLM = {"events": (60, 1e9), "max_clusters": (10, 1e9)} | WORK
RUN = "run/calibration.json run/cells.parquet run/masses.json.gz run/curves.json.gz run/corrections.json.gz"
IDENTIFY = "toy.npz classifier.npz"
CONDITIONS = "store/conditions.sqlite store/payloads/*/*"
TRACKED = "gun.hits.parquet gun.truth.parquet"
HITS = f"{TRACKED} tracker.toml"
APPLY = "apply run/corrections.json.gz {0} -o out/{0}"
KINDS: dict[str, Kind] = {
    "configuration: simulate dimuons": Kind("simulate dimuons dimuons.toml -o out/o.parquet", "dimuons.toml"),
    "configuration: simulate klm": Kind("simulate klm mu.toml -o out/o.parquet", "mu.toml", most=KLM),
    "configuration: calibrate": Kind(
        "calibrate calibrate.toml -o out", "calibrate.toml", "data.parquet simulation.parquet", share=0.5
    ),
    "configuration: calibrate, template": Kind(
        "calibrate template.toml -o out", "template.toml", "data.parquet", share=0.5
    ),
    "configuration: validate": Kind(
        "validate validate.toml --corrections run/corrections.json.gz -o out",
        "validate.toml",
        "data.parquet simulation.parquet run/corrections.json.gz",
        share=0.5,
    ),
    "configuration: identify": Kind(
        "identify identify-parquet.toml -o out/o.parquet",
        "identify-parquet.toml",
        f"mu.tracks.parquet mu.hits.parquet {IDENTIFY}",
    ),
    "configuration: performance": Kind(
        "performance performance.toml -o out",
        "performance.toml",
        "a.identified.parquet a.truth.parquet toy.npz",
        share=0.3,
    ),
    "configuration: pdfs build": Kind("pdfs build build.toml -o out/o.npz", "build.toml", SAMPLES, share=0.2),
    "configuration: classifier": Kind(
        "classifier train train.toml -o out/o.npz", "train.toml", SAMPLES, share=0.3, good=(0, 2)
    ),
    "configuration: classifier evaluate": Kind(
        "classifier evaluate evaluate.toml --model classifier.npz -o out/o.json",
        "evaluate.toml",
        f"{SAMPLES} classifier.npz",
        share=0.5,
    ),
    "configuration: simulate tracks": Kind("simulate tracks gun.toml -o out/o.parquet", "gun.toml", "tracker.toml"),
    "configuration: simulate pairs": Kind("simulate tracks pairs.toml -o out/o.parquet", "pairs.toml", "tracker.toml"),
    "configuration: refit": Kind("refit refit.toml -o out/o.parquet", "refit.toml", HITS),
    "configuration: curvature": Kind("validate audit.toml --curvature -o out", "audit.toml", HITS),
    "configuration: study": Kind("study study.toml -o out", "study.toml", "tracker.toml", share=0.5),
    "detector: refit": Kind("refit refit.toml -o out/o.parquet", "tracker.toml", f"{TRACKED} refit.toml"),
    "hits: refit": Kind("refit refit.toml -o out/o.parquet", TRACKED, f"refit.toml {HITS}", share=2),
    "hits: curvature": Kind("validate audit.toml --curvature -o out", TRACKED, f"audit.toml {HITS}", share=2),
    "detector": Kind("detector show detector.toml", "detector.toml field.txt", "field.txt", share=0.5),
    **{
        f"muons: apply, {name}": Kind(APPLY.format(name), name, "run/corrections.json.gz")
        for name in ("few.parquet", "few.csv", "few.root", "nano.root", "ntuple.root", "cms.csv")
    },
    "muons: smear": Kind(f"{APPLY.format('few.parquet')} --smear", "few.parquet", "run/corrections.json.gz"),
    **{
        f"muons: calibrate, {kind}": Kind(
            f"calibrate calibrate{name}.toml -o out",
            f"data.{kind}",
            f"calibrate{name}.toml simulation.parquet",
            share=0.3,
        )
        for kind, name in (("parquet", ""), ("csv", "-csv"), ("root", "-root"))
    },
    "muons: calibrate, simulation": Kind(
        "calibrate calibrate.toml -o out", "simulation.parquet", "calibrate.toml data.parquet", share=0.3
    ),
    **{
        f"tracks and hits: {kind}": Kind(
            f"identify identify-{kind}.toml -o out/o.{kind}",
            f"mu.tracks.{kind} mu.hits.{kind}",
            f"identify-{kind}.toml {IDENTIFY}",
        )
        for kind in ("parquet", "csv", "root")
    },
    "samples": Kind("pdfs build build.toml -o out/o.npz", "mu.* K.*", f"build.toml {SAMPLES}", share=0.3),
    **{
        f"identified and truth: {kind}": Kind(
            f"performance performance{name}.toml -o out",
            f"a.identified.{kind} a.truth.{kind}",
            f"performance{name}.toml toy.npz",
            share=0.3,
        )
        for kind, name in (("parquet", ""), ("csv", "-csv"), ("root", "-root"))
    },
    "corrections: apply": Kind(APPLY.format("few.parquet"), "run/corrections.json.gz", "few.parquet", share=2),
    "corrections: validate": Kind(
        "validate validate.toml --corrections run/corrections.json.gz -o out",
        "run/corrections.json.gz",
        "validate.toml data.parquet simulation.parquet",
        share=0.3,
    ),
    "payload: identify": Kind(
        "identify identify-parquet.toml -o out/o.parquet",
        "toy.npz classifier.npz",
        "identify-parquet.toml mu.tracks.parquet mu.hits.parquet",
    ),
    "payload: pdfs show": Kind("pdfs show default.npz", "default.npz", share=0.3),
    "classifier": Kind(
        "classifier evaluate evaluate.toml --model classifier.npz -o out/o.json",
        "classifier.npz",
        f"evaluate.toml {SAMPLES}",
        share=0.5,
    ),
    "conditions: identify": Kind(
        "identify store.toml -o out/o.parquet", CONDITIONS, "store.toml mu.tracks.parquet mu.hits.parquet"
    ),
    "conditions: check": Kind("conditions check store", CONDITIONS),
    "conditions: list": Kind("conditions list store main", CONDITIONS),
    "conditions: get": Kind(
        "conditions get store main KLMChannelStatus --experiment 0 --run 1 -o out/o.json", CONDITIONS
    ),
    "conditions: add": Kind(
        "conditions add store KLMLikelihoodParameters toy.npz --schema KLMLikelihoodParameters/1",
        f"toy.npz {CONDITIONS}",
        writes="store/*",
    ),
    "results: report": Kind("report run", RUN + " run/config.toml", RUN, "run/report.*"),
    "results: report of a validation": Kind(
        "report run --validation validation",
        "validation/*.json validation/*.parquet validation/*.gz validation/config.toml",
        f"{RUN} run/config.toml validation/*",
        "run/report.*",
    ),
    "checkpoints: identify": Kind(
        "identify identify-parquet.toml -o o.parquet",
        ".o.parquet.*/*",
        f"identify-parquet.toml mu.tracks.parquet mu.hits.parquet {IDENTIFY}",
        "o.parquet .o.parquet.*",
        _kept_by_identify,
    ),
    "checkpoints: calibrate": Kind(
        "calibrate calibrate.toml -o o",
        "o/.parts/*/* o/.run.json o/config.toml",
        "calibrate.toml data.parquet simulation.parquet",
        "o o/*",
        _kept_by_calibrate,
        share=0.3,
    ),
}
