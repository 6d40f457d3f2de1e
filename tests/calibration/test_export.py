"""Corrections as a file: its formulas are those of Python, or it is not written."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest

from muonkit.calibration import export, schema
from muonkit.calibration.accumulate import CountSettings
from muonkit.calibration.bias import Bias
from muonkit.calibration.binning import Binning, MuonBins
from muonkit.calibration.export import Corrections
from muonkit.calibration.parameters import ParameterValues
from muonkit.calibration.reach import CALIBRATED, EXTRAPOLATED, HELD, OUTSIDE, PtCounts
from muonkit.calibration.resolution import Resolution
from muonkit.calibration.smearing import Tails
from muonkit.core.arrays import FloatArray
from muonkit.core.errors import InputError
from muonkit.core.kinematics import MuonArrays
from muonkit.data.dimuons import Dimuons

EDGES = np.array([-2.4, 0.0, 2.4])
BIASES = {
    "nominal": Bias(np.array([1e-3, -2e-3]), np.array([2e-3, 5e-3]), np.array([3e-5, -4e-5])),
    "eigen_0_up": Bias(np.array([2e-3, -1e-3]), np.array([1e-3, 6e-3]), np.array([2e-5, -5e-5])),
}
DATA = Resolution(*(np.array([value, 1.1 * value]) for value in (0.012, 2e-4, 30.0, 10.0)))
SIMULATION = Resolution(*(np.array([value, 1.2 * value]) for value in (0.010, 1e-4, 20.0, 10.0)))
SAMPLE = np.array([[3.0, 20.0], [3.5, 25.0]])
SIMULATED_BIAS = Bias(np.array([2e-4, 1e-4]), np.array([1e-3, 0.0]), np.array([1e-5, -1e-5]))
VARIATIONS = {name: ParameterValues(bias, DATA) for name, bias in BIASES.items()}
TAILS = Tails(np.array([0.12, 0.3]), np.array([2.2, 1.8]))
CONTENT = export.Content(VARIATIONS, ParameterValues(SIMULATED_BIAS, SIMULATION), MuonBins(EDGES), SAMPLE, tails=TAILS)


def test_written_formulas_are_those_of_python(tmp_path: Path) -> None:
    path = tmp_path / "corrections.json.gz"
    export.write(path, CONTENT)
    assert Corrections.open(path, "eigen_0_up").variation_names == list(BIASES)


def test_the_bytes_of_the_file_follow_from_the_corrections_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not from the process: a validation knows its corrections by the digest of the file."""
    written = []
    for process in (7, 12345):
        monkeypatch.setattr("os.getpid", lambda process=process: process)
        export.write(tmp_path / "corrections.json.gz", CONTENT)
        written.append((tmp_path / "corrections.json.gz").read_bytes())
    assert written[0] == written[1]


@pytest.mark.parametrize(
    ("formula", "right", "wrong", "what"),
    [
        ("SCALE_FORMULA", "-[3]/", "+[3]/", "scale"),
        ("HELD_PT", "[1]", "1e9", "scale"),
        ("RESOLUTION_FORMULA", "[4]*[4]", "[4]", "resolution"),
        ("RESOLUTION_FORMULA", "/(HELD*HELD)", "/(x*x)", "resolution"),
        ("HELD_SQUARE", "[1]", "1e9", "smear"),
        ("NARROW_FORMULA", "[6]*[6]", "[6]", "smear"),
        ("NARROW_FORMULA", "y*", "0.5*y*", "smear"),
        ("WIDE_FORMULA", "[6]*[6]", "[6]", "smear"),
        ("WIDE_FORMULA", "2.*(1.-[8])", "(1.-[8])", "smear"),
        ("WIDE_FORMULA", "erf(0.", "erf(1.", "smear"),
        ("SECOND", "normal", "stdflat", "smear"),
        ("STRETCH_FORMULA", "[9]*[9]", "[9]", "stretch"),
        ("STRETCH_FORMULA", "-[11]", "+[11]", "stretch"),
        ("NORMAL", "normal", "stdflat", "smear"),
    ],
)
def test_a_wrong_formula_is_noticed_when_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, formula: str, right: str, wrong: str, what: str
) -> None:
    if right == "normal":
        content = schema.build(CONTENT)
        first = content["corrections"][2]["data"]
        numbers = {"NORMAL": first, "SECOND": first["content"]["content"][0]["content"]}
        numbers[formula]["rule"] = getattr(schema, formula) | {"distribution": wrong}
        monkeypatch.setattr(schema, "build", lambda *_: content)
    else:
        assert right in getattr(schema, formula)
        monkeypatch.setattr(schema, formula, getattr(schema, formula).replace(right, wrong))
    with pytest.raises(AssertionError, match=f"{what}.*differ from the Python evaluation"):
        export.write(tmp_path / "corrections.json.gz", CONTENT)


