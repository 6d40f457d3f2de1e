"""Tracks of ACTS' own fast simulation (Fatras), fitted here: a simulation that shares nothing with the fit."""

import numpy as np
import pytest
from tests.thresholds import PULL_BIAS, PULL_WIDTH

from muonkit.detector.detector import load_detector
from muonkit.tracking.fit import FitSettings, fit
from muonkit.tracking.seed import seed
from muonkit.transport.propagate import Settings

pytest.importorskip("acts", reason="ACTS is not installed: pip install 'muonkit[oracles]'")
from tests.oracles import acts_telescope

from benchmarks import kalman

pytestmark = pytest.mark.slow
MOMENTA, N = (0.5, 1, 2, 5, 20, 100), 4000


def pulls(p: float, k: int) -> np.ndarray:
    """Pulls (n, 5) at the first plane, both charges."""
    start = acts_telescope.gun(N, p, seed=10 + k)
    start[N // 2 :, 4] *= -1
    true = acts_telescope.simulate(start, acts_telescope.Telescope(), seed=20 + k)
    whole = ~np.isnan(true.position).any(axis=(1, 2))
    t = true.direction[whole, 0]
    angles = np.arctan2(t[:, 1], t[:, 0]), np.arccos(t[:, 2])
    expected = np.column_stack((true.position[whole, 0, 1:], *angles, np.sign(start[whole, 4]) / true.p[whole, 0]))
    hits = kalman.hits_of(acts_telescope.measure(true, kalman.SIGMA, seed=30 + k)[whole])
    detector = load_detector("telescope")
    tracks = fit(hits, seed(hits, detector), detector, Settings(energy_loss="mean"), FitSettings())
    assert tracks.good.all()
    return (tracks.states.parameters - expected) / np.sqrt(np.einsum("nii->ni", tracks.states.covariance))


def test_pulls_of_acts_simulation_have_mean_0_and_width_1():
    found = [pulls(p, k) for k, p in enumerate(MOMENTA)]
    together = np.concatenate(found)
    assert (np.abs(together.mean(axis=0)) < PULL_BIAS).all()
    assert (np.abs(together.std(axis=0) - 1) < PULL_WIDTH).all()
    for one in found[2:]:  # from 2 GeV: below, Fatras' scattering is not Gaussian, with a kurtosis of 4.5
        assert (np.abs(one.std(axis=0) - 1) < PULL_WIDTH + 3 / np.sqrt(2 * len(one))).all()
