"""Rochester corrections as correctionlib JSON (schema 2), so that no compiled code has to be shipped with them.

`data_scale`        variation, eta, phi, pt, charge -> corrected pT / pT of data
`simulation_scale`  the same for simulation
`simulation_spread` variation, eta, phi, pt, charge, gen_pt -> the same, with the resolution of data
`simulation_smear`  variation, eta, phi, pt, charge, layers, u -> the same for muons without generator pT; u: a random
                    number between 0 and 1
Variations: nominal, and the members of all sets. Inside the last two an input that was used gives its place to the next
number: phi to k of `simulation_scale`, eta to |eta| and then to a probability, u to a number with the shape of the
resolution."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtr

from muonkit.calibration import rochester
from muonkit.calibration.rochester import PIVOT, Muons
from muonkit.core.arrays import FloatArray
from muonkit.data.rochester import DATA, SIMULATION, Rochester, RochesterResolution

TOLERANCE = 1e-6
NAMES = ("data_scale", "simulation_scale", "simulation_spread", "simulation_smear")
SCALE, ABSOLUTE = "1./([0]+[1]*x)", "abs(x)"
# x = pT, y = k, z = generator pT: y z / (y x) = z / x
SPREAD = "z/x/(1.+(z/(x*y)-1.)*[0])"
# x = pT, y = k, z: number with the shape; [0] [1] [2]: polynomial, times sqrt(k_data^2 - k_sim^2)
SHIFT = f"([0]+(x*y-{PIVOT})*([1]+(x*y-{PIVOT})*[2]))*z"
SMEAR = f"y*(({SHIFT}>-1.)/max(1.+{SHIFT},1e-12)+({SHIFT}<=-1.))"
# x = u. Tails: [0] = width n/alpha, [1] = 1/tail, [2] = -1/(n-1), [3] = width (n/alpha - alpha)
HELD_LOW, HELD_HIGH = (f"max({u},{rochester.Q_MIN})" for u in ("x", "(1.-x)"))
LOW = f"[3]-[0]*pow({HELD_LOW}*[1],[2])"
HIGH = f"[0]*pow({HELD_HIGH}*[1],[2])-[3]"
# Core: the normal number that is exceeded with a probability. First the probability, x = u: [0] = tail, [1] = density,
# [2] = probability of a normal number below -alpha. Then the start, right to 4.5e-4 (Abramowitz and Stegun 26.2.23).
# Then one step of Halley's method, with [0] = width and its sign.
CORE_LOW, CORE_HIGH = (f"[2]+max({u}-[0],0.)*[1]" for u in ("x", "(1.-x)"))
T = "sqrt(-2.*log(x))"
START = f"{T}-(2.515517+{T}*(0.802853+{T}*0.010328))/(1.+{T}*(1.432788+{T}*(0.189269+{T}*0.001308)))"
STEP = "max(-1e-3,min(1e-3,(0.5*(1.-erf(x*0.7071067811865476))-y)*exp(0.5*x*x)*2.5066282746310002))"
CORE = f"[0]*(x+{STEP}/(1.-0.5*x*{STEP}))"
FORMULAS = {
    "scale": (SCALE, ["pt"]),
    "absolute": (ABSOLUTE, ["eta"]),
    "spread": (SPREAD, ["pt", "phi", "gen_pt"]),
    "smear": (SMEAR, ["pt", "phi", "u"]),
    "keep": ("x", ["phi"]),
    "low": (LOW, ["u"]),
    "core_low": (CORE_LOW, ["u"]),
    "core_high": (CORE_HIGH, ["u"]),
    "start": (START, ["eta"]),
    "core": (CORE, ["u", "eta"]),
    "high": (HIGH, ["u"]),
}
INPUTS = {
    "variation": ("string", "nominal, or a member of a set of variations"),
    "eta": ("real", "pseudorapidity; beyond the edges as in the outermost bins"),
    "phi": ("real", "azimuth, -pi to pi [rad]"),
    "pt": ("real", "transverse momentum before correction [GeV]"),
    "charge": ("int", "-1 or 1"),
    "gen_pt": ("real", "transverse momentum of the generator's muon [GeV]"),
    "layers": ("int", "tracker layers with a hit"),
    "u": ("real", "random number between 0 and 1"),
}
COMMON = ("variation", "eta", "phi", "pt", "charge")
Node = dict[str, Any]


def build(table: Rochester, variations: Mapping[str, int], description: str) -> Node:
    """The correction set as the content of a JSON file. variations: index in the axis of members by name."""
    parts = [
        _correction("data_scale", COMMON, ["scale"], variations, lambda member: _scale(table, DATA, member)),
        _correction("simulation_scale", COMMON, ["scale"], variations, lambda n: _scale(table, SIMULATION, n)),
    ]
    if (resolution := table.resolution) is not None:
        spread = ["scale", "absolute", "spread"]
        smear = ["scale", "absolute", "smear", "keep", "low", "core_low", "core_high", "start", "core", "high"]
        parts += [
            _correction("simulation_spread", (*COMMON, "gen_pt"), spread, variations,
                        lambda n: _with_k(table, n, _spread(resolution, n, spread))),
            _correction("simulation_smear", (*COMMON, "layers", "u"), smear, variations,
                        lambda n: _with_k(table, n, _smear(resolution, n, smear))),
        ]  # fmt: skip
    return {"schema_version": 2, "description": description, "corrections": parts}


def _correction(
    name: str, inputs: tuple[str, ...], formulas: list[str], variations: Mapping[str, int], tree: Callable[[int], Node]
) -> Node:
    return {
        "name": name,
        "description": f"corrected pT / pT of {name.partition('_')[0]}",
        "version": 1,
        "inputs": [{"name": i, "type": INPUTS[i][0], "description": INPUTS[i][1]} for i in inputs],
        "output": {"name": "factor", "type": "real", "description": "corrected pT / pT"},
        "generic_formulas": [_formula(*FORMULAS[formula]) for formula in formulas],
        "data": _category("variation", {key: tree(member) for key, member in variations.items()}),
    }


def _formula(expression: str, variables: list[str]) -> Node:
    return {"nodetype": "formula", "expression": expression, "parser": "TFormula", "variables": variables}


def _category(name: str, content: Mapping[Any, Any]) -> Node:
    entries = [{"key": key, "value": value} for key, value in content.items()]
    return {"nodetype": "category", "input": name, "content": entries}


def _reference(index: int, *parameters: Any) -> Node:
    return {"nodetype": "formularef", "index": index, "parameters": [float(value) for value in parameters]}


def _binning(name: str, edges: list[float], content: list[Any]) -> Node:
    return {"nodetype": "binning", "input": name, "edges": edges, "content": content, "flow": "clamp"}


def _transform(name: str, rule: Node, content: Node) -> Node:
    return {"nodetype": "transform", "input": name, "rule": rule, "content": content}


def _scale(table: Rochester, sample: int, member: int) -> Node:
    M, A = table.M[member, sample], table.A[member, sample]
    edges = [table.eta_edges.tolist(), rochester.phi_edges(M.shape[-1]).tolist()]

    def cells(q: int) -> Node:
        content = [_reference(0, m, q * a) for m, a in zip(M.flat, A.flat, strict=True)]
        return {"nodetype": "multibinning", "inputs": ["eta", "phi"], "edges": edges, "content": content,
                "flow": "clamp"}  # fmt: skip

    return _category("charge", {q: cells(q) for q in (-1, 1)})


def _with_k(table: Rochester, member: int, content: Node) -> Node:
    """k in place of phi, then |eta| in place of eta, for `content`."""
    return _transform("phi", _scale(table, SIMULATION, member), _transform("eta", _reference(1), content))


def _spread(resolution: RochesterResolution, member: int, formulas: list[str]) -> Node:
    ratio, formula = resolution.k[member, DATA] / resolution.k[member, SIMULATION], formulas.index("spread")
    return _binning("eta", resolution.eta_edges.tolist(), [_reference(formula, r) for r in ratio])


def _smear(resolution: RochesterResolution, member: int, formulas: list[str]) -> Node:
    bins, layers = resolution.width.shape[1:]
    edges = (resolution.least_layers - 0.5 + np.arange(layers + 1)).tolist()
    extra, shapes = rochester.extra_width(resolution, member), rochester.shapes(resolution, member)
    good = rochester.usable(resolution, member) & (extra > 0)[:, None]

    def cell(row: int, layer: int) -> Node:
        if not good[row, layer]:
            return _reference(formulas.index("keep"))
        leaf = _reference(formulas.index("smear"), *(extra[row] * resolution.polynomial[member, :, row, layer]))
        return _transform("u", _quantile(rochester.Shape(*(part[row, layer] for part in shapes)), formulas), leaf)

    rows = [_binning("layers", edges, [cell(row, layer) for layer in range(layers)]) for row in range(bins)]
    return _binning("eta", resolution.eta_edges.tolist(), rows)


def _quantile(shape: rochester.Shape, formulas: list[str]) -> Node:
    """A number with this shape in place of u."""
    width, tail = float(shape.width), float(shape.tail)
    wing = (width * shape.reach, 1 / tail, -1 / (shape.power - 1), width * shape.shift)
    core = (tail, shape.density, ndtr(-shape.alpha))

    def inner(probability: str, sign: int) -> Node:
        step = _reference(formulas.index("core"), sign * width)
        start = _transform("u", _reference(formulas.index("start")), step)
        return _transform("eta", _reference(formulas.index(probability), *core), start)

    low, high = (_reference(formulas.index(name), *wing) for name in ("low", "high"))
    content = [low, inner("core_low", -1), inner("core_high", 1), high]
    return _binning("u", [0.0, tail, 0.5, 1 - tail, 1.0], content)


class Check(NamedTuple):
    """How far the file is from the reference: the largest difference, of which correction and variation, over how many
    evaluations."""

    difference: float
    where: str
    evaluations: int


def compare(corrections: Any, table: Rochester, variations: Mapping[str, int], seed: int = 1) -> Check:
    """The corrections of the file (a CorrectionSet of correctionlib) against the reference: a muon of random pT in each
    cell of eta and phi, for every variation."""
    rng = np.random.default_rng(seed)
    muons, layers = _muons(table, rng)
    size = len(muons.pt)
    u, gen_pt = rng.uniform(size=size), muons.pt * rng.normal(1, 0.02, size)
    inputs = (muons.eta, muons.phi, muons.pt, muons.charge)
    worst, evaluations = Check(0.0, "", 0), 0
    for name, member in variations.items():
        expected: dict[str, tuple[tuple[Any, ...], FloatArray]] = {
            "data_scale": ((), rochester.scale(table, DATA, muons, member)),
            "simulation_scale": ((), rochester.scale(table, SIMULATION, muons, member)),
        }
        if table.resolution is not None:
            expected["simulation_spread"] = ((gen_pt,), rochester.spread(table, muons, gen_pt, member))
            expected["simulation_smear"] = ((layers, u), rochester.smear(table, muons, layers, u, member))
        for correction, (more, values) in expected.items():
            found = corrections[correction].evaluate(name, *inputs, *more)
            difference = _largest(found, values)
            evaluations += size
            if difference >= worst.difference:
                worst = Check(difference, f"{correction} ({name})", 0)
    return worst._replace(evaluations=evaluations)


def _muons(table: Rochester, rng: np.random.Generator) -> tuple[Muons, Any]:
    """One muon in each cell, with tracker layers."""
    edges, phi = table.eta_edges, rochester.phi_edges(table.M.shape[-1])
    bins = [grid.ravel() for grid in np.meshgrid(*(np.arange(len(e) - 1) for e in (edges, phi)), indexing="ij")]
    size = len(bins[0])
    shares = rng.uniform(0.01, 0.99, (2, size))
    eta, azimuth = (e[b] + share * np.diff(e)[b] for e, b, share in zip((edges, phi), bins, shares, strict=True))
    resolution = table.resolution
    low, count = (resolution.least_layers, resolution.width.shape[-1]) if resolution else (0, 1)
    muons = Muons(eta, azimuth, np.exp(rng.uniform(np.log(3), np.log(200), size)), rng.choice([-1, 1], size))
    return muons, rng.integers(low, low + count, size)


def _largest(found: FloatArray, expected: FloatArray) -> float:
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    with np.errstate(all="ignore"):
        differences = np.where(same, 0, np.abs(found / expected - 1))
    return float(np.max(np.where(np.isnan(differences), np.inf, differences)))
