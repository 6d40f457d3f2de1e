"""The network, its training and its calibration; JAX and Optax are needed for the training only."""

from dataclasses import replace
from functools import partial
from importlib.util import find_spec

import numpy as np
import pytest
from tests.thresholds import NETWORK_LOOP

from muonkit.core.errors import InputError
from muonkit.data.muid import LAYERS
from muonkit.muid.classifier.config import Training
from muonkit.muid.classifier.evaluate import compare, cut_for, fake_rate
from muonkit.muid.classifier.features import NAMES, TRACK_NAMES
from muonkit.muid.classifier.model import SCHEMA, Classifier
from muonkit.muid.classifier.network import TRACKS, drawn, logits, moments, prepared
from muonkit.muid.classifier.train import LIBRARIES, TRAINED, calibration, part_of, train, unseen, without_halves
from muonkit.muid.likelihood.hypotheses import HYPOTHESES

needs_library = pytest.mark.skipif(not all(map(find_spec, LIBRARIES)), reason="JAX or Optax is not installed")
QUICK = Training(width=4, blocks=1, hidden=8, members=2, epochs=8, batch=256, learning_rate=0.005)
agree = partial(np.testing.assert_allclose, rtol=NETWORK_LOOP, atol=NETWORK_LOOP)
MU, PI = HYPOTHESES.index("mu"), HYPOTHESES.index("pi")


def toy(n=6000, seed=1, apart=0.25):
    """One feature of all layers is larger for every other species by `apart` of its width; a tenth is missing."""
    rng = np.random.default_rng(seed)
    species = rng.integers(0, len(HYPOTHESES), n)
    X = rng.normal(size=(n, len(NAMES))).astype(np.float32)
    X[:, TRACKS + 2 * LAYERS : TRACKS + 3 * LAYERS] += apart * (species % 2)[:, None]
    X[rng.random(X.shape) < 0.1] = np.nan
    return X, species, np.arange(n)


def random_network(seed=1, members=1):
    found = [drawn(np.random.default_rng(seed + i), 4, 2, 8) for i in range(members)]
    for i, one in enumerate(found):
        one["last"] = np.random.default_rng(seed + i).normal(size=one["last"].shape).astype(np.float32)
    arrays = {name: np.stack([one[name] for one in found]) for name in found[0]}
    plain = {"mean": np.zeros(len(NAMES), np.float32), "scale": np.ones(len(NAMES), np.float32)}
    return Classifier(arrays | plain | {"temperature": np.array(1.0), "offset": np.zeros(len(HYPOTHESES))})


def by_loops(x, w):
    """The six logits of one track, as the formula reads."""
    track, layers = x[:TRACKS], x[TRACKS:].reshape(-1, LAYERS)
    relu = lambda values: np.maximum(values, 0)  # noqa: E731
    h = [relu(layers[:, i] @ w["layer"] + track @ w["track"] + w["place"][i]) for i in range(LAYERS)]
    for block in range(2):
        ends = [np.zeros_like(h[0]), *h, np.zeros_like(h[0])]
        seen = [np.concatenate(ends[i : i + 3]) for i in range(LAYERS)]
        h = [h[i] + relu(seen[i] @ w[f"block_{block}"] + w[f"block_{block}_bias"]) for i in range(LAYERS)]
    hidden = relu(np.concatenate((*h, track)) @ w["hidden"] + w["hidden_bias"])
    return hidden @ w["last"] + w["last_bias"]


def test_the_network_is_that_of_a_plain_loop():
    X, model = toy(20)[0], random_network()
    weights = model.members[0]
    for row, found in zip(X, model.score(X), strict=True):
        expected = by_loops(np.where(np.isnan(row), 0, np.arcsinh(row)), weights)
        agree(found, expected)


def test_the_score_of_several_networks_is_their_mean():
    X, both = toy(10)[0], random_network(members=2)
    one, other = (random_network(seed) for seed in (1, 2))
    agree(both.score(X), (one.score(X) + other.score(X)) / 2)


@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")
def test_jax_and_numpy_evaluate_the_same_formula():
    from jax import numpy as jnp

    weights, x = random_network().members[0], np.nan_to_num(toy(50)[0])
    agree(logits(x, weights), np.asarray(logits(jnp.asarray(x), weights)))


def test_a_track_does_not_change_the_score_of_another():
    X, model = toy(1300)[0], random_network()
    whole = model.score(X)
    agree(model.score(X[700:]), whole[700:])


def test_prepared_features_are_centred_and_missing_ones_are_neutral():
    X = toy(2000)[0]
    X[:, 5] = np.nan
    inputs = prepared(X, *moments(X))
    assert np.all(inputs[np.isnan(X)] == 0)
    assert np.all(np.abs(inputs[:, :5].mean(axis=0)) < 0.1)
    assert np.isfinite(prepared(np.full((1, len(NAMES)), np.inf), *moments(X))).all()


def test_features_of_a_layer_have_the_scale_of_all_layers():
    X = toy(200)[0]
    mean, scale = moments(X)
    for values in (mean, scale):
        assert np.ptp(values[TRACKS:].reshape(-1, LAYERS), axis=1).max() == 0


def test_without_halves_only_their_features_are_gone():
    X = toy(40)[0]
    rows = np.arange(40) < 10
    gone = without_halves(X, rows)
    first = TRACK_NAMES.index("has_halves")
    others = np.delete(np.arange(len(NAMES)), [first, first + 1, first + 2])
    np.testing.assert_array_equal(gone[:, others], X[:, others])
    np.testing.assert_array_equal(gone[10:], X[10:])
    assert np.all(gone[:10, first] == 0)
    assert np.isnan(gone[:10, first + 1 : first + 3]).all()


