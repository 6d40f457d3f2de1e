"""Modules that are tied move as one body, and have one factor of matter."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from tests.alignment import samples
from tests.alignment.barrel import FROM_THE_BEAM, barrel
from tests.thresholds import DENSE_RTOL

from muonkit.alignment.config import AlignmentSettings, Groups
from muonkit.alignment.parameters import MATERIAL, SIZE, indices
from muonkit.alignment.solve import solve
from muonkit.alignment.templates import rigid
from muonkit.alignment.ties import ties
from muonkit.detector.detector import Detector
from muonkit.detector.distort import Misalign
from muonkit.detector.moves import bodies

SMALL = 1e-5
NONE = np.zeros(180, dtype=np.bool_)


@pytest.fixture(scope="module")
def detector() -> Detector:
    return barrel()


@pytest.fixture(scope="module")
def system(detector):
    return samples.sums(detector, detector, 500, gun=FROM_THE_BEAM)


def displaced(detector: Detector, real: Detector) -> np.ndarray:
    """Translation and rotation (n, 6) of every surface in its own frame."""
    old, new = detector.surfaces, real.surfaces
    shift = np.einsum("nij,nj->ni", old.axes, new.center - old.center)
    turn = Rotation.from_matrix(np.einsum("nij,nkj->nik", old.axes, new.axes)).as_rotvec()
    return np.concatenate((shift, turn), axis=1)


@pytest.mark.parametrize(
    ("level", "frame", "body"), [("ladder", "ladder", "layer 2/ladder 4"), ("layer", "global", "layer 2")]
)
def test_bodies_move_as_distortions_do(detector, level, frame, body):
    """A layer of the barrel has its centre at the origin, about which `global` turns."""
    motion = SMALL * np.array([1.0, -2, 3, 0.4, 0.5, -0.6])
    pattern = f"{body}/*"
    move = Misalign(layers=(pattern,), translation=tuple(motion[:3]), rotation=tuple(motion[3:]), frame=frame)
    tied = ties(detector, Groups(moves=level), NONE, 0)
    members = [i for i, name in enumerate(bodies(detector.layers, level)) if name == body]
    q = np.zeros((180, SIZE))
    q[members[0], :6] = motion
    expected = displaced(detector, move.apply(detector))
    found = tied.forth(q.reshape(-1)).reshape(-1, SIZE)
    assert found[:, :6] == pytest.approx(expected, abs=1e-3 * SMALL)
    assert (tied.first.reshape(-1, SIZE)[members, :6] == SIZE * members[0] + np.arange(6)).all()


def test_the_whole_moves_in_bodies_as_in_surfaces(detector):
    tied = ties(detector, Groups(moves="ladder", material="layer"), NONE, 3)
    for motion, q in zip(rigid(detector), tied.back(rigid(detector)), strict=True):
        assert tied.forth(q.values[0])[: 180 * SIZE] == pytest.approx(motion.values[0], abs=1e-9)


@pytest.mark.parametrize("method", ["direct", "iterative"])
def test_the_solution_is_that_of_dense_matrices(detector, system, method):
    settings = AlignmentSettings(
        groups=Groups(moves="ladder", material="layer"), field=0, method=method, rigid="move", tolerance=1e-13
    )
    found = solve(system, detector, settings, "all")
    tied = ties(detector, settings.groups, NONE, 0)
    T = tied.matrix.toarray()[:, found.asked]
    N = T.T @ system.matrix(np.ones(len(system))).toarray() @ T
    width = np.tile(settings.widths(), 180)[found.asked]
    covariance = np.linalg.inv(N + np.diag(1 / width**2))
    expected, sigma = covariance @ (T.T @ system.rhs.reshape(-1)), np.sqrt(np.diag(covariance))
    assert (np.abs(found.found - expected) < 1e-5 * sigma).all()
    assert found.errors == pytest.approx(sigma, rel=1e-5)
    assert found.values.reshape(-1) == pytest.approx(T @ found.found, rel=DENSE_RTOL, abs=1e-12)


def test_a_module_has_the_numbers_of_its_layer(detector, system):
    settings = AlignmentSettings(groups=Groups(material="layer"), reference=("layer 0/ladder 3/*",))
    modules = np.array([i for i, name in enumerate(detector.layers) if name.startswith("layer 0/")])
    found = solve(system, detector, settings, indices(modules, "material"))
    free = ~found.fixed[modules, MATERIAL]
    assert free.sum() == len(modules) - 3
    assert len(np.unique(found.values[modules[free], MATERIAL])) == 1
    assert (found.values[modules[~free]] == 0).all()
    assert "layer 0: material" in found.names
    assert found.found[0] == found.values[modules[0], MATERIAL]
