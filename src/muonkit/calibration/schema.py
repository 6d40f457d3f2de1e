"""The file of corrections as correctionlib JSON (schema 2): what analysts load, in Python or C++, without this package.

`scale`       variation, eta, pt, charge -> corrected pT / pT of data; after charge it takes phi, of any turn, if the
              parameters have bins of phi. All other corrections are means over phi
`resolution`  variation, eta, pt -> sigma_k/k of data
`smear`       variation, eta, pt, phi, run, luminosityBlock, event -> smeared pT / pT of simulation: random noise of
              the variance that is missing, with tails where the response has tails (see `smearing`)
`stretch`     variation, eta, pt, gen_pt, charge -> the same where the generated pT is known: the response k_reco/k_gen
              of the simulation, its tails included, is stretched to the width that it has in data
`validity`    correction, eta, pt -> 0 in the range of the calibration, 1 extrapolated, 2 held, 3 outside the eta range

The random numbers of `smear` are hashes of run, luminosityBlock, event, eta and phi, for ever the same for a muon, also
when others are sorted or left out. The first is the kick; the second, without phi, says who gets wide noise. Where the
model ends (see `reach`) the corrections are held, which `validity` says. Outside the eta range evaluation fails."""

from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtri

from muonkit.calibration.bias import LEAST, Bias
from muonkit.calibration.binning import MuonBins
from muonkit.calibration.parameters import ParameterValues
from muonkit.calibration.quantities import Reference
from muonkit.calibration.reach import CALIBRATED, EXTRAPOLATED, HELD, OUTSIDE, Reach
from muonkit.calibration.resolution import MOST_STRETCH, TINY_VARIANCE, Resolution
from muonkit.calibration.smearing import Tails
from muonkit.core.arrays import FloatArray

IDENTITY = ("run", "luminosityBlock", "event")
KEY = (*IDENTITY, "eta", "phi")
INPUTS = {
    "scale": ("variation", "eta", "pt", "charge"),
    "resolution": ("variation", "eta", "pt"),
    "smear": ("variation", "eta", "pt", "phi", *IDENTITY),
    "stretch": ("variation", "eta", "pt", "gen_pt", "charge"),
    "validity": ("correction", "eta", "pt"),
}
# `stdnormal` differs between processors; correctionlib before 2.8 cuts event numbers to 32 bits
NORMAL = {"nodetype": "hashprng", "inputs": list(KEY), "distribution": "normal"}
# phi has become the first number when the second is made, and its last bit may depend on the processor
SECOND = NORMAL | {"inputs": [*IDENTITY, "eta"]}
# the formulas of `bias` and `resolution` once more, as text; `export.compare` holds them to those
# x = pT, held within [0] and [1], where the model begins and ends
HELD_PT = "min(max(x,[0]),[1])"
SCALE = "max(1.+[2]-[3]/HELD+[4]*HELD,LEAST)"  # [4] = q M


def variance_text(first: int, square: str) -> str:
    """(sigma_k/k)^2 with a, c, g, d as parameters from number `first` on, and pT^2."""
    a, c, g, d = (f"[{first + i}]*[{first + i}]" for i in range(4))
    return f"({a}+{c}*({square}+{g})/(1.+{d}/{square}))"


VARIANCE, SIMULATED_VARIANCE = (variance_text(first, "(HELD*HELD)") for first in (2, 6))
SCALE_FORMULA = "1./" + SCALE
RESOLUTION_FORMULA = f"sqrt{VARIANCE}"
# `smear`: x has become pT^2, held; y and z have become standard normal numbers; [8], [9] = p, F of `smearing`
HELD_SQUARE = "min(max(x*x,[0]),[1])"
CORE, SIMULATED_CORE = variance_text(0, "x"), variance_text(4, "x")
B = f"({CORE}-{SIMULATED_CORE}+2.*(1.-[8])*{SIMULATED_CORE})"
WIDE = f"((0.5-0.5*erf({np.sqrt(0.5)}*z))*{B}<[8]*({CORE}-{SIMULATED_CORE}))"
NARROW_FORMULA = f"1./max(1.+y*sqrt(max(0.,{CORE}-{SIMULATED_CORE})),LEAST)"
WIDE_FORMULA = f"1./max(1.+y*sqrt(max(0.,{CORE}-{SIMULATED_CORE})+{WIDE}*[9]*{B}),LEAST)"
TURNED = "[0]+atan2(sin(x-[0]),cos(x-[0]))"  # the angle x in the turn around [0]
# here the generated pT is x, and the reconstructed is y; [10], [11], [12] = A, e, q M of the simulation
RATIO = "y/(x*max(1.+[10]-[11]/HELD+[12]*HELD,LEAST))"
STRETCH = f"min(sqrt({VARIANCE}/max({SIMULATED_VARIANCE},{TINY_VARIANCE})),{MOST_STRETCH})"
STRETCH_FORMULA = f"1./max({RATIO}+{STRETCH}*(1.-{RATIO}),LEAST)"
# in the description of a file whose reference is the simulation
TO_SIMULATION = "'scale' brings data to the scale of the simulation, not to the true scale."
ERRORS = ("eigen_", "syst_window_")  # beginnings of names: variations that are errors of the corrections


