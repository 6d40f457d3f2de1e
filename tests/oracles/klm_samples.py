"""Geant4's muons and hadrons in the Belle II-like muon detector: `python -m tests.oracles.klm_samples OUT.json`.

A gun of p 0.5 to 5 GeV (muons and pions also 0.5 to 3 GeV), uniform in cos theta from 15 to 150 degrees. Of every
species: `seen`, events with a hit in a layer; `matched`, for two outcomes, tracks that cross all layers, and those with
a hit matched in each, as in the making of PDFs; `chi2`, histograms of reduced chi2 by ndof."""

import argparse
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from muonkit.data.klm import KLMTruth
from muonkit.data.muid import BARREL_LAYERS, LAYERS, MuidTracks
from muonkit.detector.detector import load_detector
from muonkit.muid.likelihood.outcome import EXIT_BARREL, EXIT_FORWARD
from muonkit.muid.swim.config import MuidSettings
from muonkit.muid.swim.extrapolate import extrapolate
from muonkit.muid.swim.yoke import build_yoke
from muonkit.simulation.klm.config import SimulateKLM
from muonkit.simulation.klm.simulate import SimulatedEvents, simulate_piece
from tests.oracles.geant4_iron import environment, written

BELLE2 = load_detector("belle2")
YOKE = build_yoke(BELLE2, MuidSettings(max_sigma=3.5, scattering="highland"))  # as when the counts were made
CHUNK = 1000
SAMPLES = {
    "pi": ("pi", (0.5, 5.0), 1.0),
    "mu": ("mu", (0.5, 5.0), 0.5),
    "pi soft": ("pi", (0.5, 3.0), 1.0),
    "mu soft": ("mu", (0.5, 3.0), 0.5),
    "K": ("K", (0.5, 5.0), 0.4),
    "p": ("p", (0.5, 5.0), 0.4),
    "d": ("d", (0.5, 5.0), 0.2),
    "e": ("e", (0.5, 5.0), 0.2),
}  # species, momenta [GeV], share of the events asked for
CLASSES = {"barrel exit": (EXIT_BARREL, range(BARREL_LAYERS)), "forward endcap exit": (EXIT_FORWARD, range(15, 29))}
EDGES = np.linspace(0, 10, 21)
Json = dict[str, Any]


def config(name: str, engine: str, seed: int = 17) -> SimulateKLM:
    """The sample of that name."""
    species, p, _ = SAMPLES[name]
    gun = {"particle": species, "p": p, "theta": np.radians([15, 150]).tolist()}
    return SimulateKLM.model_validate({"generate": {"events": 1, "seed": seed, "engine": engine}, "gun": gun})


def summed(pieces: list[Json]) -> Json:
    """Sums of the counts of pieces."""
    first = pieces[0]
    if isinstance(first, dict):
        return {key: summed([piece[key] for piece in pieces]) for key in first}
    return np.sum(pieces, axis=0).tolist()


def counted(piece: SimulatedEvents) -> Json:
    """The counts of a piece."""
    found = extrapolate(piece.tracks, piece.hits, YOKE).tracks
    counts: Json = {"events": len(piece.tracks), "seen": layers_with_hits(piece), "matched": {}, "chi2": {}}
    for name, (outcome, bits) in CLASSES.items():
        counts["matched"][name] = matched(found, piece.truth, outcome, bits)
    for ndof in (2, 6, 10):
        x = found.chi2[found.ndof == ndof] / ndof
        counts["chi2"][str(ndof)] = np.histogram(x, EDGES)[0].tolist()
    return counts


def layers_with_hits(piece: SimulatedEvents) -> list[int]:
    """Number of events with a hit in each layer."""
    layer = piece.hits.layer + BARREL_LAYERS * piece.hits.region
    pairs = np.unique(np.stack((piece.hits.event, layer)), axis=1)
    return np.bincount(pairs[1], minlength=LAYERS).tolist()


def matched(tracks: MuidTracks, truth: KLMTruth, outcome: int, bits: range) -> Json:
    """Tracks of an outcome that reach the last layer and cross all, and how many have a hit in each."""
    p = truth.momentum
    theta, phi = np.degrees(np.arctan2(np.hypot(p[:, 0], p[:, 1]), p[:, 2])), np.degrees(np.arctan2(p[:, 1], p[:, 0]))
    crack = ((theta > 31.5) & (theta < 33.1)) | ((theta > 126.9) & (theta < 128.4))
    chimney = (theta > 110) & (theta < 125) & (phi > 60) & (phi < 120)
    whole = sum(1 << bit for bit in bits)
    kept = (tracks.outcome == outcome) & (tracks.ext_layer_pattern == whole) & ~crack & ~chimney
    kept &= (np.abs(truth.pdg_id) != 13) | (truth.soft < 0.05)
    hits = [int(np.sum(tracks.hit_layer_pattern[kept] >> bit & 1)) for bit in bits]
    return {"tracks": int(kept.sum()), "hits": hits}


def sample(name: str, events: int, jobs: int, data: Path) -> Json:
    """Counts of a sample of Geant4."""
    chosen = config(name, "geant4")
    firsts = range(0, int(events * SAMPLES[name][2]), CHUNK)
    with ThreadPoolExecutor(jobs) as pool:
        pieces = pool.map(lambda first: simulate_piece(chosen, "belle2", data, CHUNK, first), firsts)
        return summed([counted(piece) for piece in pieces])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.oracles.klm_samples", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--events", type=int, default=20_000, help="pions; the other samples are in proportion")
    parser.add_argument("--jobs", type=int, default=2)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        _, data = environment(Path(directory))
        about = {"command": f"python -m tests.oracles.klm_samples OUT.json --events {chosen.events}", "data": data}
        about |= {"physics": "FTFP_BERT", "layers": "bits: barrel layers 0 to 14, then endcap layers"}
        table = {name: sample(name, chosen.events, chosen.jobs, Path(directory)) for name in SAMPLES}
    chosen.out.write_text(written({"about": about} | table) + "\n")


if __name__ == "__main__":
    main()
