"""The page of `performance`, and what the command prints."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from muonkit.muid.likelihood.hypotheses import HYPOTHESES
from muonkit.report.labels import SPECIES
from muonkit.report.page import Picture
from muonkit.report.performance import Drawn
from muonkit.report.style import png, svg

Content = dict[str, Any]
AS_PIXELS = ("inefficiency_map", "confusion")  # thousands of elements


def page(content: Content, drawn: dict[str, Drawn], config_text: str) -> str:
    """One self-contained page."""
    environment = Environment(
        loader=PackageLoader("muonkit.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    figures = {
        name: Picture(png(one.figure) if name in AS_PIXELS else svg(one.figure), one.caption)
        for name, one in drawn.items()
    }
    return environment.get_template("performance.html.j2").render(
        content=content,
        figures=figures,
        signal=SPECIES[content["selection"]["signal"]],
        background=SPECIES[content["selection"]["background"]],
        tracks=track_rows(content),
        overall=overall_rows(content),
        points=point_rows(content),
        roc=roc_rows(content),
        fits=fit_rows(content),
        config_text=config_text,
    )


def share(value: float | None, low: float | None, high: float | None) -> str:
    """A rate in per cent with its errors."""
    if value is None or low is None or high is None:
        return "-"
    return f"{100 * value:.2f} % (+{100 * (high - value):.2f} -{100 * (value - low):.2f})"


def number(value: float | None, form: str = ".3g") -> str:
    """A number that may be missing."""
    return "-" if value is None else format(value, form)


def track_rows(content: Content) -> list[list[str]]:
    """Numbers of tracks by species."""
    found = content["selection"]["tracks"]
    names = ("read", "reached", "selected", "without_score")
    return [[SPECIES[name], *(str(found[column][name]) for column in names)] for name in HYPOTHESES]


def overall_rows(content: Content) -> list[list[str]]:
    """Rates of all species, by cut."""
    return [
        [f"Δ > {cut}", *(share(found[name]["rate"], found[name]["low"], found[name]["high"]) for name in HYPOTHESES)]
        for cut, found in content["overall"].items()
    ]


def point_rows(content: Content) -> list[list[str]]:
    """Working points by score and p."""
    return [
        [
            score,
            f"{one['p'][0]:g}-{one['p'][1]:g}",
            number(one["cut"]) + ("" if one["reached"] else " (not reached)"),
            share(one["fake"], one["low"], one["high"]),
        ]
        for score, every in content["working_points"].items()
        for one in every
    ]


def roc_rows(content: Content) -> list[list[str]]:
    """AUC by score and p."""
    return [
        [score, f"{one['p'][0]:g}-{one['p'][1]:g}", str(one["signal"]), str(one["background"]),
         f"{number(one['auc'], '.5f')} ± {number(one['auc_error'], '.5f')}"]
        for score, every in content["roc"]["scores"].items()
        for one in every
    ]  # fmt: skip


def fit_rows(content: Content) -> list[list[str]]:
    """The test of the payload by species."""
    return [
        [SPECIES[one["species"]], str(one["tracks"]), f"{number(one['chi2'], '.1f')}/{one['ndf']}",
         number(one["p_value"], ".2g"), number(one["layers_p_value"], ".2g"), number(one["transverse_p_value"], ".2g"),
         number(one["distance"], ".4f"), number(one["lnL_pull"], "+.2f"), number(one["correlation"], "+.3f")]
        for one in content["goodness_of_fit"]
    ]  # fmt: skip


def summary(content: Content, out: Path) -> str:
    """A few lines for the terminal."""
    selection = content["selection"]
    signal, background = selection["signal"], selection["background"]
    lines = [f"{selection['tracks']['selected'][name]} {name} selected" for name in (signal, background)]
    for cut, found in content["overall"].items():
        words = (f"{name} {share(found[name]['rate'], found[name]['low'], found[name]['high'])}" for name in
                 (signal, background))  # fmt: skip
        lines.append(f"Delta > {cut:<4} " + "   ".join(words))
    for score, every in content["working_points"].items():
        point, area = every[-1], content["roc"]["scores"][score][-1]
        fake = share(point["fake"], point["low"], point["high"])
        lines.append(
            f"{score}: AUC {number(area['auc'], '.4f')} ± {number(area['auc_error'], '.4f')}, "
            f"{background} fakes at {point['efficiency']:.0%} efficiency {fake}"
        )
    lines += [
        f"payload against {one['species']}: chi2/ndf {number(one['chi2'], '.1f')}/{one['ndf']}, "
        f"p = {number(one['p_value'], '.2g')}"
        for one in content["goodness_of_fit"]
    ]
    return "\n".join([*content["doubts"], *lines, str(out / "performance.html")])
