"""Whole ways: arrival, closure, energy, boundaries of volumes, Jacobians against an independent code, statuses."""

import numpy as np
import pytest
from tests.detector import blocks
from tests.transport import zoo

from muonkit.detector.volumes import RHO
from muonkit.transport import status as statuses
from muonkit.transport.kernels import batch
from muonkit.transport.kernels.tuples import Scene

START, PLANE, TILTED, BARREL, AWAY = range(5)
c, s = np.cos(0.3), np.sin(0.3)
LAYERS = zoo.surfaces(
    (0, (0, 0, 0), zoo.FRAME_X, 0),
    (0, (60, 0, 0), zoo.FRAME_X, 0),
    (0, (50, 10, -5), ((-s, c, 0), (0, 0, 1), (c, s, 0)), 0),
    (1, (0, 0, 0), zoo.FRAME_Z, 110.0),
    (0, (1e3, 0, 0), zoo.FRAME_X, 0),
)
IRON = blocks.slices((20.0, 25.0, 30.0, 45.0), (1, 0, 1), axis=RHO)
PLATES = blocks.slices((20.0, 25.0, 30.0, 45.0), (1, 0, 1), axis=RHO, sides=8)


def go(bound, target, det, plan=zoo.EXACT, loss=None, way=1.0, start=START, cov=None):
    n = len(bound)
    loss = zoo.polynomial_loss(len(det.materials.X0)) if loss is None else loss
    out = batch.BoundOut(np.full((n, 5), np.nan), *np.full((2, n, 5, 5), np.nan), np.zeros(n), np.zeros(n, np.int64))
    batch.bound_to_bound(
        np.full(n, start), bound, np.zeros((n, 5, 5)) if cov is None else cov, np.full(n, target), way, cov is not None,
        Scene(det, loss, plan), out,
    )  # fmt: skip
    return out


def iron_detector(field=None, volumes=IRON):
    return zoo.detector(zoo.bottle() if field is None else field, LAYERS, volumes, ("iron",))


def test_a_track_arrives_on_plane_tilted_plane_and_cylinder():
    bound = zoo.states(200, p=(1.5, 100))
    det = zoo.detector(zoo.bottle(), LAYERS)
    for target in (PLANE, TILTED, BARREL):
        end, _, _, path, status = go(bound, target, det)
        assert (status == statuses.OK).all()
        assert (path > 0).all()
        assert np.isfinite(end).all()


def test_momentum_is_conserved_in_a_field():
    bound = zoo.states(200, p=(1.5, 100))
    end, *_ = go(bound, BARREL, zoo.detector(zoo.bottle(), LAYERS))
    np.testing.assert_allclose(end[:, 4], bound[:, 4], rtol=1e-12)


