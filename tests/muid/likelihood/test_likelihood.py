"""The likelihood: golden values, rules 1.10 to 1.12, the edge rules that concern it, the compiled twin."""

from dataclasses import replace
from math import gamma

import numpy as np
import pytest
from pydantic import ValidationError
from tests.muid.tracks import bits, many, one

from muonkit.core.errors import InputError
from muonkit.muid.checks.toy import toy_payload
from muonkit.muid.likelihood import spline
from muonkit.muid.likelihood.builder import MuidBuilder
from muonkit.muid.likelihood.config import LikelihoodSettings
from muonkit.muid.likelihood.evaluate import likelihood, prepared, reference
from muonkit.muid.likelihood.hypotheses import HYPOTHESES, from_pdg, signed_number
from muonkit.muid.likelihood.longitudinal import longitudinal
from muonkit.muid.likelihood.payload import first_entries
from muonkit.muid.likelihood.transverse import transverse

TOY = toy_payload()
IDEAL = replace(TOY, threshold=np.full_like(TOY.threshold, 99.0))  # all spline
MU = HYPOTHESES.index("mu")
PI = HYPOTHESES.index("pi")
IMPROVED = LikelihoodSettings(mode="improved")
INDEPENDENT = LikelihoodSettings(mode="improved", layers="independent", last_layer="faithful", normalised=False)


def with_chi2(x, k, **more):
    """A barrel track of reduced chi2 x and 2 k degrees of freedom."""
    return one(barrel=14, escaped=True, chi2=2.0 * k * x, ndof=2 * k, **more)


def muon_density(x, k, payload=IDEAL, first_bin="faithful"):
    return float(np.exp(transverse(with_chi2(x, k), payload, first_bin)[0, MU]))


def exact(x, k):
    return k / gamma(k) * (k * x) ** (k - 1) * np.exp(-k * x)


# ----------------------------------------------------------------------------------------------------------------- 1.11

GOLDEN = {
    1: (0.481909, 0.367879, 0.0958472, 0.481909, 0.99005, 0.99005),
    2: (0.678128, 0.541342, 0.0861711, 0.678130, 0.0972, 0.0392),
    3: (0.805141, 0.672128, 0.0653669, 0.805146, 0.00805, 0.00131),
    5: (0.961058, 0.877343, 0.0318498, 0.961071, 4.7e-5, 1.2e-6),
    8: (1.06969, 1.11671, 0.00924538, 1.06972, 1.8e-8, 3e-11),
}


@pytest.mark.parametrize("k", GOLDEN)
def test_rule_1_11_golden_values_of_the_ideal_density(k):
    at_073, at_1, at_2345, exact_073, at_001, exact_001 = GOLDEN[k]
    assert muon_density(0.73, k) == pytest.approx(at_073, rel=5e-6)  # six digits are published
    assert muon_density(1.0, k) == pytest.approx(at_1, rel=5e-6)
    assert muon_density(2.345, k) == pytest.approx(at_2345, rel=5e-6)  # six digits are published
    assert exact(0.73, k) == pytest.approx(exact_073, rel=5e-6)  # six digits are published
    assert muon_density(0.01, k) == pytest.approx(at_001, rel=0.02)
    assert exact(0.01, k) == pytest.approx(exact_001, rel=0.06)


def test_rule_1_11_the_spline_is_smooth_and_ends_with_the_cubic_of_four_points():
    y = TOY.log_density[10, 0, 4]
    c = spline.coefficients(y)
    h = spline.WIDTH
    behind = c[:97, 0] + h * (c[:97, 1] + h * (c[:97, 2] + h * c[:97, 3]))
    slope = c[:97, 1] + h * (2 * c[:97, 2] + 3 * h * c[:97, 3])
    np.testing.assert_allclose(behind, c[1:98, 0], atol=1e-12)
    np.testing.assert_allclose(slope, c[1:98, 1], rtol=1e-11, atol=1e-10)
    np.testing.assert_allclose(c[:97, 2] + 3 * h * c[:97, 3], c[1:98, 2], rtol=1e-11, atol=1e-9)
    assert c[0, 3] == pytest.approx(np.diff(y[:4], 3)[0] / (6 * h**3), rel=1e-9)
    assert c[97, 3] == pytest.approx(np.diff(y[95:99], 3)[0] / (6 * h**3), rel=1e-6)  # of differences of 1e-15
    assert np.all(c[99, 1:] == 0)


