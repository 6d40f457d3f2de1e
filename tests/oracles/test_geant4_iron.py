"""The reference file of Geant4 in iron: what it says, and that Geant4 still says it."""

import importlib.util
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.oracles import geant4_iron as oracle

REFERENCE = Path(__file__).resolve().parents[1] / "reference" / "geant4_iron.json"
# an earlier Geant4 run, mu- of 2 GeV, one step per plate, air in the gaps: (px, pz) or (x, px, pz)
EARLIER = {"exit 1": (0.02048, 1.93764), "scintillator 8": (3.28379, 0.14303, 1.48481)} | {
    "scintillator 15": (12.91146, 0.22209, 1.03075)
}
PRINTED: Any = {"rtol": 1e-5, "atol": 5e-6}  # half of the last digit of the earlier run
STABLE = ("mean", "half", "rms98", "corr(y,ty)")  # figures whose error is not made by a few muons


@pytest.fixture(scope="module")
def reference() -> Any:
    return json.loads(REFERENCE.read_text())


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[oracle.Farm]:
    if importlib.util.find_spec("geant4_pybind") is None:
        pytest.skip("geant4_pybind is not installed: pip install 'muonkit[geant4]'")
    try:
        variables, _ = oracle.environment(tmp_path_factory.mktemp("geant4"))
    except oracle.MissingError as missing:
        pytest.skip(str(missing))
    return oracle.Farm(variables, 2)


def momentum(rows: Any) -> Any:
    return np.linalg.norm(np.asarray(rows)[:, 3:], axis=1)


def test_one_step_per_plate_gives_what_an_earlier_run_gave(reference: Any) -> None:
    for plane, numbers in EARLIER.items():
        x, _, _, px, _, pz = reference["mean"]["one step per plate"][plane]
        found = (x, px, pz)[-len(numbers) :]
        np.testing.assert_allclose(found, numbers, **PRINTED)


def test_deflection_error_of_geant4_is_linear_in_the_step_and_gone_at_the_finest(reference: Any) -> None:
    x = {key: rows["scintillator 15"][0] for key, rows in reference["mean"]["convergence"].items()}
    limit = x["0.02 mm"] + (x["0.02 mm"] - x["0.1 mm"]) / 4
    assert (limit - x["1 mm"]) / (limit - x["0.1 mm"]) == pytest.approx(10, rel=0.1)
    assert x["0.02 mm"] == pytest.approx(limit, rel=2e-5)


def test_field_turns_but_takes_no_energy_and_the_gap_keeps_the_direction(reference: Any) -> None:
    """Between the exit of a plate and the scintillator is vacuum: same momentum, straight line."""
    for who in oracle.MEAN:
        track = reference["mean"][oracle.name(*who)]
        before = np.array(track["scintillator"])
        exits = np.array(track["exit"])[: len(before)]
        np.testing.assert_allclose(before[:, 3:], exits[:, 3:], rtol=1e-7)
        dx = (before[:, 2] - exits[:, 2]) * exits[:, 3] / exits[:, 5]
        np.testing.assert_allclose(before[:, 0] - exits[:, 0], dx, rtol=1e-5)


def test_loss_in_the_first_plate_is_the_mean_loss_of_the_calculator(reference: Any) -> None:
    """Ionisation at the momentum in the middle of the plate, times its path."""
    table = reference["dedx"]
    for p in (2.0, 5.0, 20.0):
        exit_energy = np.hypot(momentum(reference["mean"][oracle.name("mu-", p)]["exit"])[0], 0.1056584)
        lost = np.hypot(p, 0.1056584) - exit_energy
        ionisation = np.array(table["mu-"]["G4_Fe"])[:, 1]
        kinetic = np.hypot(p, 0.1056584) - 0.1056584 - lost / 2
        mean = np.interp(np.log(kinetic), np.log(table["T"]), ionisation) * 1e-3 * 7.874 * 4.7
        assert lost == pytest.approx(mean, rel=6e-3)


def test_opposite_charges_bend_alike_but_for_the_charge_in_the_loss(reference: Any) -> None:
    """The Barkas term takes 0.2 % more from a positive muon."""
    minus, plus = (np.array(reference["mean"][oracle.name(q, 2.0)]["exit"]) for q in ("mu-", "mu+"))
    np.testing.assert_allclose(plus[:, 0], -minus[:, 0], rtol=1e-3)
    assert np.all(momentum(plus) < momentum(minus))


def test_minimum_ionisation_in_iron_is_known(reference: Any) -> None:
    rows = dict(zip(reference["dedx"]["T"], reference["dedx"]["mu-"]["G4_Fe"], strict=True))
    totals = [rows[energy][0] for energy in (0.273, 10, 100)]
    np.testing.assert_allclose(totals, [1.4486, 1.968, 2.742], rtol=3e-4)


def test_spread_is_symmetric_across_the_field(reference: Any) -> None:
    for run in reference["spread"].values():
        for plate in oracle.SPREAD_PLATES:
            for key in ("y.mean", "ty.mean"):
                value, error = run[f"plate {plate}"][key]
                assert abs(value) < 4 * error


@pytest.mark.slow
def test_geant4_repeats_the_mean_trajectories(farm: oracle.Farm, reference: Any) -> None:
    beams = [oracle.mean_beam(*who) for who in oracle.MEAN]
    for who, arrays in zip(oracle.MEAN, farm(beam.job() for beam in beams), strict=True):
        expected, found = reference["mean"][oracle.name(*who)], oracle.trajectory(arrays)
        for where in ("exit", "scintillator"):
            np.testing.assert_allclose(found[where], expected[where], rtol=1e-4, atol=1e-7)


@pytest.mark.slow
def test_geant4_without_a_step_limit_repeats_an_earlier_run(farm: oracle.Farm) -> None:
    beam = replace(oracle.mean_beam("mu-", 2.0, 0.0), gap="G4_AIR")
    found = oracle.thin(oracle.trajectory(farm([beam.job()])[0]))
    for plane, numbers in EARLIER.items():
        np.testing.assert_allclose([found[plane][i] for i in (0, 3, 5)][-len(numbers) :], numbers, **PRINTED)


@pytest.mark.slow
def test_geant4_repeats_itself_to_the_last_bit(farm: oracle.Farm) -> None:
    first, second = farm([oracle.mean_beam("mu-", 2.0, 1.0).job()] * 2)
    np.testing.assert_array_equal(first["states"], second["states"])


@pytest.mark.slow
def test_geant4_repeats_the_spread_of_muons(farm: oracle.Farm, reference: Any) -> None:
    """1000 muons with seeds of their own against the reference, each figure within 4 errors."""
    run = reference["spread"]["mu- 2 GeV, 10 mm"]
    events = 1000
    beam = oracle.spread_beams("mu-", 2.0, events, 10.0, 777)[0]
    states = farm([beam.job()])[0]["states"]
    for i, plate in enumerate(oracle.SPREAD_PLATES):
        expected, found = run[f"plate {plate}"], oracle.summary(oracle.observables(states[:, i]))
        for key in (key for key in found if key.split(".")[-1] in STABLE):
            value, error = expected[key]
            allowed = 4 * error * np.sqrt(1 + run["events"] / events)
            assert abs(found[key] - value) < allowed, f"plate {plate}, {key}"