@needs_library
def test_the_same_seed_gives_the_same_file(tmp_path):
    X, species, event = toy(2000)
    for name in ("a", "b"):
        train(X, species, event, QUICK, {"note": "toy"}).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert len(Classifier.load(tmp_path / "a").members) == QUICK.members


@needs_library
@pytest.mark.parametrize(("apart", "low", "high"), [(0.25, 0.3, 0.8), (0.0, 0.85, 0.95)])
def test_it_learns_what_there_is_and_nothing_where_there_is_nothing(apart, low, high):
    """Ideal for apart = 0.25, without missing ones: Gaussians 1.35 apart, fakes 0.47 at 90 % efficiency."""
    X, species, event = toy(20_000, apart=apart)
    model = train(X, species, event, QUICK, {})
    late = unseen(event)
    log, true = model.log_posterior(X[late]), species[late]
    odd = np.logaddexp.reduce(log[:, 1::2], axis=1) - np.logaddexp.reduce(log[:, ::2], axis=1)
    assert low < fake_rate(odd[true % 2 == 1], odd[true % 2 == 0], 0.9) < high
    p = model.probability(X[late])
    np.testing.assert_allclose(p.sum(axis=1), 1)
    for i in range(len(HYPOTHESES)):  # calibrated on tracks that it never saw
        for rows in np.array_split(np.argsort(p[:, i]), 3):
            variance = np.sum(p[rows, i] * (1 - p[rows, i]))
            assert abs(np.sum(true[rows] == i) - p[rows, i].sum()) < 5 * np.sqrt(variance) + 0.02 * len(rows)


def test_calibration_finds_the_temperature_and_the_shares_of_the_training():
    rng = np.random.default_rng(3)
    shares = np.array([0.05, 0.4, 0.4, 0.05, 0.05, 0.05])
    species = rng.choice(len(shares), 40_000, p=shares)
    z = rng.normal(size=(len(species), len(shares))) + 1.5 * np.eye(len(shares))[species]
    exact = 1.5 * z  # ln of the densities, but for a common term
    found = calibration((exact + np.log(shares)) / 2, species)
    assert found["temperature"] == pytest.approx(2, rel=0.03)
    np.testing.assert_allclose(found["offset"], -np.log(shares) + np.log(shares).mean(), atol=0.06)


@needs_library
def test_a_sample_without_a_species_is_reported():
    X, species, event = toy(500)
    species[species == PI] = MU
    with pytest.raises(InputError, match="leave no pi for the training"):
        train(X, species, event, QUICK, {})


def test_parts_do_not_depend_on_the_sample_and_have_their_shares():
    part = part_of(np.arange(100_000))
    assert np.all(np.abs(np.bincount(part, minlength=10) / 1e5 - 0.1) < 0.01)
    np.testing.assert_array_equal(part[500:600], part_of(np.arange(500, 600)))
    assert np.mean(part < TRAINED) == pytest.approx(0.8, abs=0.01)


def test_fake_rates_of_gaussians_are_those_of_the_normal_distribution():
    rng = np.random.default_rng(1)
    s, b = rng.normal(2, 1, 200_000), rng.normal(0, 1, 200_000)
    from scipy.stats import norm

    expected = norm.sf(2 + norm.ppf(0.1))
    assert fake_rate(s, b, 0.9) == pytest.approx(expected, abs=4 * np.sqrt(expected / 2e5))
    found = compare(
        {"a": np.concatenate((s, b)), "b": np.concatenate((s, b))}, np.arange(400_000) < 200_000, 0.9, 20, 1
    )
    one, other = found.scores["a"], found.scores["b"]
    assert one == replace(other, ratio=1.0)
    assert other.ratio_low == other.ratio_high == 1.0


def test_a_ratio_to_no_fakes_at_all_is_not_told():
    apart, mixed = np.arange(200.0), np.tile([0.0, 1.0], 100)
    found = compare({"apart": apart, "mixed": mixed}, np.arange(200) >= 100, 0.9, 20, 1)
    assert found.scores["apart"].fake_rate == 0.0
    assert found.scores["mixed"].fake_rate > 0.5
    assert [found.scores[name].ratio for name in ("apart", "mixed")] == [None, None]
    assert found.to_json()["mixed"]["ratio_low"] is None


def test_without_tracks_of_both_there_are_numbers_but_no_rates():
    found = compare({"a": np.zeros(3)}, np.ones(3, dtype=bool), 0.9, 20, 1)
    assert found.to_json() == {"signal": 3, "background": 0}


def test_equal_scores_count_in_proportion():
    s, b = np.array([0.0] * 50 + [1.0] * 50), np.array([0.0] * 80 + [1.0] * 20)
    assert cut_for(s, 0.75) == 0.0
    assert fake_rate(s, b, 0.75) == pytest.approx(0.2 + 0.5 * 0.8)


def test_files_that_are_none_are_refused(tmp_path):
    model = random_network()
    model.save(tmp_path / "m.npz")
    assert Classifier.load(tmp_path / "m.npz").checksum() == model.checksum()
    content = bytearray((tmp_path / "m.npz").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (tmp_path / "bad.npz").write_bytes(content)
    np.savez(tmp_path / "foreign.npz", header=np.frombuffer(b"{}", dtype=np.uint8))
    for name, change in {"narrow": {"layer": np.zeros((1, 2, 4))}, "nan": {"offset": np.full(6, np.nan)}}.items():
        Classifier(model.arrays | change).save(tmp_path / f"{name}.npz")
    faults = {"bad": "damaged", "foreign": "damaged", "none": "no such classifier"}
    for name, fault in (faults | {"narrow": "not those of a network", "nan": "not those of a network"}).items():
        with pytest.raises(InputError, match=fault):
            Classifier.load(tmp_path / f"{name}.npz")
    assert SCHEMA == "MuonClassifier/2"
