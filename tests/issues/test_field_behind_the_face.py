"""The last stage of a step looked up the field at its classical place, which may lie behind the face at which the step
ends: a plate of magnetised iron then bent a sixth less, or not, depending on rounding. In the yoke the default
tolerance was exceeded two thousand times."""

import numpy as np

from muonkit.data.tracks import FreeStates
from muonkit.detector.detector import load_detector
from muonkit.transport.propagate import Settings, propagate_free


def test_tracks_through_magnetised_plates_do_not_depend_on_the_tolerance():
    detector, rng = load_detector("belle2"), np.random.default_rng(1)
    phi, theta, p = rng.uniform(-0.2, 0.2, 100), rng.uniform(1.0, 1.5, 100), rng.uniform(2.5, 5, 100)
    along = np.stack((np.cos(phi) * np.sin(theta), np.sin(phi) * np.sin(theta), np.cos(theta)), axis=1)
    states = FreeStates(along * (120 / np.sin(theta))[:, None], along * p[:, None], np.ones(100))
    plane = detector.layers.index("barrel/fwd/1/07")
    coarse, fine = (propagate_free(states, plane, detector, Settings(tolerance=t))[0] for t in (1e-2, 1e-6))
    assert np.max(np.abs(coarse.position - fine.position)) < 1e-3