def plain_scale(pt: FloatArray, A: float, e: float, M: float) -> FloatArray:
    """The formula without any limit."""
    return np.asarray(1 / (1 + A - e / pt + M * pt))


@pytest.fixture
def written(tmp_path: Path) -> Corrections:
    export.write(tmp_path / "corrections.json.gz", CONTENT)
    return Corrections.open(tmp_path / "corrections.json.gz")


def test_within_the_model_the_formula_is_as_it_was(written: Corrections) -> None:
    """J/psi made the corrections; muons of the Z and of 1 TeV are extrapolated, not held."""
    pt = np.geomspace(3, 1500, 500)
    bias = BIASES["nominal"]
    for q in (-1, 1):
        found = written.factor(pt, np.full(500, 1.0), np.full(500, q))
        np.testing.assert_allclose(found, plain_scale(pt, bias.A[1], bias.e[1], q * bias.M[1]), rtol=4e-16)
    codes = written.validity("scale", np.array([3.6, 24.0, 45.0, 1500.0]), np.full(4, 1.0))
    assert codes.tolist() == [CALIBRATED, CALIBRATED, EXTRAPOLATED, EXTRAPOLATED]


@pytest.mark.parametrize("variation", list(BIASES))
def test_corrected_pt_is_positive_finite_and_rises_with_pt(written: Corrections, variation: str) -> None:
    pt = np.geomspace(1e-6, 1e9, 20_001)
    for eta in (-1.0, 1.0):
        for q in (-1, 1):
            factor = written.factor(pt, np.full_like(pt, eta), np.full(len(pt), q), variation)
            assert np.all((factor > 0.8) & (factor < 1.25))
            assert np.all(np.diff(pt * factor) > 0)
            assert np.max(np.abs(np.diff(factor))) < 2e-3, "no steps"


def test_resolution_and_smearing_are_held_too(written: Corrections) -> None:
    pt, one = np.geomspace(1e-6, 1e9, 2001), np.ones(2001, dtype=int)
    sigma = written.sigma(pt, np.full_like(pt, 1.0))
    assert np.all((sigma > 0) & (sigma < 0.5))
    smeared = written.smearing(pt, np.full_like(pt, 1.0), np.zeros(2001), one, one, np.arange(2001))
    assert np.all((smeared > 0.3) & (smeared <= 2))
    assert smeared.max() == 2
    codes = written.validity("smear", np.array([10.0, 45.0, 5000.0]), np.full(3, 1.0))
    assert codes.tolist() == [CALIBRATED, EXTRAPOLATED, HELD]


def test_what_is_no_muon_of_the_range_is_told(written: Corrections) -> None:
    pt = np.array([10.0, 10.0, np.nan, np.inf, -1.0, 10.0])
    eta = np.array([2.4, -9.0, 1.0, 1.0, 1.0, np.nan])
    assert written.validity("scale", pt, eta).tolist() == [OUTSIDE, OUTSIDE, HELD, HELD, HELD, OUTSIDE]
    factor = written.factor(pt, eta, np.ones(6, dtype=int))
    assert np.isnan(factor[2])
    assert np.all(factor[[0, 1, 5]] == 1)
    assert np.all(np.abs(factor[[3, 4]] - 1) < 0.25)


