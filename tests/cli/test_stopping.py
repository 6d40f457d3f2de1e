"""A command that is told to stop ends at once: exit code 3, one line, no process of it left, no half file."""

import random
import signal
import subprocess
import time
import uuid
from pathlib import Path

import pytest
from tests.cli.stopping import Running, command, hear, stopped

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
DIMUONS = """
[generate]
events = {events}
seed = 5
resonance = "jpsi"
[resolution]
a = [0.011]
c = [1.3e-4]
"""
CALIBRATE = """
[input]
data = ["data.parquet"]
simulation = ["data.parquet"]
chunk_size = 10000
[binning]
eta_edges = [-2.4, 0.0, 2.4]
[fit]
parameters = ["A", "e", "M"]
"""
KLM = """
[generate]
events = 100000
seed = 3
chunk_size = 500
[gun]
particle = "mu"
p = [0.5, 5.0]
theta = [0.3, 2.6]
"""
RESUMES = "the same command goes on from here"
STARTS_AGAIN = "no half file is left; start it again"
CASES = {
    "simulate dimuons huge.toml -o o-huge.parquet --jobs 2": STARTS_AGAIN,
    "simulate dimuons huge.toml -o o-huge.parquet": STARTS_AGAIN,
    "simulate klm klm.toml -o o-klm.parquet --jobs 2": RESUMES,
    "calibrate calibrate.toml -o o-cal --jobs 2": RESUMES,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Configurations and a file of pairs."""
    folder = tmp_path_factory.mktemp("stopping")
    (folder / "huge.toml").write_text(DIMUONS.format(events=100_000_000))
    (folder / "data.toml").write_text(DIMUONS.format(events=100_000))
    (folder / "calibrate.toml").write_text(CALIBRATE)
    (folder / "klm.toml").write_text(KLM)
    subprocess.run(command("simulate", "dimuons", "data.toml", "-o", "data.parquet"), cwd=folder, check=True)
    return folder


def told(said: str) -> list[str]:
    """What was said, without the progress."""
    return [line for line in said.splitlines() if " in " not in line]


def check(words: str, folder: Path, number: int, after: float, group: bool) -> None:
    """Stop a command; what it says must be one of two lines, the first before it has read its command line."""
    new = words.replace("o-", f"o-{uuid.uuid4().hex[:8]}-")
    ended = stopped(command(*new.split()), folder, number, after, group)
    context = f"{words}: {signal.Signals(number).name} after {after:.3f} s, group {group}: {ended}"
    lines = [f"stopped by {signal.Signals(number).name}; {end}" for end in ("nothing was done yet", CASES[words])]
    assert ended.code == 3, context
    assert told(ended.said) in ([lines[0]], [lines[1]]), context
    assert ended.orphans == [], context
    assert ended.out == "", context
    assert ended.seconds < 5, context
    assert [path.name for path in folder.glob(".*") if path.is_file()] == [], context


@pytest.mark.parametrize("words", CASES)
def test_a_signal_ends_a_command_at_any_time(words: str, folder: Path) -> None:
    """Also while it still imports, and while its processes do."""
    draw = random.Random(words)
    for number in SIGNALS:
        check(words, folder, number, draw.uniform(0.15, 1.5), group=draw.random() < 0.5)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("words", CASES)
def test_signals_at_many_times(words: str, seed: int, folder: Path) -> None:
    draw = random.Random(f"{words} {seed}")
    for _ in range(8):
        check(words, folder, draw.choice(SIGNALS), draw.uniform(0.15, 2.5), group=draw.random() < 0.5)


@pytest.mark.slow
def test_a_signal_while_kernels_are_compiled(folder: Path, tmp_path: Path) -> None:
    words = "simulate klm klm.toml -o o-klm.parquet --jobs 2"
    for number, after in ((signal.SIGTERM, 3.0), (signal.SIGINT, 7.0)):
        running = Running(command(*words.split()), folder, {"NUMBA_CACHE_DIR": str(tmp_path)})
        time.sleep(after)
        running.send(number, group=True)
        ended = running.ended()
        assert (ended.code, ended.orphans, len(told(ended.said))) == (3, [], 1), ended


@pytest.mark.parametrize("after", [0.3, 0.6, 1.5])
def test_workers_end_with_a_parent_that_was_killed(after: float, folder: Path) -> None:
    words = command(*["simulate", "dimuons", "huge.toml", "-o", "o-killed.parquet", "--jobs", "2"])
    ended = stopped(words, folder, signal.SIGKILL, after)
    assert (ended.code, ended.said, ended.orphans) == (-signal.SIGKILL, "", [])
    for path in folder.glob(".*.o-killed.parquet"):  # the next run would
        path.unlink()


def test_a_worker_that_was_killed_ends_the_run_with_a_line(folder: Path) -> None:
    words = command(*["simulate", "dimuons", "huge.toml", "-o", "o-worker.parquet", "--jobs", "2"])
    running = Running(words, folder)
    workers: list[int] = []
    while len(workers) < 2:
        time.sleep(0.05)
        workers = [number for number, line in running.processes() if "spawn_main" in line]
    subprocess.run(["kill", "-9", str(workers[0])], check=True)
    ended = running.ended()
    line = f"a process of --jobs was ended from outside (out of memory?); {STARTS_AGAIN}"
    assert (ended.code, ended.orphans, told(ended.said)) == (3, [], [line])


def test_a_stopped_calibration_goes_on(folder: Path) -> None:
    words = command(*["calibrate", "calibrate.toml", "-o", "o-resumed", "--jobs", "2"])
    running = Running(words, folder)
    while not list((folder / "o-resumed").glob(".parts/*/count-simulation-*.npz")):
        time.sleep(0.02)
    running.send(signal.SIGTERM)
    assert running.ended().code == 3
    done = subprocess.run(words, cwd=folder, capture_output=True, check=False)
    assert done.returncode in (0, 1)
    assert (folder / "o-resumed" / "report.html").exists()


def test_a_signal_that_is_ignored_stays_so(folder: Path) -> None:
    """As `nohup` wants it."""
    running = Running(["nohup", *command(*["simulate", "dimuons", "huge.toml", "-o", "o-nohup.parquet"])], folder)
    time.sleep(1.0)
    running.send(signal.SIGHUP)
    time.sleep(0.3)
    assert running.process.poll() is None
    running.send(signal.SIGTERM)
    assert running.ended().code == 3


@pytest.mark.parametrize("words", ["--help", "doctor --json", "nonsense"])
@pytest.mark.parametrize("where", ["| true", "2>&1 | true", ">&- 2>&-"])
def test_a_reader_that_has_left_is_no_fault(words: str, where: str, folder: Path) -> None:
    line = " ".join(command(*words.split()))
    done = subprocess.run(
        ["bash", "-c", f"( {line}; echo $? >code ) {where}"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=hear,
    )
    assert int((folder / "code").read_text()) == (2 if words == "nonsense" else 0)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
