"""Closure of the likelihood: tracks drawn from a payload, posteriors that are right as often as they say, and a test
that notices a payload that does not describe the tracks."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.stats import kstest
from tests import thresholds

from muonkit.muid.checks.closure import EXACT, class_prior, posterior, reliability
from muonkit.muid.checks.goodness import count_fit, entry_layers, goodness_of_fit, judged
from muonkit.muid.checks.sampling import SampleSettings, sample
from muonkit.muid.checks.toy import toy_payload
from muonkit.muid.likelihood.chi2_distribution import chi2_distribution
from muonkit.muid.likelihood.config import LikelihoodSettings
from muonkit.muid.likelihood.evaluate import likelihood
from muonkit.muid.likelihood.hypotheses import HYPOTHESES, SIGNED, signed_number
from muonkit.muid.likelihood.longitudinal import classes_of
from muonkit.muid.likelihood.outcome import EXIT_BARREL, class_index, classes, outcome
from muonkit.muid.likelihood.payload import ORDERS, first_entries
from muonkit.muid.likelihood.transverse import transverse

TOY = toy_payload()


def all_species(n, seed):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 6, n), np.where(rng.random(n) < 0.5, 1.0, -1.0), rng


@cache
def drawn(n=60_000, seed=7):
    """True species and tracks, classes shared."""
    species, charge, rng = all_species(n, seed)
    return species, sample(TOY, species, charge, rng)


def one_species(payload, name, n, seed):
    rng = np.random.default_rng(seed)
    species = np.full(n, HYPOTHESES.index(name))
    return sample(payload, species, np.where(rng.random(n) < 0.5, 1.0, -1.0), rng)


# tracks ---------------------------------------------------------------------------------------------------------------


def test_drawn_tracks_are_of_the_classes_that_exist_and_hits_are_crossed():
    _, tracks = drawn()
    assert np.all(classes_of(tracks) >= 0)
    assert np.all(tracks.hit_layer_pattern & ~tracks.ext_layer_pattern == 0)
    assert np.all(tracks.ndof == 2 * np.bitwise_count(tracks.hit_layer_pattern))
    in_barrel = tracks.hit_layer_pattern & (1 << 15) - 1
    assert np.all(tracks.barrel_hit_layer == np.floor(np.log2(np.maximum(in_barrel, 0.5))))
    assert len(np.unique(classes_of(tracks))) > 800


def test_drawn_tracks_end_where_their_outcome_says():
    _, tracks = drawn()
    escaped = np.isin(tracks.outcome, (3, 4, 6)) | (tracks.outcome >= 37)
    again = outcome(tracks.barrel_ext_layer, tracks.endcap_ext_layer, escaped, tracks.is_forward)
    np.testing.assert_array_equal(again, tracks.outcome)


def test_layers_are_hit_as_often_as_the_payload_says():
    species, tracks = drawn()
    muons = tracks[
        (species == 1) & (tracks.charge > 0) & (tracks.outcome == EXIT_BARREL) & (tracks.barrel_ext_layer > 9)
    ]
    layer, n = 5, len(muons)
    hits = np.sum(muons.hit_layer_pattern >> layer & 1)
    p = 0.97 * np.exp(-0.005 * layer)
    assert abs(hits - n * p) < 4 * np.sqrt(n * p * (1 - p))


@pytest.mark.parametrize(("name", "k"), [("mu", 1), ("mu", 6), ("pi", 3), ("K", 18), ("pi", 24)])
def test_distributions_of_chi2_are_integrals_of_the_density_and_invert(name, k):
    found, h = chi2_distribution(TOY), signed_number(name, -1)
    x = np.linspace(0.0, 12, 6001)
    place = tuple(np.full(len(x), value) for value in (h, 1, k - 1))
    cdf = found.cdf(x, place)
    middle = (x[1:] + x[:-1]) / 2
    rows = drawn()[1][np.zeros(len(middle), dtype=int)]
    rows = replace(rows, charge=-np.ones(len(middle)), chi2=2 * k * middle, ndof=np.full(len(middle), 2 * k),
                   barrel_ext_layer=np.full(len(middle), 9), endcap_ext_layer=np.full(len(middle), -1))  # fmt: skip
    density = np.exp(transverse(rows, TOY, "power")[:, HYPOTHESES.index(name)])
    integral = np.cumsum(density * np.diff(x)) / found.norm[h, 1, k - 1]
    np.testing.assert_allclose(cdf[1:] - cdf[0], integral, rtol=0, atol=2e-4)
    usual = (cdf > 1e-6) & (cdf < 0.999)
    np.testing.assert_allclose(found.inverse(cdf, place)[usual], x[usual], rtol=1e-6, atol=1e-6)


def test_densities_of_the_toy_payload_are_normalised():
    norm = chi2_distribution(TOY).norm
    assert np.max(np.abs(norm[..., :ORDERS] - 1)) < thresholds.NORM


# posteriors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hypothesis", HYPOTHESES)
def test_of_tracks_with_a_posterior_of_80_percent_80_percent_are_right(hypothesis):
    species, tracks = drawn()
    found = reliability(likelihood(tracks, TOY, EXACT).probability, species, hypothesis)
    assert found.p_value > thresholds.FLAT_P_VALUE
    assert found.ndf >= 3
    assert np.nanmax(np.abs(found.pull)) < 4


def test_calibration_holds_in_many_samples():
    p_values = []
    for seed in range(40):
        species, charge, rng = all_species(4000, 100 + seed)
        tracks = sample(TOY, species, charge, rng)
        p_values.append(reliability(likelihood(tracks, TOY, EXACT).probability, species, "K").p_value)
    assert kstest(p_values, "uniform").pvalue > thresholds.FLAT_P_VALUE


def test_leaving_out_missing_hits_in_the_last_layer_is_off_and_by_how_much():
    species, tracks = drawn()
    found = reliability(likelihood(tracks, TOY, LikelihoodSettings()).probability, species, "mu")
    assert found.p_value < thresholds.WRONG_PAYLOAD
    assert 0.1 < found.largest_difference < 0.4
    assert np.nanmax(found.pull) < 0  # muons are claimed more often than they are there, in every bin


def test_strict_last_layer_is_calibrated_where_layers_are_independent():
    species, tracks = drawn()
    settings = LikelihoodSettings(mode="improved", layers="independent")
    found = reliability(likelihood(tracks, TOY, settings).probability, species, "mu")
    assert found.p_value > thresholds.FLAT_P_VALUE


def test_efficiencies_of_modules_cancel_in_the_posterior():
    species, tracks = drawn()
    rng = np.random.default_rng(3)
    lost = sum((rng.random(len(tracks)) < 0.3).astype(int) << bit for bit in range(29))
    hit = tracks.hit_layer_pattern & ~lost
    ndof = 2 * np.bitwise_count(hit).astype(np.int64)
    dimmed = replace(tracks, hit_layer_pattern=hit, ndof=ndof * 0, efficiency=np.full((len(tracks), 29), 0.7))
    good = reliability(likelihood(dimmed, TOY, EXACT).probability, species, "pi")
    assert good.p_value > thresholds.FLAT_P_VALUE
    unaware = replace(dimmed, efficiency=np.ones((len(tracks), 29)))
    assert reliability(likelihood(unaware, TOY, EXACT).probability, species, "pi").p_value < thresholds.WRONG_PAYLOAD


def stops(code):
    return np.isin(code, (1, 2, 5)) | ((code >= 7) & (code < 37))


def with_classes(payload):
    """Stopping is ten times as frequent for pions and kaons, a third as frequent for muons."""
    tracks = payload.tracks.astype(np.float64)
    stopping = stops(np.array(classes())[:, 0])
    for name, factor in (("pi", 10.0), ("K", 10.0), ("mu", 0.3)):
        for charge in (1, -1):
            tracks[signed_number(name, charge), stopping] *= factor
    crossed = payload.crossed * np.repeat(tracks / payload.tracks, np.diff(first_entries()), axis=1)
    return replace(payload, tracks=tracks.astype(int), crossed=np.rint(crossed).astype(int))


@pytest.mark.parametrize("stopped", [True, False])
def test_classes_that_depend_on_the_species_are_a_prior(stopped):
    payload = with_classes(TOY)
    species, charge, rng = all_species(60_000, 11)
    tracks = sample(payload, species, charge, rng, SampleSettings(shared_classes=False))
    rows = stops(tracks.outcome) == stopped
    species, tracks = species[rows], tracks[rows]
    found = likelihood(tracks, payload, EXACT)
    blind = reliability(found.probability, species, "pi")
    aware = reliability(posterior(found.log_pdf, class_prior(tracks, payload)), species, "pi")
    assert blind.p_value < thresholds.WRONG_PAYLOAD
    assert aware.p_value > thresholds.FLAT_P_VALUE


def test_posterior_without_prior_is_the_probability():
    _, tracks = drawn()
    found = likelihood(tracks[:500], TOY, EXACT)
    np.testing.assert_allclose(posterior(found.log_pdf), found.probability, rtol=1e-9, atol=1e-12)


# goodness of fit ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def toys():
    """Tests of the right payload: 96 samples, all species in turn."""
    names = [HYPOTHESES[i % 6] for i in range(96)]
    return [
        goodness_of_fit(one_species(TOY, name, 2000, 500 + i), name, TOY, exact=True) for i, name in enumerate(names)
    ]


def test_p_values_of_the_right_payload_are_flat(toys):
    assert kstest([one.p_value for one in toys], "uniform").pvalue > thresholds.FLAT_P_VALUE
    chosen = [one for one in toys if one.transverse_ndf]
    assert kstest([one.to_json()["transverse_p_value"] for one in chosen], "uniform").pvalue > thresholds.FLAT_P_VALUE
    assert kstest([one.distance_p_value for one in chosen], "uniform").pvalue > thresholds.FLAT_P_VALUE


def test_chi2_has_the_mean_of_its_degrees_of_freedom(toys):
    for name in ("chi2", "layers_chi2", "transverse_chi2"):
        pairs = [(getattr(one, name), getattr(one, name.replace("chi2", "ndf"))) for one in toys]
        pulls = [(chi2 - ndf) / np.sqrt(2 * ndf) for chi2, ndf in pairs if ndf]
        assert abs(np.mean(pulls)) < 3.5 / np.sqrt(len(pulls))


def test_minus_two_ln_L_has_the_mean_and_the_variance_that_follow_from_the_payload(toys):
    assert kstest([one.lnL_pull for one in toys], "norm").pvalue > thresholds.FLAT_P_VALUE


def swapped(payload, first, second):
    """The payload with the tables of two species exchanged."""
    order = np.arange(SIGNED)
    for charge in (1, -1):
        a, b = signed_number(first, charge), signed_number(second, charge)
        order[[a, b]] = order[[b, a]]
    names = [f.name for f in payload.__dataclass_fields__.values() if f.name != "provenance"]
    return replace(payload, **{name: getattr(payload, name)[order] for name in names})


@pytest.mark.parametrize("name", ["pi", "K"])
def test_pions_and_kaons_in_the_wrong_place_are_noticed(name):
    wrong = swapped(TOY, "pi", "K")
    assert goodness_of_fit(one_species(TOY, name, 3000, 1), name, wrong, exact=True).p_value < thresholds.WRONG_PAYLOAD


def test_five_percent_of_the_efficiency_of_muons_are_noticed_and_by_muons_only():
    rows = [signed_number("mu", charge) for charge in (1, -1)]
    p = TOY.longitudinal.copy()
    p[rows] *= 0.95
    wrong = replace(TOY, longitudinal=p)
    found = goodness_of_fit(one_species(TOY, "mu", 3000, 2), "mu", wrong, exact=True)
    assert found.p_value < thresholds.WRONG_PAYLOAD
    assert abs(found.lnL_pull) > 5
    assert found.to_json()["transverse_p_value"] > thresholds.FLAT_P_VALUE
    assert goodness_of_fit(one_species(TOY, "pi", 3000, 2), "pi", wrong, exact=True).p_value > thresholds.FLAT_P_VALUE


def test_a_wrong_width_of_chi2_is_noticed_by_chi2_alone():
    tracks = one_species(TOY, "mu", 3000, 3)
    found = goodness_of_fit(replace(tracks, chi2=1.1 * tracks.chi2), "mu", TOY, exact=True).to_json()
    assert found["transverse_p_value"] < thresholds.WRONG_PAYLOAD
    assert found["distance_p_value"] < thresholds.WRONG_PAYLOAD
    assert found["layers_p_value"] > thresholds.FLAT_P_VALUE


def test_errors_of_the_payload_make_the_test_milder():
    tracks = one_species(TOY, "mu", 3000, 2)
    shifted = replace(TOY, longitudinal=np.clip(TOY.longitudinal * 0.99, 0, 1))
    exact, measured = (goodness_of_fit(tracks, "mu", shifted, exact=choice) for choice in (True, False))
    assert measured.chi2 < exact.chi2


def test_layers_that_go_together_are_seen_as_correlated():
    tracks = one_species(TOY, "pi", 4000, 4)
    keep = np.random.default_rng(1).random(len(tracks)) < 0.5
    hit = np.where(keep, tracks.ext_layer_pattern, 0)
    found = goodness_of_fit(replace(tracks, hit_layer_pattern=hit), "pi", TOY)
    assert found.correlation > 0.5
    assert abs(goodness_of_fit(tracks, "pi", TOY).correlation) < 0.05


def test_tracks_of_no_class_are_counted_and_left_out():
    tracks = one_species(TOY, "mu", 300, 5)
    tracks.outcome[:7] = 0
    found = goodness_of_fit(tracks, "mu", TOY, exact=True)
    assert (found.tracks, found.unclassified) == (293, 7)


def test_nothing_to_test_gives_no_p_value():
    found = judged(count_fit(drawn()[1][:0], np.zeros(0, dtype=int), TOY), "mu", TOY)
    assert found.ndf == 0
    assert np.isnan(found.p_value)


def test_entries_know_their_layer():
    position = class_index()[EXIT_BARREL, 4]
    assert entry_layers()[first_entries()[position] : first_entries()[position + 1]].tolist() == [0, 1, 2, 3, 4]
