"""Data minus simulation: right where the kernel is wrong, with errors that are those of the entries of both."""

from dataclasses import replace

import numpy as np
import pytest
from tests import thresholds
from tests.calibration import samples

from muonkit.calibration.closure import BiasCorrector, against_zero, scale_off
from muonkit.calibration.derive import Derived, derive
from muonkit.calibration.extract import Extraction
from muonkit.calibration.likelihood import OF_PARAMETER, Likelihood
from muonkit.calibration.reference import difference, of_entries, without_simulation
from muonkit.calibration.summary import ClosureFit

ETA = (-2.4, 0.0, 2.4)
LETTERS = ("A", "e", "M")
# tails so large that few pairs see what they do to a Gaussian kernel
TAILS = {"a": (0.01,), "c": (0.0,), "tail_share": (0.2,), "tail_factor": (4.0,)}
BIAS = {"eta_edges": ETA, "A": (5e-4, -5e-4), "e": (2e-3, 1e-3), "M": (3e-5, -2e-5)}
DATA = samples.sample(250_000, 71, bias=BIAS, resolution=TAILS)


@pytest.fixture(scope="module")
def counts() -> samples.Counts:
    return samples.count(DATA, samples.sample(250_000, 72, resolution=TAILS), ETA)


@pytest.fixture(scope="module")
def fits(counts: samples.Counts) -> tuple[Derived, Derived, Derived]:
    return samples.fit_both(counts, LETTERS, kernel="curvature")


def off(found: Extraction) -> float:
    """The scale at 6 GeV against the truth, in standard deviations."""
    (at,) = scale_off(replace(found, vector=found.vector - samples.truth(DATA, LETTERS, 2)), momenta=(6.0,))
    return at.value / at.error
