"""The built-in line of the Z, and the built-in radiation, against PYTHIA's as recorded: the bias of a fitted mass."""

import numpy as np
import pytest
from tests import thresholds
from tests.calibration import z_line
from tests.simulation.dimuons import make_pythia_line

from muonkit.core.particles import WINDOW
from muonkit.simulation.dimuons import pythia

RADIATION = {name: z_line.built_in_losses(name) for name in ("z", "jpsi", "upsilon1s")}


def fitted(line: np.ndarray, window: tuple[float, float] = WINDOW["z"]) -> float:
    """mu - 1 [1e-5] of a line that is fitted with the built-in one."""
    template = z_line.radiated(z_line.in_bins(z_line.LINE.density), RADIATION["z"])
    return z_line.shift(z_line.radiated(line, RADIATION["z"]), template, window, z_line.SMEARED["z"])


def test_a_shift_is_found_as_it_was_made() -> None:
    moved = z_line.in_bins(lambda mass: z_line.LINE.density(mass / 1.0001))
    assert fitted(moved) == pytest.approx(10, abs=0.05)


def test_line_is_that_of_pythia_in_every_bin() -> None:
    chi2, ndf, mean, error = z_line.agreement(WINDOW["z"])
    assert chi2 == pytest.approx(ndf, abs=4 * np.sqrt(2 * ndf))
    assert mean == pytest.approx(0, abs=4 * error)


@pytest.mark.parametrize("window", z_line.WINDOWS)
def test_line_gives_the_mass_of_pythia(window: tuple[float, float]) -> None:
    """PYTHIA's events know it to 0.9e-5."""
    pythia_line = z_line.lines()["PYTHIA, alpha fixed"]
    value, error = z_line.with_error(pythia_line, lambda line: fitted(line, window))
    assert value == pytest.approx(0, abs=thresholds.Z_LINE + 3 * error)


def test_breit_wigner_would_be_wrong_by_more_than_5e_4() -> None:
    assert fitted(z_line.in_bins(z_line.breit_wigner)) > 50


@pytest.mark.parametrize("name", RADIATION)
def test_radiation_gives_the_mass_of_pythia_with_alpha_of_real_photons(name: str) -> None:
    window, sigma = WINDOW[name], z_line.SMEARED[name]
    template = z_line.parents(name, RADIATION[name])
    counts = np.array(z_line.PYTHIA["lost"][f"{name} thomson"], dtype=float)
    value, error = z_line.with_error(
        counts, lambda lost: z_line.shift(z_line.parents(name, lost), template, window, sigma)
    )
    assert value == pytest.approx(0, abs=thresholds.RADIATION + 3 * error)


def test_radiation_of_the_quarks_leaves_the_mass_of_the_muons_as_it_is() -> None:
    with_it, without = (np.array(z_line.PYTHIA["lost"][f"{name} running"]) for name in ("z-initial", "z"))
    some = (with_it + without) > 20
    a, b = with_it[some], without[some]
    chi2 = ((a * np.sqrt(b.sum() / a.sum()) - b * np.sqrt(a.sum() / b.sum())) ** 2 / (a + b)).sum()
    assert chi2 == pytest.approx(some.sum() - 1, abs=4 * np.sqrt(2 * some.sum()))


@pytest.mark.skipif(not pythia.available(), reason="pythia8mc is not installed: pip install 'muonkit[generators]'")
def test_recorded_line_is_what_its_command_makes() -> None:
    n, recorded = 50_000, np.array(z_line.PYTHIA["counts"], dtype=float)
    found = np.array(make_pythia_line.line(n, seed=71)).reshape(-1, 10).sum(axis=1)
    expected = recorded.reshape(-1, 10).sum(axis=1)
    expected *= found.sum() / expected.sum()
    assert ((found - expected) ** 2 / expected).sum() == pytest.approx(59, abs=4 * np.sqrt(2 * 59))
