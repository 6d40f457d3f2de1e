"""Training, export and calibration; scikit-learn is needed for the training only."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from tests.thresholds import CLASSIFIER_EXPORT

from muonkit.core.errors import InputError
from muonkit.muid.classifier.config import Training
from muonkit.muid.classifier.evaluate import compare, cut_for, fake_rate
from muonkit.muid.classifier.features import NAMES
from muonkit.muid.classifier.model import SCHEMA, Classifier, prepared
from muonkit.muid.classifier.train import TRAINED, balance, boosted, neural, part_of, train, unseen

needs_library = pytest.mark.skipif(find_spec("sklearn") is None, reason="scikit-learn is not installed")
QUICK = Training(trees=20, leaves=8, hidden=(16,), epochs=5)
NETWORK = QUICK.model_copy(update={"model": "network"})


def toy(n=6000, seed=1, apart=0.4):
    """Eight features of the signal are larger by `apart` of their width; a tenth of all is missing."""
    rng = np.random.default_rng(seed)
    signal = rng.random(n) < 0.5
    X = rng.normal(size=(n, len(NAMES))).astype(np.float32)
    X[:, 100:108] += apart * signal[:, None]
    X[rng.random(X.shape) < 0.1] = np.nan
    return X, signal, np.arange(n)


@needs_library
def test_exported_trees_are_those_of_the_library():
    from sklearn.ensemble import HistGradientBoostingClassifier

    X, signal, _ = toy()
    arrays = boosted(X, signal, balance(signal), QUICK)
    library = HistGradientBoostingClassifier(
        max_iter=20, max_leaf_nodes=8, learning_rate=QUICK.learning_rate, early_stopping=False, l2_regularization=1.0,
        min_samples_leaf=50, random_state=1,
    ).fit(X, signal, sample_weight=balance(signal))  # fmt: skip
    score = Classifier("trees", arrays).score(X)
    np.testing.assert_allclose(1 / (1 + np.exp(-score)), library.predict_proba(X)[:, 1], atol=CLASSIFIER_EXPORT)


@needs_library
def test_the_exported_network_is_that_of_the_library():
    import warnings

    from sklearn.neural_network import MLPClassifier

    X, signal, _ = toy(2000)
    arrays = neural(X, signal, np.ones(len(X)), NETWORK)
    net = MLPClassifier(
        hidden_layer_sizes=(16,), max_iter=5, batch_size=512, random_state=1, tol=0.0, n_iter_no_change=5
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net.fit(prepared(X.astype(float), arrays["mean"], arrays["scale"]), signal)
    expected = net.predict_proba(prepared(X.astype(float), arrays["mean"], arrays["scale"]))[:, 1]
    score = Classifier("network", arrays).score(X)
    np.testing.assert_allclose(1 / (1 + np.exp(-score)), expected, atol=CLASSIFIER_EXPORT)


@needs_library
@pytest.mark.parametrize("training", [QUICK, NETWORK])
def test_the_same_seed_gives_the_same_file(tmp_path, training):
    X, signal, event = toy(3000)
    for name in ("a", "b"):
        train(X, signal, event, training, {"note": "toy"}).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    back = Classifier.load(tmp_path / "a")
    np.testing.assert_array_equal(back.score(X), train(X, signal, event, training, {}).score(X))


@needs_library
def test_probabilities_are_calibrated_on_tracks_that_it_never_saw():
    X, signal, event = toy(60_000)
    model = train(X, signal, event, QUICK, {})
    late = unseen(event)
    p, true = model.probability(X[late]), signal[late]
    assert late.sum() > 10_000
    for low, high in ((0.05, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.95)):
        rows = (p >= low) & (p < high)
        expected, variance = p[rows].sum(), np.sum(p[rows] * (1 - p[rows]))
        assert abs(true[rows].sum() - expected) < 5 * np.sqrt(variance) + 0.02 * rows.sum()


@needs_library
@pytest.mark.parametrize("training", [QUICK, NETWORK])
@pytest.mark.parametrize(("apart", "low", "high"), [(0.4, 0.3, 0.8), (0.0, 0.85, 0.95)])
def test_it_learns_what_there_is_and_nothing_where_there_is_nothing(training, apart, low, high):
    """Ideal for apart = 0.4, without missing ones: Gaussians 1.13 apart, fakes 0.56 at 90 % efficiency."""
    X, signal, event = toy(20_000, apart=apart)
    model = train(X, signal, event, training, {})
    late = unseen(event)
    score = model.score(X[late])
    assert low < fake_rate(score[signal[late]], score[~signal[late]], 0.9) < high


@needs_library
def test_a_sample_without_background_is_told():
    X, signal, event = toy(500)
    with pytest.raises(InputError, match="no signal or no background"):
        train(X, np.ones(len(X), bool), event, QUICK, {})
    assert signal.any()


def test_parts_do_not_depend_on_the_sample_and_have_their_shares():
    part = part_of(np.arange(100_000))
    assert np.all(np.abs(np.bincount(part, minlength=10) / 1e5 - 0.1) < 0.01)
    np.testing.assert_array_equal(part[500:600], part_of(np.arange(500, 600)))
    assert np.mean(part < TRAINED) == pytest.approx(0.6, abs=0.01)


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
    arrays = {"curve_x": np.array([-1.0, 1.0]), "curve_y": np.array([0.0, 1.0]), "mean": np.zeros(len(NAMES))}
    Classifier("network", arrays).save(tmp_path / "m.npz")
    assert Classifier.load(tmp_path / "m.npz").checksum() == Classifier("network", arrays).checksum()
    content = bytearray((tmp_path / "m.npz").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (tmp_path / "bad.npz").write_bytes(content)
    np.savez(tmp_path / "foreign.npz", header=np.frombuffer(b"{}", dtype=np.uint8))
    for name, fault in (("bad.npz", "damaged"), ("foreign.npz", "damaged"), ("none.npz", "no such classifier")):
        with pytest.raises(InputError, match=fault):
            Classifier.load(tmp_path / name)
    assert SCHEMA == "MuonClassifier/1"
