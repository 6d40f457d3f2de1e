"""What every approximation of the standard fit does to the curvature, where nothing is random."""

from dataclasses import replace

import numpy as np
import pytest
from tests.thresholds import EXACT_CURVATURE
from tests.tracking import samples, toys

from muonkit.core.errors import InputError
from muonkit.data.tracks import BoundStates
from muonkit.detector.detector import load_detector
from muonkit.simulation.gun import Gun
from muonkit.tracking import models
from muonkit.tracking.fit import fit
from muonkit.tracking.seed import seed
from muonkit.transport.propagate import propagate

ETA = {"barrel": (0.1, 0.9), "endcap": (1.6, 2.2)}
# mean shift of the curvature [1e-5] at 5 GeV in barrel and endcap: the size of an effect, and its sign
SHIFTS = {
    "field at one end": (-3, -118),
    "constant field": (-5, -230),
    "mean loss": (-2.2, -6),
    "lumped material": (1.3, 6),
    "wrong mass": (4.5, 3),
    "no path length": (26, 42),
}


@pytest.fixture(scope="module")
def quiet():
    detector = load_detector("cms_like_tracker")
    return {part: (detector, *toys.quiet(detector, Gun(pt=5.0, eta=eta), 200, 3)) for part, eta in ETA.items()}


def shift(sample, *approximations):
    """k_fitted/k_true - 1 at the first hit. The shift of the mean by straggling is left out: there is none."""
    detector, truth, hits = sample
    settings = replace(models.settings_of(approximations, "ionisation"), mean_qop=False)
    fitted = fit(hits, seed(hits, detector), detector, settings, models.IMPROVED)
    true = samples.bound(detector, truth, samples.first_rows(truth, fitted)[0])
    assert fitted.good.all()
    return toys.curvature(fitted.states.parameters) / toys.curvature(true) - 1


@pytest.mark.parametrize("part", ETA)
def test_improved_fit_has_no_bias(quiet, part):
    assert np.quantile(np.abs(shift(quiet[part])), 0.98) < EXACT_CURVATURE  # the rest are at the edge of a surface


@pytest.mark.parametrize("name", SHIFTS)
def test_an_approximation_shifts_the_curvature_as_known(quiet, name):
    found = [1e5 * shift(quiet[part], name).mean() for part in ETA]
    np.testing.assert_allclose(found, SHIFTS[name], rtol=0.5, atol=1)


@pytest.mark.parametrize("name", sorted(set(models.APPROXIMATIONS) - set(SHIFTS)))
def test_an_approximation_of_the_weights_alone_shifts_nothing(quiet, name):
    """Without noise every weight finds the same track."""
    for part in ETA:
        assert np.quantile(np.abs(shift(quiet[part], name)), 0.98) < EXACT_CURVATURE


def test_standard_fit_is_biased_by_more_than_the_improved_one_by_orders(quiet):
    assert abs(shift(quiet["endcap"], *models.STANDARD).mean()) > 1000 * EXACT_CURVATURE


def test_unknown_approximation_is_refused():
    with pytest.raises(InputError, match="there is no 'flat earth'; choose from field at one end"):
        models.settings_of(["flat earth"])


IRON = """
schema = 1
name = "iron"
title = "Iron plates and sensors"
envelope = { r = 100, z = [-10, 70] }
[field]
kind = "uniform"
B = [0, 1.5, 0]
[[layers]]
name = "sensor"
shape = "disc"
z = [0, 10, 20, 30, 40, 50, 60]
r = [0, 50]
resolution_um = [100, 100]
[[volumes]]
name = "plate"
rho = [0, 50]
z = [[3, 7], [13, 17], [23, 27], [33, 37], [43, 47], [53, 57]]
material = "iron"
"""


@pytest.fixture(scope="module")
def plates(tmp_path_factory):
    """Muons through magnetised iron plates, with hits between them."""
    path = tmp_path_factory.mktemp("iron") / "iron.toml"
    path.write_text(IRON)
    detector = load_detector(path)
    return detector, toys.quiet(detector, Gun(p=10.0, theta=(0.02, 0.1), vertex=(0, 0, -5)), 50, 3)[1]


def through(plates, *approximations):
    detector, hits = plates
    settings = replace(models.settings_of(approximations, "ionisation"), mean_qop=False)
    return fit(hits, seed(hits, detector), detector, settings, models.IMPROVED)


def test_in_thick_matter_scattering_shifts_a_track_and_turns_it(plates):
    """Behind 4 cm of iron and 3 cm of air: 16/3 + 12 + 9 times the variance of the angle; without the shift, less."""
    start = BoundStates(np.zeros(1, np.int64), np.array([[0.0, 0, 0.3, 0.02, 0.1]]), 1e-16 * np.eye(5)[None])
    variance = [
        propagate(start, 1, plates[0], models.settings_of(names)).states.covariance[0, 0, 0]
        for names in ((), ("uncorrelated scattering",))
    ]
    assert variance[1] < 0.8 * variance[0]


def test_lumped_matter_of_volumes_takes_the_same_energy_one_sensor_later(plates):
    """A state is in front of the matter of its sensor: of six plates, the last one is still to come."""
    whole, lumped = through(plates), through(plates, "lumped material")
    assert lumped.good.all()
    lost = [one.stop_parameters[:, 0, 4] / one.stop_parameters[:, 6, 4] - 1 for one in (whole, lumped)]
    np.testing.assert_allclose(lost[1], 5 / 6 * lost[0], rtol=0.01)


def test_a_constant_field_replaces_the_field_at_one_end():
    assert set(models.STANDARD) - set(models.acting(models.STANDARD)) == {"field at one end"}
    assert models.acting(["field at one end", "wrong mass"]) == ("field at one end", "wrong mass")
    assert models.settings_of(models.acting(models.STANDARD)) == models.settings_of(models.STANDARD)