def test_edge_rule_06_in_the_last_bin_the_density_is_flat():
    assert muon_density(9.96, 1) == muon_density(9.999, 1) == pytest.approx(np.exp(IDEAL.log_density[10, 1, 0, 99]))


def test_edge_rule_05_at_the_threshold_the_spline_holds():
    payload = replace(TOY, threshold=np.full_like(TOY.threshold, 2.0), scale_y=2 * TOY.scale_y)
    assert muon_density(2.0, 3, payload) == pytest.approx(exact(2.0, 3), rel=1e-4)
    assert muon_density(np.nextafter(2.0, 3), 3, payload) == pytest.approx(2 * exact(2.0, 3), rel=1e-9)


def test_edge_rule_04_above_18_hits_the_scales_of_18_are_used_with_their_own_power():
    scaled = 1.1 * IDEAL.scale_x[10, 1, 17] * 19
    wanted = IDEAL.scale_y[10, 1, 17] * scaled**18 * np.exp(-scaled)
    assert muon_density(1.1, 19) == pytest.approx(wanted, rel=1e-12)


def test_edge_rule_02_without_degrees_of_freedom_the_density_is_1():
    assert np.all(transverse(one(barrel=3, chi2=5.0, ndof=0), TOY) == 0)


def test_edge_rule_03_a_negative_chi2_has_density_0_and_is_junk():
    track = with_chi2(-0.5, 3)
    assert np.all(transverse(track, TOY) == -np.inf)
    assert likelihood(track, TOY).junk[0]


@pytest.mark.parametrize("k", [2, 5, 12])
def test_below_the_first_bin_the_power_law_is_right_where_the_spline_overshoots(k):
    truth = exact(0.01, k)
    assert muon_density(0.01, k, first_bin="power") == pytest.approx(truth, rel=1e-6)
    assert muon_density(0.01, k) > 2 * truth
    assert muon_density(0.01, k, first_bin="clamp") == pytest.approx(exact(0.05, k), rel=1e-6)


def test_region_of_the_transverse_table_is_barrel_endcap_or_both():
    shifted = replace(TOY, log_density=TOY.log_density + np.arange(3)[:, None, None])
    for D, track in ((1, one(barrel=5)), (2, one(endcap=5)), (0, one(barrel=5, endcap=2))):
        track = replace(track, chi2=np.array([4.0]), ndof=np.array([4]))
        assert transverse(track, shifted)[0, MU] - transverse(track, TOY)[0, MU] == pytest.approx(D)


# ----------------------------------------------------------------------------------------------------------------- 1.10


def flat(p):
    """A payload in which every layer has a hit with probability p."""
    return replace(TOY, longitudinal=np.full(TOY.longitudinal.shape, p, dtype=np.float32))


def P(track, p=0.75, **more):
    return float(np.exp(longitudinal(track, flat(p), **more)[0, MU]))


def test_rule_1_10_hits_multiply_by_p_and_misses_by_1_minus_p():
    track = one(barrel=5, hit=bits(0, 1, 3))
    assert P(track) == pytest.approx(0.75**3 * 0.25**2)


def test_rule_1_10_efficiency_enters_where_there_is_no_hit_only():
    efficiency = np.full(29, 0.8)
    assert P(one(barrel=5, efficiency=efficiency)) == pytest.approx(0.75**6)
    assert P(one(barrel=5, hit=bits(0, 2, 3, 4, 5), efficiency=efficiency)) == pytest.approx(0.75**5 * (1 - 0.6))


def test_edge_rule_07_a_layer_without_its_bit_counts_as_1():
    assert P(one(barrel=5, ext=bits(0, 1, 2, 5))) == pytest.approx(0.75**4)


def test_edge_rule_08_efficiency_0_and_no_hit_counts_as_1():
    efficiency = np.ones(29)
    efficiency[2] = 0
    assert P(one(barrel=5, hit=bits(0, 1, 3, 4, 5), efficiency=efficiency)) == pytest.approx(0.75**5)


