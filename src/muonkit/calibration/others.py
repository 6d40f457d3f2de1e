"""Corrections of any origin behind one face: corrected pT / pT of data or of simulation, and sigma_k/k of data.

The resolution of other files is the width of the core of a Crystal Ball, for muons with a number of tracker layers.

Known are files of muonkit, Rochester text files and what `muonkit convert` makes of them, and the JSON of MuonScaRe.
A muon that a file does not cover has NaN: outside of its bins of eta, or where it gives no positive number."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from muonkit.calibration import rochester, rochester_file
from muonkit.calibration.export import Corrections
from muonkit.calibration.reach import EXTRAPOLATED, HELD
from muonkit.calibration.rochester import Muons
from muonkit.calibration.schema import INPUTS
from muonkit.core.arrays import FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.limits import reading
from muonkit.data import rochester as index
from muonkit.data.rochester import Rochester
from muonkit.io.corrections import WHAT, parse_corrections, unpacked_corrections
from muonkit.io.rochester import WHAT as ROCHESTER
from muonkit.io.rochester import parse_rochester
from muonkit.io.scare import CORE, SCALES, WIDTH, Scare, check_scare

DATA, SIMULATION, RESOLUTION = QUANTITIES = ("data", "simulation", "resolution")
SAMPLES = {DATA: index.DATA, SIMULATION: index.SIMULATION}
LOWEST, HIGHEST = 1e-5, 1e3  # of corrected pT / pT, and of sigma_k/k
LAYERS = 13  # of a muon that crosses the whole tracker of CMS
Factor = Callable[[Muons], FloatArray]


@dataclass(frozen=True, slots=True)
class OtherCorrections:
    """Corrections of a file. kind: in words; factors: those of QUANTITIES that it has, (n,) for muons (n,), by name;
    eta_range: first and last edge, if known; reach: codes (n,) of `reach` for muons of data, if the file has them;
    errors: of the factors, by name, if the file has sets of variations."""

    name: str
    kind: str
    factors: Mapping[str, Factor]
    eta_range: tuple[float, float] | None = None
    reach: Callable[[Muons], IntArray] | None = None
    errors: Mapping[str, Factor] = field(default_factory=dict)

    def factor(self, quantity: str, muons: Muons) -> FloatArray:
        """One of QUANTITIES (n,) of muons (n,); NaN where the file has none. Raises InputError if it ends in an
        error."""
        with np.errstate(all="ignore"), reading(self.name, WHAT):
            found = self.factors[quantity](muons)
        return np.where((found > LOWEST) & (found < HIGHEST), found, np.nan)

    def beyond(self, muons: Muons) -> int:
        """How many muons the corrections of data reach by extrapolation, or are held for."""
        return 0 if self.reach is None else int(np.isin(self.reach(muons), (EXTRAPOLATED, HELD)).sum())


def open_corrections(path: Path, layers: int = LAYERS) -> OtherCorrections:
    """The corrections of a file of any kind that is known, `layers`: see above. Raises InputError, a line per fault."""
    unpacked = unpacked_corrections(path)
    if unpacked.lstrip()[:1] != b"{":
        with reading(str(path), f"{WHAT}, or {ROCHESTER}"):
            text = unpacked.decode("utf-8")
        return _of_rochester(path, parse_rochester(text, str(path)), layers)
    text, content = parse_corrections(unpacked, str(path))
    names = {each["name"] for each in content["corrections"]}
    if names >= set(INPUTS):
        return _of_muonkit(path)
    if names >= set(rochester_file.NAMES[:2]):
        return _of_converted(path, text, content)
    if any(name in names for pair in (*SCALES.values(), WIDTH) for name in pair):
        return _of_scare(path, text, check_scare(content, str(path)), layers)
    raise InputError(
        f"{path}: has corrections {', '.join(sorted(names))[:80]}, which are of no kind that is known; give "
        "corrections.json.gz of a calibration, a Rochester text file or JSON of MuonScaRe"
    )


def _of_muonkit(path: Path) -> OtherCorrections:
    corrections = Corrections.open(path)

    def factor(muons: Muons) -> FloatArray:
        inside = corrections.inside(muons.eta)
        return np.where(inside, corrections.factor(muons.pt, muons.eta, muons.charge, phi=muons.phi), np.nan)

    def width(muons: Muons) -> FloatArray:
        return np.where(corrections.inside(muons.eta), corrections.sigma(muons.pt, muons.eta), np.nan)

    def reach(muons: Muons) -> IntArray:
        return corrections.validity("scale", muons.pt, muons.eta)

    factors = {DATA: factor, RESOLUTION: width}
    return OtherCorrections(path.name, "muonkit", factors, corrections.eta_range, reach)


def _of_rochester(path: Path, table: Rochester, layers: int) -> OtherCorrections:
    def factor(sample: int, muons: Muons, member: int = 0) -> FloatArray:
        return _inside(table.eta_edges, muons, rochester.scale(table, sample, muons, member))

    def error(sample: int, muons: Muons) -> FloatArray:
        return rochester.error(table, partial(factor, sample, muons))

    def width(muons: Muons) -> FloatArray:
        return _inside(table.eta_edges, muons, rochester.width(table, muons, np.full(len(muons.pt), layers)))

    factors: dict[str, Factor] = {name: partial(factor, number) for name, number in SAMPLES.items()}
    factors |= {RESOLUTION: width} if table.resolution else {}
    errors = {name: partial(error, number) for name, number in SAMPLES.items()} if len(table.members) > 1 else {}
    return OtherCorrections(path.name, "Rochester", factors, _range(table.eta_edges), None, errors)


def _of_converted(path: Path, text: str, content: dict[str, Any]) -> OtherCorrections:
    corrections, edges = _loaded(path, text), {}
    with reading(str(path), WHAT):
        for each in content["corrections"]:
            cells = each["data"]["content"][0]["value"]
            if each["name"] in rochester_file.NAMES[:2]:
                edges[each["name"]] = np.array(cells["content"][0]["value"]["edges"][0])

    def factor(name: str, muons: Muons) -> FloatArray:
        return _inside(edges[name], muons, corrections[name].evaluate("nominal", *muons))

    names = dict(zip(SAMPLES, rochester_file.NAMES, strict=False))
    factors = {sample: partial(factor, name) for sample, name in names.items()}
    return OtherCorrections(path.name, "Rochester", factors, _range(edges[names[DATA]]))


def _range(edges: FloatArray) -> tuple[float, float]:
    return float(edges[0]), float(edges[-1])


def _of_scare(path: Path, text: str, scare: Scare, layers: int) -> OtherCorrections:
    corrections = _loaded(path, text)

    def factor(sample: str, muons: Muons) -> FloatArray:
        named = zip(SCALES[sample], scare.scales[sample], strict=True)
        a, m = (_by_place(corrections[name], (muons.eta, muons.phi), variation) for name, variation in named)
        return np.asarray(1 / (m + muons.charge * a * muons.pt))

    def width(muons: Muons) -> FloatArray:
        k, polynomial, core = (corrections[name] for name in WIDTH)
        n, place = int(layers) if scare.whole_layers else float(layers), (np.abs(muons.eta),)
        terms = [_by_place(polynomial, place, n, power) * muons.pt**power for power in range(3)]
        return _by_place(k, place, scare.width) * np.sum(terms, axis=0) * _by_place(core, place, n, CORE)

    factors: dict[str, Factor] = {sample: partial(factor, sample) for sample in scare.scales}
    return OtherCorrections(path.name, "MuonScaRe", factors | ({RESOLUTION: width} if scare.width else {}))


def _loaded(path: Path, text: str) -> Any:
    import correctionlib

    with reading(str(path), WHAT):
        return correctionlib.CorrectionSet.from_string(text)


def _inside(edges: FloatArray, muons: Muons, values: FloatArray) -> FloatArray:
    return np.where((muons.eta >= edges[0]) & (muons.eta < edges[-1]), values, np.nan)


def _by_place(correction: Any, place: tuple[FloatArray, ...], *more: str | float) -> FloatArray:
    """What a correction says of muons at a place, each (n,); NaN where it ends in an error, as outside of its bins."""
    places, back = np.unique(np.stack(place), axis=1, return_inverse=True)
    return np.array([_value(correction, *each.tolist(), *more) for each in places.T])[back.ravel()]


def _value(correction: Any, *inputs: str | float) -> float:
    try:
        return float(correction.evaluate(*inputs))
    except (RuntimeError, IndexError, ValueError):
        return np.nan
