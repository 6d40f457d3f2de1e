"""The gun: ranges, shapes, symmetry, and that a particle does not depend on its chunk."""

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from muonkit.core.config import parse
from muonkit.core.errors import InputError
from muonkit.simulation.gun import Gun, shoot

N = 20_000
RARE = 1e-3  # a right gun fails with one seed in a thousand


def kinematics(states):
    p = np.linalg.norm(states.momentum, axis=1)
    cos = states.momentum[:, 2] / p
    return p, cos, np.arctan2(states.momentum[:, 1], states.momentum[:, 0])


def flat(values, low, high):
    assert low <= values.min()
    assert values.max() <= high
    return stats.kstest((values - low) / (high - low), "uniform").pvalue > RARE


def test_momentum_is_spread_evenly():
    p, _, phi = kinematics(shoot(Gun(p=(1, 5), eta=(-2, 2)), N, 1))
    assert flat(p, 1, 5)
    assert flat(phi, -np.pi, np.pi)


def test_log_uniform_momentum_is_even_in_its_logarithm():
    p, *_ = kinematics(shoot(Gun(p=(0.5, 100), eta=0.0, distribution="log-uniform"), N, 1))
    assert flat(np.log(p), np.log(0.5), np.log(100))


def test_transverse_momentum_does_not_depend_on_the_angle():
    p, cos, _ = kinematics(shoot(Gun(pt=(1, 5), eta=(-2.5, 2.5)), N, 1))
    assert flat(p * np.sqrt(1 - cos**2), 1, 5 * (1 + 1e-12))
    assert flat(np.arctanh(cos), -2.5, 2.5)


def test_theta_is_spread_evenly_on_the_sphere():
    _, cos, _ = kinematics(shoot(Gun(p=2.0, theta=(0.3, 2.0)), N, 1))
    assert flat(cos, np.cos(2.0), np.cos(0.3))


def test_theta_is_spread_evenly_in_itself_if_wanted():
    _, cos, _ = kinematics(shoot(Gun(p=2.0, theta=(0.3, 2.0), theta_spectrum="uniform"), N, 1))
    assert flat(np.arccos(cos), 0.3, 2.0)
    with pytest.raises(ValidationError, match="theta_spectrum"):
        Gun(p=2.0, eta=(0.0, 1.0), theta_spectrum="uniform")


def test_one_value_is_that_value():
    p, cos, phi = kinematics(shoot(Gun(pt=3.0, eta=1.2, phi=0.7), 50, 1))
    np.testing.assert_allclose(p, 3 * np.cosh(1.2), rtol=1e-14)
    np.testing.assert_allclose(cos, np.tanh(1.2), rtol=1e-14)
    np.testing.assert_allclose(phi, 0.7, rtol=1e-14)


def test_both_charges_are_equally_frequent_unless_one_is_named():
    both = shoot(Gun(p=1.0, eta=0.0), N, 1).charge
    assert abs(both.sum()) < 4 * np.sqrt(N)
    for name, sign in (("mu+", 1), ("mu-", -1), ("K-", -1), ("p+", 1)):
        assert (shoot(Gun(particle=name, p=1.0, eta=0.0), 100, 1).charge == sign).all()
        assert Gun(particle=name, p=1.0, eta=0.0).species == name[:-1]


def test_charge_and_direction_are_independent():
    states = shoot(Gun(p=(1, 5), eta=(-2, 2)), N, 1)
    for column in kinematics(states):
        assert abs(np.corrcoef(column, states.charge)[0, 1]) < 4 / np.sqrt(N)


def test_vertex_has_its_place_and_width():
    states = shoot(Gun(p=1.0, eta=0.0, vertex=(1, -2, 3), spread=(0.1, 0.0, 2.0)), N, 1)
    offset = states.position - np.array([1, -2, 3])
    assert (offset[:, 1] == 0).all()
    for column, width in ((offset[:, 0], 0.1), (offset[:, 2], 2.0)):
        assert stats.kstest(column / width, "norm").pvalue > RARE


def test_particles_do_not_depend_on_the_chunk():
    gun = Gun(p=(1, 5), eta=(-2, 2), spread=(1, 1, 1))
    whole = shoot(gun, 300, 7)
    for first, n in ((0, 100), (100, 200), (299, 1)):
        part = shoot(gun, n, 7, first)
        for name in ("position", "momentum", "charge"):
            np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[first : first + n])
    assert not np.array_equal(shoot(gun, 300, 8).momentum, whole.momentum)


def test_nothing_shot_is_an_empty_table():
    assert shoot(Gun(p=1.0, eta=0.0), 0, 1).position.shape == (0, 3)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"eta": 0.0}, "either p or pt"),
        ({"p": 1.0, "pt": 1.0, "eta": 0.0}, "either p or pt"),
        ({"p": 1.0}, "either eta or theta"),
        ({"p": (3, 1), "eta": 0.0}, "must not fall"),
        ({"p": (0, 1), "eta": 0.0}, "must be positive"),
        ({"pt": -1.0, "eta": 0.0}, "must be positive"),
        ({"p": 1.0, "theta": (0.0, 1.0)}, "between 0 and pi"),
        ({"p": 1.0, "eta": 0.0, "spread": (0, -1, 0)}, "must not be negative"),
        ({"p": 1.0, "eta": 0.0, "particle": "tau"}, "particle"),
    ],
)
def test_a_gun_that_makes_no_sense_is_refused(fault, message):
    with pytest.raises(ValidationError, match=message):
        Gun(**fault)


def test_a_gun_is_read_from_toml_and_faults_name_the_key():
    gun = parse('particle = "mu-"\npt = [0.5, 100]\ndistribution = "log-uniform"\neta = [-2.4, 2.4]', Gun)
    assert gun.pt == (0.5, 100.0)
    with pytest.raises(InputError, match="did you mean 'spread'"):
        parse("p = 1.0\neta = 0.0\nspred = [0, 0, 0]", Gun)


@pytest.mark.parametrize("value", ["[3, inf]", "'x'", "[1]", "[1, 2, 3]", "{ a = 1 }", "true", "[nan, 1]"])
def test_a_wrong_momentum_is_one_line(value):
    with pytest.raises(InputError) as error:
        parse(f"pt = {value}\neta = 0.0", Gun, "gun.toml")
    (line,) = error.value.faults
    assert line.startswith("gun.toml: pt.")
    assert "float" not in line