@pytest.mark.parametrize(
    ("track", "missing"),
    [
        (one(barrel=5, hit=bits(0, 1, 2, 3, 4)), False),
        (one(barrel=0, hit=0), True),
        (one(barrel=14, escaped=True, hit=bits(*range(14))), True),
        (one(endcap=5, hit=bits(*range(15, 20))), False),
        (one(endcap=0, hit=0), True),
        (one(endcap=13, escaped=True, hit=bits(*range(15, 28))), True),
        (one(endcap=11, hit=bits(*range(15, 26))), False),
        (one(endcap=11, escaped=True, forward=False, hit=bits(*range(15, 26))), True),
    ],
)
def test_edge_rule_09_a_miss_in_the_last_layer_counts_only_in_the_innermost_and_outermost(track, missing):
    hits = int(np.bitwise_count(track.hit_layer_pattern[0]))
    assert P(track) == pytest.approx(0.75**hits * (0.25 if missing else 1))
    assert P(track, strict=True) == pytest.approx(0.75**hits * 0.25)


def test_edge_rule_10_behind_barrel_layer_0_alone_its_miss_is_ignored():
    assert P(one(barrel=0, endcap=2, hit=bits(15, 16, 17))) == pytest.approx(0.75**3)
    assert P(one(barrel=1, endcap=2, hit=bits(1, 15, 16, 17))) == pytest.approx(0.75**4 * 0.25)


def test_rule_1_10_bits_beyond_the_last_layer_are_not_looked_at():
    assert P(one(barrel=3, ext=bits(*range(9)))) == pytest.approx(0.75**4)


def test_rule_1_10_a_combination_that_does_not_exist_has_density_0_and_is_junk():
    track = replace(one(barrel=14), outcome=np.array([1]))
    assert np.all(longitudinal(track, TOY) == -np.inf)
    found = likelihood(track, TOY, IMPROVED)
    assert found.junk[0]
    assert np.all(found.log_pdf == -np.inf)


def test_rule_1_10_outcomes_and_layers_out_of_range_have_density_0():
    for change in ({"outcome": 67}, {"outcome": -1}, {"barrel_ext_layer": 15}, {"endcap_ext_layer": 14}):
        track = replace(one(barrel=5), **{name: np.array([value]) for name, value in change.items()})
        assert np.all(longitudinal(track, TOY) == -np.inf)
        assert likelihood(track, TOY).junk[0]


@pytest.mark.parametrize("chi2", [np.nan, np.inf, -np.inf])
def test_a_chi2_that_is_no_number_is_junk_and_not_a_likelihood(chi2):
    track = with_chi2(chi2, 3)
    for found in (likelihood(track, TOY, IMPROVED), reference(track, TOY, IMPROVED)):
        assert found.junk[0]
        assert np.all(found.log_pdf == -np.inf)


@pytest.mark.parametrize(
    "change", [{"outcome": 1}, {"outcome": 4}, {"outcome": 16}, {"barrel_ext_layer": -2}, {"endcap_ext_layer": -2}]
)
def test_rule_1_10_an_outcome_that_contradicts_the_last_layers_has_density_0_and_is_junk(change):
    track = replace(one(barrel=3, endcap=5), **{name: np.array([value]) for name, value in change.items()})
    for found in (likelihood(track, TOY, IMPROVED), reference(track, TOY, IMPROVED)):
        assert found.junk[0]
        assert np.all(found.log_pdf == -np.inf)


def test_edge_rule_20_an_unknown_efficiency_is_taken_as_1_and_reported():
    efficiency = np.ones(29)
    efficiency[2] = np.nan
    for hit in (bits(0, 1, 3, 4, 5), bits(*range(6))):
        unknown, known = one(barrel=5, hit=hit, efficiency=efficiency), one(barrel=5, hit=hit)
        found = likelihood(unknown, TOY)
        assert np.array_equal(found.log_pdf, likelihood(known, TOY).log_pdf)
        assert found.efficiency_missing[0]
        assert not likelihood(known, TOY).efficiency_missing[0]
    efficiency[:] = 1
    efficiency[20] = np.nan  # a layer that is not crossed
    assert not likelihood(one(barrel=5, efficiency=efficiency), TOY).efficiency_missing[0]


