"""Sums -> performance.json: numbers with their errors, ready for figures."""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np

from muonkit.core.arrays import FloatArray, IntArray
from muonkit.muid.checks.goodness import judged
from muonkit.muid.likelihood.hypotheses import HYPOTHESES
from muonkit.muid.likelihood.payload import LikelihoodParameters
from muonkit.muid.performance.boxes import box
from muonkit.muid.performance.config import Performance
from muonkit.muid.performance.confusion import COLUMNS, shares
from muonkit.muid.performance.counts import DELTA, Counts, fines
from muonkit.muid.performance.cuts import STATUS, CutTable, cut_table
from muonkit.muid.performance.fine import Fine
from muonkit.muid.performance.layers import DIFFERENCES
from muonkit.muid.performance.rates import IN_FLIGHT, OTHER, Passed, rate
from muonkit.muid.performance.roc import GRID, auc, curve, working_point

Content = dict[str, Any]
UNITS = {"p": "GeV", "theta": "deg", "phi": "deg"}


def result(counts: Counts, config: Performance, payload: LikelihoodParameters | None = None) -> Content:
    """The content of performance.json, without provenance; NaN is None."""
    content: Content = {name: axis(getattr(counts.rates, name), name, config) for name in UNITS}
    content |= {
        "overall": overall(counts, config),
        "map": map_of(counts, config),
        "roc": roc(counts, config),
        "working_points": working_points(counts, config),
        "confusion": {
            "true": list(HYPOTHESES),
            "found": list(COLUMNS),
            "tracks": counts.confusion.tolist(),
            "shares": shares(counts.confusion).tolist(),
        },
        "boxes": {"edges": list(config.binning.p), "unit": "GeV"}
        | {name: box(counts.boxes, HYPOTHESES.index(name), DELTA) for name in (config.signal, config.background)},
        "diff_layer": {"difference": DIFFERENCES.tolist(), "tracks": _by_species(counts.differences)},
        "decays": decays(counts, config),
        "cuts": [cuts_of(table) for table in cut_tables(counts, config)],
        "goodness_of_fit": goodness(counts, config, payload),
        "selection": selection(counts, config),
    }
    found: Content = plain(content)
    return found


def _by_species(values: IntArray) -> dict[str, Any]:
    return dict(zip(HYPOTHESES, values.tolist(), strict=True))


def cut_name(cut: float) -> str:
    """How a cut is named."""
    return f"{cut:g}"


def axis(found: Passed, name: str, config: Performance) -> Content:
    """Numbers of tracks against p, theta or phi, by cut and species."""
    by_cut = {
        cut_name(cut): {s: counted(found[i_s], i) for i_s, s in enumerate(HYPOTHESES)}
        for i, cut in enumerate(config.cuts)
    }
    return {"edges": list(getattr(config.binning, name)), "unit": UNITS[name], "cuts": by_cut}


def counted(found: Passed, cut: int) -> Content:
    """One species and cut."""
    return {"passed": found.passed[cut].tolist(), "total": found.total.tolist()}


def overall(counts: Counts, config: Performance) -> Content:
    """Rates of all selected tracks within the edges of p, with their intervals."""
    passed, total = counts.rates.p.passed.sum(axis=-1), counts.rates.p.total.sum(axis=-1)
    found = {}
    for i, cut in enumerate(config.cuts):
        value, low, high = rate(passed[i], total)
        found[cut_name(cut)] = {
            name: {
                "passed": int(passed[i, s]),
                "total": int(total[s]),
                "rate": value[s],
                "low": low[s],
                "high": high[s],
            }
            for s, name in enumerate(HYPOTHESES)
        }
    return found


def map_of(counts: Counts, config: Performance) -> Content:
    """Of the signal in (theta, phi)."""
    content: Content = {"theta_edges": list(config.binning.theta), "phi_edges": list(config.binning.phi)}
    return content | {
        "species": config.signal,
        "cuts": {cut_name(cut): counted(counts.rates.map, i) for i, cut in enumerate(config.cuts)},
    }


