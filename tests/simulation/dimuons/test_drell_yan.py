"""The line of the Z at a proton collider: limits of the cross section, sampling, luminosities, settings."""

import json
from typing import Any

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from tests.simulation.dimuons import make_luminosities, make_pythia_line

from muonkit.calibration.config import Calibrate
from muonkit.core.config import parse
from muonkit.core.errors import InputError
from muonkit.core.particles import resonance
from muonkit.simulation.dimuons import drell_yan, pythia
from muonkit.simulation.dimuons.config import BEAMS, SimulateDimuons
from muonkit.simulation.dimuons.drell_yan import DrellYan, line, partonic

Z = resonance("z")
WINDOW = (67.0, 123.0)
KINDS = pytest.mark.parametrize("kind", ["up", "down"])
TABLE: dict[str, Any] = json.loads(drell_yan.FILE.read_text())


@KINDS
def test_far_below_the_z_only_the_photon_is_left(kind: str) -> None:
    charge = drell_yan.CHARGE[kind]
    assert partonic(Z, kind, np.array([2.0]))[0] == pytest.approx(charge**2, rel=1e-3)


@KINDS
def test_interference_changes_its_sign_at_the_pole(kind: str) -> None:
    mass = Z.mass + np.array([-1e-3, 0.0, 1e-3])
    charges = (drell_yan.CHARGE[kind] * drell_yan.CHARGE["muon"]) ** 2
    interference = partonic(Z, kind, mass) - partonic(Z, kind, mass, photon=False) - charges
    assert interference[1] == pytest.approx(0, abs=1e-12)
    assert interference[0] == pytest.approx(-interference[2], rel=1e-2)
    assert interference[0] < 0, "destructive below: e_q e_l and v_q v_l have the same sign for u and for d quarks"


def test_cross_section_at_the_peak_is_that_of_the_partial_widths() -> None:
    """12 pi Gamma_q Gamma_mu/(M^2 Gamma^2) with Gamma_f ~ v^2 + a^2, PDG 2024 eq. 50.35."""
    s2 = drell_yan.SIN2
    up, muon = 1 + (1 - 8 / 3 * s2) ** 2, 1 + (1 - 4 * s2) ** 2
    expected = up * muon / (16 * s2 * (1 - s2)) ** 2 * (Z.mass / Z.width) ** 2
    assert partonic(Z, "up", np.array([Z.mass]), photon=False)[0] == pytest.approx(expected, rel=1e-12)


def test_sampled_masses_follow_the_density() -> None:
    n, shape = 400_000, line(Z, 13.0, WINDOW)
    edges = np.concatenate([[shape.low], np.linspace(70, 120, 51), [shape.high]])
    fine = np.linspace(edges[:-1], edges[1:], 2001)
    area = np.trapezoid(shape.density(fine.ravel()).reshape(fine.shape), fine, axis=0)
    expected = n * area / area.sum()
    found, _ = np.histogram(shape.sample(n, np.random.default_rng(6)), edges)
    assert found.sum() == n
    assert ((found - expected) ** 2 / expected).sum() == pytest.approx(52, abs=4 * np.sqrt(2 * 52))


def test_the_line_does_not_depend_on_where_it_is_cut() -> None:
    """Inside a window, wider limits give the same shape."""
    quantiles = [
        np.quantile(masses[(masses > 80) & (masses < 100)], (0.1, 0.5, 0.9))
        for window in (WINDOW, (40.0, 300.0))
        for masses in [line(Z, 8.0, window).sample(400_000, np.random.default_rng(7))]
    ]
    assert np.allclose(*quantiles, atol=0.02)


@pytest.mark.parametrize("window", [(0.01, 0.02), (1.0, 1e4), (5000.0, 9000.0)])
def test_windows_outside_the_table_still_have_a_line(window: tuple[float, float]) -> None:
    masses = line(Z, 7.0, window).sample(1000, np.random.default_rng(8))
    assert np.all((masses > drell_yan.TABLE[0]) & (masses < drell_yan.TABLE[1]))


@pytest.mark.parametrize("sqrt_s", BEAMS)
def test_every_energy_has_its_luminosities_and_more_energy_has_more(sqrt_s: float) -> None:
    values = TABLE["log_luminosity"]
    assert set(values) == {f"{each:g}" for each in BEAMS}
    for kind in ("up", "down"):
        assert np.all(np.diff(values[f"{sqrt_s:g}"][kind]) < 0)
        assert np.all(np.array(values[f"{sqrt_s:g}"][kind]) >= values[f"{BEAMS[0]:g}"][kind])


@KINDS
def test_table_is_fine_enough(kind: str) -> None:
    """Every second node left out: the others are met to 1e-4 between 50 and 200 GeV, 16 times worse than with all."""
    log_mass, values = np.log(TABLE["mass"]), np.array(TABLE["log_luminosity"]["13"][kind])
    left_out = CubicSpline(log_mass[::2], values[::2])(log_mass) - values
    near = (log_mass > np.log(50)) & (log_mass < np.log(200))
    assert np.abs(left_out[near]).max() < 1e-4


