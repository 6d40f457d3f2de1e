"""What stands beside the sample of a benchmark, in words."""

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def readme(manifest: Any, shares: Mapping[Any, float], p: tuple[float, float], efficiencies: tuple[float, ...]) -> str:
    """The text of README.md; p [GeV]: of the tracks that count."""
    environment = Environment(
        loader=PackageLoader("muonkit.report"), autoescape=False, undefined=StrictUndefined, trim_blocks=True,
        keep_trailing_newline=True,
    )  # fmt: skip
    percent = [f"{100 * one:g}" for one in efficiencies]
    species = ", ".join(f"{100 * share:g} % {name}" for name, share in shares.items())
    template = environment.get_template("benchmark.md.j2")
    return template.render(manifest=manifest, shares=species, p=f"{p[0]:g} to {p[1]:g} GeV", efficiencies=percent)
