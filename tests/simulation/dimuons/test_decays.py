"""The built-in generator: kinematics, spectra, radiation against PYTHIA, injected biases."""

import json
from pathlib import Path

import numpy as np
import pytest

from muonkit.calibration import bias
from muonkit.calibration.bias import Bias
from muonkit.core import kinematics
from muonkit.core.particles import resonance
from muonkit.data.dimuons import concatenate
from muonkit.simulation.dimuons import decays
from muonkit.simulation.dimuons.config import SimulateDimuons, Spectrum
from muonkit.simulation.dimuons.decays import BreitWigner
from muonkit.simulation.dimuons.generate import EventBlock, biased_curvature, generate, make_block

PYTHIA = json.loads((Path(__file__).parent / "pythia_radiation.json").read_text())["radiation"]
NAMES = pytest.mark.parametrize("name", ["jpsi", "psi2s", "upsilon1s", "z"])


def parents(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(seed)
    return decays.sample_pt(Spectrum(), n, rng), rng.uniform(-2.5, 2.5, n), rng.uniform(-np.pi, np.pi, n), rng


def momentum(muon: kinematics.MuonArrays) -> np.ndarray:
    return np.array([muon.pt * np.cos(muon.phi), muon.pt * np.sin(muon.phi), muon.pt * np.sinh(muon.eta)])


@NAMES
def test_without_radiation_the_muons_carry_their_parent(name: str) -> None:
    pt, y, phi, rng = parents(5000)
    plus, minus = decays.decay(BreitWigner(resonance(name)), pt, y, phi, False, rng)
    total = momentum(plus) + momentum(minus)
    assert np.allclose(np.hypot(total[0], total[1]), pt, rtol=1e-9)
    assert np.allclose(np.arctan2(total[1], total[0]), phi, atol=1e-9)
    energy = kinematics.energy(plus) + kinematics.energy(minus)
    assert np.allclose(np.arctanh(total[2] / energy), y, atol=1e-9)


def test_decay_is_isotropic_in_the_rest_frame() -> None:
    """The muons of a J/psi at rest without radiation are flat in cos theta."""
    n = 200_000
    rng = np.random.default_rng(2)
    plus, _ = decays.decay(BreitWigner(resonance("jpsi")), np.full(n, 1e-6), np.zeros(n), np.zeros(n), False, rng)
    z = np.tanh(plus.eta)
    assert z.mean() == pytest.approx(0, abs=4 / np.sqrt(3 * n))
    assert (z**2).mean() == pytest.approx(1 / 3, abs=4 * np.sqrt(4 / 45 / n))


def test_radiated_pair_recoils_against_the_photon() -> None:
    pt, y, phi, rng = parents(20_000)
    mass = np.full(len(pt), resonance("jpsi").mass)
    share = np.full(len(pt), 0.3)
    plus, minus = decays.decay_mass(mass, share, pt, y, phi, rng)
    assert np.allclose(kinematics.mass(plus, minus), mass * np.sqrt(0.7), rtol=1e-9)
    parent = np.array([pt * np.cos(phi), pt * np.sin(phi), np.sqrt(mass**2 + pt**2) * np.sinh(y)])
    photon = parent - momentum(plus) - momentum(minus)
    energy = np.sqrt(mass**2 + (parent**2).sum(axis=0)) - kinematics.energy(plus) - kinematics.energy(minus)
    assert np.allclose((photon**2).sum(axis=0), energy**2, rtol=1e-6, atol=1e-9), "the photon has no mass"


def test_pt_spectrum_is_the_one_asked_for() -> None:
    spectrum = Spectrum(pt_scale=6, pt_power=3.2, pt_min=2, pt_max=50)
    pt = decays.sample_pt(spectrum, 200_000, np.random.default_rng(3))
    edges = np.array([2, 4, 6, 10, 20, 50])
    integral = -((1 + (edges / 6) ** 2) ** (1 - 3.2))
    expected = np.diff(integral) / (integral[-1] - integral[0]) * len(pt)
    assert pt.min() >= 2
    assert pt.max() <= 50
    assert np.all(np.abs(np.histogram(pt, edges)[0] - expected) < 4.5 * np.sqrt(expected))


def test_line_shape_has_its_median_at_the_pole_and_half_inside_the_width() -> None:
    z = resonance("z")
    masses = BreitWigner(z).sample(200_000, np.random.default_rng(4))
    assert np.median(masses) == pytest.approx(z.mass, abs=0.02)
    assert (np.abs(masses - z.mass) < z.width / 2).mean() == pytest.approx(0.5, abs=0.015)


@NAMES
def test_radiation_agrees_with_pythia(name: str) -> None:
    """Share of decays below 0.99 of the mass within 4 % and mean of ln(m/m0) within 5 % of PYTHIA's."""
    species = resonance(name)
    ratio = np.sqrt(1 - decays.sample_photon_share(np.full(400_000, species.mass), np.random.default_rng(5)))
    assert (ratio < 0.99).mean() == pytest.approx(PYTHIA[name]["below_0.99"], rel=0.04)
    assert np.log(ratio).mean() == pytest.approx(PYTHIA[name]["mean_log"], rel=0.05)
    assert np.quantile(ratio, 0.05) == pytest.approx(PYTHIA[name]["quantiles"]["5"], abs=6e-3)


def config(**sections: object) -> SimulateDimuons:
    content = {"generate": {"events": 2000, "block": 20_000}, "spectrum": {"pt_min": 6.0}} | sections
    return SimulateDimuons.model_validate(content)


def test_blocks_do_not_depend_on_each_other() -> None:
    again = [make_block(EventBlock(config(), number)) for number in (1, 0)]
    table = concatenate([again[1], again[0]])
    whole = concatenate(list(generate(config())))
    assert len(whole) == 2000
    first = min(len(table), 2000)
    assert np.array_equal(whole.plus.pt[:first], table.plus.pt[:first])


def test_injected_bias_is_undone_by_the_corrections_of_the_same_numbers() -> None:
    numbers = {"A": (5e-4,), "e": (3e-3,), "M": (2e-5,)}
    biased = config(bias=numbers)
    k = np.array([0.02, 0.1, 0.25])
    row = Bias(*(np.full(3, value[0]) for value in numbers.values()))
    for q in (1, -1):
        reconstructed = biased_curvature(k, q, np.zeros(3), biased)
        corrected = reconstructed * bias.scale(reconstructed, 1 / reconstructed, q, row)
        assert np.allclose(corrected, k, rtol=1e-14)


def test_curvature_is_smeared_as_configured() -> None:
    table = concatenate(
        list(
            generate(
                config(
                    generate={"events": 60_000}, resolution={"a": (0.02,), "c": (1e-3,)}, selection={"scaled_pt_min": 0}
                )
            )
        )
    )
    assert table.gen_plus is not None
    kick = table.gen_plus.pt / table.plus.pt - 1
    expected = np.sqrt(0.02**2 + 1e-6 * table.gen_plus.pt**2)
    pull = kick / expected
    assert pull.std() == pytest.approx(1, abs=4 / np.sqrt(2 * len(pull)))
    assert pull.mean() == pytest.approx(0, abs=4 / np.sqrt(len(pull)))


def test_background_fraction_is_that_of_the_generated_pairs() -> None:
    table = concatenate(
        list(generate(config(generate={"events": 40_000}, background={"fraction": 0.3, "slope": -1.0})))
    )
    assert table.gen_plus is not None
    assert table.gen_minus is not None
    true_mass = kinematics.mass(table.gen_plus, table.gen_minus)
    above = (true_mass > 3.11) & (true_mass < 3.28)
    span = (np.exp(-3.11) - np.exp(-3.28)) / (np.exp(-2.92 / 1.12) - np.exp(-3.28 * 1.12))
    assert above.mean() == pytest.approx(0.3 * span, rel=0.15)