# ----------------------------------------------------------------------------------------------------------------- 1.12


def test_edge_rule_01_outcome_0_has_no_likelihood():
    found = likelihood(one(), TOY)
    assert np.isnan(found.log_pdf).all()
    assert np.isnan(found.probability).all()
    assert not found.junk[0]


def test_edge_rule_12_densities_that_sum_to_less_than_1e_20_are_junk():
    track = one(barrel=14, escaped=True, chi2=30 * 60.0, ndof=30)
    faithful, improved = likelihood(track, TOY), likelihood(track, TOY, IMPROVED)
    assert faithful.junk[0]
    assert improved.junk[0]
    assert np.isnan(faithful.log_pdf).all()
    assert np.isfinite(improved.log_pdf).all()
    assert improved.probability.sum() == pytest.approx(1)


def test_rule_1_12_densities_are_products_and_probabilities_their_shares():
    tracks = many(500, seed=2)
    found = likelihood(tracks, TOY, INDEPENDENT)
    product = longitudinal(tracks, TOY, floor=INDEPENDENT.floor) + transverse(tracks, TOY, "power")
    good = np.isfinite(found.log_pdf).all(axis=1)
    assert good.mean() > 0.9
    np.testing.assert_allclose(found.log_pdf[good], product[good], rtol=1e-12, atol=1e-12)
    share = np.exp(product[good] - product[good].max(axis=1, keepdims=True))
    np.testing.assert_allclose(found.probability[good], share / share.sum(axis=1, keepdims=True), rtol=1e-9)


def test_edge_rule_13_each_charge_has_its_own_tables():
    signs = np.arange(12) % 2
    lopsided = replace(TOY, longitudinal=TOY.longitudinal * (1 - 0.1 * signs)[:, None])
    tracks = many(300, seed=3, odd=False)
    flipped = replace(tracks, charge=-tracks.charge)
    mirrored = replace(TOY, longitudinal=lopsided.longitudinal[np.arange(12) ^ 1])
    one_way, other_way = likelihood(tracks, lopsided), likelihood(flipped, mirrored)
    assert np.array_equal(one_way.log_pdf, other_way.log_pdf, equal_nan=True)
    assert not np.array_equal(one_way.log_pdf, likelihood(flipped, lopsided).log_pdf, equal_nan=True)
    assert signed_number("mu", -1) == from_pdg(13) == 11
    assert signed_number("pi", -1) == from_pdg(-211) == 7
    assert signed_number("e", 1) == from_pdg(-11) == 0


def test_rule_1_2_charge_0_has_the_tables_of_the_positive_one():
    lopsided = replace(TOY, longitudinal=TOY.longitudinal * (1 - 0.1 * (np.arange(12) % 2))[:, None])
    neutral, positive, negative = (one(barrel=5, charge=charge) for charge in (0.0, 1.0, -1.0))
    for how in (likelihood, reference):
        assert np.array_equal(how(neutral, lopsided).log_pdf, how(positive, lopsided).log_pdf)
        assert not np.array_equal(how(neutral, lopsided).log_pdf, how(negative, lopsided).log_pdf)
    assert signed_number("mu", 0) == signed_number("mu", 1)


