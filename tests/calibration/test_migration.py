"""Migration across the walls of cells, where the resolution depends on pT: the formula, and a Z that closes."""

from dataclasses import replace

import numpy as np
import pytest
from tests.calibration import samples

from muonkit.calibration import extract
from muonkit.calibration.accumulate import CountSettings, accumulate
from muonkit.calibration.binning import Binning, MuonBins, merge
from muonkit.calibration.cells import Cells
from muonkit.calibration.closure import scale_off
from muonkit.calibration.kernels.counting import SELECTED
from muonkit.calibration.resolution import Resolution
from muonkit.core.kinematics import MuonArrays
from muonkit.core.particles import resonance
from muonkit.data.dimuons import Dimuons, Identity

CUT, HALF = 25.0, resonance("z").mass / 2
A, C = (0.01, 0.02), (1e-4, 3e-4)  # of mu+ and mu-
WALLS = (-9.0, -0.5, -0.1, 0.2, 9.0)
LAST = 2 * np.log(HALF / CUT)  # |L| at the cut
Z = {"spectrum": {"pt_scale": 12.0, "pt_power": 2.2, "pt_max": 200.0}, "resolution": {"a": [0.015], "c": [2e-4]}}


def density(ratio: np.ndarray) -> np.ndarray:
    return np.exp(-(ratio**2)) * (1 + 0.4 * ratio)


def back_to_back(ratio: np.ndarray) -> Dimuons:
    """Pairs of the mass of the Z at L = `ratio`, weighted with the density there."""
    zero, number = np.zeros(len(ratio)), np.arange(len(ratio))
    plus = MuonArrays(HALF * np.exp(ratio / 2), zero, zero)
    minus = MuonArrays(HALF * np.exp(-ratio / 2), zero, zero + np.pi)
    return Dimuons(plus, minus, density(ratio), Identity(number, number, number))


def settings(walls: tuple[float, ...]) -> CountSettings:
    binning = Binning(MuonBins.of_edges([-2.4, 2.4]), np.array(walls), np.array([-1.01, 1.01]))
    return CountSettings(binning, (76.0, 106.0), 60, resonance("z").mass, (CUT, 1e9))


def predicted(ratio: np.ndarray, walls: tuple[float, ...]) -> np.ndarray:
    """The shift of ln m in the cells between `walls`."""
    chosen, bins = settings(walls), len(walls) - 1
    merging = merge(np.ones(bins), (1, 1, bins, 1), 1)
    cells = Cells.from_sums(accumulate(back_to_back(ratio), chosen), chosen.binning, merging)
    zero = np.zeros(bins)
    plus, minus = (Resolution(zero + a, zero + c, zero, zero) for a, c in zip(A, C, strict=True))
    return extract.migration(cells, plus, minus)


@pytest.mark.parametrize("walls", [(-9.0, 9.0), WALLS])
def test_shift_of_a_cell_is_that_of_the_formula_at_its_walls(walls: tuple[float, ...]) -> None:
    """A cell that is as wide as the selection had the mean of R- - R+, 0, times the mean slope of the density."""
    step = 1e-5
    ratio = np.arange(-LAST, LAST, step) + step / 2
    ends = np.clip(walls, -LAST, LAST)
    r_plus, r_minus = (a**2 + (c * HALF) ** 2 * np.exp(q * ends) for a, c, q in zip(A, C, (1, -1), strict=True))
    content = np.diff(np.interp(ends, ratio + step / 2, np.cumsum(density(ratio)) * step))
    exact = np.diff((r_minus - r_plus) * density(ends)) / 2 / content
    assert predicted(ratio, walls) == pytest.approx(exact, rel=0.01, abs=5e-7)


@pytest.mark.slow
def test_a_z_whose_resolution_depends_on_pt_closes_on_itself() -> None:
    """Without bias, in one cell per pair of eta bins."""
    eta = (-2.4, -1.2, 0.0, 1.2, 2.4)
    generate = {"events": 2_000_000, "seed": 10, "resonance": "z", "mass_window": (76.0, 106.0), "sqrt_s": 7}
    config = samples.sample(
        2_000_000, 10, **Z, generate=generate, selection={"scaled_pt_min": 0.9 * CUT, "eta_max": 2.4}
    )
    binning = Binning(MuonBins.of_edges(eta), np.array([-9.0, 9.0]), np.array([-1.01, 1.01]))
    counts = samples.count(config, config, eta, settings=replace(settings((-9.0, 9.0)), binning=binning))
    off = scale_off(samples.fit_simulation(counts, ("A",)).extraction)[0]
    error = 0.0121 / np.sqrt(
        counts.simulation.pairs[SELECTED]
    )  # of the resolution alone: the line is that of the pairs
    assert error < 1e-5
    assert abs(off.value) < 3 * error
