"""PYTHIA as a second source of radiation: it conserves momentum, repeats itself, and radiates as recorded."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from muonkit.core.errors import InputError
from muonkit.core.kinematics import energy, mass
from muonkit.core.particles import PDG_ID, resonance
from muonkit.simulation.dimuons import pythia

needs_pythia = pytest.mark.skipif(
    not pythia.available(), reason="pythia8mc is not installed: pip install 'muonkit[generators]'"
)
RECORDED = json.loads(Path(__file__).with_name("pythia_radiation.json").read_text())["radiation"]


def parents(n=2000, seed=3):
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 30, n), rng.uniform(-2.4, 2.4, n), rng.uniform(-np.pi, np.pi, n)


def dimuon(plus, minus):
    """px, py, pz, E of the pair."""
    both = (plus, minus)
    return np.array(
        [
            sum(m.pt * np.cos(m.phi) for m in both),
            sum(m.pt * np.sin(m.phi) for m in both),
            sum(m.pt * np.sinh(m.eta) for m in both),
            sum(energy(m) for m in both),
        ]
    )


@needs_pythia
@pytest.mark.parametrize("name", PDG_ID)
def test_photons_only_take_energy_and_mass(name):
    pt, y, phi = parents()
    m0 = np.full(len(pt), resonance(name).mass)
    plus, minus = pythia.decay_mass(name, m0, pt, y, phi, seed=1)
    parent_energy = np.hypot(m0, pt) * np.cosh(y)
    assert (mass(plus, minus) <= m0 * (1 + 1e-9)).all()
    assert (energy(plus) + energy(minus) <= parent_energy * (1 + 1e-9)).all()


@needs_pythia
@pytest.mark.parametrize("name", PDG_ID)
def test_without_a_photon_the_pair_has_the_four_momentum_of_the_parent(name):
    pt, y, phi = parents()
    m0 = np.full(len(pt), resonance(name).mass)
    plus, minus = pythia.decay_mass(name, m0, pt, y, phi, seed=1)
    mt = np.hypot(m0, pt)
    parent = np.array([pt * np.cos(phi), pt * np.sin(phi), mt * np.sinh(y), mt * np.cosh(y)])
    lossless = np.abs(mass(plus, minus) / m0 - 1) < 1e-9
    assert lossless.mean() > 0.3
    np.testing.assert_allclose(dimuon(plus, minus)[:, lossless], parent[:, lossless], atol=1e-6 * mt.max())


@needs_pythia
def test_the_first_muon_is_the_positive_one():
    engine = pythia._engine("jpsi")
    engine.rndm.init(5)
    for _ in range(50):
        plus, minus = pythia._gun(engine, PDG_ID["jpsi"], [0.0, 0.0, 0.0, 3.0969, 3.0969])
        final = {p.id(): (p.px(), p.py(), p.pz()) for p in engine.event if p.isFinal()}
        assert (plus, minus) == (final[-13], final[13])


@needs_pythia
def test_the_charges_share_the_momentum_evenly():
    pt, y, phi = parents(20_000)
    plus, minus = pythia.decay("jpsi", pt, y, phi, seed=2)
    difference = plus.pt - minus.pt
    assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(len(pt))


@needs_pythia
def test_the_same_seed_gives_the_same_muons_whatever_was_made_before():
    pt, y, phi = parents(300)
    first = pythia.decay("upsilon1s", pt, y, phi, seed=7)
    other = pythia.decay("upsilon1s", pt, y, phi, seed=8)
    again = pythia.decay("upsilon1s", pt, y, phi, seed=7)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@needs_pythia
def test_seed_zero_is_not_the_clock():
    pt, y, phi = parents(50)
    np.testing.assert_array_equal(pythia.decay("jpsi", pt, y, phi, seed=0), pythia.decay("jpsi", pt, y, phi, seed=0))


@needs_pythia
@pytest.mark.parametrize("name", RECORDED)
def test_radiative_fraction_is_the_recorded_one(name):
    n, recorded = 40_000, RECORDED[name]
    ones, m0 = np.ones(n), resonance(name).mass
    ratio = mass(*pythia.decay_mass(name, m0 * ones, 8 * ones, 0 * ones, 0 * ones, seed=11)) / m0
    for fraction, expected in (
        ((ratio < 0.99).mean(), recorded["below_0.99"]),
        ((m0 * (1 - ratio) > 0.005).mean(), recorded["lost_5_MeV"]),
    ):
        error = np.sqrt(expected * (1 - expected) * (1 / n + 1 / recorded["decays"]))
        assert abs(fraction - expected) < 4 * error


@needs_pythia
def test_radiation_does_not_depend_on_the_motion_of_the_parent():
    n, expected = 40_000, RECORDED["jpsi"]["below_0.99"]
    ones, m0 = np.ones(n), resonance("jpsi").mass
    ratio = mass(*pythia.decay_mass("jpsi", m0 * ones, 40 * ones, 2 * ones, ones, seed=12)) / m0
    assert abs((ratio < 0.99).mean() - expected) < 4 * np.sqrt(expected * (1 - expected) / n)


@needs_pythia
def test_the_z_line_has_its_width():
    n = 20_000
    pt, y, phi = parents(n)
    m = mass(*pythia.decay("z", pt, y, phi, seed=4))
    z = resonance("z")
    unradiated = m[m > z.mass]  # above the peak, radiation only moves pairs down
    assert np.quantile(unradiated, 0.5) - z.mass == pytest.approx(z.width / 2, rel=0.1)


@needs_pythia
def test_no_parents_give_no_muons():
    empty = np.zeros(0)
    plus, minus = pythia.decay("jpsi", empty, empty, empty, seed=1)
    assert len(plus.pt) == len(minus.pt) == 0


def test_an_unknown_resonance_is_named_with_the_known_ones():
    with pytest.raises(InputError, match=r"'phi'.*known are jpsi"):
        pythia.decay("phi", *parents(1), seed=1)


def test_without_the_extra_the_way_to_install_it_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "pythia8mc", None)
    pythia._engine.cache_clear()
    with pytest.raises(InputError, match=r"pip install 'muonkit\[generators\]'"):
        pythia.decay("jpsi", *parents(1), seed=1)
