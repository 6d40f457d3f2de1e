"""Geant4 has the volumes where muonkit has them: columns of matter on straight lines, by its navigator and by ours."""

from importlib.util import find_spec

import numpy as np
import pytest
from tests.detector.test_cones import HEAD, SHAPES
from tests.oracles.geant4_scan import scan
from tests.thresholds import GEANT4_COLUMN

from muonkit.detector.detector import load_detector
from muonkit.detector.volumes import path_lengths

LENGTH = 350.0


@pytest.mark.skipif(find_spec("geant4_pybind") is None, reason="geant4_pybind is not installed")
@pytest.mark.parametrize("name", ["shapes", "belle2"])
def test_lines_pass_as_much_matter_as_in_geant4(name, tmp_path):
    description = name
    if name == "shapes":
        (tmp_path / "shapes.toml").write_text(HEAD + SHAPES)
        description = str(tmp_path / "shapes.toml")
    detector, rng = load_detector(description), np.random.default_rng(5)
    start = rng.uniform(-1, 1, (300, 3)) * [30, 30, 40]
    direction = rng.normal(size=(300, 3))
    direction /= np.linalg.norm(direction, axis=1)[:, None]
    column, overlaps = scan(description, start, direction, LENGTH, tmp_path)
    lengths = path_lengths(detector.volumes, start, direction, np.full(300, LENGTH), len(detector.materials))
    expected = lengths @ [material.density for material in detector.materials]
    assert overlaps == 0
    assert np.abs(column - expected).max() < GEANT4_COLUMN * expected.max()
    assert np.count_nonzero(expected > 10) > 100
