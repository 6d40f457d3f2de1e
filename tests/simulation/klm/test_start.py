"""What reconstruction is given: measured states with the errors that their covariance tells."""

import numpy as np

from muonkit.simulation.klm.start import Tracker, measured

N = 20_000


def starts():
    rng = np.random.default_rng(1)
    begin = np.concatenate((rng.uniform(-100, 100, (N, 3)), rng.normal((0.5, 0, 0), 1, (N, 3))), axis=1)
    return begin, measured(begin, np.ones(N), np.arange(N), 3, Tracker())


def test_errors_have_the_covariance_that_is_told():
    begin, states = starts()
    off = np.concatenate((states.position, states.momentum), axis=1) - begin
    # five of the six are measured: along the track the position has no error
    values, vectors = np.linalg.eigh(states.covariance)
    p = np.linalg.norm(begin[:, 3:], axis=1)
    pulls = np.einsum("nij,ni->nj", vectors, off)[:, 1:] / np.sqrt(values[:, 1:])
    assert np.all(np.abs(pulls.mean(axis=0)) < 4 / np.sqrt(N))
    assert np.all(np.abs(pulls.std(axis=0) - 1) < 4 / np.sqrt(2 * N))
    along = np.sum(off[:, :3] * begin[:, 3:], axis=1) / p
    assert np.abs(along).max() < 1e-12
    size = np.linalg.norm(states.momentum, axis=1) / p - 1
    assert abs(size.std() / 4e-3 - 1) < 4 / np.sqrt(2 * N) + 1e-3


def test_a_track_keeps_its_errors_in_any_piece():
    begin, states = starts()
    part = measured(begin[100:200], np.ones(100), np.arange(100, 200), 3, Tracker())
    np.testing.assert_array_equal(part.momentum, states.momentum[100:200])