@pytest.mark.skipif(not pythia.available(), reason="pythia8mc is not installed: pip install 'muonkit[generators]'")
def test_table_is_what_its_command_makes() -> None:
    density, place = make_luminosities.parton_density(make_luminosities.NNLO), 30
    mass = make_luminosities.MASSES[place]
    for kind, quarks in make_luminosities.FLAVOURS.items():
        found = make_luminosities.luminosity(density, quarks, mass, 13_000.0)
        assert np.log(found) == pytest.approx(TABLE["log_luminosity"]["13"][kind][place], abs=2e-7)


def test_luminosities_move_the_peak_by_their_slope() -> None:
    """|X|^2 has its peak at M; times a power m^p it is moved by p Gamma^2/(8 M), 33 MeV here."""
    mass = np.linspace(91, 91.3, 30_001)
    log_mass, table = np.log(TABLE["mass"]), TABLE["log_luminosity"]["13"]
    slopes = [CubicSpline(log_mass, table[kind])(np.log(Z.mass), 1) - 3 for kind in ("up", "down")]
    low, high = sorted(Z.mass + np.array(slopes) * Z.width**2 / (8 * Z.mass))
    peak = mass[DrellYan(Z, 13.0, 60, 180, photon=False).density(mass).argmax()]
    assert low - 2e-4 < peak < high + 2e-4


def far_from_the_pole(n: int, mass: float, y: float) -> np.ndarray:
    """cos theta of mu- along the z axis."""
    shape, flat = line(Z, 13.0, WINDOW), np.ones(n)
    return -shape.cosines(mass * flat, y * flat, np.random.default_rng(9))


def test_muons_are_distributed_as_1_plus_cos2() -> None:
    cosine, n = far_from_the_pole(200_000, Z.mass, 0.0), 200_000
    assert np.abs(cosine).max() <= 1
    assert (cosine**2).mean() == pytest.approx(0.4, abs=4 * np.sqrt((9 / 35 - 0.16) / n))
    assert cosine.mean() == pytest.approx(0, abs=4 * np.sqrt(0.4 / n))


@pytest.mark.parametrize(("mass", "sign"), [(70.0, -1), (110.0, 1)])
def test_mu_minus_goes_backwards_below_the_z_and_forwards_above(mass: float, sign: int) -> None:
    forward, backward = (far_from_the_pole(100_000, mass, y).mean() for y in (2.0, -2.0))
    assert sign * forward > 0.05
    assert backward == pytest.approx(-forward, abs=4 * np.sqrt(0.8 / 1e5))


def test_asymmetry_is_that_of_its_own_numbers() -> None:
    """Mean of cos is alpha (integral of cos^2)/(integral of 1 + cos^2) = alpha/4."""
    shape, one = line(Z, 13.0, WINDOW), np.ones(1)
    alpha = drell_yan._asymmetry(shape, 105 * one, 2.2 * one)[0]
    assert far_from_the_pole(200_000, 105.0, 2.2).mean() == pytest.approx(alpha / 4, abs=4 * np.sqrt(0.4 / 2e5))


@pytest.mark.skipif(not pythia.available(), reason="pythia8mc is not installed: pip install 'muonkit[generators]'")
def test_asymmetry_against_rapidity_and_mass_is_that_of_pythia() -> None:
    n, shape = 60_000, DrellYan(Z, 13.0, 55, 300)
    mass, y, cosine = make_pythia_line.decays(n, seed=31).T
    ours = -shape.cosines(mass, y, np.random.default_rng(10))
    for low, high in ((55, 85), (85, 97), (97, 300)):
        chosen = (mass > low) & (mass < high) & (np.abs(y) > 1)
        difference = np.sign(y[chosen]) * (cosine - ours)[chosen]
        assert difference.mean() == pytest.approx(0, abs=4 * np.sqrt(0.8 / chosen.sum()))


GENERATE = "[generate]\nevents = 100\n"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            'resonance = "z"\nsqrt_s = 9',
            "sqrt_s: there are parton luminosities at 5.02, 7, 8, 13, 13.6 TeV only",
        ),
        ('resonance = "z"\nsqrt_s = 13000', "generate.sqrt_s"),
        ('resonance = "z"\nsqrt_s = nan', "generate.sqrt_s"),
        ("sqrt_s = 13", "sqrt_s: changes the line of the z only, not that of jpsi; leave it out"),
    ],
)
def test_an_energy_without_meaning_is_one_line(lines: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        parse(f"{GENERATE}{lines}\n", SimulateDimuons)
    assert len(refused.value.faults) == 1
    assert said in refused.value.faults[0]


def test_template_of_another_resonance_has_no_energy() -> None:
    with pytest.raises(InputError) as refused:
        parse('[input]\ndata = ["a.csv"]\n[binning]\neta_edges = [-2.4, 2.4]\n[template]\nsqrt_s = 7\n', Calibrate)
    assert len(refused.value.faults) == 1
    assert "template.sqrt_s: changes the line of the z only" in refused.value.faults[0]