def decays(counts: Counts, config: Performance) -> Content:
    """Rates against p apart for tracks that decayed in flight and all others."""
    ends = counts.rates.ends
    content: Content = {"edges": list(config.binning.p), "unit": "GeV"}
    return content | {
        "cuts": {
            cut_name(cut): {
                name: {
                    "decayed": counted(ends[s, IN_FLIGHT], i),
                    "others": counted(ends[s, OTHER], i),
                }
                for s, name in enumerate(HYPOTHESES)
            }
            for i, cut in enumerate(config.cuts)
        }
    }


def pairs(counts: Counts, config: Performance) -> list[tuple[str, Fine, list[tuple[IntArray, IntArray]]]]:
    """For every score its name, range, and the histograms of signal and background in bins of p, and in all."""
    signal, background = (HYPOTHESES.index(name) for name in (config.signal, config.background))
    names = ["delta", *(choice.column for choice in config.score)]
    found = []
    for name, fine, histograms in zip(names, fines(config), counts.roc, strict=True):
        both = [(histograms[signal, i], histograms[background, i]) for i in range(histograms.shape[1])]
        both.append((histograms[signal].sum(axis=0), histograms[background].sum(axis=0)))
        found.append((name, fine, both))
    return found


def p_ranges(config: Performance) -> list[list[float]]:
    """The bins of p of ROC curves, and all of them together."""
    edges = config.binning.roc_p
    return [*([low, high] for low, high in pairwise(edges)), [edges[0], edges[-1]]]


def roc(counts: Counts, config: Performance) -> Content:
    """Curves and AUC by score, in bins of p; the last entry is all of them."""
    found: Content = {}
    for name, _, both in pairs(counts, config):
        found[name] = [
            {"p": p_range, "signal": int(s.sum()), "background": int(b.sum())}
            | dict(zip(("auc", "auc_error"), auc(s, b), strict=True))
            | {"fake": curve(s, b).at(GRID).tolist()}
            for p_range, (s, b) in zip(p_ranges(config), both, strict=True)
        ]
    return {"efficiency": GRID.tolist(), "scores": found}


def working_points(counts: Counts, config: Performance) -> Content:
    """Fake rate at the wanted efficiency by score, in bins of p; the last entry is all of them."""
    return {
        name: [
            {"p": p_range} | asdict(working_point(s, b, config.working_point, fine))
            for p_range, (s, b) in zip(p_ranges(config), both, strict=True)
        ]
        for name, fine, both in pairs(counts, config)
    }


def cut_tables(counts: Counts, config: Performance) -> list[CutTable]:
    """The cuts for every wanted efficiency."""
    edges = np.array(config.binning.cuts_p), np.array(config.binning.cuts_theta)
    return [cut_table(counts.cuts, share, *edges, DELTA, config.min_muons) for share in config.efficiencies]


def cuts_of(table: CutTable) -> Content:
    """A table of cuts, rows by p."""
    content: Content = {"efficiency": table.efficiency, "meaning_of_status": list(STATUS)}
    columns = ("p_edges", "theta_edges", "cut", "error", "status", "reached", "muons")
    return content | {name: getattr(table, name).tolist() for name in columns}


def goodness(counts: Counts, config: Performance, payload: LikelihoodParameters | None) -> list[Content]:
    """The test of the payload by species; empty without a payload."""
    if counts.fit is None or payload is None or config.payload is None:
        return []
    found = (judged(counts.fit, name, payload, config.payload.exact) for name in HYPOTHESES)
    return [one.to_json() for one in found if one.tracks]


def selection(counts: Counts, config: Performance) -> Content:
    """What was demanded, and how many tracks are left."""
    return config.selection.model_dump(mode="json") | {
        "signal": config.signal,
        "background": config.background,
        "cuts": list(config.cuts),
        "tracks": {
            "read": _by_species(counts.read[: len(HYPOTHESES)]) | {"others": int(counts.read[-1])},
            "reached": _by_species(counts.reached),
            "selected": _by_species(counts.selected),
            "without_score": _by_species(counts.without_score),
        },
    }


def plain(value: Any) -> Any:
    """The same of what JSON knows: None for NaN and infinity."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def numbers(values: Sequence[float | None]) -> FloatArray:
    """A list of performance.json as an array, NaN for None."""
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
