"""Corrections of muons per second, on one core: correctionlib on the file that users receive, `Corrections`, which
`muonkit apply` uses on top of it, and the same formulas in NumPy.

24 eta bins, 72 eigen-variations, pT as of the J/psi and the Z; 12 % of the response are wide tails."""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import correctionlib
import numpy as np

from muonkit.calibration import export
from muonkit.calibration.bias import Bias, corrected_pt
from muonkit.calibration.binning import MuonBins
from muonkit.calibration.export import Corrections
from muonkit.calibration.parameters import ParameterValues
from muonkit.calibration.resolution import Resolution, stretching, variance
from muonkit.calibration.schema import Content
from muonkit.calibration.smearing import Tails, smearing
from muonkit.core.arrays import FloatArray, IntArray

BINS = 24
EDGES = np.linspace(-2.4, 2.4, BINS + 1)
ROUNDS = 5
AGREED = 1e-12
GOALS = {"scale": 5e6, "smear": 2e6}  # muons per second and core


class Muons(NamedTuple):
    """pT, generated pT [GeV], eta, phi, charge and event of muons (n,)."""

    pt: FloatArray
    gen_pt: FloatArray
    eta: FloatArray
    phi: FloatArray
    charge: IntArray
    event: IntArray


def sample(n: int) -> Muons:
    """Muons in the range of the corrections."""
    rng = np.random.default_rng(1)
    gen_pt = np.exp(rng.uniform(np.log(4), np.log(60), n))
    pt = gen_pt * (1 + 0.012 * rng.normal(size=n))
    eta, phi = rng.uniform(-2.4, 2.4, n), rng.uniform(-np.pi, np.pi, n)
    return Muons(pt, gen_pt, eta, phi, rng.choice([-1, 1], n), np.arange(n))


def content() -> Content:
    """Corrections of the usual size."""
    rng = np.random.default_rng(2)

    def varied(*sizes: float) -> list[FloatArray]:
        return [size * (1 + 0.1 * rng.normal(size=BINS)) for size in sizes]

    data, simulation = Resolution(*varied(0.012, 2e-4, 30, 10)), Resolution(*varied(0.010, 1e-4, 20, 10))
    names = ["nominal", *(f"eigen_{i}_{side}" for i in range(3 * BINS) for side in ("up", "down"))]
    variations = {name: ParameterValues(Bias(*varied(1e-3, 2e-3, 3e-5)), data) for name in names}
    sample_range = np.tile([4.0, 20.0], (BINS, 1))
    values = ParameterValues(Bias(*varied(1e-4, 1e-4, 1e-6)), simulation)
    return Content(variations, values, MuonBins(EDGES), sample_range, tails=Tails(*varied(0.12, 2.2)))


class Ways(NamedTuple):
    """One correction, evaluated by the library, by `Corrections` and by NumPy; each gives factors (n,)."""

    library: Callable[[], FloatArray]
    muonkit: Callable[[], FloatArray]
    numpy: Callable[[], FloatArray]


class Rates(NamedTuple):
    """The same, in muons per second."""

    library: float
    muonkit: float
    numpy: float


def ways(path: Path, made: Content, muons: Muons) -> dict[str, Ways]:
    """All that `muons` need."""
    pt, gen_pt, eta, phi, q, event = muons
    ours, library = Corrections.open(path), correctionlib.CorrectionSet.from_file(str(path))
    identity = (np.ones_like(event), event // 100, event)
    nominal, simulated = made.variations["nominal"], made.simulation
    numbers = export.random_normals(*identity, eta, phi)

    def bins() -> IntArray:
        return np.searchsorted(EDGES, eta, side="right") - 1

    def by_scale() -> FloatArray:
        held = made.reach_of_scale.held(pt, bins())
        return corrected_pt(held, q, nominal.bias.at(bins())) / held

    def by_resolution() -> FloatArray:
        held = made.reach_of_resolution.held(pt, bins())
        return np.sqrt(variance(held**2, nominal.resolution.at(bins())))

    def by_smear() -> FloatArray:
        pt2 = made.reach_of_resolution.held(pt, bins()) ** 2
        both = (nominal.resolution.at(bins()), simulated.resolution.at(bins()))
        return smearing(*numbers, pt2, *both, made.shape.at(bins()))

    def by_stretch() -> FloatArray:
        held, at = made.reach_of_stretch.held(gen_pt, bins()), bins()
        both = (nominal.resolution.at(at), simulated.resolution.at(at))
        return stretching(pt, gen_pt, held, q, *both, simulated.bias.at(at))

    def by_library(name: str, *inputs: FloatArray | IntArray) -> Callable[[], FloatArray]:
        return lambda: np.asarray(library[name].evaluate("nominal", *inputs))

    return {
        "scale": Ways(by_library("scale", eta, pt, q), lambda: ours.factor(pt, eta, q), by_scale),
        "resolution": Ways(by_library("resolution", eta, pt), lambda: ours.sigma(pt, eta), by_resolution),
        "smear": Ways(
            by_library("smear", eta, pt, phi, *identity), lambda: ours.smearing(pt, eta, phi, *identity), by_smear
        ),
        "stretch": Ways(
            by_library("stretch", eta, pt, gen_pt, q), lambda: ours.stretching(pt, eta, gen_pt, q), by_stretch
        ),
    }


def check(name: str, all_ways: Ways) -> None:
    """Raises SystemExit if the three differ."""
    library, muonkit, numpy = (way() for way in all_ways)
    apart = float(np.max(np.abs(library / numpy - 1)))
    print(f"{name}: largest relative difference of correctionlib and NumPy {apart:.1e}")
    if not (np.array_equal(library, muonkit) and apart < AGREED):
        raise SystemExit("the results do not agree: no speed is printed")


def rate(work: Callable[[], object], n: int) -> float:
    """Muons per second of processor time, of the quickest of some rounds."""
    seconds = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        work()
        seconds.append(time.process_time() - begin)
    return n / min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer muons")
    n = 100_000 if parser.parse_args().quick else 2_000_000
    made = content()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "corrections.json.gz"
        export.write(path, made)
        corrections = ways(path, made, sample(n))
        for name, each in corrections.items():
            check(name, each)
        rates = {name: Rates(*(rate(way, n) for way in each)) for name, each in corrections.items()}
    for name, (library, ours, numpy) in rates.items():
        goal = f" (goal {GOALS[name]:.0e})" if name in GOALS else ""
        print(f"{name}, muons/s: correctionlib {library:.2e}, Corrections {ours:.2e}, NumPy {numpy:.2e}{goal}")
    ours, theirs = rates["scale"].muonkit, rates["scale"].numpy
    line = {"name": "corrections", "ours": ours, "theirs": theirs, "ratio": ours / theirs, "unit": "muons/s"}
    print(json.dumps(line | {"smear": rates["smear"].muonkit}))


if __name__ == "__main__":
    main()