def are_errors(name: str) -> bool:
    """Whether a variation is an error; other effects of the bias budget are what a simpler fit would be wrong by."""
    return name.startswith(ERRORS)


class Content(NamedTuple):
    """What goes into a file. variations: name -> bias and resolution of data in the bins of muons, nominal first;
    `simulation`: bias and resolution of simulation; sample: lowest and highest pT (eta bins, 2) [GeV] of the muons that
    made the corrections; `reference`: what data are compared with; `tails`: of the response (eta bins,), Gaussian
    without them."""

    variations: dict[str, ParameterValues]
    simulation: ParameterValues
    bins: MuonBins
    sample: FloatArray
    reference: Reference = "truth"
    tails: Tails | None = None

    @property
    def shape(self) -> Tails:
        """The tails of the response in every eta bin, of none for a Gaussian one."""
        return self.tails or Tails.none(self.bins.shape[0])

    @property
    def resolutions(self) -> dict[str, Resolution]:
        """The resolution of data (eta bins,) of every variation; of nominal alone where none has another."""
        nominal = self.variations["nominal"].resolution
        others = any(values.resolution is not nominal for values in self.variations.values())
        names = self.variations if others else ["nominal"]
        return {name: self.variations[name].over_phi(self.bins).resolution for name in names}

    @property
    def simulated(self) -> ParameterValues:
        """Bias and resolution of simulation (eta bins,)."""
        return self.simulation.over_phi(self.bins)

    @property
    def reach_of_scale(self) -> Reach:
        """Where `scale` is calibrated, and where it is held."""
        return Reach.of_scale((self.variations[name].bias for name in self._limiting), self.sample)

    @property
    def reach_of_resolution(self) -> Reach:
        """The same for `resolution` and `smear`."""
        data = (self.variations[name].over_phi(self.bins).resolution for name in self._limiting)
        return Reach.of_resolution((*data, self.simulated.resolution), self.sample)

    @property
    def _limiting(self) -> list[str]:
        """The variations that limit the range of the model: the nominal values and their errors."""
        return [name for name in self.variations if name == "nominal" or are_errors(name)]

    @property
    def reach_of_stretch(self) -> Reach:
        """The same for `stretch`, in the generated pT."""
        return self.reach_of_resolution.within(Reach.of_scale([self.simulated.bias], self.sample))


def build(content: Content) -> dict[str, Any]:
    """The correction set as the content of a JSON file."""
    words = [TO_SIMULATION] if content.reference == "simulation" else []
    return {
        "schema_version": 2,
        "description": "muon momentum scale and resolution; k_corrected = (1 + A - e k) k + q M, k = 1/pT [1/GeV]. "
        f"{' '.join([*words, _ranges(content)])} "
        "Beyond its range in each eta bin it is held; see the correction 'validity'.",
        "corrections": [make(content) for make in (_scale, _resolution, _smear, _stretch, _validity)],
    }


def _ranges(content: Content) -> str:
    reach, edges = content.reach_of_scale, content.bins.eta_edges
    sample = f"{reach.sample[:, 0].min():.3g} to {reach.sample[:, 1].max():.4g} GeV"
    model = f"{reach.model[:, 0].max():.3g} to {reach.model[:, 1].min():.4g} GeV"
    return (
        f"Made from muons of eta {edges[0]:g} to {edges[-1]:g} and pT {sample}. "
        f"The model of 'scale' is used for pT {model} at least."
    )


