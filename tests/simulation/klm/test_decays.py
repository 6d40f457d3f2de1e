"""A decay in the tracker: the longer part of the way is the track that is seen, in both engines."""

import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from muonkit.data.klm import DECAYED
from muonkit.detector.detector import load_detector
from muonkit.simulation.kernels.indices import CHARGE, MASS
from muonkit.simulation.klm import fast

CAN = 112.0, -112.0, 112.0  # as long as it is wide: half way along the axis is 56 cm
P = 0.5
PION = 211


def begun(begin, charge, fate, end):
    """Beginnings of tracks of pions that decayed in the first and in the second half, and where the latter decayed."""
    inside = (fate == DECAYED) & (end[:, 2] < CAN[2])
    early, late = inside & (end[:, 2] < 55) & (charge != 0), inside & (end[:, 2] > 57)
    assert min(early.sum(), late.sum()) > 20
    return begin[early], begin[late], end[late]


def the_longer_part_is_seen(early, late, end):
    np.testing.assert_allclose(late[:, :3], end, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(late[:, 3:], axis=1), P, atol=1e-9)
    r, z, p = np.hypot(early[:, 0], early[:, 1]), early[:, 2], np.linalg.norm(early[:, 3:], axis=1)
    assert np.all((np.abs(r - CAN[0]) < 0.01) | (np.abs(np.abs(z) - CAN[2]) < 0.01))
    assert p.mean() < 0.43  # of the muons: between 0.26 and 0.5


def states(n):
    """Pions from the origin along the axis, where the field does not bend them."""
    return np.tile([0.0, 0, 0, 0, 0, P], (n, 1)), np.full(n, PION)


def test_in_the_fast_engine():
    found = fast.simulate(load_detector("belle2"), *states(20_000), 5, 0, CAN)
    the_longer_part_is_seen(*begun(found.begin, found.charge, found.fate, found.end))


@pytest.mark.slow
@pytest.mark.skipif(find_spec("geant4_pybind") is None, reason="geant4_pybind is not installed")
def test_in_geant4():
    from tests.oracles.geant4_iron import MissingError, environment

    from muonkit.simulation.geant4 import engine

    with tempfile.TemporaryDirectory() as directory:
        try:
            environment(Path(directory))
        except MissingError as error:
            pytest.skip(str(error))
        found = engine.run(engine.Job("belle2", *states(1500), 3, CAN), Path(directory))
    charge = np.nan_to_num(found["begin"][:, CHARGE])
    the_longer_part_is_seen(*begun(found["begin"][:, :MASS], charge, found["fate"], found["end"]))
