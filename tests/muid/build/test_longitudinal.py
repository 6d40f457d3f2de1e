"""Tables from counts that were drawn with known probabilities."""

import numpy as np
import pytest
from tests.muid.build.samples import binomial
from tests.thresholds import CLOSURE_PULL_BIAS, CLOSURE_PULL_WIDTH

from muonkit.muid.build.config import LongitudinalFit
from muonkit.muid.build.count import MUONS, nothing
from muonkit.muid.build.longitudinal import LEAST, counted, exponential, tables
from muonkit.muid.checks.toy import toy_payload
from muonkit.muid.likelihood.hypotheses import signed_number
from muonkit.muid.likelihood.outcome import class_index, classes
from muonkit.muid.likelihood.payload import first_entries

PAYLOAD, FIT = toy_payload(), LongitudinalFit()
RICH = 20_000


@pytest.fixture(scope="module")
def rich():
    counts = binomial(PAYLOAD, RICH)
    return counts, *tables(counts, FIT)


def rows(outcome, last):
    return np.arange(*first_entries()[class_index()[outcome, last] :][:2])


def single(outcome, last):
    """Entries that say something of a class with one region."""
    return rows(outcome, last) if outcome in (1, 3) else rows(outcome, last)[15:]


def test_probabilities_come_back_within_their_uncertainties(rich):
    _, p, error = rich
    entries = np.concatenate([single(*pair) for pair in classes() if pair[0] < 7])
    true = PAYLOAD.longitudinal[:, entries].astype(float)
    inside = (true > 50 / RICH) & (true < 1 - 50 / RICH)
    pull = ((p[:, entries] - true) / error[:, entries])[inside]
    assert len(pull) > 3000
    assert abs(np.mean(pull)) < CLOSURE_PULL_BIAS
    assert np.std(pull) < 1 + CLOSURE_PULL_WIDTH
    assert np.std(pull) > 0.5  # neighbouring entries share a fit


def test_entries_without_a_fit_have_pulls_of_width_1(rich):
    _, p, error = rich
    last = [single(*pair)[-1] for pair in classes() if pair[0] < 7]
    true = PAYLOAD.longitudinal[:, last].astype(float)
    inside = (true > 50 / RICH) & (true < 1 - 50 / RICH)
    pull = ((p[:, last] - true) / error[:, last])[inside]
    assert abs(np.std(pull) - 1) < CLOSURE_PULL_WIDTH


def test_the_fit_makes_inner_layers_more_precise_than_counting(rich):
    _, p, error = rich
    h, inner = signed_number("pi", 1), rows(3, 14)[5:12]
    raw = np.sqrt(p[h, inner] * (1 - p[h, inner]) / RICH)
    assert np.all(error[h, inner] < raw)


def test_overlaps_come_back_and_fall_for_all_but_muons(rich):
    _, p, _ = rich
    for outcome, last in ((12, 6), (44, 13), (60, 11)):
        b = (outcome - 7) % 15
        entries = rows(outcome, last)
        used = np.concatenate((entries[: b + 1], entries[15:]))
        true = PAYLOAD.longitudinal[:, used].astype(float)
        assert np.all(np.abs(p[:, used] - true) < 6 * np.sqrt(true * (1 - true) / RICH) + 0.06)
        for h in set(range(12)) - set(MUONS):
            assert np.all(np.diff(p[h, entries[: b + 1]]) <= 1e-12)
            assert np.all(np.diff(p[h, entries[15:]]) <= 1e-12)


@pytest.mark.parametrize("species", ["mu", "pi"])
def test_overlaps_of_few_tracks_are_near_the_truth_and_say_how_near(species):
    h = signed_number(species, 1)
    overlaps = [pair for pair in classes() if pair[0] >= 7]
    used = np.concatenate([np.r_[rows(*pair)[: (pair[0] - 7) % 15 + 1], rows(*pair)[15:]] for pair in overlaps])
    true = PAYLOAD.longitudinal[h, used].astype(float)
    for tracks, within in ((2, 0.05), (20, 0.04), (200, 0.02)):
        p, error = (table[h, used] for table in tables(binomial(PAYLOAD, tracks), FIT))
        assert np.sqrt(np.mean((p - true) ** 2)) < within
        assert np.mean(((p - true) / error) ** 2) < 2
        assert np.sqrt(np.mean(error**2)) < 6 * np.sqrt(np.mean((p - true) ** 2))


def test_a_single_track_does_not_make_the_table_of_its_class():
    counts, h = binomial(PAYLOAD, 200), signed_number("mu", 1)
    entries = rows(17, 4)
    counts.crossed[h, entries], counts.hit[h, entries] = 1, 0
    p, error = tables(counts, FIT)
    used = np.r_[entries[:11], entries[15:]]
    assert np.all(p[h, used] > 0.3)
    assert np.all(error[h, used] > 0.05)


def test_a_peak_that_is_no_exponential_is_kept():
    counts = binomial(PAYLOAD, RICH)
    h, layer = signed_number("pi", 1), rows(3, 14)[7]
    counts.hit[h, layer] = RICH // 2
    p, _ = tables(counts, FIT)
    assert p[h, layer] == pytest.approx(0.5, abs=0.01)


def test_few_tracks_lean_on_their_outcome_and_nothing_is_0_or_1():
    counts = nothing()
    full = binomial(PAYLOAD, 500)
    h, first = signed_number("pi", 1), rows(1, 9)
    counts.crossed[h, first], counts.hit[h, first] = full.crossed[h, first], full.hit[h, first]
    p, error = tables(counts, FIT)
    expected = p[h, rows(1, 9)[3]]
    assert p[h, rows(1, 8)[3]] == pytest.approx(expected, rel=0.35)
    assert error[h, rows(1, 8)[3]] > 5 * error[h, rows(1, 9)[3]]
    assert p.min() >= LEAST
    assert p.max() <= 1 - LEAST
    assert np.isfinite(error).all()


def test_the_exponential_is_found_and_its_covariance_is_that_of_toys():
    rng, x = np.random.default_rng(3), np.arange(2, 14)
    true = 0.29 * np.exp(-0.3 * x)
    found, covariances = [], []
    for _ in range(300):
        A, B, covariance = exponential(x, rng.binomial(2000, true).astype(float), np.full(12, 2000.0), (0.3, 0.3))
        found.append((A, B))
        covariances.append(covariance)
    spread, mean = np.cov(np.array(found).T), np.mean(covariances, axis=0)
    np.testing.assert_allclose(np.mean(found, axis=0), [0.29, 0.3], rtol=0.02)
    np.testing.assert_allclose(np.diag(spread), np.diag(mean), rtol=0.35)


def test_counting_is_a_beta_distribution():
    found = counted(np.array([3.0]), np.array([10.0]), np.array([0.5]), 1.0)
    np.testing.assert_allclose(found.p, 3.5 / 11)
    np.testing.assert_allclose(found.error, np.sqrt(3.5 * 7.5 / (11**2 * 12)))
