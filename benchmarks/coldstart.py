"""The first result of each command on its smallest example: with an empty cache of machine code, and again.

Whoever tries muonkit meets this first: numba compiles what a command needs before the first track moves. Each command
gets an empty cache of its own; the commands follow one another, as some read what others write. --plain compiles every
function alone, as numba does by itself. The goal is a first result within 15 s of CPU time."""

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
GOAL = 15.0  # s
SPECIES = "mu", "pi", "K", "p", "d", "e"
SAMPLES = {"jpsi-data": 200_000, "jpsi-simulation": 200_000, "z-data": 100_000} | dict.fromkeys(SPECIES, 100)
TRACK_FIT = """
from muonkit.detector.detector import load_detector
from muonkit.simulation.gun import Gun
from muonkit.simulation.tracker.tracks import simulate_tracks
from muonkit.tracking.fit import fit
from muonkit.tracking.seed import seed
telescope = load_detector("telescope")
_, hits = simulate_tracks(telescope, Gun(particle="mu", p=(2.0, 20.0), eta=(-0.1, 0.1), phi=(-0.1, 0.1)), 100, seed=1)
fit(hits, seed(hits, telescope), telescope)
"""
COMMANDS = {
    "simulate dimuons": "simulate dimuons jpsi-data.toml -o jpsi-data.parquet",
    "detector show": "detector show belle2 -o detector",
    "calibrate": "calibrate calibrate.toml -o jpsi",
    "validate": "validate validate-z.toml --corrections jpsi/corrections.json.gz -o jpsi/validation",
    "apply": "apply jpsi/corrections.json.gz jpsi-data.parquet -o corrected.parquet",
    "simulate klm": "simulate klm mu.toml -o mu.parquet",
    "identify": "identify identify-mu.toml -o mu.identified.parquet",
    "performance": "performance performance.toml -o performance",
    "pdfs build": "pdfs build pdfs.toml -o payload.npz",
    "track fit": "",
}
PREPARED = {  # what others read; with the cache of the command of the same kind
    "calibrate": ("simulate dimuons jpsi-simulation.toml -o jpsi-simulation.parquet",),
    "validate": ("simulate dimuons z-data.toml -o z-data.parquet",),
    "performance": ("simulate klm pi.toml -o pi.parquet", "identify identify-pi.toml -o pi.identified.parquet"),
    "pdfs build": tuple(f"simulate klm {s}.toml -o {s}.parquet" for s in SPECIES),
}
QUICK = "simulate dimuons", "detector show"


@dataclass(frozen=True)
class Took:
    """Seconds: of the clock, and of all processors."""

    wall: float
    cpu: float


def examples(folder: Path) -> None:
    """The examples with few events."""
    for source in [
        *EXAMPLES.glob("default/*.toml"),
        *EXAMPLES.glob("muid/*.toml"),
        *EXAMPLES.glob("muid/quick/*.toml"),
    ]:
        text = source.read_text()
        if source.stem in SAMPLES:
            text = re.sub("^events = .*", f"events = {SAMPLES[source.stem]}", text, flags=re.MULTILINE)
        (folder / source.name).write_text(text)


def run(command: str, folder: Path, plain: bool) -> Took:
    """One command in a process of its own, with the cache of its kind."""
    words = command.split()
    arguments = ["-m", "muonkit", *words] if words else ["-c", TRACK_FIT]
    cache = folder / "cache" / "-".join(word for word in words[:2] if "." not in word)
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache), "MUONKIT_PLAIN_NUMBA": "1" if plain else ""}
    begin, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}: {done.stderr.strip()[-500:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Took(time.perf_counter() - begin, cpu)


def measured(names: list[str], folder: Path, plain: bool) -> Iterator[tuple[str, Took, Took]]:
    """Name, first run and second run of each command."""
    for name in names:
        for command in PREPARED.get(name, ()):
            run(command, folder, plain)
        first = run(COMMANDS[name], folder, plain)
        yield name, first, run(COMMANDS[name], folder, plain)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only commands that compile little")
    parser.add_argument("--plain", action="store_true", help="every function compiled alone, as numba does")
    options = parser.parse_args()
    names = list(QUICK if options.quick else COMMANDS)
    print(f"first and second run of {len(names)} commands, each with a cache of its own; seconds")
    print(f"{'':18}{'first':>8}{'cpu':>8}{'second':>8}{'cpu':>8}")
    slowest = 0.0
    with TemporaryDirectory() as directory:
        folder = Path(directory)
        examples(folder)
        for name, first, second in measured(names, folder, options.plain):
            slowest = max(slowest, first.cpu)
            print(f"{name:18}{first.wall:8.1f}{first.cpu:8.1f}{second.wall:8.1f}{second.cpu:8.1f}", flush=True)
    result = {"name": "coldstart", "ours": slowest, "theirs": GOAL, "ratio": slowest / GOAL, "unit": "s"}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
