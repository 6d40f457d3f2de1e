"""Extrapolation against Geant4 in the whole Belle II-like detector: mean and spread at every layer, mean trajectory.

The numbers are in tests/reference/geant4_yoke.json, made by the command written there; where Geant4 is installed one
trajectory is made anew."""

import json
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from tests.muid.planes import no_hits
from tests.thresholds import EXTRAPOLATED, EXTRAPOLATED_LOSS, EXTRAPOLATED_SPREAD

from muonkit.data.klm import Candidates
from muonkit.data.tracks import FreeStates
from muonkit.detector.detector import load_detector
from muonkit.muid.swim.config import MuidSettings
from muonkit.muid.swim.extrapolate import extrapolate
from muonkit.muid.swim.yoke import build_yoke

BELLE2 = load_detector("belle2")
REFERENCE = json.loads((Path(__file__).parents[2] / "reference" / "geant4_yoke.json").read_text())
BEAMS = [name for name in REFERENCE if name != "about"]
ALL = 0.97  # of the muons reach a layer: where fewer do, those that do are not a fair sample
TINY = np.diag([1e-10] * 3 + [1e-14] * 3)  # the start is exact


def layers(beam, **settings):
    """Ours, from the start of a beam. Scattering is that of the whole way: slab by slab its logarithm depends on how
    many slabs there are, and it is 3 % too small."""
    state, charge = np.array([beam["start"]]), 1.0 if beam["particle"].endswith("+") else -1.0
    states = FreeStates(state[:, :3], state[:, 3:], np.array([charge]), TINY[None])
    yoke = build_yoke(BELLE2, MuidSettings(**{"scattering": "highland, total"} | settings))
    return extrapolate(Candidates(np.zeros(1, int), np.zeros(1, int), states), no_hits(), yoke).layers


def compared(name):
    """Rows (bit, Geant4's table) of the layers that all muons reach, and ours."""
    beam = REFERENCE[name]
    reached = [(int(bit), t) for bit, t in beam["spread"].items() if t["arrived"] >= ALL * beam["events"]]
    return reached, layers(beam)


def plane(surface):
    """Where a surface lies: both halves of a barrel layer lie in one plane, and all quadrants of an endcap layer."""
    region, section, sector, layer = surface.split("/")
    return (region, sector, layer) if region == "barrel" else (region, section, layer)


@pytest.mark.parametrize("name", BEAMS)
def test_mean_position_at_every_layer_is_that_of_geant4(name):
    reached, ours = compared(name)
    assert len(reached) >= 5
    for bit, theirs in reached:
        assert plane(BELLE2.layers[ours.surface[0, bit]]) == plane(theirs["surface"])
        sigma = np.sqrt(ours.covariance[0, bit, [0, 2]])
        allowed = np.maximum(EXTRAPOLATED[0], EXTRAPOLATED[1] * sigma) + 2 * np.array(theirs["mean error"][:2])
        assert np.all(np.abs(ours.local[0, bit] - theirs["mean"][:2]) < allowed), f"layer bit {bit}"


@pytest.mark.parametrize("name", BEAMS)
def test_spread_at_every_layer_is_that_of_geant4(name):
    reached, ours = compared(name)
    for bit, theirs in reached:
        ratio = np.sqrt(ours.covariance[0, bit, [0, 2]]) / theirs["half"][:2]
        error = np.array(theirs["half error"][:2]) / theirs["half"][:2]
        assert np.all(np.abs(ratio - 1) < EXTRAPOLATED_SPREAD + 2 * error), f"layer bit {bit}"


@pytest.mark.parametrize("name", BEAMS)
def test_mean_trajectory_is_that_of_geant4_without_fluctuations(name):
    beam = REFERENCE[name]
    ours = layers(beam, energy_loss="ionisation")
    for bit, state in beam["mean"].items():
        point, p = ours.position[0, int(bit)], ours.momentum[0, int(bit)]
        assert np.linalg.norm(point - state[:3]) < EXTRAPOLATED[0], f"layer bit {bit}"
        theirs, start = np.linalg.norm(state[3:]), np.linalg.norm(beam["start"][3:])
        assert abs(p - theirs) < EXTRAPOLATED_LOSS * (start - theirs), f"layer bit {bit}"


@pytest.mark.slow
@pytest.mark.skipif(find_spec("geant4_pybind") is None, reason="geant4_pybind is not installed")
def test_geant4_here_still_gives_the_committed_trajectory():
    from tests.oracles.geant4_iron import MissingError, environment
    from tests.oracles.geant4_yoke import job, run

    name = "mu- 2 GeV forward 30 deg"
    beam = REFERENCE[name]
    with tempfile.TemporaryDirectory() as directory:
        try:
            variables, _ = environment(Path(directory))
        except MissingError as error:
            pytest.skip(str(error))
        states = run(job(beam["particle"], [beam["start"]], physics="mean", step=0.1), variables)["states"][0]
    for bit, state in beam["mean"].items():
        np.testing.assert_allclose(states[int(bit)], state, rtol=1e-5)
