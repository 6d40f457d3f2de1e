"""Simulated tracks of Belle II that left no hits in the muon detector: where they would have stopped as muons.

Without hits the stored ln L depend on nothing but charge, outcome and last layer. So the ln L of the electron, which
has another value for every last layer of the barrel, tells the layer in which Belle II's extrapolation ended."""

import numpy as np
import pytest
from tests.conftest import shared_data
from tests.thresholds import STOP_LAYER_OFF, STOP_LAYER_SAME

from muonkit.core.units import CURVATURE, MUON_MASS
from muonkit.data.klm import Candidates, KLMHits
from muonkit.data.tracks import FreeStates
from muonkit.detector.detector import load_detector
from muonkit.muid.likelihood.outcome import STOP_BARREL
from muonkit.muid.swim.extrapolate import extrapolate
from muonkit.muid.swim.yoke import build_yoke

ELECTRON, MUON, PION, KLM = 0, 1, 2, 5
# ln L of the electron and the muon (mean of both charges) by the last layer of the barrel: the values in the file
LADDER = np.array(
    [
        (-0.0091, -1.01), (-0.0075, -1.53), (-0.0093, -3.64), (-0.0106, -6.43), (-0.0120, -9.42), (-0.0137, -12.63),
        (-0.0148, -15.75), (-0.0160, -19.05), (-0.0173, -22.41), (-0.0195, -25.84), (-0.0210, -29.33),
        (-0.0221, -32.30), (-0.0234, -35.72),
    ]
)  # fmt: skip
NO_HITS = KLMHits(*[np.zeros(0, np.int64)] * 5, np.zeros((0, 3)), np.zeros(0), np.zeros((0, 2)))
FIELD, RADIUS, ENDS = 1.4525, 112.0, (-80.0, 155.0)  # T: of the map at the origin, by which basf2 makes momenta
LOSS = 3.2e-3  # GeV, of a muon in the tracker at normal incidence
BRANCHES = {
    "fit": "Tracks/Tracks.m_trackFitIndices[6]",
    "helix": "TrackFitResults/TrackFitResults.m_tau[5]",
    "logl": "PIDLikelihoods/PIDLikelihoods.m_logl[6][6]",
    "of": "TracksToPIDLikelihoods/m_elements/m_elements.m_from",
    "to": "TracksToPIDLikelihoods/m_elements/m_elements.m_to",
}


def stored():
    """Helices (n, 5) of pions and ln L (n, 6) in the muon detector of all tracks that have one."""
    uproot = pytest.importorskip("uproot")
    with uproot.open(shared_data("belle2/mdst.root")) as file:
        table = file["tree"].arrays(list(BRANCHES.values()), library="np")
    helices, likelihoods = [], []
    for fit, helix, logl, of, to in zip(*(table[name] for name in BRANCHES.values()), strict=True):
        for track, (record,) in zip(of, to, strict=True):
            in_klm = np.reshape(logl[record], (6, 6))[KLM]
            if in_klm.any():
                helices.append(helix[fit[track][PION]])
                likelihoods.append(in_klm)
    return np.array(helices, dtype=np.float64), np.array(likelihoods, dtype=np.float64)


def stop_layer(logl):
    """The last layer (n,) of the barrel; -1 for other outcomes and for tracks with hits."""
    off = np.abs(logl[:, None, [ELECTRON, MUON]] - LADDER) / [6e-5, 0.12]
    near = np.all(off < 1, axis=2)
    return np.where(near.any(axis=1), np.argmax(near, axis=1), -1)


def leaving(helix):
    """States (n) where helices (n, 5) = (d0, phi0, omega, z0, tan lambda) leave the tracker."""
    d0, phi0, omega, z0, slope = helix.T
    x0, y0 = d0 * np.sin(phi0), -d0 * np.cos(phi0)
    s = np.linspace(0, 300, 30_001)[:, None]
    angle = phi0 - omega * s  # omega has the sign of the charge, positive ones turn clockwise
    x = x0 + (np.sin(phi0) - np.sin(angle)) / omega
    y = y0 - (np.cos(phi0) - np.cos(angle)) / omega
    z = z0 + slope * s
    gone = (np.hypot(x, y) > RADIUS) | (z < ENDS[0]) | (z > ENDS[1])
    first, n = np.argmax(gone, axis=0), np.arange(len(helix))
    position = np.stack((x[first, n], y[first, n], z[first, n]), axis=1)
    tangent = np.stack((np.cos(angle[first, n]), np.sin(angle[first, n]), slope), axis=1)
    secant = np.hypot(1, slope)
    E = np.hypot(CURVATURE * FIELD / np.abs(omega) * secant, MUON_MASS) - LOSS * secant
    pt = np.sqrt(E**2 - MUON_MASS**2) / secant
    covariance = np.tile(1e-6 * np.eye(6), (len(helix), 1, 1))
    return FreeStates(position, pt[:, None] * tangent, np.sign(omega), covariance)


def test_tracks_stop_where_the_stored_likelihoods_say():
    helix, logl = stored()
    layer = stop_layer(logl)
    helix, layer = helix[layer >= 0], layer[layer >= 0]
    assert len(layer) > 60
    states, number = leaving(helix), np.arange(len(layer))
    found = extrapolate(Candidates(number, number, states), NO_HITS, build_yoke(load_detector("belle2"))).tracks
    in_barrel = found.outcome == STOP_BARREL
    assert np.mean(in_barrel) > 0.9
    off = (found.barrel_ext_layer - layer)[in_barrel]
    assert abs(np.mean(off)) < STOP_LAYER_OFF
    assert np.mean(off == 0) > STOP_LAYER_SAME