DESCRIPTIONS = {
    "variation": ("string", "nominal, eigen_i_up, eigen_i_down, syst_NAME_up, syst_NAME_down"),
    "eta": ("real", "pseudorapidity, as stored"),
    "pt": ("real", "transverse momentum before correction [GeV]"),
    "phi": ("real", "azimuth [rad], as stored"),
    "gen_pt": ("real", "transverse momentum of the generated muon [GeV]"),
    "charge": ("int", "-1 or 1"),
    "correction": ("string", "scale, resolution, smear or stretch (at the generated pt)"),
} | dict.fromkeys(IDENTITY, ("int", "of the muon's event"))


def variable(name: str) -> dict[str, str]:
    """An input by its name."""
    kind, description = DESCRIPTIONS[name]
    return {"name": name, "type": kind, "description": description}


def inputs_of(name: str, by_phi: bool) -> tuple[str, ...]:
    """The inputs of a correction; `by_phi`: the parameters have bins of phi."""
    return (*INPUTS[name], "phi") if by_phi and name == "scale" else INPUTS[name]


def _correction(
    name: str, description: str, output: str, data: dict[str, Any], by_phi: bool = False, **more: Any
) -> dict[str, Any]:
    return {
        "name": name,
        "description": description,
        "version": 1,
        "inputs": [variable(each) for each in inputs_of(name, by_phi)],
        "output": {"name": output, "type": "real", "description": description},
        "data": data,
    } | more


def _binned(axis: str, edges: list[Any], content: list[Any], flow: str | float = "error") -> dict[str, Any]:
    return {"nodetype": "binning", "input": axis, "edges": edges, "content": content, "flow": flow}


def _of_muons(bins: MuonBins, content: list[Any], flow: str | float = "error") -> dict[str, Any]:
    """The content (count,) of bins of muons; `flow`: outside the eta range."""
    if "phi" in bins.axes:
        phi = bins.shape[1]
        content = [
            _binned("phi", bins.phi_edges.tolist(), content[i : i + phi], "clamp") for i in range(0, len(content), phi)
        ]
    return _binned("eta", bins.eta_edges.tolist(), content, flow)


def _turned(bins: MuonBins, data: dict[str, Any]) -> dict[str, Any]:
    """Brings phi into the turn of the edges."""
    if "phi" not in bins.axes:
        return data
    middle = float(bins.phi_edges[0] + np.pi)
    rule = {"nodetype": "formula", "parser": "TFormula", "variables": ["phi"], "parameters": [middle]}
    return {"nodetype": "transform", "input": "phi", "rule": rule | {"expression": TURNED}, "content": data}


def _category(name: str, content: dict[Any, Any]) -> dict[str, Any]:
    return {
        "nodetype": "category",
        "input": name,
        "content": [{"key": key, "value": value} for key, value in content.items()],
    }


