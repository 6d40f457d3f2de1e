"""Material beside a table: what is counted, where a table has cracks, faults of tables; `belle2` beside rays
through the geometry that Belle II publishes."""

import numpy as np
import pytest
from tests.conftest import shared_data
from tests.thresholds import BELLE2_MATERIAL

from muonkit.core.errors import InputError
from muonkit.detector.detector import load_detector
from muonkit.io.material_table import COLUMNS, MaterialTable
from muonkit.pipelines.detector import show
from muonkit.pipelines.detector_material import compare, cracks_of, in_front, measures

TELESCOPE_LIKE = """
schema = 1
name = "plates"
title = "Plates"
envelope = { r = 50, z = [-50, 50] }
field = { kind = "uniform", B = [0, 0, 0] }

[[layers]]
name = "wall"
shape = "cylinder"
radius = 5
z = [-50, 50]
material = "aluminium"
thickness = 0.5

[[layers]]
name = "sensor"
shape = "plane"
sectors = 8
distance = 25
half_width = 5
span = [-40, 40]
resolution_um = 10

[[volumes]]
name = "absorber"
rho = [10, 12]
z = [-50, 50]
material = "iron"

[[volumes]]
name = "yoke"
rho = [20, 30]
z = [-50, 50]
material = "iron"
"""
THETA = np.array([80.0, 85.0, 90.0, 95.0])


@pytest.fixture
def plates(tmp_path):
    path = tmp_path / "plates.toml"
    path.write_text(TELESCOPE_LIKE)
    return path


def written(path, **changes):
    columns = {"theta": THETA} | {name: 1.2 / np.sin(np.radians(THETA)) for name in COLUMNS.values()} | changes
    rows = zip(*columns.values(), strict=True)
    path.write_text("\n".join([",".join(columns), *(",".join(str(value) for value in row) for row in rows)]))
    return path


def test_everything_in_front_of_the_sensors_counts_once(plates):
    detector = load_detector(plates)
    X0, interaction, loss = measures(detector)
    names = [material.name for material in detector.materials]
    iron, aluminium = names.index("iron"), names.index("aluminium")
    sine = np.sin(np.radians(THETA))
    for start, wall in ((None, 0.5), ((6.0, -50.0, 50.0), 0.0)):
        found = in_front(detector, THETA, start)
        for name, per_cm in zip(COLUMNS, (X0, interaction, loss), strict=True):
            assert found[name] == pytest.approx((2 * per_cm[iron] + wall * per_cm[aluminium]) / sine, rel=1e-9)


def test_measures_of_iron_are_those_of_the_tables():
    detector = load_detector("belle2")
    iron = [material.name for material in detector.materials].index("iron")
    X0, interaction, loss = (one[iron] for one in measures(detector))
    assert pytest.approx(1.757, rel=2e-3) == 1 / X0  # PDG, cm
    assert 1 / interaction == pytest.approx(16.99, rel=2e-3)  # Geant4's NIST table, cm
    assert loss == pytest.approx(12.5, rel=0.03)  # MeV/cm: Groom 2001 at 1 GeV


def test_a_table_has_a_crack_where_it_is_off_the_line_between_its_neighbours():
    values = {"X0": np.array([1, 1, 0.96, 1, 1]), "MeV": np.array([10, 20, 30, 40, 50.0])}
    table = MaterialTable(np.array([10.0, 20, 30, 40, 50]), values)
    assert cracks_of(table).tolist() == [True, False, True, False, True]


def test_show_compares_and_draws(plates, tmp_path):
    table = written(tmp_path / "table.csv")
    result = show(str(plates), tmp_path / "out", table)
    assert (tmp_path / "out" / "plates-material-theta.png").is_file()
    assert "2 of 4 angles outside of cracks" in str(result)
    assert result.to_json()["comparison"]["theta"] == THETA.tolist()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"theta": [80, 85, 85, 95]}, "theta must rise"),
        ({"real_mean_MeV": [1, "x", 1, 1]}, "column 'real_mean_MeV' has something that is no number"),
        ({"real_mean_MeV": [1, "nan", 1, 1]}, "not finite"),
        ({"real_mean_xX0": [1, 0, 1, 1]}, "is not positive"),
    ],
)
def test_faulty_tables_are_refused_in_one_line(plates, tmp_path, changes, said):
    with pytest.raises(InputError) as caught:
        compare(load_detector(plates), written(tmp_path / "table.csv", **changes))
    assert len(caught.value.faults) == 1
    assert said in caught.value.faults[0]


def test_a_missing_column_is_named(plates, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("theta,x\n1,2\n")
    with pytest.raises(InputError, match="column 'real_mean_xX0' is missing"):
        compare(load_detector(plates), path)


@pytest.mark.parametrize(("name", "start"), [("material_by_theta", None), ("material_from_112", (112.0, -80.0, 155.0))])
def test_as_built_has_the_material_of_the_published_geometry(name, start):
    found = compare(load_detector("belle2"), shared_data(f"belle2/{name}.csv"), start)
    assert sum(found.crack) < 0.5 * len(found.crack)
    for measure, (off, theta) in found.worst.items():
        assert abs(off) < BELLE2_MATERIAL, f"{measure} at {theta}"


def test_as_built_has_its_cracks_where_the_published_geometry_has_them():
    """Without crystals: the two gaps between barrel and endcaps."""
    found = compare(load_detector("belle2"), shared_data("belle2/material_from_112.csv"), (112.0, -80.0, 155.0))
    theta, ours, table = np.array(found.theta), np.array(found.detector["X0"]), np.array(found.table["X0"])
    for low, high in ((30, 35), (126, 134)):
        near = (theta > low) & (theta < high)
        for values in (ours, table):
            gap = theta[near & (values < 0.6 * np.median(values[near]))]
            assert gap.min() == pytest.approx(32.0 if low == 30 else 128.9, abs=0.6)
            assert gap.max() == pytest.approx(32.0 if low == 30 else 130.1, abs=0.6)
