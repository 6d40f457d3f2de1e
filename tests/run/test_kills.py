"""Commands that are killed at random times go on, and end with the bytes of a run that nobody disturbed."""

import random
import time
from pathlib import Path

import pytest
from tests.run.killing import COMMANDS, NEEDS, contents, finish, killed, prepare


def disturbed(folder: Path, name: str, seed: int, kills: int) -> None:
    """Compare a run that is killed `kills` times with one that is not."""
    warm, whole, broken = (folder / each for each in ("warm", "whole", "broken"))
    for each in (warm, whole, broken):
        prepare(each)
        for command in NEEDS[name]:
            finish(each, command)
    finish(warm, COMMANDS[name])  # kernels are compiled
    begin = time.monotonic()
    finish(whole, COMMANDS[name])
    longest = time.monotonic() - begin
    draw = random.Random(seed)
    done = [killed(broken, COMMANDS[name], draw, longest) for _ in range(kills)]
    assert any(done)
    finish(broken, COMMANDS[name])
    expected, found = contents(whole), contents(broken)
    assert list(found) == list(expected)
    assert [key for key in expected if found[key] != expected[key]] == []


@pytest.mark.parametrize("name", ["simulate klm", "calibrate"])
def test_a_run_that_is_killed_twice_ends_with_the_same_bytes(tmp_path: Path, name: str) -> None:
    disturbed(tmp_path, name, seed=1, kills=2)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(COMMANDS))
def test_a_run_that_is_killed_many_times_ends_with_the_same_bytes(tmp_path: Path, name: str) -> None:
    disturbed(tmp_path, name, seed=2, kills=12)
