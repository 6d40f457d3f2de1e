"""Variations of the corrections give back the covariance; smearing and stretching do what they claim."""

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.stats import kstest

from muonkit.calibration import export, schema
from muonkit.calibration.bias import Bias
from muonkit.calibration.binning import MuonBins
from muonkit.calibration.export import Corrections, eigen_shifts, random_normals
from muonkit.calibration.extract import Extraction
from muonkit.calibration.parameters import ParameterLayout, ParameterValues
from muonkit.calibration.resolution import Resolution
from muonkit.calibration.smearing import Tails
from muonkit.core.arrays import FloatArray

BINS = 24
EDGES = np.linspace(-2.4, 2.4, BINS + 1)
SAMPLE = np.tile([3.0, 20.0], (BINS, 1))
SIZES = {"A": 1e-4, "e": 1e-3, "M": 1e-8, "a": 1e-4, "c": 1e-6}
COVARIANCE_BACK = 1e-10
GOLDEN = [0.6093378584569359, -0.9513883082716365, -1.2160705026203946, -2.1379645867626174, -0.07451918700337255]
SECOND = [0.3356464296527386, 0.3356464296527386, 1.0528917283308992, 1.7964764017438002, -1.5464587257070228]
ROUGH = Resolution(*(np.full(BINS, value) for value in (0.012, 2e-4, 0.0, 0.0)))


def extraction(fitted: tuple[str, ...]) -> Extraction:
    """Of strongly correlated parameters, whose errors lie five orders of magnitude apart."""
    rng = np.random.default_rng(5)
    size = len(fitted) * BINS
    errors = np.repeat([SIZES[name] for name in fitted], BINS)
    mixing = rng.normal(size=(size, size)) + 3 * rng.normal(size=(size, 1))
    covariance = mixing @ mixing.T * np.outer(errors, errors)
    vector = 10 * errors * rng.normal(size=size)
    layout = ParameterLayout(fitted, BINS)
    nothing, none = np.zeros(0), csr_array((0, size))
    unused = np.zeros(0, np.bool_)
    return Extraction(layout, MuonBins(EDGES), vector, covariance, 0.0, 1, nothing, unused, (), nothing, nothing, none)


def read_back(path: Path, correction: str) -> dict[str, FloatArray]:
    """The parameters of every variation in a file, as they stand there; of charge +1."""
    content = next(each for each in json.loads(path.read_text())["corrections"] if each["name"] == correction)

    def rows(tree: dict[str, Any]) -> FloatArray:
        while tree["nodetype"] == "category":
            tree = tree["content"][-1]["value"]
        return np.array([node["parameters"] for node in tree["content"]])

    return {entry["key"]: rows(entry["value"]) for entry in content["data"]["content"]}


@pytest.mark.parametrize("fitted", [("A", "e", "M"), ("A", "e", "M", "a", "c")])
def test_eigen_variations_give_back_the_covariance(tmp_path: Path, fitted: tuple[str, ...]) -> None:
    found = extraction(fitted)
    varied = export.variations(found, ROUGH, {"window": found.errors})
    content = schema.Content(varied, ParameterValues(Bias(*np.zeros((3, BINS))), ROUGH), MuonBins(EDGES), SAMPLE)
    (tmp_path / "c.json").write_text(json.dumps(schema.build(content)))
    scale, resolution = (read_back(tmp_path / "c.json", name) for name in ("scale", "resolution"))
    columns = {name: scale[name][:, 2:5].T.ravel() for name in scale}
    if "a" in fitted:
        assert resolution.keys() == scale.keys()
        columns = {name: np.append(columns[name], resolution[name][:, 2:4].T.ravel()) for name in scale}
    else:
        assert list(resolution) == ["nominal"]
    for side in ("up", "down"):
        names = [name for name in scale if name.startswith("eigen") and name.endswith(side)]
        shifts = np.array([columns[name] - columns["nominal"] for name in names])
        back = (shifts.T @ shifts) / np.outer(found.errors, found.errors)
        np.testing.assert_allclose(back, found.covariance / np.outer(found.errors, found.errors), atol=COVARIANCE_BACK)
    np.testing.assert_allclose(columns["syst_window_up"] - columns["nominal"], found.errors, rtol=1e-9)


