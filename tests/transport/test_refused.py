"""What cannot be transported is refused by name, before a kernel reads outside of its arrays; or it has a status."""

from dataclasses import replace

import numpy as np
import pytest

from muonkit.core.errors import InputError
from muonkit.core.particles import species
from muonkit.data.tracks import BoundStates, FreeStates
from muonkit.detector.detector import load_detector
from muonkit.transport.propagate import Settings, propagate, propagate_free
from muonkit.transport.status import NO_START, OK

TELESCOPE = load_detector("telescope")


def bound(n=3):
    """At the first plane, along x, 5 GeV."""
    return BoundStates(np.zeros(n, np.int64), np.tile([0.0, 0.0, 0.0, np.pi / 2, 0.2], (n, 1)))


def free(n=3):
    return FreeStates(np.tile([1.0, 0.0, 0.0], (n, 1)), np.tile([5.0, 0.0, 0.0], (n, 1)), np.ones(n))


def with_value(array, row, value):
    changed = array.copy()
    changed[row] = value
    return changed


STARTS = [(propagate, bound), (propagate_free, free)]


@pytest.mark.parametrize(("verb", "start"), STARTS)
@pytest.mark.parametrize("target", [12, -1, 10**15, [3, 3, 99]])
def test_a_target_that_does_not_exist(verb, start, target):
    with pytest.raises(InputError, match=r"target: surface .* is not one of the 12 of telescope .*from 0 to 11"):
        verb(start(), target, TELESCOPE)


@pytest.mark.parametrize(("verb", "start"), STARTS)
@pytest.mark.parametrize("target", [1.5, "plane/02", None, np.nan])
def test_a_target_that_is_no_number_of_a_surface(verb, start, target):
    with pytest.raises(InputError, match="target: must be the number of a surface of telescope"):
        verb(start(), target, TELESCOPE)


@pytest.mark.parametrize(("verb", "start"), STARTS)
def test_as_many_targets_as_states(verb, start):
    with pytest.raises(InputError, match="target: 2 targets for 3 states"):
        verb(start(), [1, 2], TELESCOPE)


@pytest.mark.parametrize(("verb", "start"), STARTS)
def test_a_direction_that_does_not_exist(verb, start):
    with pytest.raises(InputError, match="direction: there is no 'sideways'; choose forward or backward"):
        verb(start(), 3, TELESCOPE, direction="sideways")


def test_a_start_on_a_surface_that_does_not_exist():
    with pytest.raises(InputError, match="states: surface 12 is not one of the 12"):
        propagate(replace(bound(), surface=np.array([0, 12, 0])), 3, TELESCOPE)


def test_states_without_charge():
    states = bound()
    with pytest.raises(InputError, match=r"q/p must not be 0: a track has a charge; 1 of 3 rows \(the first: row 1"):
        propagate(replace(states, parameters=with_value(states.parameters, (1, 4), 0.0)), 3, TELESCOPE)


@pytest.mark.parametrize("charge", [0.0, 2.0, 13.0])
def test_free_states_of_another_charge(charge):
    with pytest.raises(InputError, match=r"charge must be \+1 or -1; 1 of 3 rows \(the first: row 2"):
        propagate_free(replace(free(), charge=with_value(np.ones(3), 2, charge)), 3, TELESCOPE)


def test_free_states_that_do_not_move():
    with pytest.raises(InputError, match="momentum must not be 0; 1 of 3 rows"):
        propagate_free(replace(free(), momentum=with_value(free().momentum, 0, 0.0)), 3, TELESCOPE)


def test_places_outside_of_the_envelope():
    states = free()
    match = (
        r"position must lie in the envelope of telescope \(r < 70, -30 < z < 30 cm\); 1 of 3 rows \(the first: row 1"
    )
    with pytest.raises(InputError, match=match):
        propagate_free(replace(states, position=with_value(states.position, (1, 2), 31.0)), 3, TELESCOPE)
    with pytest.raises(InputError, match=match):
        propagate(replace(bound(), parameters=with_value(bound().parameters, (1, 0), 1000.0)), 3, TELESCOPE)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_has_a_status_and_hurts_no_other(value):
    status = propagate(replace(bound(), parameters=with_value(bound().parameters, (1, 3), value)), 3, TELESCOPE).status
    assert status.tolist() == [OK, NO_START, OK]
    states, _, status = propagate_free(
        replace(free(), momentum=with_value(free().momentum, (1, 0), value)), 3, TELESCOPE
    )
    assert status.tolist() == [OK, NO_START, OK]
    assert np.isnan(states.position[1]).all()


def test_a_track_that_did_not_arrive_can_be_sent_on():
    """Its state is NaN: a status again, not an error for all the others."""
    states = replace(bound(), parameters=with_value(bound().parameters, (1, 2), np.pi))
    there = propagate(states, 3, TELESCOPE)
    assert there.status[1] != OK
    assert propagate(there.states, 5, TELESCOPE).status.tolist() == [OK, NO_START, OK]


def test_arrays_of_another_shape():
    with pytest.raises(InputError, match=r"states: covariance: must have the shape \(3, 5, 5\), not \(3, 6, 6\)"):
        propagate(replace(bound(), covariance=np.zeros((3, 6, 6))), 3, TELESCOPE)
    with pytest.raises(InputError, match=r"states: position: must have the shape \(3, 3\), not \(3, 2\)"):
        propagate_free(replace(free(), position=np.zeros((3, 2))), 3, TELESCOPE)


@pytest.mark.parametrize(
    ("key", "value"),
    [("species", "tau"), ("energy_loss", "all"), ("scattering", "some"), ("tolerance", 0.0), ("max_steps", -1)]
    + [("hard", value) for value in (-1.0, 1e-6, np.nan)],
)
def test_settings_that_do_not_exist_or_make_no_sense(key, value):
    with pytest.raises(InputError, match=f"transport: {key}: (there is no '{value}'; choose one of|must be )"):
        Settings(**{key: value})


def test_a_species_that_does_not_exist():
    with pytest.raises(InputError, match="species: there is no 'tau'; choose one of mu, pi, K, p, d, e"):
        species("tau")
