"""Commands that are killed and go on, for tests of what they leave."""

import json
import random
import subprocess
import sys
from pathlib import Path

KLM = """
[generate]
events = {events}
seed = 3
chunk_size = 25
[gun]
particle = "{particle}"
p = [0.7, 4.0]
theta = [0.5, 2.4]
"""
SPECIES = ("mu", "pi", "K", "p", "d", "e")
DIMUONS = "[generate]\nevents = 40000\nseed = {seed}\n[spectrum]\npt_scale = 6.0\npt_power = 2.8\npt_min = 6.0\n"
CALIBRATE = """
[input]
data = ["data.parquet"]
simulation = ["simulation.parquet"]
chunk_size = 5000
[binning]
eta_edges = [-2.4, 0.0, 2.4]
log_pt_ratio_bins = 2
cos_dphi_bins = 1
[fit]
parameters = ["A", "e", "M"]
"""
COMMANDS = {
    "simulate klm": ["simulate", "klm", "mu.toml", "-o", "again.parquet"],
    "identify": ["identify", "identify.toml", "-o", "i.parquet"],
    "pdfs build": ["pdfs", "build", "build.toml", "-o", "b.npz"],
    "calibrate": ["calibrate", "calibrate.toml", "-o", "out"],
}
NEEDS = {
    "simulate klm": [],
    "identify": [["simulate", "klm", "mu.toml", "-o", "mu.parquet"]],
    "pdfs build": [["simulate", "klm", f"{name}.toml", "-o", f"{name}.parquet"] for name in SPECIES],
    "calibrate": [["simulate", "dimuons", f"{name}.toml", "-o", f"{name}.parquet"] for name in ("data", "simulation")],
}


def prepare(folder: Path) -> None:
    """Configurations of all commands."""
    texts = {name: KLM.format(particle=name, events=200) for name in SPECIES}
    texts |= {name: DIMUONS.format(seed=seed) for seed, name in enumerate(("data", "simulation"), 1)}
    texts["identify"] = '[input]\ntracks = "mu.tracks.parquet"\nhits = "mu.hits.parquet"\nchunk_size = 20\n'
    names = ", ".join(f'"{name}.parquet"' for name in SPECIES)
    texts["build"] = f"[input]\nsamples = [{names}]\nchunk_size = 100\n"
    texts["calibrate"] = CALIBRATE
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.toml").write_text(text)


def start(folder: Path, command: list[str]) -> subprocess.Popen[str]:
    """The command, in a process of its own."""
    line = [sys.executable, "-m", "muonkit", *command]
    return subprocess.Popen(line, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(folder: Path, command: list[str]) -> None:
    """Run to the end."""
    process = start(folder, command)
    _, err = process.communicate(timeout=600)
    assert process.returncode in (0, 1), err
    assert "Traceback" not in err


def killed(folder: Path, command: list[str], draw: random.Random, longest: float) -> bool:
    """Start the command and kill it after a random time; whether it was killed."""
    process = start(folder, command)
    try:
        process.communicate(timeout=draw.uniform(0.3, 1.0) * longest)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return True
    return False


def contents(folder: Path) -> dict[str, bytes]:
    """Bytes of all files of a folder; of those with the time of their making, all but that."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    if "out/calibration.json" in found:
        content = json.loads(found["out/calibration.json"])
        del content["provenance"]["created"], content["provenance"]["state"]  # the state holds the times of the inputs
        found["out/calibration.json"] = json.dumps(content).encode()
        for name in ("out/report.html", "out/.run.json"):
            assert found.pop(name)
    return found