def _transform(name: str, rule: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
    return {"nodetype": "transform", "input": name, "rule": rule, "content": content}


def _reference(index: int, parameters: list[float]) -> dict[str, Any]:
    return {"nodetype": "formularef", "index": index, "parameters": parameters}


def _formula(expression: str, *variables: str) -> dict[str, Any]:
    """A formula; its variables are called x, y, z."""
    text = expression.replace("HELD", HELD_PT).replace("LEAST", str(LEAST))
    return {"nodetype": "formula", "expression": text, "parser": "TFormula", "variables": list(variables)}


def _formulas(expression: str, *variables: str) -> dict[str, Any]:
    """The one formula of a correction."""
    return {"generic_formulas": [_formula(expression, *variables)]}


def _rows(bins: MuonBins, *columns: Any) -> dict[str, Any]:
    """The formula in every bin, with its parameters from columns (bins,)."""
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return _of_muons(bins, [_reference(0, list(row)) for row in rows])


def _resolution_columns(resolution: Resolution) -> tuple[FloatArray, ...]:
    return resolution.a, resolution.c, resolution.g, resolution.d


def _scale(content: Content) -> dict[str, Any]:
    bins = content.bins
    limits = np.repeat(content.reach_of_scale.model, bins.shape[1], axis=0).T

    # a formula cannot take an int input, so charge is a category
    def charges(bias: Bias) -> dict[str, Any]:
        return _category("charge", {q: _rows(bins, *limits, bias.A, bias.e, q * bias.M) for q in (-1, 1)})

    data = _category("variation", {name: charges(values.bias) for name, values in content.variations.items()})
    what, formulas = "corrected pT / pT of data", _formulas(SCALE_FORMULA, "pt")
    return _correction("scale", what, "factor", _turned(bins, data), by_phi="phi" in bins.axes, **formulas)


def _resolution(content: Content) -> dict[str, Any]:
    bins, limits = content.bins.without_phi, content.reach_of_resolution.model.T
    resolutions = content.resolutions.items()
    tree = {name: _rows(bins, *limits, *_resolution_columns(each)) for name, each in resolutions}
    data = _category("variation", tree)
    return _correction("resolution", "sigma_k/k of data", "sigma", data, **_formulas(RESOLUTION_FORMULA, "pt"))


def _smear(content: Content) -> dict[str, Any]:
    bins = [_smear_bin(content, row) for row in range(content.bins.shape[0])]
    data = _transform("phi", NORMAL, _of_muons(content.bins.without_phi, bins))
    what = "smeared pT / pT that brings simulation to the resolution of data"
    formulas = [_formula(HELD_SQUARE, "pt"), _formula(NARROW_FORMULA, "pt", "phi")]
    formulas.append(_formula(WIDE_FORMULA, "pt", "phi", "eta"))
    return _correction("smear", what, "factor", data, generic_formulas=formulas)


def _smear_bin(content: Content, row: int) -> dict[str, Any]:
    """The noise in an eta bin. Most muons have a second number that never gives wide noise: a short formula does."""
    tails, limits = content.shape, content.reach_of_resolution.model[row] ** 2
    share, excess = float(tails.share[row]), float(tails.excess[row])

    def noise(formula: int, *shape: float) -> dict[str, Any]:
        return _category("variation", {n: _reference(formula, [*each, *shape]) for n, each in cores.items()})

    theirs = _resolution_columns(tails.core(content.simulated.resolution))
    both = {n: (*_resolution_columns(tails.core(each)), *theirs) for n, each in content.resolutions.items()}
    cores = {n: [float(column[row]) for column in columns] for n, columns in both.items()}
    chosen = noise(1)
    if share > 0:
        edges = ["-inf", -float(ndtri(share)), "inf"]
        chosen = _transform("eta", SECOND, _binned("eta", edges, [chosen, noise(2, share, excess)]))
    return _transform("pt", _reference(0, limits.tolist()), chosen)


def _stretch(content: Content) -> dict[str, Any]:
    bins, limits, simulated = content.bins.without_phi, content.reach_of_stretch.model.T, content.simulated
    bias, theirs = simulated.bias, _resolution_columns(simulated.resolution)

    def charges(mine: Resolution) -> dict[str, Any]:
        first = (*limits, *_resolution_columns(mine), *theirs, bias.A, bias.e)
        return _category("charge", {q: _rows(bins, *first, q * bias.M) for q in (-1, 1)})

    data = _category("variation", {name: charges(each) for name, each in content.resolutions.items()})
    what = "pT / pT of simulation with its response, tails included, stretched to the resolution of data"
    return _correction("stretch", what, "factor", data, **_formulas(STRETCH_FORMULA, "gen_pt", "pt"))


def _validity(content: Content) -> dict[str, Any]:
    reaches = {"scale": content.reach_of_scale, "stretch": content.reach_of_stretch}
    reaches |= dict.fromkeys(("resolution", "smear"), content.reach_of_resolution)
    data = _category("correction", {name: _codes(reach, content.bins.without_phi) for name, reach in reaches.items()})
    what = "0: as calibrated; 1: pt extrapolated; 2: pt held; 3: eta outside"
    return _correction("validity", what, "code", data)


def _codes(reach: Reach, bins: MuonBins) -> dict[str, Any]:
    rows = []
    for (low, high), (first, last) in zip(reach.sample.tolist(), reach.model.tolist(), strict=True):
        walls = sorted({first, low, high, last})
        codes = [float(CALIBRATED if wall == low else EXTRAPOLATED) for wall in walls[:-1]]
        rows.append(_binned("pt", walls, codes, float(HELD)))
    return _of_muons(bins, rows, float(OUTSIDE))
