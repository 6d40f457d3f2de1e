"""Rochester corrections as correctionlib JSON are the formulas, which are written anew in `rochester_files`."""

from pathlib import Path

import correctionlib
import numpy as np
import pytest
from tests.calibration import rochester_files as files

from muonkit.calibration import rochester
from muonkit.core.errors import InputError
from muonkit.io.rochester import parse_rochester
from muonkit.pipelines.convert import convert

AGREED = 1e-6
VARIATIONS = {"nominal": (0, 0), "Stat_0": (1, 0), "Stat_1": (1, 1), "Stat_2": (1, 2), "Zpt": (2, 0)}


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> correctionlib.CorrectionSet:
    folder = tmp_path_factory.mktemp("rochester")
    convert(files.write(folder / "in.txt"), folder / "out.json.gz")
    return correctionlib.CorrectionSet.from_file(str(folder / "out.json.gz"))


@pytest.mark.parametrize("name", VARIATIONS)
def test_the_file_is_the_formulas(converted: correctionlib.CorrectionSet, name: str) -> None:
    content, place, rng = files.text(), VARIATIONS[name], np.random.default_rng(2)
    for number in range(100):
        muon = (rng.uniform(-2.4, 2.4), rng.uniform(-3.1, 3.1), float(np.exp(rng.uniform(1, 6))), (-1) ** number)
        layers, gen_pt = int(rng.integers(3, 13)), muon[2] * rng.normal(1, 0.03)
        u = rng.uniform() if number % 2 else 10 ** rng.uniform(-6, -1)
        expected = {
            "data_scale": files.scale(content, 1, *muon, *place),
            "simulation_scale": files.scale(content, 0, *muon, *place),
            "simulation_spread": files.spread(content, muon, gen_pt, *place),
            "simulation_smear": files.smear(content, muon, layers, u, *place),
        }
        more = {"simulation_spread": (gen_pt,), "simulation_smear": (layers, u)}
        for correction, value in expected.items():
            found = converted[correction].evaluate(name, *muon, *more.get(correction, ()))
            assert abs(found / value - 1) < AGREED, (correction, muon)


def test_smeared_muons_are_as_wide_as_data(converted: correctionlib.CorrectionSet) -> None:
    """Without tails the width is that of the polynomial, times the factor that is missing."""
    content, rng, size = files.text(), np.random.default_rng(3), 200_000
    muon = (np.full(size, 0.5), np.full(size, 0.1), np.full(size, 45.0), np.ones(size, int))
    factor = converted["simulation_smear"].evaluate("nominal", *muon, np.full(size, 7), rng.uniform(size=size))
    z = converted["simulation_scale"].evaluate("nominal", *(part[0] for part in muon)) / factor - 1
    sigma, width = (files.numbers(content, 0, 0, "R", v, 0)[1] for v in (0, 3))
    data = files.numbers(content, 0, 0, "F", 1)[0]
    low, high = np.quantile(z, [0.5 - 0.1, 0.5 + 0.1])
    expected = [
        files.crystal_ball(p, *(files.numbers(content, 0, 0, "R", v, 0)[1] for v in (4, 5))) for p in (0.4, 0.6)
    ]
    assert abs((high - low) / (np.sqrt(data**2 - 1) * sigma * width * (expected[1] - expected[0])) - 1) < 0.02


def test_muons_beyond_the_edges_belong_to_the_outermost_bins(converted: correctionlib.CorrectionSet) -> None:
    for inside, outside in (((2.3, 3.1), (7.0, 3.2)), ((-2.3, -3.1), (-7.0, -3.2))):
        found = [converted["data_scale"].evaluate("nominal", *place, 20.0, 1) for place in (inside, outside)]
        assert found[0] == found[1]


def test_the_error_is_the_quadratic_sum_over_sets_of_the_mean_squared_shift() -> None:
    content = files.text()
    table, muon = parse_rochester(content, "in.txt"), (0.5, 0.1, 45.0, -1)
    muons = rochester.Muons(*(np.array([part]) for part in muon))
    found = rochester.error(table, lambda member: rochester.scale(table, 1, muons, member))
    shifts = {
        place: files.scale(content, 1, *muon, *place) - files.scale(content, 1, *muon) for place in VARIATIONS.values()
    }
    expected = np.mean([shift**2 for (s, _), shift in shifts.items() if s == 1]) + shifts[2, 0] ** 2
    assert found[0] == pytest.approx(expected**0.5, rel=1e-9)


def test_bins_without_a_shape_are_counted_and_not_smeared(tmp_path: Path) -> None:
    lines = files.text().splitlines()
    row = next(i for i, line in enumerate(lines) if line.startswith("0 0 R 4 0 "))
    lines[row] = "0 0 R 4 0 0 1.5 1.5 1.5"
    (tmp_path / "in.txt").write_text("\n".join(lines))
    result = convert(tmp_path / "in.txt", tmp_path / "out.json")
    assert "1 of 40 bins of |eta| and layers have no shape" in str(result)
    corrections = correctionlib.CorrectionSet.from_file(str(tmp_path / "out.json"))
    muon = (0.5, 0.1, 45.0, 1)
    smeared = corrections["simulation_smear"].evaluate("nominal", *muon, 6, 0.2)
    assert smeared == corrections["simulation_scale"].evaluate("nominal", *muon)


def test_a_file_without_resolution_gives_the_scales_and_says_so(tmp_path: Path) -> None:
    result = convert(files.write(tmp_path / "in.txt", resolution=False), tmp_path / "out.json.gz")
    assert result.corrections == ("data_scale", "simulation_scale")
    assert "are left out" in str(result)


def test_sets_have_the_names_that_one_gives(tmp_path: Path) -> None:
    result = convert(files.write(tmp_path / "in.txt"), tmp_path / "out.json.gz", ("toys", "window"))
    assert result.variations == ("nominal", "toys_0", "toys_1", "toys_2", "window")
    with pytest.raises(InputError, match="1 names for 2 sets"):
        convert(tmp_path / "in.txt", tmp_path / "out.json.gz", ("toys",))
