"""The compiled formulas of matter and geometry against their readable twins."""

import numpy as np
import pytest
from tests.transport.zoo import MUON

from muonkit.core.compiled import compiled
from muonkit.detector.detector import load_detector
from muonkit.detector.kernels import places
from muonkit.detector.material import library
from muonkit.detector.surfaces import distance, to_global, to_local
from muonkit.detector.volumes import locate
from muonkit.transport.interactions import ionisation, scattering, straggling
from muonkit.transport.interactions.tables import loss_tables, stopping
from muonkit.transport.kernels import frames, noise, slab, step
from muonkit.transport.kernels.tuples import Loss
from muonkit.transport.propagate import Settings

SILICON = library()["silicon"]
TABLES = loss_tables((library()["vacuum"], SILICON), "mu", radiation=False)
LOSS = Loss(MUON, *TABLES)
MOMENTA = np.geomspace(0.2, 200, 40)
MOST_PROBABLE = Settings(energy_loss="most probable").plan()


@compiled
def matter(p, slab_of, loss, plan, out):
    """highland, highland without log, straggling, S, dS/dp, most probable loss, momentum behind and back again."""
    depth, xi, length = slab_of
    out[0] = noise.highland(depth, p, loss.mass, noise.PER_SLAB)
    out[1] = noise.highland(depth, p, loss.mass, noise.NO_LOG)
    out[2] = noise.straggling(xi * length, p, loss.mass)
    out[3], out[4] = step.stopping(loss, 1, p)
    layer = slab.Slab(1, xi, length)
    out[5], out[6], _ = slab.loss_in(loss, layer, p, plan)
    out[7], out[8], out[9] = slab.behind(loss, layer, p, plan)
    out[10], out[11], out[12] = slab.in_front(loss, layer, out[7], plan)


@compiled
def hard(p, xi, share, mass, out):
    """Mean loss by hard transfers, and its derivative by p."""
    out[0], out[1] = slab.hard_part(xi, p, mass, share)


@pytest.fixture(scope="module")
def columns():
    rows = np.zeros((len(MOMENTA), 13))
    for row, p in zip(rows, MOMENTA, strict=True):
        matter(p, (0.01, SILICON.xi, 0.032), LOSS, MOST_PROBABLE, row)
    return rows.T


def test_noise_is_that_of_its_numpy_twin(columns):
    depth = np.full(len(MOMENTA), 0.01)
    np.testing.assert_allclose(columns[0], scattering.highland(depth, MOMENTA, MUON), rtol=1e-12)
    np.testing.assert_allclose(columns[1], scattering.without_log(depth, MOMENTA, MUON), rtol=1e-12)
    np.testing.assert_allclose(columns[2], straggling.variance(SILICON, MOMENTA, MUON, 0.032), rtol=1e-12)


def test_stopping_is_that_of_its_numpy_twin(columns):
    S, dS = stopping(TABLES, 1, MOMENTA)
    np.testing.assert_allclose(columns[3], S, rtol=1e-12)
    np.testing.assert_allclose(columns[4], dS, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_hard_part_of_a_loss_is_what_its_numpy_twin_leaves_out(share):
    def of(momenta):
        rows = np.zeros((len(momenta), 2))
        for row, p in zip(rows, momenta, strict=True):
            hard(p, SILICON.xi * 0.032, share, MUON, row)
        return rows.T

    whole = [ionisation.mean_loss(SILICON, np.array([p]), MUON, False)[0][0] for p in MOMENTA]
    kept = [ionisation.restricted_loss(SILICON, np.array([p]), MUON, share * p, False)[0][0] for p in MOMENTA]
    found, slope = of(MOMENTA)
    np.testing.assert_allclose(found, 0.032 * (np.array(whole) - kept), rtol=1e-9, atol=1e-15)
    step = 1e-5 * MOMENTA
    by_hand = (of(MOMENTA + step)[0] - of(MOMENTA - step)[0]) / (2 * step)
    np.testing.assert_allclose(slope, by_hand, rtol=1e-6, atol=1e-9)


def test_most_probable_loss_of_a_slab_is_landaus_formula(columns):
    """The kernel takes a shift off the mean, in which the density effect cancels; the spin term is not in Landau's."""
    expected = ionisation.most_probable_loss(SILICON, MOMENTA, MUON, 0.032)
    k = ionisation.kinematics(MOMENTA, MUON)
    spin = 2 * SILICON.xi * 0.032 / k.beta2 * (k.t_max / k.E) ** 2 / 8
    np.testing.assert_allclose(columns[5] - spin, expected, rtol=1e-4)


def test_a_slab_forth_and_back_closes_with_its_derivatives(columns):
    np.testing.assert_allclose(columns[10], MOMENTA, rtol=1e-12)
    np.testing.assert_allclose(columns[8] * columns[11], 1, rtol=1e-9)
    shifted = np.zeros(13)
    for p, slope in zip(MOMENTA, columns[8], strict=True):
        ends = []
        for factor in (1 + 1e-5, 1 - 1e-5):
            matter(p * factor, (0.01, SILICON.xi, 0.032), LOSS, MOST_PROBABLE, shifted)
            ends.append(shifted[7])
        assert slope == pytest.approx((ends[0] - ends[1]) / (2e-5 * p), rel=1e-6)


@compiled
def find(V, points, out):
    """Block and slice of every point."""
    for i in range(len(points)):
        out[i, 0], out[i, 1] = places.locate(V, points[i, 0], points[i, 1], points[i, 2], i % V.sides.size)


@compiled
def convert(S, ids, bound, free, back, far):
    """Bound to free and back, and the distance from the surface."""
    for i in range(len(ids)):
        frames.to_free(S, ids[i], bound[i], free[i])
        frames.to_bound(S, ids[i], free[i], back[i])
        far[i] = frames.distance(S, ids[i], free[i])


@pytest.mark.parametrize("name", ["belle2", "cms_like_layers", "telescope"])
def test_geometry_is_that_of_its_numpy_twin(name):
    detector, rng = load_detector(name), np.random.default_rng(4)
    points = rng.uniform(-1, 1, (5000, 3)) * np.array([400, 400, 450]) + np.array([0, 0, 40])
    found = np.zeros((5000, 2), dtype=np.int64)
    find(detector.volumes, points, found)
    block, part = locate(detector.volumes, points)
    np.testing.assert_array_equal(found[:, 0], block)
    np.testing.assert_array_equal(found[block >= 0, 1], part[block >= 0])
    surfaces = detector.surfaces
    ids = rng.integers(0, len(surfaces.kind), 500)
    bound = np.column_stack(
        (rng.uniform(-5, 5, (500, 2)), rng.uniform(-3, 3, 500), rng.uniform(0.2, 2.9, 500), np.ones(500))
    )
    free, back, far = np.zeros((500, 7)), np.zeros((500, 5)), np.zeros(500)
    convert(surfaces, ids, bound, free, back, far)
    np.testing.assert_allclose(back, bound, atol=1e-10)
    np.testing.assert_allclose(free[:, :3], to_global(surfaces, ids, bound[:, :2]), atol=1e-10)
    np.testing.assert_allclose(to_local(surfaces, ids, free[:, :3]), bound[:, :2], atol=1e-10)
    np.testing.assert_allclose(far, distance(surfaces, ids, free[:, :3]), atol=1e-10)
