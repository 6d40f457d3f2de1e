"""Kinematics, random numbers, particles, files."""

import json
from pathlib import Path

import numpy as np
import pytest

from muonkit.core import files, kinematics, random
from muonkit.core.kinematics import MuonArrays
from muonkit.core.particles import PDG_ID, WINDOW, resonance
from muonkit.core.units import CURVATURE, MUON_MASS

RNG = np.random.default_rng(8)


def muons(n: int = 200) -> MuonArrays:
    return MuonArrays(RNG.uniform(2, 60, n), RNG.uniform(-2.4, 2.4, n), RNG.uniform(-np.pi, np.pi, n))


def test_mass_is_that_of_the_four_vectors() -> None:
    plus, minus = muons(), muons()

    def vector(m: MuonArrays) -> np.ndarray:
        p = np.array([m.pt * np.cos(m.phi), m.pt * np.sin(m.phi), m.pt * np.sinh(m.eta)])
        return np.array([np.sqrt((p**2).sum(axis=0) + MUON_MASS**2), *p])

    e, x, y, z = vector(plus) + vector(minus)
    assert np.allclose(kinematics.mass(plus, minus), np.sqrt(e**2 - x**2 - y**2 - z**2), rtol=1e-9)


def test_massless_limit_is_the_formula_of_the_slides() -> None:
    plus, minus = (m._replace(pt=1000 * m.pt) for m in (muons(), muons()))
    m2 = 2 * plus.pt * minus.pt * (np.cosh(plus.eta - minus.eta) - np.cos(plus.phi - minus.phi))
    far = np.sqrt(m2) > 100
    assert np.allclose(kinematics.mass(plus, minus)[far] ** 2, m2[far], rtol=1e-3)


def test_mass_response_is_the_derivative_and_tends_to_one_half() -> None:
    plus, minus, h = muons(), muons(), 1e-6
    response = kinematics.mass_response(plus, minus)
    for i in (0, 1):
        pair = [plus, minus]
        logs = []
        for sign in (1, -1):
            moved = list(pair)
            moved[i] = pair[i]._replace(pt=pair[i].pt * np.exp(sign * h))
            logs.append(np.log(kinematics.mass(*moved)))
        assert np.allclose(response[i], (logs[0] - logs[1]) / (2 * h), rtol=1e-5, atol=1e-8)
    heavy = kinematics.mass(plus, minus) > 20
    assert np.allclose(response[0][heavy], 0.5, atol=1e-3)


def test_dilation_changes_the_jpsi_mass_by_less_than_itself() -> None:
    """The muon mass takes 3e-3 of a dilation: w+ + w- = 1 - 4 m_mu^2/m^2 for a symmetric pair."""
    plus = MuonArrays(np.array([8.0]), np.array([0.0]), np.array([0.0]))
    minus = plus._replace(phi=np.array([0.386]))
    total = sum(kinematics.mass_response(plus, minus))
    m = kinematics.mass(plus, minus)
    assert m == pytest.approx(3.08, abs=0.05)
    assert total == pytest.approx(1 - 4 * MUON_MASS**2 / m**2, abs=2e-4)


def test_a_stream_is_named_by_its_keys() -> None:
    assert random.stream(1, 2).random() == random.stream(1, 2).random()
    assert random.stream(1, 2).random() != random.stream(2, 1).random()


def test_masses_are_those_of_the_particle_data_group() -> None:
    found = {name: 1000 * resonance(name).mass for name in PDG_ID}
    charm, beauty = {"jpsi": 3096.900, "psi2s": 3686.097}, {"upsilon1s": 9460.40, "upsilon2s": 10023.4}
    assert found == pytest.approx(charm | beauty | {"upsilon3s": 10355.1, "z": 91188.0}, rel=2e-6)
    assert set(WINDOW) == set(PDG_ID)


def test_one_tesla_bends_one_gev_to_333_cm() -> None:
    assert pytest.approx(333.564, abs=1e-3) == 1 / CURVATURE


def test_files_appear_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "x.json"
    files.write_json(target, {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(target, {"a": float("nan")})
    assert json.loads(target.read_text()) == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_interrupted_write_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "x.txt"
    target.write_text("old")

    def interrupted() -> None:
        with files.atomic(target) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]
