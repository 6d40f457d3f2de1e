"""The verdict of the audit: PASS only where a wrong fit would not pass."""

from pathlib import Path

import numpy as np
import pytest

from muonkit.calibration.audit import Curvatures
from muonkit.pipelines.curvature import AuditConfig, AuditPiece, examined

GOAL = 1e-3
N = 40_000
SETTINGS = {
    "models": ["improved"],
    "eta_edges": [-2.0, -1.0, 0.0, 1.0, 2.0],
    "phi_edges": [-np.pi, 0.0, np.pi],
    "pt_edges": [3.0, 10.0, 30.0],
    "goal": GOAL,
}


def muons(width, shift=None, n=N, charges=(-1.0, 1.0), seed=1):
    """Tracks whose k_reco/k_gen - 1 is `shift` with Gaussian noise of `width`."""
    rng = np.random.default_rng(seed)
    eta, phi, q = rng.uniform(-2, 2, n), rng.uniform(-np.pi, np.pi, n), rng.choice(charges, n)
    found = Curvatures(eta, phi, 1 / np.exp(rng.uniform(np.log(3), np.log(30), n)), q, rng.normal(0, width, (n, 1)))
    if shift is not None:
        found.ratio[:, 0] += shift(found)
    return found


def audited(found, **settings):
    config = AuditConfig.model_validate({"input": {"hits": "h"}, "audit": SETTINGS | settings})
    piece = AuditPiece(found, np.zeros((len(found.k), 5)), np.where(np.isfinite(found.ratio[:, 0]), 0, 13), 0)
    return examined([piece], config, Path("out"))


def test_a_right_fit_that_is_known_well_passes():
    result = audited(muons(0.01))
    assert result.status == "PASS"
    assert result.message == ""
    assert len(result.bins) == 4 + 2 + 2 + 4 + 8


def test_errors_larger_than_the_goal_tell_nothing():
    result = audited(muons(0.3))
    assert (result.status, result.word, result.exit_code) == ("DONE", "CANNOT TELL", 0)
    assert "times as many tracks would tell" in result.message
    factor = float(result.message.split("about ")[1].split(" times")[0])
    enough = audited(muons(0.3 / np.sqrt(factor)))
    assert enough.status == "PASS"


@pytest.mark.parametrize(
    "shift",
    [
        lambda mu: np.full(len(mu.k), 2e-3),
        lambda mu: 2e-3 * (mu.eta > 1),
        lambda mu: 4e-2 * (mu.k - 0.15),
        lambda mu: 2e-4 * mu.charge / mu.k,
        lambda mu: 2e-3 * mu.charge * np.sign(mu.eta),
    ],
    ids=["field", "one bin", "loss", "sagitta", "twist"],
)
@pytest.mark.parametrize("width", [0.005, 0.02, 0.1, 0.5])
def test_a_wrong_fit_never_passes(shift, width):
    result = audited(muons(width, shift))
    assert result.status in (("ATTENTION",) if width < 0.02 else ("ATTENTION", "DONE"))


def test_a_right_fit_is_seldom_called_wrong():
    wrong = [audited(muons(0.3, n=4000, seed=seed)).status == "ATTENTION" for seed in range(20)]
    assert sum(wrong) <= 1


def test_bins_without_tracks_tell_nothing():
    found = muons(0.005)
    result = audited(found[found.eta > -0.999])
    assert result.status == "DONE"
    assert "eta -2 to -1" in result.message
    assert "only): 1 of 4." in result.message


def test_one_charge_has_no_A_e_M_and_does_not_pass():
    result = audited(muons(0.005, charges=(1.0,)))
    assert result.status == "DONE"
    assert all(np.isnan(fit.values).all() for fit in result.biases["improved"])
    assert "only): 4 of 4." in result.message


def test_momenta_of_one_bin_have_no_A_e_M():
    found = muons(0.005)
    result = audited(found[found.k > 0.1], pt_edges=[3.0, 10.0])
    assert all(np.isnan(fit.values).all() for fit in result.biases["improved"])


def test_tracks_without_fit_are_counted_and_many_of_them_are_a_failure():
    found = muons(0.005)
    found.ratio[::100] = np.nan
    result = audited(found)
    assert result.status == "PASS"
    assert "tracks without improved fit: 400" in result.report()
    assert result.to_json()["failed"] == {"has fewer than 4 hits": 400}
    found.ratio[::10] = np.nan
    result = audited(found)
    assert result.status == "ATTENTION"
    assert "4000 of 40000 tracks have no improved fit" in result.message


def test_muons_outside_of_the_edges_are_counted_and_edges_belong_to_the_last_bin():
    found = muons(0.005)
    found.k[:50] = 0.5
    found.eta[:20] = np.inf
    found.eta[20:30] = 2.0
    result = audited(found)
    assert result.counts.outside == {"eta": 20, "phi": 0, "k": 50, "charge k": 50}
    assert "tracks outside of the bins of k: 50" in result.report()


def test_a_muon_along_the_beam_is_outside():
    found = muons(0.005)
    found.eta[0], found.k[0], found.ratio[0] = np.inf, np.inf, -1.0
    assert audited(found).counts.outside == {"eta": 1, "phi": 0, "k": 1, "charge k": 1}


def test_nothing_at_all_tells_nothing():
    found = muons(0.005, n=30)
    found.ratio[:] = np.nan
    result = audited(found)
    assert result.status == "ATTENTION"
    assert result.to_json()["sizes"][0]["value"] is None
    assert "-" in result.report()
