"""Rules for tracks without a likelihood, and transformations of scores."""

import numpy as np
import pytest
from tests.muid.performance.toys import identified, truth

from muonkit.core.config import parse
from muonkit.muid.likelihood.config import LikelihoodSettings
from muonkit.muid.likelihood.hypotheses import HYPOTHESES
from muonkit.muid.performance.config import Performance
from muonkit.muid.performance.labelled import UNKNOWN, charge_of, labelled, selected, species_of
from muonkit.muid.performance.score import TRANSFORMS, delta, logit

NAN, INF = np.nan, np.inf


def config(text=""):
    return parse(f'{text}\n[[input]]\nidentified = "a"\ntruth = "b"\n', Performance)


def floats(table):
    return {k: np.ma.filled(np.ma.asarray(v).astype(float), NAN) if v.dtype.kind != "i" or np.ma.isMA(v) else v
            for k, v in table.items()}  # fmt: skip


@pytest.mark.parametrize(
    ("signal", "background", "junk", "expected"),
    [
        (-3.0, -5.0, False, 2.0),
        (-5.0, -3.0, False, -2.0),
        (NAN, NAN, False, -INF),
        (-INF, -INF, False, -INF),
        (-3.0, -INF, False, INF),
        (-INF, -3.0, False, -INF),
        (-3.0, -5.0, True, -INF),
        (NAN, NAN, True, -INF),
    ],
)
def test_a_track_without_a_likelihood_fails_every_cut(signal, background, junk, expected):
    assert delta(np.array([signal]), np.array([background]), np.array([junk]))[0] == expected


def test_logit_orders_as_the_probability_and_resolves_what_is_close_to_one():
    q = np.array([0.0, 1e-9, 0.3, 0.5, 1 - 1e-9, 1.0])
    assert np.all(np.diff(logit(q)) > 0)
    assert logit(q)[3] == 0
    assert logit(np.array([NAN]))[0] == -INF
    assert TRANSFORMS["none"](np.array([0.2, NAN])).tolist() == [0.2, -INF]


def test_signs_and_species_of_pdg_codes():
    pdg = np.array([13, -13, 11, 211, -211, 321, -2212, 1000010020, 22])
    assert [HYPOTHESES[i] if i >= 0 else "" for i in species_of(pdg)] == [
        "mu",
        "mu",
        "e",
        "pi",
        "pi",
        "K",
        "p",
        "d",
        "",
    ]
    assert charge_of(pdg)[:8].tolist() == [-1, 1, -1, 1, -1, 1, -1, 1]


def test_selection_is_by_true_momentum_and_angle_and_by_outcome():
    rng = np.random.default_rng(3)
    true = truth(3000, rng)
    true.pdg_id[:100] = 22
    found = labelled(floats(identified(true, rng)), true, config())
    p = np.linalg.norm(true.momentum, axis=1)
    theta = np.degrees(np.arccos(true.momentum[:, 2] / p))
    inside = (p >= 0.5) & (p < 5) & (theta >= 15) & (theta < 150) & (np.arange(3000) >= 100)
    every = selected(found, config("[selection]\nreached = false").selection)
    np.testing.assert_array_equal(every, inside)
    reached = selected(found, config().selection)
    np.testing.assert_array_equal(reached, inside & (found.tracks.outcome > 0))
    assert 0.8 < reached.sum() / inside.sum() < 1
    assert np.all(found.species[:100] == UNKNOWN)


def test_junk_fails_or_keeps_its_likelihood():
    rng = np.random.default_rng(4)
    true = truth(2000, rng)
    table = floats(identified(true, rng, settings=LikelihoodSettings(junk=1e-6, keep_junk=True), lost=0))
    junk = table["junk"] == 1
    assert junk.any()
    kept = labelled(table, true, config('[selection]\njunk = "keep"')).scores[:, 0]
    failed = labelled(table, true, config()).scores[:, 0]
    assert np.all(np.isfinite(kept[junk]))
    assert np.all(failed[junk] == -INF)
    np.testing.assert_array_equal(kept[~junk], failed[~junk])
