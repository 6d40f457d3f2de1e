"""Multiple scattering: numbers by hand, limits, derivatives, the displacement from thin layers."""

import numpy as np
import pytest
from tests.transport.matter import ELECTRON, IRON, MUON, PROTON, difference

from muonkit.transport.interactions import scattering

P = np.geomspace(0.02, 500, 31)
ONE = np.array([1.0])
PLATE = np.array([4.7 / IRON.X0])


def test_one_iron_plate_at_1_GeV_by_hand() -> None:
    # x/X0 = 2.6740, 13.6 MeV/(beta p) = 13.676e-3, times sqrt: 22.36 mrad; 1 + 0.038 ln(2.6740/0.98896) = 1.03780
    assert np.sqrt(scattering.without_log(PLATE, ONE, MUON)) == pytest.approx(22.36e-3, rel=3e-4)
    assert np.sqrt(scattering.highland(PLATE, ONE, MUON)) == pytest.approx(23.21e-3, rel=3e-4)


def test_one_iron_plate_at_1_GeV_as_geant4e_has_it() -> None:
    # rounded numbers of an independent calculation: 22.3 mrad without the logarithm, 23.1 with it
    assert np.sqrt(scattering.without_log(PLATE, ONE, MUON)) == pytest.approx(22.3e-3, rel=5e-3)
    assert np.sqrt(scattering.highland(PLATE, ONE, MUON)) == pytest.approx(23.1e-3, rel=5e-3)


def test_geant4e_writes_the_same_variance_in_other_words() -> None:
    # D = 1.8496e-4 x/X0 / (p^2/E)^2
    expected = 1.8496e-4 * PLATE * (P**2 + MUON**2) / P**4
    assert scattering.without_log(PLATE, P, MUON) == pytest.approx(expected, rel=1e-12)


def test_rossi_and_greisen_is_21_MeV_in_space() -> None:
    in_space = 2 * scattering.without_log(PLATE, ONE, MUON, scattering.ROSSI)
    assert np.sqrt(in_space) == pytest.approx(np.sqrt(1 + MUON**2) * 21.2e-3 * np.sqrt(PLATE), rel=2e-3)


def test_fast_particles_scatter_alike() -> None:
    fast = np.array([1e4])
    assert scattering.highland(PLATE, fast, MUON) == pytest.approx(scattering.highland(PLATE, fast, PROTON), rel=1e-6)
    assert scattering.highland(PLATE, fast, ELECTRON) == pytest.approx(
        (13.6e-3 / 1e4) ** 2 * PLATE * (1 + 0.038 * np.log(PLATE)) ** 2, rel=1e-9
    )


def test_without_logarithm_variances_add_and_with_it_they_fall_short() -> None:
    halves, whole = (scattering.without_log(depth, ONE, MUON) for depth in (PLATE / 2, PLATE))
    assert 2 * halves == pytest.approx(whole, rel=1e-14)
    assert 2 * scattering.highland(PLATE / 2, ONE, MUON) < scattering.highland(PLATE, ONE, MUON)


def test_no_matter_no_scattering() -> None:
    depth = np.array([0.0, 1e-30])
    assert scattering.highland(depth, ONE, MUON).tolist() == [0.0, 0.0]
    assert scattering.highland_slope(depth, ONE, MUON).tolist() == [0.0, 0.0]
    assert scattering.without_log(depth, ONE, MUON)[0] == 0.0


@pytest.mark.parametrize("mass", [MUON, PROTON])
@pytest.mark.parametrize("depth", [1e-3, 1.0, 30.0])
def test_derivatives_by_the_momentum(mass: float, depth: float) -> None:
    x = np.array([depth])
    for formula, slope in (
        (scattering.highland, scattering.highland_slope),
        (scattering.without_log, scattering.without_log_slope),
    ):
        assert slope(x, P, mass) == pytest.approx(difference(lambda q, f=formula: f(x, q, mass), P), rel=1e-8)  # type: ignore[misc]


def test_displacement_is_the_sum_over_thin_layers() -> None:
    layers, length, variance = 4000, 4.7, 5e-4
    step, cov = length / layers, np.zeros((2, 2))
    drift = np.array([[1.0, step], [0.0, 1.0]])
    for _ in range(layers):
        cov = drift @ cov @ drift.T
        cov[1, 1] += variance / layers
    made = scattering.displacement(np.array([variance]), np.array([length]))[0]
    assert made == pytest.approx(cov, rel=1e-3)


def test_displacement_is_correlated_with_the_angle_by_half_of_root_three() -> None:
    cov = scattering.displacement(np.array([1e-4, 2e-6]), np.array([1.0, 20.0]))
    correlation = cov[:, 0, 1] / np.sqrt(cov[:, 0, 0] * cov[:, 1, 1])
    assert correlation == pytest.approx(np.sqrt(3) / 2, rel=1e-14)
    assert np.array_equal(cov, cov.transpose(0, 2, 1))
