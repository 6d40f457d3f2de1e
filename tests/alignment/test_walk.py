"""The compiled equations of tracks against the same in NumPy, with the whole covariance of all states of a track."""

import numpy as np
import pytest
from scipy.linalg import block_diag
from tests.alignment import samples
from tests.thresholds import ALIGNMENT_TWIN

from muonkit.alignment import linear
from muonkit.alignment.harmonics import Harmonics
from muonkit.alignment.parameters import FIELD, MATERIAL, SIZE
from muonkit.alignment.ways import rays, ways
from muonkit.detector.detector import load_detector
from muonkit.detector.surfaces import CYLINDER, in_frame, normal
from muonkit.simulation.gun import Gun


def by_motion(surfaces, i, state):
    """Changes (2, 6) of loc0 and loc1 of a state (5,) by translation and rotation of surface i."""
    ids = np.array([i])
    points, t = rays(surfaces, ids, state[None])
    axes, q = surfaces.axes[i], in_frame(surfaces, ids, points)[0]
    t, across = axes @ t[0], axes @ normal(surfaces, ids, points)[0]
    e = np.eye(3)[:2]
    if surfaces.kind[i] == CYLINDER:
        e = np.array([np.cross([0, 0, 1.0], across), [0, 0, 1.0]])
    by_shift = (e @ t / (across @ t))[:, None] * across - e
    return np.hstack((by_shift, np.cross(q, by_shift)))


def effects(there, row, stops, columns):
    """What moves the states (5 s, columns) of a track, and their covariance (5 s, 5 s)."""
    terms, kicks = 6 + SIZE * stops, columns - 2 * stops
    effect, P = np.zeros((stops, 5, columns)), np.zeros((stops, 5, stops, 5))
    effect[0, :, 1:6] = np.eye(5)
    for way, stop in enumerate(range(1, stops)):
        F, here = there.F[row, way], effect[stop]
        here[:] = F @ effect[way]
        here[:, 0] += there.jump[row, way]
        here[:, 6 + SIZE * stop + FIELD] = there.by_field[row, way]
        here[:, 6 + SIZE * way + MATERIAL] = there.by_material[row, way]
        here[:, terms : terms + there.by_terms.shape[3]] += there.by_terms[row, way]
        here[:, kicks + 2 * way : kicks + 2 * way + 2] = there.kicks[row, way]
        P[stop, :, :stop] = np.tensordot(F, P[way, :, :stop], 1)
        P[:stop, :, stop] = P[stop, :, :stop].transpose(1, 2, 0)
        P[stop, :, stop] = F @ P[way, :, way] @ F.T + there.Q[row, way]
    return effect, P.reshape(5 * stops, 5 * stops)


def whitened(surfaces, there, seen, out, good):
    """As `kernels.whiten.whitened`."""
    stops, columns = seen.surface.shape[1], out.shape[2]
    for row in range(len(out)):
        effect, P = effects(there, row, stops, columns)
        H = block_diag(*(np.hstack((each, np.zeros((2, 3)))) for each in seen.H[row]))
        lines = H @ effect.reshape(5 * stops, columns)
        lines[:, 0] = seen.residual[row].reshape(-1) - lines[:, 0]
        for stop in np.flatnonzero(seen.surface[row] >= 0):
            moved = by_motion(surfaces, seen.surface[row, stop], seen.states[row, stop] + effect[stop, :, 0])
            first = 6 + SIZE * stop
            lines[2 * stop : 2 * stop + 2, first : first + FIELD] = seen.H[row, stop] @ moved
        variance = seen.variance[row].reshape(-1)
        kept = variance > 0
        V = (H @ P @ H.T + np.diag(variance))[np.ix_(kept, kept)]
        out[row, : kept.sum()] = np.linalg.solve(np.linalg.cholesky(V), lines[kept])
        good[row] = True


@pytest.mark.parametrize("name", ["telescope", "cms_like_layers"])
def test_equations_are_those_of_numpy(name, monkeypatch):
    detector = load_detector(name)
    gun = samples.GUN if name == "telescope" else Gun(pt=(3, 50), eta=(-2, 2))
    hits, fitted = samples.fitted(detector, detector, 10, gun=gun)
    some = hits, fitted, detector, samples.SETTINGS, None, Harmonics.of(detector, 2, 1)
    found = linear.equations(*some)
    monkeypatch.setattr(linear, "whitened", whitened)
    expected = linear.equations(*some)
    for values, others in ((getattr(each, part) for each in (found, expected)) for part in ("z", "A", "D", "kicks")):
        size = np.maximum(np.abs(others).max(axis=(0, 1)), 1e-300)
        assert (np.abs(values - others) <= ALIGNMENT_TWIN * size).all()


def test_a_track_without_a_positive_covariance_is_counted_as_lost(monkeypatch):
    detector = samples.telescope()
    hits, fitted = samples.fitted(detector, detector, 5)

    def damaged(*some):
        there, fine = ways(*some)
        there.Q[2] = -np.eye(5)
        return there, fine

    whole = linear.equations(hits, fitted, detector, samples.SETTINGS)
    monkeypatch.setattr(linear, "ways", damaged)
    found = linear.equations(hits, fitted, detector, samples.SETTINGS)
    assert (len(found), found.lost) == (len(whole) - 1, whole.lost + 1)
    assert (np.delete(whole.D, 2, axis=0) == found.D).all()
