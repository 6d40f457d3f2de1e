"""The search for a volume took -2 for a block: the fast engine, which begins with it, lost 6 % of the hits of pions."""

import numpy as np

from muonkit.core.compiled import compiled
from muonkit.detector.detector import load_detector
from muonkit.detector.kernels import places


@compiled
def located(V, points, hint):
    found = np.empty((points.shape[0], 2), dtype=np.int64)
    for n in range(points.shape[0]):
        found[n, 0], found[n, 1] = places.locate(V, points[n, 0], points[n, 1], points[n, 2], hint)
    return found


def test_a_negative_hint_is_no_hint() -> None:
    V = load_detector("belle2").arrays().volumes
    points = np.random.default_rng(1).uniform(-350, 350, (2000, 3))
    expected = located(V, points, -1)
    assert (expected[:, 0] >= 0).any()
    for hint in (-2, 0, 3):
        np.testing.assert_array_equal(located(V, points, hint), expected)