@pytest.mark.parametrize("volumes", [None, IRON, PLATES])
@pytest.mark.parametrize("target", [PLANE, BARREL])
def test_forth_and_back_closes(volumes, target):
    bound = zoo.states(200, p=(1.5, 100))
    det = zoo.detector(zoo.bottle(), LAYERS) if volumes is None else iron_detector(volumes=volumes)
    end, _, jacobian, path, status = go(bound, target, det)
    assert (status == statuses.OK).all()
    if volumes is not None:
        assert (np.abs(end[:, 4]) > np.abs(bound[:, 4])).all()  # energy was lost
    back, _, inverse, way_back, status = go(end, START, det, way=-1.0, start=target)
    assert (status == statuses.OK).all()
    np.testing.assert_allclose(back, bound, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(way_back, -path, rtol=1e-9)
    identity = np.einsum("nij,njk->nik", inverse, jacobian)
    np.testing.assert_allclose(identity, np.broadcast_to(np.eye(5), identity.shape), atol=2e-6)


@pytest.mark.parametrize("volumes", [None, IRON, PLATES])
def test_jacobian_is_that_of_finite_differences(volumes):
    bound = zoo.states(30, p=(1.0, 10))
    det = zoo.detector(zoo.bottle(), LAYERS) if volumes is None else iron_detector(volumes=volumes)
    _, _, jacobian, _, status = go(bound, TILTED, det)
    assert (status == statuses.OK).all()
    for j, d in enumerate((1e-3, 1e-3, 1e-5, 1e-5, 1e-5)):
        shift = d * np.eye(5)[j]
        difference = (go(bound + shift, TILTED, det)[0] - go(bound - shift, TILTED, det)[0]) / (2 * d)
        scale = np.abs(jacobian[:, :, j]).max(axis=RHO)
        np.testing.assert_allclose(jacobian[:, :, j], difference, rtol=1e-6, atol=1e-6 * scale.max())


def test_loss_is_the_same_with_and_without_covariance_and_is_gained_backwards():
    # ACTS #5960: no loss unless a covariance was carried, and a second loss on the way back
    bound, det = zoo.states(50, p=(1.5, 20)), iron_detector()
    cov = np.tile(np.diag([1e-4, 1e-4, 1e-6, 1e-6, 1e-6]), (50, 1, 1))
    without, *_ = go(bound, PLANE, det)
    carried, carried_cov, *_ = go(bound, PLANE, det, cov=cov)
    np.testing.assert_array_equal(without, carried)
    assert (np.abs(without[:, 4]) > np.abs(bound[:, 4]) * 1.001).all()
    back, *_ = go(carried, START, det, way=-1.0, start=PLANE, cov=carried_cov)
    np.testing.assert_allclose(back[:, 4], bound[:, 4], rtol=1e-9)


def test_charge_and_reflection_symmetry():
    bound = zoo.states(50, p=(1.0, 20))
    det = zoo.detector(zoo.uniform(), LAYERS, IRON, ("iron",))
    mirrored = bound * np.array([-1, 1, -1, 1, -1])  # y -> -y turns the charge round in a field along z
    end, *_ = go(bound, PLANE, det)
    other, *_ = go(mirrored, PLANE, det)
    np.testing.assert_allclose(other, end * np.array([-1, 1, -1, 1, -1]), rtol=1e-10, atol=1e-10)


def test_looser_tolerance_is_less_exact_and_within_what_it_promises():
    bound, det = zoo.states(200, p=(1.5, 20)), zoo.detector(zoo.bottle(), LAYERS)
    exact, *_ = go(bound, PLANE, det)
    for tolerance in (1e-2, 1e-4, 1e-6):
        end, *_ = go(bound, PLANE, det, zoo.EXACT._replace(tolerance=tolerance))
        assert np.abs(end - exact)[:, :2].max() < tolerance


def test_noise_is_symmetric_and_positive_and_grows_through_iron():
    bound, det = zoo.states(20, p=(1.5, 20)), iron_detector()
    cov = np.tile(np.diag([1e-6, 1e-6, 1e-8, 1e-8, 1e-8]), (20, 1, 1))
    plan = zoo.EXACT._replace(straggling=True)
    _, noisy, jacobian, *_ = go(bound, PLANE, det, plan, cov=cov)
    quiet = np.einsum("nij,njk,nlk->nil", jacobian, cov, jacobian)
    np.testing.assert_array_equal(noisy, np.swapaxes(noisy, 1, 2))
    assert (np.linalg.eigvalsh(noisy - quiet) > -1e-12 * np.abs(quiet).max()).all()
    assert (np.einsum("nii->ni", noisy - quiet) > 0).all()


def one(
    p=10.0, phi=0.0, theta=np.pi / 2, cov=None, target=PLANE, plan=zoo.EXACT, det=None, start=(0.0, 0.0), loss=None
):
    bound = np.array([[0.0, 0, 0, np.pi / 2, 0.1], [*start, phi, theta, 1 / p], [0.0, 0, 0, np.pi / 2, 0.1]])
    covs = None if cov is None else np.stack((np.eye(5) * 1e-6, cov, np.eye(5) * 1e-6))
    det = zoo.detector(zoo.uniform(), LAYERS) if det is None else det
    end, _, _, _, status = go(bound, target, det, plan, loss, cov=covs)
    np.testing.assert_array_equal(end[0], end[2])  # the neighbours do not notice
    assert status[0] == status[2]
    return status[1], np.isnan(end[1]).all()


def test_a_curling_track_loops():
    assert one(p=0.1) == (statuses.LOOPING, True)


def test_a_track_that_turns_away_leaves_the_envelope():
    det = zoo.detector(zoo.uniform(Bz=0.0), LAYERS)
    assert one(phi=np.pi, det=det) == (statuses.LEFT, True)


def test_a_track_leaves_the_map():
    assert one(target=AWAY, det=zoo.detector(zoo.bottle(), LAYERS)) == (statuses.OUT_OF_MAP, True)


def test_a_slow_track_stops():
    assert one(p=0.2, det=iron_detector(zoo.uniform(Bz=0.0))) == (statuses.STOPPED, True)


def test_a_track_along_the_plane_is_tangent():
    det = zoo.detector(zoo.uniform(Bz=0.0), LAYERS)
    assert one(phi=np.pi / 2, det=det, target=START) == (statuses.TANGENT, True)


def test_too_few_steps_is_a_status():
    assert one(plan=zoo.EXACT._replace(max_steps=1, max_step=1.0)) == (statuses.STEP_LIMIT, True)


def test_a_covariance_that_is_not_positive_definite_is_a_status():
    bad = np.eye(5) * 1e-6
    bad[0, 1] = bad[1, 0] = 2e-6
    assert one(cov=bad) == (statuses.NOT_POSITIVE_DEFINITE, True)


def test_a_momentum_that_is_not_a_number_does_not_arrive_and_does_not_hang():
    code, empty = one(p=np.nan)
    assert code != statuses.OK
    assert empty


def test_an_infinite_momentum_is_a_straight_line():
    bound = np.array([[0.1, -0.2, 0.3, 1.2, 0.0]])
    end, _, _, path, _ = go(bound, PLANE, zoo.detector(zoo.uniform(), LAYERS))
    t = np.array([np.sin(1.2) * np.cos(0.3), np.sin(1.2) * np.sin(0.3), np.cos(1.2)])
    np.testing.assert_allclose(end[0, :2], bound[0, :2] + 60 / t[0] * t[1:], rtol=1e-13)
    np.testing.assert_allclose(path, 60 / t[0], rtol=1e-13)
