"""Muons simulated through the Belle II-like detector, as tables of candidates and hits. Truth makes them, nothing else
sees it: the state at the outermost point is smeared with the covariance that goes with it."""

from functools import cache

import numpy as np

from muonkit.data.klm import ENDCAP, Candidates, KLMHits
from muonkit.data.tracks import FreeStates
from muonkit.detector.detector import load_detector
from muonkit.detector.planes import plane_names
from muonkit.detector.surfaces import to_global
from muonkit.muid.swim.config import MuidSettings
from muonkit.muid.swim.yoke import build_yoke
from muonkit.simulation.gun import Gun
from muonkit.simulation.tracker.digitise import Readout
from muonkit.simulation.tracker.tracks import simulate_tracks

BELLE2 = load_detector("belle2")
YOKE = build_yoke(BELLE2)
HONEST = build_yoke(BELLE2, MuidSettings(max_sigma=3.5, scattering="highland"))  # a wide gate, and all scattering
ACCEPTANCE = np.radians(15), np.radians(150)
SIGMA = (0.03, 0.0015, 0.004)  # cm; rad; relative, of p
START = ("CDC/outer wall", "CDC/gas and wires", "CDC/inner wall")


@cache
def muons(n, seed=1, p=(0.6, 5.0), efficiency=0.98):
    """Candidates and hits of n muons, one per event, and their truth; muons that miss the chamber are left out."""
    gun = Gun(particle="mu", p=p, theta=ACCEPTANCE)
    truth, hits = simulate_tracks(BELLE2, gun, n, seed, readout=Readout(efficiency=efficiency))
    start = outermost(truth)
    chosen = np.flatnonzero(start >= 0)
    candidates = smeared(truth, chosen, start[chosen], seed)
    return candidates, klm_hits(hits, chosen), truth[chosen]


def outermost(truth):
    """Row of the last crossing of the drift chamber, -1 for none (n,)."""
    rank = np.full(len(BELLE2.layers), 9)
    for i, name in enumerate(START):
        rank[BELLE2.layers.index(name)] = i
    row = np.full(len(truth), -1)
    for i in reversed(range(len(START))):
        rows = np.flatnonzero(rank[truth.surface] == i)[::-1]
        row[truth.track[rows]] = rows
    return row


def smeared(truth, chosen, rows, seed):
    """States at the crossings, with errors."""
    n, rng = len(chosen), np.random.default_rng(seed)
    t, p = truth.direction[rows], 1 / np.abs(truth.qop[rows])
    u = np.cross([0, 0, 1.0], t)
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    v = np.cross(t, u)
    x, a, r = SIGMA
    J = np.zeros((n, 6, 5))
    J[:, :3, 0], J[:, :3, 1] = u * x, v * x
    J[:, 3:, 2], J[:, 3:, 3], J[:, 3:, 4] = u * a * p[:, None], v * a * p[:, None], t * r * p[:, None]
    state = np.concatenate((truth.position[rows], t * p[:, None]), axis=1)
    state += np.einsum("nij,nj->ni", J, rng.normal(size=(n, 5)))
    states = FreeStates(state[:, :3], state[:, 3:], np.sign(truth.qop[rows]), J @ np.swapaxes(J, 1, 2))
    return Candidates(np.arange(n), np.zeros(n, dtype=np.int64), states)


def klm_hits(hits, chosen):
    """Hits on the planes of the muon detector as points in space, strips one wide."""
    hits = hits[chosen]
    names = {plane.surface: plane for plane in plane_names(BELLE2)}
    rows = np.flatnonzero(np.isin(hits.surface, list(names)))
    surface = hits.surface[rows]
    position = to_global(BELLE2.surfaces, surface, hits.value[rows])
    planes = [names[int(i)] for i in surface]
    region = np.array([plane.region for plane in planes])
    quadrant = 1 + (np.arctan2(position[:, 1], position[:, 0]) // (np.pi / 2)).astype(int) % 4
    return KLMHits(
        hits.track[rows],
        region,
        np.array([plane.section for plane in planes]),
        np.where(region == ENDCAP, quadrant, [plane.sector for plane in planes]),
        np.array([plane.layer for plane in planes]),
        position,
        np.zeros(len(rows)),
        np.ones((len(rows), 2)),
    )
