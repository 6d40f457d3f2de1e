"""Corrections of any origin behind one face: corrected pT / pT of muons of data, or of simulation.

Known are files of muonkit, Rochester text files and what `muonkit convert` makes of them, and the JSON of MuonScaRe.
A muon that a file does not cover has NaN: outside of its bins of eta, or where it gives no positive number."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from muonkit.calibration import rochester, rochester_file
from muonkit.calibration.export import INPUTS, Corrections
from muonkit.calibration.reach import EXTRAPOLATED, HELD
from muonkit.calibration.rochester import Muons
from muonkit.core.arrays import FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.limits import reading
from muonkit.data import rochester as index
from muonkit.data.rochester import Rochester
from muonkit.io.corrections import WHAT, parse_corrections, unpacked_corrections
from muonkit.io.rochester import WHAT as ROCHESTER
from muonkit.io.rochester import parse_rochester
from muonkit.io.scare import SCALES, check_scare

DATA, SIMULATION = "data", "simulation"
SAMPLES = {DATA: index.DATA, SIMULATION: index.SIMULATION}
LOWEST, HIGHEST = 1e-3, 1e3  # of a corrected pT / pT
Factor = Callable[[Muons], FloatArray]


@dataclass(frozen=True, slots=True)
class OtherCorrections:
    """Corrections of a file. kind: in words; factors: corrected pT / pT (n,) of muons (n,), by sample; eta_range: first
    and last edge, if known; reach: codes (n,) of `reach` for muons of data, if the file has them; errors: of the
    factors, by sample, if the file has sets of variations."""

    name: str
    kind: str
    factors: Mapping[str, Factor]
    eta_range: tuple[float, float] | None = None
    reach: Callable[[Muons], IntArray] | None = None
    errors: Mapping[str, Factor] | None = None

    def factor(self, sample: str, muons: Muons) -> FloatArray:
        """Corrected pT / pT (n,) of muons (n,); NaN where the file has none. Raises InputError if it ends in an
        error."""
        with np.errstate(all="ignore"), reading(self.name, WHAT):
            found = self.factors[sample](muons)
        return np.where((found > LOWEST) & (found < HIGHEST), found, np.nan)

    def beyond(self, muons: Muons) -> int:
        """How many muons the corrections of data reach by extrapolation, or are held for."""
        return 0 if self.reach is None else int(np.isin(self.reach(muons), (EXTRAPOLATED, HELD)).sum())


def open_corrections(path: Path) -> OtherCorrections:
    """The corrections of a file of any kind that is known. Raises InputError, a line per fault."""
    unpacked = unpacked_corrections(path)
    if unpacked.lstrip()[:1] != b"{":
        with reading(str(path), f"{WHAT}, or {ROCHESTER}"):
            text = unpacked.decode("utf-8")
        return _of_rochester(path, parse_rochester(text, str(path)))
    text, content = parse_corrections(unpacked, str(path))
    names = {each["name"] for each in content["corrections"]}
    if names >= set(INPUTS):
        return _of_muonkit(path)
    if names >= set(rochester_file.NAMES[:2]):
        return _of_converted(path, text, content)
    if any(name in names for pair in SCALES.values() for name in pair):
        return _of_scare(path, text, check_scare(content, str(path)))
    raise InputError(
        f"{path}: has corrections {', '.join(sorted(names))[:80]}, which are of no kind that is known; give "
        "corrections.json.gz of a calibration, a Rochester text file or JSON of MuonScaRe"
    )


def _of_muonkit(path: Path) -> OtherCorrections:
    corrections = Corrections.open(path)

    def factor(muons: Muons) -> FloatArray:
        inside = corrections.inside(muons.eta)
        return np.where(inside, corrections.factor(muons.pt, muons.eta, muons.charge), np.nan)

    def reach(muons: Muons) -> IntArray:
        return corrections.validity("scale", muons.pt, muons.eta)

    return OtherCorrections(path.name, "muonkit", {DATA: factor}, corrections.eta_range, reach)


def _of_rochester(path: Path, table: Rochester) -> OtherCorrections:
    def factor(sample: int, muons: Muons, member: int = 0) -> FloatArray:
        return _inside(table.eta_edges, muons, rochester.scale(table, sample, muons, member))

    def error(sample: int, muons: Muons) -> FloatArray:
        return rochester.error(table, partial(factor, sample, muons))

    factors = {name: partial(factor, number) for name, number in SAMPLES.items()}
    errors = {name: partial(error, number) for name, number in SAMPLES.items()} if len(table.members) > 1 else None
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


def _of_scare(path: Path, text: str, nominal: Mapping[str, tuple[str, ...]]) -> OtherCorrections:
    corrections = _loaded(path, text)

    def factor(sample: str, muons: Muons) -> FloatArray:
        named = zip(SCALES[sample], nominal[sample], strict=True)
        a, m = (_cell_by_cell(corrections[name], muons, variation) for name, variation in named)
        return np.asarray(1 / (m + muons.charge * a * muons.pt))

    return OtherCorrections(path.name, "MuonScaRe", {sample: partial(factor, sample) for sample in nominal})


def _loaded(path: Path, text: str) -> Any:
    import correctionlib

    with reading(str(path), WHAT):
        return correctionlib.CorrectionSet.from_string(text)


def _inside(edges: FloatArray, muons: Muons, values: FloatArray) -> FloatArray:
    return np.where((muons.eta >= edges[0]) & (muons.eta < edges[-1]), values, np.nan)


def _cell_by_cell(correction: Any, muons: Muons, variation: str) -> FloatArray:
    """What a correction says of each eta and phi; NaN where it ends in an error, as outside of its bins."""
    places, back = np.unique(np.stack((muons.eta, muons.phi)), axis=1, return_inverse=True)
    return np.array([_value(correction, eta, phi, variation) for eta, phi in places.T])[back.ravel()]


def _value(correction: Any, eta: float, phi: float, variation: str) -> float:
    try:
        return float(correction.evaluate(float(eta), float(phi), variation))
    except (RuntimeError, IndexError, ValueError):
        return np.nan
