"""Random numbers in compiled loops: those of numpy, named by seed, stage, track and ordinal."""

import numpy as np
import pytest
from scipy import stats

from muonkit.core.errors import InputError
from muonkit.simulation.draws import key_of, uniforms
from muonkit.simulation.kernels import philox


def numbers(seed, stage, track, ordinal, n):
    raw = np.random.Philox(key=key_of(seed), counter=[0, ordinal, track, stage]).random_raw(n)
    return ((raw >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


@pytest.mark.parametrize("stage", [philox.GUN, philox.STEPS, philox.DIGITS])
def test_the_numbers_are_those_of_numpys_philox(stage):
    track, ordinal = np.array([0, 1, 5, 2**40]), np.array([0, 3, 0, 7])
    u = uniforms(42, stage, track, 11, ordinal)
    for row, i, j in zip(u, track, ordinal, strict=True):
        np.testing.assert_array_equal(row, numbers(42, stage, int(i), int(j), 11))


def test_a_track_has_its_numbers_in_any_company():
    whole = uniforms(3, 0, np.arange(100), 5)
    np.testing.assert_array_equal(uniforms(3, 0, np.arange(40, 60), 5), whole[40:60])


def test_seeds_stages_tracks_and_ordinals_differ():
    one, two = np.array([1]), np.array([2])
    streams = [uniforms(*name) for name in ((1, 0, one, 4), (2, 0, one, 4), (1, 1, one, 4), (1, 0, two, 4))]
    streams.append(uniforms(1, 0, one, 4, one))
    assert len(np.unique(np.concatenate(streams))) == 20


def test_numbers_are_even_and_neighbouring_tracks_are_not_alike():
    u = uniforms(5, 0, np.arange(20_000), 5)
    assert stats.kstest(u.ravel(), "uniform").pvalue > 1e-3  # one seed in a thousand would fail
    assert abs(np.corrcoef(u[:-1, 0], u[1:, 0])[0, 1]) < 4 / np.sqrt(20_000)
    assert u.min() > 0
    assert u.max() < 1


def test_normal_numbers_are_normal():
    dice = philox.new_dice()
    philox.begin(dice, key_of(1), 0, 0, 0)
    drawn = np.array([philox.normal(dice) for _ in range(20_000)])
    assert stats.kstest(drawn, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(drawn[:-1:2], drawn[1::2])[0, 1]) < 4 / np.sqrt(10_000)  # the two of a pair


def test_a_seed_below_zero_is_refused():
    with pytest.raises(InputError, match="seed"):
        key_of(-1)