def test_a_parameter_at_its_limit_has_no_variation() -> None:
    found = extraction(("A", "e"))
    covariance = found.covariance.copy()
    covariance[2] = covariance[:, 2] = 0
    shifts = eigen_shifts(covariance)
    assert shifts.shape == (2 * BINS - 1, 2 * BINS)
    np.testing.assert_allclose(shifts.T @ shifts, covariance, atol=1e-10 * covariance.max())


def test_random_numbers_are_the_same_for_ever() -> None:
    """Golden values, of correctionlib 2.8 and 2.9; the fourth muon was stored as float32, its event is above 2^31."""
    eta, phi = np.array([0.5, 0.5, -1.25, 0, 0]), np.array([1.0, -1.0, 3.0, 0, 0])
    eta[3], phi[3] = np.float32(2.1), np.float32(-0.7)
    run, block = np.array([1, 1, 1, 370000, 0]), np.array([1, 1, 7, 42, 0])
    first, second = random_normals(run, block, np.array([1, 1, 2, 2**40 + 3, 0]), eta, phi)
    np.testing.assert_allclose(first, GOLDEN, rtol=1e-13)
    np.testing.assert_allclose(second, SECOND, rtol=1e-13)


def test_the_two_random_numbers_are_independent_and_normal() -> None:
    """Kolmogorov and Smirnov in slices of the first number: a wide kick is as often up as down, large as small."""
    n = 200_000
    eta, number = np.random.default_rng(1).uniform(-2.4, 2.4, n), np.arange(n)
    first, second = random_normals(number // 1000, number // 100, number, eta, -eta)
    for low, high in ((-9, -1), (-1, 0), (0, 1), (1, 9)):
        assert kstest(second[(first > low) & (first < high)], "norm").pvalue > 1e-3


def test_nothing_that_is_deprecated_is_in_the_file() -> None:
    from correctionlib.schemav2 import CorrectionSet

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CorrectionSet.model_validate(schema.build(toy(1.1)))


def toy(stretch: float) -> schema.Content:
    """Data as wide as the simulation times `stretch`, and a simulation that has a bias of its own."""
    simulation = Resolution(*(np.full(BINS, value) for value in (0.010, 1e-4, 0.0, 0.0)))
    data = replace(simulation, a=stretch * simulation.a, c=stretch * simulation.c)
    values = ParameterValues(Bias(np.zeros(BINS), np.zeros(BINS), np.zeros(BINS)), data)
    bias = Bias(np.full(BINS, -2e-3), np.full(BINS, 1e-3), np.full(BINS, 2e-5))
    return schema.Content({"nominal": values}, ParameterValues(bias, simulation), MuonBins(EDGES), SAMPLE)


class Simulated:
    """Muons of the simulation of `toy`, with tails and skewness; and of data, the same stretched."""

    def __init__(self, n: int, stretch: float, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.gen_pt, self.eta, self.charge = rng.uniform(4, 20, n), rng.uniform(-2, 2, n), rng.choice([-1, 1], n)
        self.phi, self.event = rng.uniform(-3, 3, n), np.arange(n)
        wide = rng.random(n) < 0.1
        shape = np.where(wide, 2.5, 1.0) * rng.normal(size=n) + 0.8 * (rng.exponential(size=n) - 1)
        shape /= np.sqrt(0.9 + 0.1 * 2.5**2 + 0.8**2)
        scale = 1 - 2e-3 - 1e-3 / self.gen_pt + self.charge * 2e-5 * self.gen_pt
        self.mean, self.sigma = 1 / scale, np.hypot(0.010, 1e-4 * self.gen_pt)
        self.pt = self.gen_pt / (self.mean + self.sigma * shape)
        self.wanted = stretch * self.sigma * shape

    def deviation(self, factor: FloatArray) -> FloatArray:
        """k/k_gen of corrected muons, from its mean, in widths of the simulation."""
        return np.asarray((self.gen_pt / (self.pt * factor) - self.mean) / self.sigma)


@pytest.fixture
def written(tmp_path: Path) -> Corrections:
    export.write(tmp_path / "c.json.gz", toy(1.2))
    return Corrections.open(tmp_path / "c.json.gz")


def test_stretching_gives_simulation_the_response_of_data_with_its_tails(written: Corrections) -> None:
    muons = Simulated(200_000, 1.2, 7)
    found = muons.deviation(written.stretching(muons.pt, muons.eta, muons.gen_pt, muons.charge))
    np.testing.assert_allclose(found, muons.wanted / muons.sigma, atol=1e-9)


def test_stretching_brings_a_wider_simulation_back(tmp_path: Path) -> None:
    export.write(tmp_path / "c.json.gz", toy(0.8))
    muons = Simulated(1000, 0.8, 8)
    factor = Corrections.open(tmp_path / "c.json.gz").stretching(muons.pt, muons.eta, muons.gen_pt, muons.charge)
    np.testing.assert_allclose(muons.deviation(factor), muons.wanted / muons.sigma, atol=1e-9)


def test_smearing_gives_simulation_the_width_and_the_core_of_data(written: Corrections) -> None:
    """The share within two standard deviations, to a third of what smearing mends; tails are those of `stretch`."""
    muons = Simulated(1_000_000, 1.2, 9)
    one = np.ones(len(muons.pt), dtype=np.int64)
    found = muons.deviation(written.smearing(muons.pt, muons.eta, muons.phi, one, one, muons.event))
    wanted, before = muons.wanted / muons.sigma, muons.deviation(np.ones(len(muons.pt)))
    assert np.std(found) == pytest.approx(np.std(wanted), rel=3e-3)
    assert abs(np.mean(found)) < 3e-3 * 1.2
    for core in (0.5, 1.0, 1.5, 2.0):
        shares = [np.mean(np.abs(each) < core * np.std(wanted)) for each in (found, wanted, before)]
        assert abs(shares[0] - shares[1]) < abs(shares[2] - shares[1]) / 3
    assert np.mean(np.abs(found) > 5 * 1.2) < 0.9 * np.mean(np.abs(wanted) > 5 * 1.2)


def test_noise_with_tails_follows_the_variations_of_the_resolution(tmp_path: Path) -> None:
    content, wider = toy(1.2), toy(1.3).variations["nominal"]
    shape = Tails(np.full(BINS, 0.1), np.full(BINS, 2.5))
    varied = {"nominal": content.variations["nominal"], "eigen_0_up": wider}
    export.write(tmp_path / "c.json.gz", content._replace(variations=varied, tails=shape))
    muons = Simulated(500_000, 1.2, 11)
    one = np.ones(len(muons.pt), dtype=np.int64)
    for name, width in (("nominal", 1.2), ("eigen_0_up", 1.3)):
        chosen = Corrections.open(tmp_path / "c.json.gz", name)
        assert chosen.variations_of("smear") == list(varied)
        found = muons.deviation(chosen.smearing(muons.pt, muons.eta, muons.phi, one, one, muons.event))
        assert np.std(found) == pytest.approx(width, rel=4e-3)


def test_smearing_follows_a_muon_through_sorting_and_filtering(written: Corrections) -> None:
    muons = Simulated(1000, 1.2, 10)
    one = np.ones(1000, dtype=np.int64)
    columns = (muons.pt, muons.eta, muons.phi, one, one, muons.event // 2)
    factor = written.smearing(*columns)
    kept = np.random.default_rng(1).permutation(1000)[:300]
    assert np.array_equal(written.smearing(*(column[kept] for column in columns)), factor[kept])
    assert len(np.unique(factor)) == 1000, "two muons of an event have numbers of their own"
