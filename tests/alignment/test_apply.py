"""Corrections that are applied undo the distortion."""

from dataclasses import replace

import numpy as np
import pytest
from tests.alignment import samples

from muonkit.alignment.apply import corrected
from muonkit.alignment.config import AlignmentSettings
from muonkit.alignment.parameters import MATERIAL, SIZE
from muonkit.alignment.solve import Corrections, solve
from muonkit.core.errors import InputError
from muonkit.detector.detector import load_detector
from muonkit.detector.distort import add_material, misalign

ENDS = AlignmentSettings(w=0, alpha=0, beta=0, field=0, material=0, reference=("plane/01", "plane/06", "plane/12"))


def made(values: np.ndarray) -> Corrections:
    layers, n = samples.telescope().layers, len(values)
    none = np.zeros(0, dtype=np.int64)
    return Corrections(layers, values, none, np.zeros(0), np.zeros((0, 0)), np.ones(n), values == 0, 1, 0, 0.0, 0, 0.0)


def test_they_act_as_the_distortions_do():
    detector = samples.telescope()
    values = np.zeros((12, SIZE))
    values[4] = 1e-3, 2e-3, -1e-3, 0.01, -0.02, 0.03, 0.0, 0.2
    expected = misalign(detector, "plane/05", tuple(values[4, :3]), tuple(values[4, 3:6]))
    expected = add_material(expected, "plane/05", factor=1.2)
    for found, wanted in zip(corrected(detector, made(values)).surfaces, expected.surfaces, strict=True):
        assert found == pytest.approx(wanted, abs=1e-14)


def test_a_second_fit_has_nothing_left_to_correct():
    detector = samples.telescope()
    real = misalign(detector, "plane/0[4578]", (100e-4, 200e-4, 0), (0, 0, 2e-3))
    first = solve(samples.sums(detector, real, 500), detector, ENDS, "all")
    better = corrected(detector, first)
    second = solve(samples.sums(better, real, 500), better, ENDS, "all")
    assert np.abs(first.values.reshape(-1)[first.asked] / first.errors).max() > 50
    assert np.abs(second.values.reshape(-1)[second.asked] / second.errors).max() < 1
    assert second.chi2 < 1.1 * second.ndf < 0.1 * first.chi2


def test_what_does_not_fit_is_refused():
    values = np.zeros((12, SIZE))
    with pytest.raises(InputError, match="other surfaces than cms_like_layers"):
        corrected(load_detector("cms_like_layers"), made(values))
    values[3, MATERIAL] = -1.5
    with pytest.raises(InputError, match="plane/04 would have less matter than none"):
        corrected(samples.telescope(), replace(made(values)))
