"""Correlated layers: patterns have probabilities whose sum is 1, and posteriors that are right as often as they say."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import kstest
from tests import thresholds
from tests.muid.build.samples import truth
from tests.muid.tracks import bits, one

from muonkit.core.errors import InputError
from muonkit.data.muid import BARREL_LAYERS, LAYERS, MuidTracks
from muonkit.muid.build.build import build
from muonkit.muid.build.config import BuildPdfs
from muonkit.muid.build.count import count
from muonkit.muid.checks.closure import reliability
from muonkit.muid.checks.goodness import goodness_of_fit
from muonkit.muid.checks.sampling import SampleSettings, ends_forward, ends_of_classes, sample
from muonkit.muid.checks.toy import toy_payload
from muonkit.muid.likelihood.chain import followed
from muonkit.muid.likelihood.chi2_distribution import chi2_distribution
from muonkit.muid.likelihood.config import LikelihoodSettings
from muonkit.muid.likelihood.evaluate import likelihood
from muonkit.muid.likelihood.factors import log_chi2, log_pattern
from muonkit.muid.likelihood.hypotheses import HYPOTHESES, signed_number
from muonkit.muid.likelihood.outcome import EXIT_BARREL, class_index, classes
from muonkit.muid.likelihood.payload import first_entries

TOY = toy_payload()
IMPROVED = LikelihoodSettings(mode="improved")
MU, PI = HYPOTHESES.index("mu"), HYPOTHESES.index("pi")
OPEN = 7  # layers that are crossed in the test of the sum: 2^7 patterns in each class


def all_species(n, seed):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 6, n), rng.choice([-1.0, 1.0], n), rng


@cache
def drawn(n=60_000, seed=3):
    """Species and tracks of a toy with correlated layers."""
    species, charge, rng = all_species(n, seed)
    return species, sample(TOY, species, charge, rng, SampleSettings(correlated=True))


@cache
def built():
    """A payload that is made of these tracks."""
    species, tracks = drawn()
    config = BuildPdfs(input={"samples": ["none.parquet"]})
    true = truth(np.array(HYPOTHESES)[species], tracks.charge)
    return build(count(tracks, true, config.selection, len(tracks)), config, {})


def of_each(values):
    """Values of classes, for every pattern."""
    return np.repeat(values, 2**OPEN)


def every_pattern(charge, seed):
    """All patterns of OPEN crossed layers, the last one among them, of every class; modules with any efficiency."""
    rng = np.random.default_rng(seed)
    code, barrel, endcap = ends_of_classes(np.arange(len(classes())))
    ext, hit = np.zeros((len(code), 2**OPEN), dtype=np.int64), np.zeros((len(code), 2**OPEN), dtype=np.int64)
    for row in range(len(code)):
        layers = [*range(barrel[row] + 1), *range(BARREL_LAYERS, BARREL_LAYERS + endcap[row] + 1)]
        chosen = [*rng.permutation(layers[:-1])[: OPEN - 1], layers[-1]]
        ext[row] = sum(1 << bit for bit in chosen)
        hit[row] = sum((np.arange(2**OPEN) >> i & 1) << bit for i, bit in enumerate(chosen))
    n, zero = len(code) * 2**OPEN, np.zeros(len(code) * 2**OPEN, dtype=np.int64)
    efficiency = np.repeat(rng.uniform(0.0, 1.0, (len(code), LAYERS)), 2**OPEN, axis=0)
    return MuidTracks(np.full(n, charge), of_each(code), of_each(ends_forward(code)), ext.ravel(), hit.ravel(),
                      of_each(barrel), of_each(endcap), zero, zero, np.zeros(n), zero, efficiency, zero)  # fmt: skip


@pytest.mark.parametrize("charge", [1.0, -1.0])
def test_the_sum_over_all_patterns_is_1_in_every_class_for_every_species_and_efficiency(charge):
    tracks = every_pattern(charge, seed=2)
    different = np.array([len({*row}) for row in tracks.hit_layer_pattern.reshape(len(classes()), -1)])
    P = np.exp(likelihood(tracks, built(), IMPROVED).log_pdf).reshape(len(classes()), 2**OPEN, 6)
    np.testing.assert_allclose(P.sum(axis=1) * different[:, None] / 2**OPEN, 1, rtol=1e-12)
    single = np.exp(likelihood(tracks, built(), LikelihoodSettings(last_layer="strict")).log_pdf)
    assert np.max(single.reshape(P.shape).sum(axis=1)) > 1.5  # efficiency in one factor only


def P(track, payload=TOY, hypothesis=MU):
    return float(np.exp(log_pattern(track, payload, IMPROVED)[0, hypothesis]))


def test_efficiency_is_in_both_factors():
    efficiency = np.full(LAYERS, 0.8)
    perfect = P(one(barrel=0, hit=1))
    assert P(one(barrel=0, hit=1, efficiency=efficiency)) == pytest.approx(0.8 * perfect, rel=1e-12)
    assert P(one(barrel=0, hit=0, efficiency=efficiency)) == pytest.approx(1 - 0.8 * perfect, rel=1e-12)


def test_a_layer_that_is_not_crossed_stands_for_both_answers():
    hole = bits(0, 1, 2, 4, 5)
    both = P(one(barrel=5, hit=bits(0, 1, 3, 4))) + P(one(barrel=5, hit=bits(0, 1, 4)))
    assert P(one(barrel=5, ext=hole, hit=bits(0, 1, 4))) == pytest.approx(both, rel=1e-12)
    dead = np.where(np.arange(LAYERS) == 3, 0.0, 1.0)
    assert P(one(barrel=5, hit=bits(0, 1, 4), efficiency=dead)) == pytest.approx(both, rel=1e-12)


def test_without_correlation_the_layers_are_independent_again():
    toy = toy_payload(correlation=0.0)
    own = (np.arange(6) == np.argmax(toy.behaviour, axis=1)[:, None]).astype(float)
    toy = replace(toy, behaviour=own, longitudinal=expit(toy.log_odds[:, 0].astype(float)))
    tracks = drawn()[1][:2000]
    alone = likelihood(tracks, toy, LikelihoodSettings(mode="improved", layers="independent"))
    np.testing.assert_allclose(likelihood(tracks, toy, IMPROVED).log_pdf, alone.log_pdf, rtol=1e-4, atol=1e-4)


def test_a_hit_after_hits_is_more_probable_and_a_muon_that_is_lost_looks_like_a_pion():
    found = followed(one(barrel=14, escaped=True, hit=bits(0, 1, 2)), TOY)
    assert found.predicted[0, 3, PI] > 0.3 > found.predicted[0, 8, PI]
    assert found.share[0, MU, MU] < 0.01 < 0.99 < found.share[0, MU, PI]


def test_densities_of_chi2_are_divided_by_their_integral():
    wrong = replace(TOY, log_density=TOY.log_density + 0.2, scale_y=TOY.scale_y * np.exp(0.2))
    tracks = drawn()[1][:2000]
    right = log_chi2(tracks, TOY, IMPROVED)
    np.testing.assert_allclose(log_chi2(tracks, wrong, IMPROVED), right, rtol=1e-9, atol=1e-9)
    assert chi2_distribution(wrong).norm[10, 1, 5] == pytest.approx(np.exp(0.2), rel=thresholds.NORM)


def test_a_payload_without_the_tables_is_refused_in_this_mode_only():
    without = replace(TOY, log_odds=None, behaviour=None)
    track = one(barrel=5)
    assert np.array_equal(likelihood(track, without).log_pdf, likelihood(track, TOY).log_pdf)
    for refused in (likelihood, log_pattern, log_chi2):
        with pytest.raises(InputError, match=r"has no tables of correlated layers, .* `muonkit pdfs build`, or set"):
            refused(track, without, IMPROVED)


def test_tables_that_make_no_sense_are_refused():
    with pytest.raises(InputError, match="log_odds: is missing; log_odds and behaviour belong together"):
        replace(TOY, log_odds=None)
    with pytest.raises(InputError, match="behaviour: its rows must have the sum 1"):
        replace(TOY, behaviour=TOY.behaviour * 0.9)
    with pytest.raises(InputError, match="log_odds: holds values that are not finite"):
        replace(TOY, log_odds=TOY.log_odds.astype(float) * np.nan)


# closure --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hypothesis", HYPOTHESES)
def test_posteriors_are_right_as_often_as_they_say(hypothesis):
    species, tracks = drawn()
    found = reliability(likelihood(tracks, TOY, IMPROVED).probability, species, hypothesis)
    assert found.p_value > thresholds.FLAT_P_VALUE
    assert found.ndf >= 2


def test_layers_that_are_taken_as_independent_give_wrong_posteriors():
    species, tracks = drawn()
    single = likelihood(tracks, TOY, LikelihoodSettings(mode="improved", layers="independent"))
    assert reliability(single.probability, species, "pi").p_value < thresholds.WRONG_PAYLOAD


def test_goodness_of_fit_is_flat_and_notices_layers_that_are_taken_as_independent():
    tests = []
    for seed in range(48):
        name, rng = HYPOTHESES[seed % 6], np.random.default_rng(700 + seed)
        species = np.full(2000, HYPOTHESES.index(name))
        tracks = sample(TOY, species, rng.choice([-1.0, 1.0], 2000), rng, SampleSettings(correlated=True))
        tests.append(goodness_of_fit(tracks, name, TOY, exact=True, settings=IMPROVED))
        if name == "pi":
            assert goodness_of_fit(tracks, name, TOY, exact=True).p_value < thresholds.WRONG_PAYLOAD
    for p_values in ([test.p_value for test in tests if test.ndf], [test.lnL_p_value for test in tests]):
        assert kstest(p_values, "uniform").pvalue > thresholds.FLAT_P_VALUE
    assert abs(np.nanmean([test.correlation for test in tests])) < thresholds.NO_CORRELATION


def test_tables_and_behaviours_of_drawn_tracks_are_those_they_were_drawn_with():
    payload, (species, tracks) = built(), drawn()
    rows = slice(*first_entries()[class_index()[EXIT_BARREL, 14] :][:2])
    h = signed_number("mu", 1)
    true, found = (expit(each.log_odds[h, 3, rows].astype(float)) for each in (TOY, payload))
    n = payload.crossed[h, rows]
    assert np.max(np.abs(found - true)[2:] / np.sqrt(true * (1 - true) / np.maximum(n, 1))[2:]) < 5
    others, n = 1 - payload.behaviour[h, MU], np.sum((species == MU) & (tracks.charge > 0))
    assert others == pytest.approx(0.02, abs=5 * np.sqrt(0.02 / n))
