"""The audit of a track fit: curvature generated and reconstructed by several models of the fit, from the same hits.

The first model is the one that is judged, the improved fit. It is compared with the truth; the others are compared with
the truth and with it (`change`), where the noise of the hits cancels."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from muonkit.calibration.curvature import BiasFit, Location, along, bins_of, fit_bias, location, number
from muonkit.core.arrays import AnyArray, FloatArray

PLACES = {"barrel": (0.0, 0.9), "endcap": (1.4, 2.4)}  # |eta|
SUM, REST = "sum of single ones", "standard - sum"


@dataclass(frozen=True, slots=True)
class Curvatures:
    """Of n tracks: generated eta, phi, k [1/GeV] and charge; k_reco/k_gen - 1, (n, models), NaN where a fit failed."""

    eta: FloatArray
    phi: FloatArray
    k: FloatArray
    charge: FloatArray
    ratio: FloatArray

    def __getitem__(self, rows: AnyArray) -> "Curvatures":
        return Curvatures(self.eta[rows], self.phi[rows], self.k[rows], self.charge[rows], self.ratio[rows])

    @property
    def change(self) -> FloatArray:
        """k of each model over that of the first one, minus 1: (n, models)."""
        with np.errstate(divide="ignore", invalid="ignore"):  # a muon along the beam has no curvature
            return (1 + self.ratio) / (1 + self.ratio[:, :1]) - 1


class Edges(NamedTuple):
    """Edges of bins in eta, phi [rad] and k [1/GeV]."""

    eta: FloatArray
    phi: FloatArray
    k: FloatArray


@dataclass(frozen=True, slots=True)
class View:
    """k_reco/k_gen - 1 in bins of one quantity, and the change against the first model, by model. `change` also has the
    sum of the changes of single approximations, where all of them were tried. outside: tracks that no bin holds."""

    name: str
    edges: FloatArray
    shift: Mapping[str, tuple[Location, ...]]
    change: Mapping[str, tuple[Location, ...]]
    outside: int

    def to_json(self) -> dict[str, Any]:
        models, change = ({name: _columns(one) for name, one in part.items()} for part in (self.shift, self.change))
        return {"edges": self.edges.tolist(), "outside": self.outside, "models": models, "change": change}

    @classmethod
    def of_json(cls, name: str, content: Mapping[str, Any]) -> "View":
        """From what `to_json` gave."""
        shift, change = ({key: _rows(one) for key, one in content[part].items()} for part in ("models", "change"))
        return cls(name, np.array(content["edges"]), shift, change, content["outside"])


def _columns(found: Iterable[Location]) -> dict[str, Any]:
    rows = list(found)
    columns = {name: [number(getattr(one, name)) for one in rows] for name in ("value", "error", "width")}
    return columns | {"entries": [one.entries for one in rows]}


def _rows(columns: Mapping[str, Any]) -> tuple[Location, ...]:
    values = (np.array(columns[name], dtype=np.float64).tolist() for name in ("value", "error", "width"))
    return tuple(Location(*row) for row in zip(*values, columns["entries"], strict=True))


@dataclass(frozen=True, slots=True)
class Size:
    """How far a model shifts the curvature [1] of muons in a place and a range of pT: from the truth for the first
    model, from the first model for the others."""

    model: str
    place: str
    pt: tuple[float, float]
    shift: Location


def views(found: Curvatures, models: tuple[str, ...], edges: Edges, singles: Iterable[str]) -> Iterator[View]:
    """Against eta, phi, k and charge times k. singles: the approximations, whose changes are added up if all are among
    the models."""
    changes = dict(zip(models, found.change.T, strict=True)) | _sums(found, models, singles)
    quantities = {
        "eta": (found.eta, edges.eta),
        "phi": (found.phi, edges.phi),
        "k": (found.k, edges.k),
        "charge k": (found.charge * found.k, np.concatenate((-edges.k[::-1], edges.k))),
    }
    for name, (values, own) in quantities.items():
        shift = {model: _along(ratio, values, own) for model, ratio in zip(models, found.ratio.T, strict=True)}
        change = {model: _along(ratio, values, own) for model, ratio in changes.items() if model != models[0]}
        which = bins_of(values, own)
        outside = (which < 0) if name != "charge k" else (which < 0) | (which == len(edges.k) - 1)
        yield View(name, own, shift, change, int(outside.sum()))


def _along(ratio: FloatArray, values: FloatArray, edges: FloatArray) -> tuple[Location, ...]:
    good = np.isfinite(ratio)
    return tuple(along(ratio[good], values[good], edges))


def _sums(found: Curvatures, models: tuple[str, ...], singles: Iterable[str]) -> dict[str, FloatArray]:
    """Of every track the changes by single approximations, added up; NaN where one of the fits failed."""
    if not set(singles) <= set(models):
        return {}
    alone = [models.index(model) for model in singles]
    return {SUM: found.change[:, alone].sum(axis=1)}


def sizes(found: Curvatures, models: tuple[str, ...], ranges: Iterable[tuple[float, float]]) -> Iterator[Size]:
    """Of every model in barrel and endcap, in ranges of pT [GeV]."""
    for place, pt, one in _samples(found, ranges):
        shifts = np.column_stack((one.ratio[:, :1], one.change[:, 1:]))
        for model, shift in zip(models, shifts.T, strict=True):
            yield Size(model, place, pt, location(shift[np.isfinite(shift)]))


def sums(
    found: Curvatures, models: tuple[str, ...], ranges: Iterable[tuple[float, float]], singles: tuple[str, ...]
) -> Iterator[Size]:
    """Whether approximations add up: the sum of their changes track by track, and what the fit that makes all of them
    changes beyond it. Nothing if a model is missing."""
    if not {"standard", *singles} <= set(models):
        return
    for place, pt, one in _samples(found, ranges):
        total = _sums(one, models, singles)[SUM]
        for name, shift in ((SUM, total), (REST, one.change[:, models.index("standard")] - total)):
            yield Size(name, place, pt, location(shift[np.isfinite(shift)]))


def _samples(
    found: Curvatures, ranges: Iterable[tuple[float, float]]
) -> Iterator[tuple[str, tuple[float, float], Curvatures]]:
    pts = tuple(ranges)
    for place, (low, high) in PLACES.items():
        inside = (np.abs(found.eta) >= low) & (np.abs(found.eta) < high)
        for pt in pts:
            yield place, pt, found[inside & (found.k <= 1 / pt[0]) & (found.k > 1 / pt[1])]


def biases(found: Curvatures, models: tuple[str, ...], edges: Edges) -> dict[str, tuple[BiasFit, ...]]:
    """A, e, M of every model in every bin of eta."""
    which = bins_of(found.eta, edges.eta)
    inside = [found[which == bin_] for bin_ in range(len(edges.eta) - 1)]
    return {
        model: tuple(_bias(one, one.ratio[:, column], edges.k) for one in inside) for column, model in enumerate(models)
    }


def _bias(found: Curvatures, ratio: FloatArray, k_edges: FloatArray) -> BiasFit:
    good = np.isfinite(ratio)
    return fit_bias(ratio[good], found.k[good], found.charge[good], k_edges)


class Pull(NamedTuple):
    """Of one parameter: mean of the pulls, their standard deviation, and their core; NaN without tracks."""

    name: str
    mean: float
    spread: float
    core: Location

    def to_json(self) -> dict[str, Any]:
        parts = {"mean": self.mean, "spread": self.spread, "core_mean": self.core.value, "core_width": self.core.width}
        return {name: number(value) for name, value in parts.items()} | {"entries": self.core.entries}


def pulls(values: FloatArray, names: Iterable[str]) -> Iterator[Pull]:
    """Of pulls (n, parameters)."""
    for name, column in zip(names, values.T, strict=True):
        good = column[np.isfinite(column)]
        mean, spread = (float(good.mean()), float(good.std())) if len(good) else (np.nan, np.nan)
        yield Pull(name, mean, spread, location(good))


class Bin(NamedTuple):
    """A bin of a view in which the first model is judged."""

    view: str
    name: str
    shift: Location


def judged(found: Curvatures, seen: Iterable[View], model: str, edges: Edges) -> tuple[Bin, ...]:
    """All bins of the views, but the empty one between the charges, and those of eta for each charge: a shift that
    changes sign with charge and eta, as by a twist, cancels in all views."""
    bins = [
        Bin(view.name, f"{view.name} {low:.4g} to {high:.4g}", one)
        for view in seen
        for (low, high), one in zip(pairwise(view.edges), view.shift[model], strict=True)
        if view.name != "charge k" or low * high > 0
    ]
    for sign, name in ((1.0, "mu+"), (-1.0, "mu-")):
        own = found[found.charge == sign]
        parts = zip(pairwise(edges.eta), _along(own.ratio[:, 0], own.eta, edges.eta), strict=True)
        bins += [Bin(f"eta of {name}", f"eta {low:g} to {high:g} of {name}", one) for (low, high), one in parts]
    return tuple(bins)
