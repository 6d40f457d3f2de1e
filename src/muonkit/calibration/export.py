"""Corrections, written as a file of correctionlib (see `schema`) and read again.

Variations are along the eigenvectors of the correlation matrix of all fitted parameters, each in units of its error:
eigen_i_up/down, the largest first; the sum of their squared shifts is the covariance. syst_NAME_up/down are the shifts
of the bias budget, one for every effect that the run evaluated."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from muonkit.calibration import schema
from muonkit.calibration.bias import corrected_pt
from muonkit.calibration.binning import MuonBins
from muonkit.calibration.extract import Extraction
from muonkit.calibration.parameters import ParameterLayout, ParameterValues
from muonkit.calibration.quantities import Reference
from muonkit.calibration.reach import CALIBRATED, OUTSIDE, ReachCounts
from muonkit.calibration.resolution import Resolution, stretching, variance
from muonkit.calibration.schema import INPUTS, KEY, TO_SIMULATION, Content
from muonkit.calibration.smearing import smearing
from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.files import write_gzip
from muonkit.core.kinematics import MuonArrays
from muonkit.core.limits import reading, shown
from muonkit.data.dimuons import Dimuons
from muonkit.io import corrections as io_corrections
from muonkit.io.corrections import read_corrections

TOLERANCE = 1e-7
COMPARED_PT = np.array([1e-3, 0.5, 3.0, 7.5, 20.0, 45.0, 150.0, 1e3, 1e4, 1e6])  # GeV
COMPARED_KICKS = 20
COMPARED_RESPONSE = 1.03  # reconstructed over generated pT
AGAIN = "give corrections.json.gz of a calibration of this version"
FAULTS = (OSError, EOFError, ValueError, RuntimeError, LookupError, TypeError)


def variations(
    extraction: Extraction, resolution: Resolution, systematics: Mapping[str, FloatArray] | None = None
) -> dict[str, ParameterValues]:
    """Parameters per bin of muons (bins,) of every variation.

    `resolution`: of the data, where none was fitted; `systematics`: shifts of the fitted vector (p,)."""
    directions = {f"eigen_{i}": shift for i, shift in enumerate(eigen_shifts(extraction.covariance))}
    directions |= {f"syst_{name}": shift for name, shift in (systematics or {}).items()}
    vectors = {"nominal": extraction.vector}
    for name, shift in directions.items():
        vectors |= {f"{name}_up": extraction.vector + shift, f"{name}_down": extraction.vector - shift}
    return {name: _values(extraction.layout, vector, resolution) for name, vector in vectors.items()}


def eigen_shifts(covariance: FloatArray) -> FloatArray:
    """Shifts (rank, p) whose outer products add up to a covariance (p, p), the largest first.

    They are found in units of the errors: those of A, e and M lie many orders of magnitude apart, and the small ones
    would be lost to rounding."""
    errors = np.sqrt(np.diagonal(covariance))
    free = np.flatnonzero(errors)
    values, vectors = np.linalg.eigh(covariance[np.ix_(free, free)] / np.outer(errors[free], errors[free]))
    shifts = np.zeros((len(free), len(covariance)))
    shifts[:, free] = (vectors * np.sqrt(np.maximum(values, 0))).T[::-1] * errors[free]
    return shifts


def _values(layout: ParameterLayout, vector: FloatArray, resolution: Resolution) -> ParameterValues:
    values = layout.unpack(vector)
    return values if layout.fits_resolution else ParameterValues(values.bias, resolution)


def write(path: Path, content: Content) -> None:
    """Write the corrections, read them back and compare all of them with the Python evaluation to 1e-7.

    Raises AssertionError if they differ."""
    write_gzip(path, json.dumps(schema.build(content)).encode())
    compare(Corrections(path), content)


def compare(corrections: "Corrections", content: Content) -> None:
    """The formulas of the file against those of Python, in every bin, within their range and beyond it.

    Raises AssertionError if they differ by more than 1e-7."""
    _compare_scale(corrections, content)
    points = _Points.of(content.bins.without_phi)
    reached = content.reach_of_resolution, content.reach_of_stretch
    held = [each.held(points.pt, points.row) for each in reached]
    simulated = content.simulated.at(points.row)
    for name, resolution in content.resolutions.items():
        chosen = Corrections(corrections.path, name)
        sigma = np.sqrt(variance(held[0] ** 2, resolution.at(points.row)))
        _agree(chosen.sigma(points.pt, points.eta), sigma, f"resolution ({name})")
        _compare_stretch(chosen, points, held[1], resolution.at(points.row), simulated)
    _compare_smear(corrections, content, points)


class _Points(NamedTuple):
    """Muons of COMPARED_PT in the middle of every bin: pT [GeV], eta, phi and bin, each (n,)."""

    pt: FloatArray
    eta: FloatArray
    phi: FloatArray
    row: IntArray

    @classmethod
    def of(cls, bins: MuonBins) -> Self:
        index = np.repeat(np.arange(bins.count), len(COMPARED_PT))
        eta, phi = bins.centres
        return cls(np.tile(COMPARED_PT, bins.count), eta[index], phi[index], index)


def _compare_scale(corrections: "Corrections", content: Content) -> None:
    pt, eta, phi, index = _Points.of(content.bins)
    held = content.reach_of_scale.held(pt, content.bins.along(index)["eta"])
    for name, values in content.variations.items():
        for q in (-1, 1):
            expected = corrected_pt(held, q, values.bias.at(index)) / held
            _agree(corrections.factor(pt, eta, np.full(len(pt), q), name, phi), expected, f"scale ({name})")


def _compare_stretch(
    chosen: "Corrections", points: _Points, held: FloatArray, data: Resolution, simulated: ParameterValues
) -> None:
    """`stretch` of one variation; `held`: generated pT (n,) [GeV] within the model."""
    pt, reco = points.pt, COMPARED_RESPONSE * points.pt
    for q in (-1, 1):
        expected = stretching(reco, pt, held, q, data, simulated.resolution, simulated.bias)
        found = chosen.stretching(reco, points.eta, pt, np.full(len(pt), q))
        _agree(found, expected, f"stretch ({chosen.variation})")


def _compare_smear(corrections: "Corrections", content: Content, points: _Points) -> None:
    """With many kicks at every pT and eta, because few are wide."""
    again = np.tile(np.arange(len(points.pt)), COMPARED_KICKS)
    pt, eta, row = points.pt[again], points.eta[again], points.row[again]
    event, phi = np.arange(len(pt)), np.linspace(-3, 3, len(pt))
    identity = (event, event + 1, event + 2)
    pt2, numbers = content.reach_of_resolution.held(pt, row) ** 2, random_normals(*identity, eta, phi)
    simulated = (content.simulated.resolution.at(row), content.shape.at(row))
    for name, data in content.resolutions.items():
        found = Corrections(corrections.path, name).smearing(pt, eta, phi, *identity)
        _agree(found, smearing(*numbers, pt2, data.at(row), *simulated), f"smear ({name})")


def random_normals(
    run: IntArray, luminosity_block: IntArray, event: IntArray, eta: FloatArray, phi: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The two standard normal numbers (n,) that correctionlib gives muons of this run, block, event, eta and phi."""
    import correctionlib

    output = {"name": "y", "type": "real", "description": ""}
    inputs = [schema.variable(name) for name in KEY]
    rules = {"first": schema.NORMAL, "second": schema.SECOND}
    random = [{"name": n, "version": 1, "inputs": inputs, "output": output, "data": rule} for n, rule in rules.items()]
    found = correctionlib.CorrectionSet.from_string(json.dumps({"schema_version": 2, "corrections": random}))
    first, second = (found[name].evaluate(run, luminosity_block, event, eta, phi) for name in rules)
    return first, second


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
    found = io_corrections.read_payload(content, name, INPUTS)
    if fault := _inputs_fault(found):
        raise InputError(f"{name}: {fault}")
    return found