def test_a_variation_that_nothing_fixes_stays_positive(tmp_path: Path) -> None:
    """Even in the range of the sample, which is never held."""
    loose = Bias(np.array([0.0, -1.4]), np.array([4.0, -0.1]), np.array([0.2, -0.1]))
    export.write(
        tmp_path / "c.json.gz", CONTENT._replace(variations=VARIATIONS | {"eigen_0_down": ParameterValues(loose, DATA)})
    )
    pt = np.geomspace(0.1, 1e5, 500)
    for eta in (-1.0, 1.0):
        for q in (-1, 1):
            factor = Corrections(tmp_path / "c.json.gz").factor(pt, np.full(500, eta), np.full(500, q), "eigen_0_down")
            assert np.all((factor > 0) & (factor <= 2))


def test_an_effect_of_the_budget_does_not_limit_the_range_of_the_nominal_values(tmp_path: Path) -> None:
    """The size of a simpler fit's mistake says nothing of how far the corrections reach; that of the errors does."""
    wild = ParameterValues(Bias(np.array([0.0, -0.1]), np.array([0.4, 0.1]), np.array([2e-3, -1e-3])), DATA)

    def with_more(name: str) -> Corrections:
        path = tmp_path / f"{name}.json.gz"
        export.write(path, CONTENT._replace(variations=VARIATIONS | {name: wild}))
        return Corrections.open(path)

    plain, effect, error = map(with_more, ("eigen_0_up", "syst_selection_up", "syst_window_up"))
    pt, eta, q = np.geomspace(0.1, 1e4, 500), np.full(500, 1.0), np.ones(500, dtype=int)
    export.write(tmp_path / "before.json.gz", CONTENT)
    before = Corrections.open(tmp_path / "before.json.gz")
    assert np.array_equal(effect.factor(pt, eta, q), before.factor(pt, eta, q))
    assert np.array_equal(effect.validity("scale", pt, eta), before.validity("scale", pt, eta))
    for limited in (plain, error):
        assert (limited.validity("scale", pt, eta) == HELD).sum() > (before.validity("scale", pt, eta) == HELD).sum()
    varied = effect.factor(pt, eta, q, "syst_selection_up")
    assert np.all((varied > 0) & (varied <= 2))


def test_corrections_of_others_are_refused_with_one_line(tmp_path: Path) -> None:
    content = schema.build(CONTENT)
    for change in (lambda c: c["corrections"].pop(), lambda c: c["corrections"][0]["inputs"].reverse()):
        other = copy.deepcopy(content)
        change(other)
        (tmp_path / "other.json").write_text(json.dumps(other))
        with pytest.raises(InputError, match="not corrections of muonkit") as caught:
            Corrections.open(tmp_path / "other.json")
        assert len(caught.value.faults) == 1


def test_range_of_a_sample_leaves_out_its_tails() -> None:
    random = np.random.default_rng(3)
    pt = np.exp(random.uniform(np.log(4), np.log(40), 20_000))
    pt[:3] = 0.01, 900.0, 1e6
    muons = MuonArrays(pt, np.where(np.arange(20_000) % 2 == 0, -1.0, 1.0), np.zeros(20_000))
    cells = Binning(MuonBins(EDGES), np.array([-1.0, 1.0]), np.array([-1.0, 1.0]))
    settings = CountSettings(cells, (2.9, 3.3), 100, 3.0969, (0.0, 1e9))
    none = np.zeros(20_000)
    counts = PtCounts.of(Dimuons(muons, muons, none + 1), settings)
    np.testing.assert_allclose((counts + counts).range, [[4, 40], [4, 40]], rtol=0.03)


def test_a_file_that_is_not_there_is_called_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be read \(No such file or directory\)"):
        Corrections.open(tmp_path / "corrections.json.gz")
