"""A resolution that changes within the bins of eta: the fit says that it is the widths, and not the scale."""

from typing import Any

import numpy as np
import pytest
from tests.calibration import samples
from tests.report import folders

from muonkit.calibration.summary import FitSummary
from muonkit.calibration.verdict import EXTRACTION_P, extraction

WIDE = tuple(np.linspace(-2.4, 2.4, 7).tolist())
NARROW = tuple(np.linspace(-2.4, 2.4, 13).tolist())
STEEP = {"eta_edges": NARROW, "a": tuple(0.006 + 0.004 * np.linspace(-2.2, 2.2, 12) ** 2), "c": (1e-4,)}
PARAMETERS = ("A", "e", "M", "a", "c")


@pytest.mark.parametrize(("edges", "wide"), [(WIDE, True), (NARROW, False)])
def test_a_resolution_that_changes_within_the_bins_fails_by_the_widths_alone(
    edges: tuple[float, ...], wide: bool
) -> None:
    simulation = samples.sample(300_000, 5, resolution=STEEP)
    found = FitSummary.of(samples.fit_simulation(samples.count(simulation, simulation, edges), PARAMETERS).extraction)
    assert found.scales is not None
    assert found.widths is not None
    assert found.scales.p_value > EXTRACTION_P
    assert (found.widths.p_value < EXTRACTION_P) is wide
    assert found.scales.chi2 + found.widths.chi2 == pytest.approx(found.chi2)
    assert found.scales.ndf + found.widths.ndf == found.ndf
    assert extraction(found).passed is not wide


def judged(chi2: float, of_widths: float) -> str:
    content: dict[str, Any] = folders.summary(("A", "a"), 1)
    content |= {"chi2": chi2, "ndf": 100, "p_value": 1e-9, "widths": {"chi2": of_widths, "ndf": 50}}
    return extraction(FitSummary.from_json(content)).sentence


def test_the_verdict_says_what_is_not_described_and_the_way_out() -> None:
    assert "use narrower binning.eta_edges" in judged(200, 150)
    assert "the resolution alone p = " in judged(200, 50)
    assert "narrower" not in judged(200, 50)