SETTINGS = [
    LikelihoodSettings(),
    IMPROVED,
    INDEPENDENT,
    LikelihoodSettings(first_bin="clamp", last_layer="strict"),
    LikelihoodSettings(keep_junk=True),
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_compiled_twin_agrees_with_the_reference(settings):
    rng = np.random.default_rng(5)
    payload = replace(
        TOY,
        longitudinal=rng.choice([0.0, 1.0, 0.3, 0.9], TOY.longitudinal.shape, p=[0.01, 0.01, 0.49, 0.49]),
        threshold=rng.uniform(2, 10, TOY.threshold.shape),
    )
    tracks = many(20_000, seed=6)
    fast, slow = likelihood(tracks, payload, settings), reference(tracks, payload, settings)
    np.testing.assert_allclose(fast.log_pdf, slow.log_pdf, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(fast.probability, slow.probability, rtol=1e-9, atol=1e-300)
    assert np.array_equal(fast.junk, slow.junk)
    assert 0 < fast.junk.mean() < 0.9
    assert fast.efficiency_missing.any()


def test_a_track_does_not_depend_on_its_neighbours():
    tracks = many(300, seed=7)
    whole, part = likelihood(tracks, TOY), likelihood(tracks[100:130], TOY)
    assert np.array_equal(whole.log_pdf[100:130], part.log_pdf, equal_nan=True)
    assert len(likelihood(tracks[:0], TOY)) == 0


def test_order_of_the_tracks_does_not_matter():
    tracks, order = many(300, seed=7), np.random.default_rng(1).permutation(300)
    assert np.array_equal(
        likelihood(tracks[order], TOY).log_pdf, likelihood(tracks, TOY).log_pdf[order], equal_nan=True
    )


def test_a_payload_is_prepared_once():
    assert prepared(TOY, LikelihoodSettings()) is prepared(TOY, LikelihoodSettings())
    assert prepared(TOY, LikelihoodSettings()) is not prepared(TOY, LikelihoodSettings(floor=1e-5))


def test_a_muon_looks_like_a_muon_and_a_pion_like_a_pion():
    """All 15 layers: 15 ln(0.97/0.29) + 0.295 x 105 = 49."""
    muon = likelihood(one(barrel=14, escaped=True), TOY).log_pdf[0]
    assert muon[MU] - muon[PI] == pytest.approx(49, abs=0.5)
    pion = likelihood(one(barrel=14, escaped=True, hit=bits(0, 1)), TOY).log_pdf[0]
    assert pion[PI] > pion[MU]


# --------------------------------------------------------------------------------------------------------------- access


def test_a_builder_gives_the_factors_of_its_hypothesis_for_any_track():
    tracks = many(200, seed=8, odd=False)
    for pdg, name in ((13, "mu"), (-13, "mu"), (-321, "K"), (2212, "p"), (-1000010020, "d"), (11, "e"), (211, "pi")):
        builder = MuidBuilder(pdg, TOY)
        positive = pdg < 0 if name in ("e", "mu") else pdg > 0
        of_its_charge = replace(tracks, charge=np.full(200, 1.0 if positive else -1.0))
        found = likelihood(of_its_charge, TOY, LikelihoodSettings(keep_junk=True))
        with np.errstate(divide="ignore"):
            np.testing.assert_allclose(np.log(builder.pdf(tracks)), found.log_pdf[:, HYPOTHESES.index(name)], atol=1e-9)
        np.testing.assert_allclose(builder.pdf(tracks), builder.longitudinal(tracks) * builder.transverse(tracks))


def test_a_builder_of_another_particle_is_refused():
    with pytest.raises(InputError, match="pdg 22: there is no such hypothesis; known are 11, 13, 211"):
        MuidBuilder(22, TOY)


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValidationError, match=r"mode\n +Input should be 'faithful' or 'improved'"):
        LikelihoodSettings(mode="better")


def test_keys_that_are_given_override_the_mode():
    settings = LikelihoodSettings(mode="improved", first_bin="clamp", floor=0.0)
    assert (settings.first_bin, settings.floor, settings.keep_junk) == ("clamp", 0.0, True)
    assert (IMPROVED.first_bin, IMPROVED.floor, IMPROVED.last_layer) == ("power", 1e-5, "strict")


def test_correlated_layers_count_every_missing_hit():
    with pytest.raises(ValidationError, match=r'last_layer: must be "strict" where layers = "correlated"'):
        LikelihoodSettings(layers="correlated")


def test_settings_that_make_no_sense_are_refused_with_a_line_each():
    with pytest.raises(ValidationError) as caught:
        LikelihoodSettings(first_bin="cut", last_layer="none", floor=0.7, junk=0.0)
    assert [fault["loc"] for fault in caught.value.errors()] == [
        (key,) for key in ("first_bin", "last_layer", "floor", "junk")
    ]


def test_toy_response_falls_with_the_layers_that_are_crossed():
    first = first_entries()
    assert np.all(np.diff(TOY.longitudinal[6, first[0] : first[1]]) <= 0)
