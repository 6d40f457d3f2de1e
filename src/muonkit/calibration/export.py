"""Corrections as correctionlib JSON (schema 2): what analysts load, in Python or C++, without this package.

`scale`       variation, eta, pt, charge -> corrected pT / pT
`resolution`  variation, eta, pt -> sigma_k/k of the data
`validity`    correction, eta, pt -> 0 in the range of the calibration, 1 extrapolated, 2 held, 3 outside the eta range
`smear`       eta, pt, run, luminosityBlock, event, muon -> smeared pT / pT for simulation; the random number is a hash
              of the last four, one for each muon, the same for ever
Variations of `scale`: nominal, eigen_i_up/down along the eigenvectors of the covariance of A, e, M, and
syst_NAME_up/down. Where the model ends (see `reach`) the corrections are held, which `validity` tells. Outside the eta
range evaluation is an error."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from muonkit.calibration.bias import LEAST, Bias, corrected_pt
from muonkit.calibration.extract import Extraction
from muonkit.calibration.parameters import SCALE
from muonkit.calibration.reach import CALIBRATED, EXTRAPOLATED, HELD, OUTSIDE, Reach, ReachCounts
from muonkit.calibration.resolution import Resolution, smearing, variance
from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.files import write_gzip
from muonkit.core.kinematics import MuonArrays
from muonkit.data.dimuons import Dimuons
from muonkit.io import corrections as io_corrections
from muonkit.io.corrections import read_corrections

TOLERANCE = 1e-7
COMPARED_PT = np.array([1e-3, 0.5, 3.0, 7.5, 20.0, 45.0, 150.0, 1e3, 1e4, 1e6])  # GeV
IDENTITY = ("run", "luminosityBlock", "event", "muon")
INPUTS = {
    "scale": ("variation", "eta", "pt", "charge"),
    "resolution": ("variation", "eta", "pt"),
    "smear": ("eta", "pt", *IDENTITY),
    "validity": ("correction", "eta", "pt"),
}
NORMAL = {"nodetype": "hashprng", "inputs": list(IDENTITY), "distribution": "stdnormal"}
# the formulas of `bias` and `resolution` once more, as text; `compare` holds them to those when they are written
# x = pT, held within [0] and [1], where the model begins and ends
HELD_PT = "min(max(x,[0]),[1])"
SCALE_FORMULA = f"1./max(1.+[2]-[3]/{HELD_PT}+[4]*{HELD_PT},{LEAST})"  # [4] = q M
VARIANCE = "[2]*[2]+[3]*[3]*(x*x+[4]*[4])/(1.+[5]*[5]/(x*x))".replace("x", HELD_PT)
# in `smear` the input eta has been replaced by a standard normal number, y, after its bin was found
SIMULATED_VARIANCE = "[6]*[6]+[7]*[7]*(x*x+[8]*[8])/(1.+[9]*[9]/(x*x))".replace("x", HELD_PT)
RESOLUTION_FORMULA = f"sqrt({VARIANCE})"
SMEAR_FORMULA = f"1./max(1.+y*sqrt(max(0.,{VARIANCE}-({SIMULATED_VARIANCE}))),{LEAST})"


def variations(extraction: Extraction, systematics: dict[str, FloatArray] | None = None) -> dict[str, Bias]:
    """Bias per eta bin (bins,) for every variation of `scale`; `systematics`: shifts of the fitted vector (p,)."""
    layout = extraction.layout
    rows = [i for i, name in enumerate(layout.names) if name.split("_")[0] in SCALE]
    values, vectors = np.linalg.eigh(extraction.covariance[np.ix_(rows, rows)])
    shifts = {"nominal": np.zeros(len(rows))}
    for i, direction in enumerate((vectors * np.sqrt(np.maximum(values, 0))).T[::-1]):
        shifts |= {f"eigen_{i}_up": direction, f"eigen_{i}_down": -direction}
    for name, shift in (systematics or {}).items():
        shifts |= {f"syst_{name}_up": shift[rows], f"syst_{name}_down": -shift[rows]}
    return {name: _bias(extraction, rows, shift) for name, shift in shifts.items()}


def _bias(extraction: Extraction, rows: list[int], shift: FloatArray) -> Bias:
    vector = extraction.vector.copy()
    vector[rows] += shift
    return extraction.layout.unpack(vector).bias


class Content(NamedTuple):
    """What goes into a file. biases: per eta bin (bins,) for every variation of `scale`; resolution of data and of
    simulation (bins,); eta_edges (bins + 1,); sample: lowest and highest pT (bins, 2) [GeV] of the muons that made
    the corrections."""

    biases: dict[str, Bias]
    data: Resolution
    simulation: Resolution
    eta_edges: FloatArray
    sample: FloatArray

    @property
    def reach_of_scale(self) -> Reach:
        """Where `scale` is calibrated, and where it is held."""
        return Reach.of_scale(self.biases.values(), self.sample)

    @property
    def reach_of_resolution(self) -> Reach:
        """The same for `resolution` and `smear`."""
        return Reach.of_resolution(self.data, self.simulation, self.sample)


def build(content: Content) -> dict[str, Any]:
    """The correction set as the content of a JSON file."""
    return {
        "schema_version": 2,
        "description": "muon momentum scale and resolution; k_corrected = (1 + A - e k) k + q M, k = 1/pT [1/GeV]. "
        f"{_ranges(content)} Beyond its range in each eta bin it is held; see the correction 'validity'.",
        "corrections": [_scale(content), _resolution(content), _smear(content), _validity(content)],
    }


def _ranges(content: Content) -> str:
    reach, edges = content.reach_of_scale, content.eta_edges
    sample = f"{reach.sample[:, 0].min():.3g} to {reach.sample[:, 1].max():.4g} GeV"
    model = f"{reach.model[:, 0].max():.3g} to {reach.model[:, 1].min():.4g} GeV"
    return (
        f"Made from muons of eta {edges[0]:g} to {edges[-1]:g} and pT {sample}. "
        f"The model of 'scale' is used for pT {model} at least."
    )


def _variable(name: str, kind: str, description: str) -> dict[str, str]:
    return {"name": name, "type": kind, "description": description}


VARIATION = _variable("variation", "string", "nominal, eigen_i_up, eigen_i_down, syst_NAME_up, syst_NAME_down")
ETA = _variable("eta", "real", "pseudorapidity")
PT = _variable("pt", "real", "transverse momentum before correction [GeV]")


def _binned(edges: FloatArray, content: list[Any]) -> dict[str, Any]:
    return {"nodetype": "binning", "input": "eta", "edges": edges.tolist(), "content": content, "flow": "error"}


def _category(name: str, content: dict[Any, Any]) -> dict[str, Any]:
    return {
        "nodetype": "category",
        "input": name,
        "content": [{"key": key, "value": value} for key, value in content.items()],
    }


def _reference(parameters: list[float]) -> dict[str, Any]:
    return {"nodetype": "formularef", "index": 0, "parameters": [float(value) for value in parameters]}


def _formula(expression: str, variables: list[str]) -> dict[str, Any]:
    return {"nodetype": "formula", "expression": expression, "parser": "TFormula", "variables": variables}


def _scale(content: Content) -> dict[str, Any]:
    edges, limits = content.eta_edges, content.reach_of_scale.model.tolist()

    def binned(bias: Bias, q: int) -> dict[str, Any]:
        rows = zip(limits, bias.A, bias.e, bias.M, strict=True)
        return _binned(edges, [_reference([*limit, A, e, q * M]) for limit, A, e, M in rows])

    # a formula cannot take an int input, so charge is a category
    tree = {name: _category("charge", {q: binned(bias, q) for q in (-1, 1)}) for name, bias in content.biases.items()}
    return {
        "name": "scale",
        "description": "corrected pT / pT of data",
        "version": 1,
        "inputs": [VARIATION, ETA, PT, _variable("charge", "int", "-1 or 1")],
        "output": _variable("factor", "real", "corrected pT / pT"),
        "generic_formulas": [_formula(SCALE_FORMULA, ["pt"])],
        "data": _category("variation", tree),
    }


def _resolution(content: Content) -> dict[str, Any]:
    limits = content.reach_of_resolution.model.tolist()
    rows = [_reference([*limit, *row]) for limit, row in zip(limits, _rows(content.data), strict=True)]
    return {
        "name": "resolution",
        "description": "sigma_k/k of data",
        "version": 1,
        "inputs": [VARIATION, ETA, PT],
        "output": _variable("sigma", "real", "sigma_k/k"),
        "generic_formulas": [_formula(RESOLUTION_FORMULA, ["pt"])],
        "data": _category("variation", {"nominal": _binned(content.eta_edges, rows)}),
    }


def _smear(content: Content) -> dict[str, Any]:
    limits = content.reach_of_resolution.model.tolist()
    rows = [
        {"nodetype": "transform", "input": "eta", "rule": NORMAL, "content": _reference([*limit, *mine, *theirs])}
        for limit, mine, theirs in zip(limits, _rows(content.data), _rows(content.simulation), strict=True)
    ]
    return {
        "name": "smear",
        "description": "smeared pT / pT that brings simulation to the resolution of data",
        "version": 1,
        "inputs": [ETA, PT, *(_variable(name, "int", "of the muon's event") for name in IDENTITY[:-1]),
                   _variable("muon", "int", "index of the muon in its event")],
        "output": _variable("factor", "real", "smeared pT / pT"),
        "generic_formulas": [_formula(SMEAR_FORMULA, ["pt", "eta"])],
        "data": _binned(content.eta_edges, rows),
    }  # fmt: skip


def _validity(content: Content) -> dict[str, Any]:
    reaches = {"scale": content.reach_of_scale}
    reaches |= dict.fromkeys(("resolution", "smear"), content.reach_of_resolution)
    trees = {name: _codes(reach, content.eta_edges) for name, reach in reaches.items()}
    return {
        "name": "validity",
        "description": "whether a correction is used within its range",
        "version": 1,
        "inputs": [_variable("correction", "string", "scale, resolution or smear"), ETA, PT],
        "output": _variable("code", "real", "0: as calibrated; 1: pt extrapolated; 2: pt held; 3: eta outside"),
        "data": _category("correction", trees),
    }


def _codes(reach: Reach, edges: FloatArray) -> dict[str, Any]:
    bins = []
    for (low, high), (first, last) in zip(reach.sample.tolist(), reach.model.tolist(), strict=True):
        walls = sorted({first, low, high, last})
        codes = [float(CALIBRATED if wall == low else EXTRAPOLATED) for wall in walls[:-1]]
        bins.append({"nodetype": "binning", "input": "pt", "edges": walls, "content": codes, "flow": float(HELD)})
    return _binned(edges, bins) | {"flow": float(OUTSIDE)}


def _rows(resolution: Resolution) -> list[tuple[float, float, float, float]]:
    return list(zip(resolution.a, resolution.c, resolution.g, resolution.d, strict=True))


def write(path: Path, content: Content) -> None:
    """Write the corrections, read them back and compare all of them with the Python evaluation to 1e-7.

    Raises AssertionError if they differ."""
    write_gzip(path, json.dumps(build(content)).encode())
    compare(Corrections(path), content)


def compare(corrections: "Corrections", content: Content) -> None:
    """The formulas of the file against `corrected_pt`, `variance` and `smearing`, in every eta bin, within their range
    and beyond it.

    Raises AssertionError if they differ by more than 1e-7."""
    edges = content.eta_edges
    eta = np.repeat((edges[1:] + edges[:-1]) / 2, len(COMPARED_PT))
    bins = np.repeat(np.arange(len(edges) - 1), len(COMPARED_PT))
    pt = np.tile(COMPARED_PT, len(edges) - 1)
    held = content.reach_of_scale.held(pt, bins)
    for name, bias in content.biases.items():
        for q in (-1, 1):
            expected = corrected_pt(held, q, bias.at(bins)) / held
            _agree(corrections.factor(pt, eta, np.full(len(pt), q), name), expected, f"scale ({name})")
    data, simulation = content.data.at(bins), content.simulation.at(bins)
    pt2 = content.reach_of_resolution.held(pt, bins) ** 2
    _agree(corrections.sigma(pt, eta), np.sqrt(variance(pt2, data)), "resolution")
    event = np.arange(len(pt))
    identity = (np.ones_like(event), np.ones_like(event), event, event % 2)
    expected = smearing(_random(identity), pt2, data, simulation)
    _agree(corrections.smearing(pt, eta, *identity), expected, "smear")


def _random(identity: tuple[IntArray, ...]) -> FloatArray:
    """The standard normal numbers that correctionlib gives muons of this run, block, event and index."""
    import correctionlib

    inputs = [_variable(name, "int", "") for name in IDENTITY]
    random = {"name": "normal", "version": 1, "inputs": inputs, "output": _variable("y", "real", ""), "data": NORMAL}
    text = json.dumps({"schema_version": 2, "corrections": [random]})
    numbers: FloatArray = correctionlib.CorrectionSet.from_string(text)["normal"].evaluate(*identity)
    return numbers


def _agree(found: FloatArray, expected: FloatArray, what: str) -> None:
    if not np.allclose(found, expected, rtol=TOLERANCE, atol=0):
        raise AssertionError(f"{what}: the written corrections differ from the Python evaluation")


@lru_cache(maxsize=4)
def _load(path: Path, modified: float) -> tuple[Any, dict[str, Any]]:  # noqa: ARG001  (the time keys the cache)
    import correctionlib

    text, content = read_corrections(path)
    return correctionlib.CorrectionSet.from_string(text), content


def read_payload(content: bytes, name: str) -> dict[str, Any]:
    """The content of a file of corrections called `name`. Raises InputError if it is not one of muonkit."""
    return io_corrections.read_payload(content, name, ("scale", "resolution", "smear"))


@dataclass(frozen=True, slots=True)
class Corrections:
    """Corrections read from a file. Muons outside the eta range keep their momentum; `validity` tells which, and for
    which muons the corrections are extrapolated or held."""

    path: Path
    variation: str = "nominal"

    @classmethod
    def open(cls, path: Path, variation: str = "nominal") -> Self:
        """Check that the file can be used. Raises InputError if not."""
        corrections = cls(path, variation)
        try:
            corrections._check_inputs()
            names = corrections.variation_names
        except (OSError, EOFError, ValueError, RuntimeError, LookupError, TypeError) as error:
            raise InputError(
                f"{path}: not corrections of muonkit ({error}); give corrections.json.gz of a calibration"
            ) from error
        if variation not in names:
            raise InputError(f"{path}: no variation '{variation}'; it has {', '.join(names[:5])}, ...")
        return corrections

    def _check_inputs(self) -> None:
        """Raises ValueError if a correction is missing or has other inputs."""
        found = {each["name"]: tuple(i["name"] for i in each["inputs"]) for each in self._set()[1]["corrections"]}
        for name, inputs in INPUTS.items():
            if found.get(name) != inputs:
                raise ValueError(f"no correction '{name}' of {', '.join(inputs)}")

    def _set(self) -> tuple[Any, dict[str, Any]]:
        return _load(self.path, self.path.stat().st_mtime)

    def _correction(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(entry for entry in self._set()[1]["corrections"] if entry["name"] == name)
        return found

    @property
    def eta_range(self) -> tuple[float, float]:
        """First and last eta edge: muons outside keep their momentum."""
        edges = self._correction("smear")["data"]["edges"]
        return float(edges[0]), float(edges[-1])

    @property
    def variation_names(self) -> list[str]:
        """Variations of `scale`, nominal first."""
        return [entry["key"] for entry in self._correction("scale")["data"]["content"]]

    def inside(self, eta: FloatArray) -> BoolArray:
        """Which muons (n,) the corrections cover."""
        low, high = self.eta_range
        return (eta >= low) & (eta < high)

    def validity(self, correction: str, pt: FloatArray, eta: FloatArray) -> IntArray:
        """Codes (n,) of `reach`, CALIBRATED to OUTSIDE, of muons of pT [GeV] and eta (n,) for `correction`: scale,
        resolution or smear."""
        codes: IntArray = self._set()[0]["validity"].evaluate(correction, eta, pt).astype(np.int64)
        return codes

    def factor(self, pt: FloatArray, eta: FloatArray, charge: IntArray, variation: str | None = None) -> FloatArray:
        """Corrected pT / pT (n,) of muons of pT [GeV], eta, charge (n,); 1 outside the eta range."""
        name = variation or self.variation
        return self._where_inside("scale", eta, name, eta, pt, charge.astype(np.int64))

    def sigma(self, pt: FloatArray, eta: FloatArray) -> FloatArray:
        """sigma_k/k (n,) of the data; 1 outside the eta range."""
        return self._where_inside("resolution", eta, "nominal", eta, pt)

    def smearing(
        self,
        pt: FloatArray,
        eta: FloatArray,
        run: IntArray,
        luminosity_block: IntArray,
        event: IntArray,
        muon: IntArray,
    ) -> FloatArray:
        """Smeared pT / pT (n,) of simulation; 1 outside the eta range.

        The random number of a muon follows from the last four arrays (n,), and is the same for ever."""
        return self._where_inside("smear", eta, eta, pt, run, luminosity_block, event, muon)

    def _where_inside(self, correction: str, eta: FloatArray, *arguments: Any) -> FloatArray:
        inside, result = self.inside(eta), np.ones(len(eta))
        chosen = [value if isinstance(value, str) else value[inside] for value in arguments]
        result[inside] = self._set()[0][correction].evaluate(*chosen)
        return result

    def reach_of(self, table: Dimuons) -> ReachCounts:
        """How many muons of the pairs `scale` reaches."""
        codes = [self.validity("scale", muon.pt, muon.eta) for muon in (table.plus, table.minus)]
        return ReachCounts.of(np.concatenate(codes))

    def __call__(self, table: Dimuons) -> Dimuons:
        return table.with_pt(self._pt(table.plus, 1), self._pt(table.minus, -1))

    def _pt(self, muon: MuonArrays, q: int) -> FloatArray:
        return muon.pt * self.factor(muon.pt, muon.eta, np.full(len(muon.pt), q))
