"""The short run: some inputs of every kind. `python -m tests.fuzz --minutes 15` is the long one."""

import random
import tomllib
from collections.abc import Iterator

import pytest

from tests.fuzz.box import faults_of
from tests.fuzz.damage import damaged
from tests.fuzz.kinds import KINDS
from tests.fuzz.samples import CALIBRATE, make
from tests.fuzz.values import mutate
from tests.fuzz.worker import Worker

SECONDS = 4.0  # for the inputs of a kind, times its share
FIRST = 3  # inputs of every kind, however slow


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    folder = tmp_path_factory.mktemp("fuzz")
    make(folder / "good")
    one = Worker(folder / "good", folder / "box")
    yield one
    one.stop()


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_inputs_with_mistakes_are_read_or_refused(kind: str, worker: Worker) -> None:
    faults = [fault for _, fault in worker.spend(kind, SECONDS * KINDS[kind].share, 0, FIRST) if fault]
    assert not faults, faults


def test_mistakes_are_the_same_again() -> None:
    content = tomllib.loads(CALIBRATE)
    assert mutate(content, random.Random(1)) == mutate(content, random.Random(1)) != mutate(content, random.Random(2))
    assert damaged(b"0123456789" * 9, random.Random("a")) == damaged(b"0123456789" * 9, random.Random("a"))


@pytest.mark.parametrize(
    ("code", "err"), [(3, "stopped"), (-1, ""), (2, ""), (2, "x\x1b[31m"), (1, "Traceback"), (0, "x" * 3000)]
)
def test_what_must_not_happen_is_a_fault(code: int, err: str) -> None:
    assert faults_of(code, err)
    assert not faults_of(2, "x.toml: fit: unknown key")