def _inputs_fault(content: dict[str, Any]) -> str | None:
    """What is wrong if a correction is missing or has other inputs, as in files of earlier versions."""
    found = {each["name"]: tuple(i["name"] for i in each["inputs"]) for each in content["corrections"]}
    for name, inputs in INPUTS.items():
        if found.get(name) not in (inputs, schema.inputs_of(name, by_phi=True)):
            return f"not corrections of muonkit (no correction '{name}' of {', '.join(inputs)}); {AGAIN}"
    return None


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
            fault = _inputs_fault(corrections._set()[1])
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise InputError(f"{path}: cannot be read ({reason}); {AGAIN}") from error
        except FAULTS as error:
            raise InputError(f"{path}: not corrections of muonkit ({shown(str(error))}); {AGAIN}") from error
        if fault:
            raise InputError(f"{path}: {fault}")
        names = corrections.variation_names
        if variation not in names:
            raise InputError(f"{path}: no variation '{variation}'; it has {', '.join(names[:5])}, ...")
        return corrections

    def _set(self) -> tuple[Any, dict[str, Any]]:
        return _load(self.path, self.path.stat().st_mtime)

    def _correction(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(entry for entry in self._set()[1]["corrections"] if entry["name"] == name)
        return found

    @property
    def eta_range(self) -> tuple[float, float]:
        """First and last eta edge: muons outside keep their momentum."""
        edges = self._correction("validity")["data"]["content"][0]["value"]["edges"]
        return float(edges[0]), float(edges[-1])

    @property
    def by_phi(self) -> bool:
        """Whether `scale` depends on phi."""
        return any(each["name"] == "phi" for each in self._correction("scale")["inputs"])

    @property
    def reference(self) -> Reference:
        """What `scale` compares data with: generator masses, or the simulation."""
        return "simulation" if TO_SIMULATION in str(self._set()[1].get("description")) else "truth"

    @property
    def variation_names(self) -> list[str]:
        """Variations of `scale`, nominal first."""
        return self.variations_of("scale")

    def variations_of(self, correction: str) -> list[str]:
        """Variations of scale, resolution, smear or stretch. All but scale have nominal alone if the resolution of the
        data was not fitted."""
        with reading(str(self.path), "file of corrections"):
            node = self._correction(correction)["data"]
            while node["nodetype"] != "category":
                node = node["content"] if node["nodetype"] == "transform" else node["content"][0]
            return [entry["key"] for entry in node["content"]]

    def inside(self, eta: FloatArray) -> BoolArray:
        """Which muons (n,) the corrections cover."""
        low, high = self.eta_range
        return (eta >= low) & (eta < high)

    def validity(self, correction: str, pt: FloatArray, eta: FloatArray) -> IntArray:
        """Codes (n,) of `reach`, CALIBRATED to OUTSIDE, of muons of pT [GeV] and eta (n,) for `correction`: scale,
        resolution, smear, or stretch, which takes the generated pT."""
        codes = self._evaluated("validity", correction, eta, pt).astype(np.int64)
        if np.any((codes < CALIBRATED) | (codes > OUTSIDE)):
            raise InputError(f"{self.path}: 'validity' has other codes than {CALIBRATED} to {OUTSIDE}; {AGAIN}")
        return codes

    def factor(
        self,
        pt: FloatArray,
        eta: FloatArray,
        charge: IntArray,
        variation: str | None = None,
        phi: FloatArray | None = None,
    ) -> FloatArray:
        """Corrected pT / pT (n,) of muons of pT [GeV], eta, charge and phi [rad] (n,); 1 outside the eta range.

        Raises ValueError without phi if the corrections depend on it."""
        if self.by_phi and phi is None:
            raise ValueError(f"{self.path}: the corrections depend on phi; give phi")
        more = (phi,) if self.by_phi else ()
        name = variation or self.variation
        return self._where_inside("scale", eta, name, eta, pt, charge.astype(np.int64), *more)

    def sigma(self, pt: FloatArray, eta: FloatArray) -> FloatArray:
        """sigma_k/k (n,) of the data; 1 outside the eta range."""
        return self._where_inside("resolution", eta, self.variation, eta, pt)

    def smearing(
        self,
        pt: FloatArray,
        eta: FloatArray,
        phi: FloatArray,
        run: IntArray,
        luminosity_block: IntArray,
        event: IntArray,
    ) -> FloatArray:
        """Smeared pT / pT (n,) of simulation; 1 outside the eta range.

        The random number of a muon follows from eta, phi and the last three arrays (n,), and is the same for ever."""
        return self._where_inside("smear", eta, self.variation, eta, pt, phi, run, luminosity_block, event)

    def stretching(self, pt: FloatArray, eta: FloatArray, gen_pt: FloatArray, charge: IntArray) -> FloatArray:
        """Stretched pT / pT (n,) of simulated muons of generated pT (n,) [GeV]; 1 outside the eta range."""
        return self._where_inside("stretch", eta, self.variation, eta, pt, gen_pt, charge.astype(np.int64))

    def _where_inside(self, correction: str, eta: FloatArray, *arguments: Any) -> FloatArray:
        inside, result = self.inside(eta), np.ones(len(eta))
        chosen = [value if isinstance(value, str) else value[inside] for value in arguments]
        result[inside] = self._evaluated(correction, *chosen)
        return result

    def _evaluated(self, correction: str, *arguments: Any) -> FloatArray:
        """What correctionlib gives. Raises InputError where a node of the file has no value for these arguments."""
        with reading(str(self.path), "file of corrections"):
            values: FloatArray = self._set()[0][correction].evaluate(*arguments)
            return values

    def reach_of(self, table: Dimuons) -> ReachCounts:
        """How many muons of the pairs `scale` reaches."""
        codes = [self.validity("scale", muon.pt, muon.eta) for muon in (table.plus, table.minus)]
        return ReachCounts.of(np.concatenate(codes))

    def __call__(self, table: Dimuons) -> Dimuons:
        return table.with_pt(self._pt(table.plus, 1), self._pt(table.minus, -1))

    def _pt(self, muon: MuonArrays, q: int) -> FloatArray:
        return muon.pt * self.factor(muon.pt, muon.eta, np.full(len(muon.pt), q), phi=muon.phi)
