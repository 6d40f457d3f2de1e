"""Published numbers of Belle II's Muid beside those of muonkit: `python -m tests.muid.published [--payload FILE]`.

Frequencies of matched hits in tracks that cross every layer of a class, and the reduced chi2 of few hits, are those of
the figures in the documentation of the Belle II software. ln L are those of the payload of its default global tag, as
its unit tests state them, and of four records in a file. The sample behind the figures is not documented. Here it is a
gun of 0.5 to 5 GeV, uniform in theta, without primaries that decay in the tracker, and with chambers of efficiency
1, as in the simulation of the Belle II software.

With one hit the published density of chi2/2 falls from 3.75 to 7.5 as that of a square gate of half width sqrt(7.5) =
2.74 sigma does: that is the default of muonkit. `--gate` and `--scattering` take others."""

import argparse
import csv
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tests.conftest import shared_data

from muonkit.core.arrays import FloatArray
from muonkit.data.klm import KLMTruth
from muonkit.data.muid import BARREL_LAYERS, LAYERS, MuidTracks
from muonkit.detector.detector import load_detector
from muonkit.io.basf2.tables import open_records, open_table
from muonkit.io.klm import read_columns, read_truth
from muonkit.muid.build.config import BuildSelection
from muonkit.muid.build.count import selected
from muonkit.muid.likelihood.evaluate import likelihood
from muonkit.muid.likelihood.hypotheses import HYPOTHESES
from muonkit.muid.likelihood.outcome import EXIT_BARREL, EXIT_FORWARD
from muonkit.muid.likelihood.payload import LikelihoodParameters
from muonkit.muid.shipped import DEFAULT, payload_of
from muonkit.muid.swim.config import MuidSettings
from muonkit.muid.swim.extrapolate import extrapolate
from muonkit.muid.swim.yoke import build_yoke
from muonkit.simulation.klm.config import SimulateKLM
from muonkit.simulation.klm.simulate import simulate_piece

SETTINGS = MuidSettings()
SELECTION = BuildSelection(tracker_decays="drop")
NAMES = {"mu": "MuonPlus", "pi": "PionPlus"}
CLASSES = {
    "Barrel14-exit": (EXIT_BARREL, range(BARREL_LAYERS)),
    "Endcap13-exit": (EXIT_FORWARD, range(BARREL_LAYERS, LAYERS)),
}
NDOF = (2, 6, 10)
EDGES = np.linspace(0, 10, 21)
NUMBERS = (
    *("outcome", "ext_layer_pattern", "hit_layer_pattern", "barrel_ext_layer", "endcap_ext_layer"),
    *("barrel_hit_layer", "endcap_hit_layer", "ndof"),
)
ALL = (1 << 14) - 1


class Record(NamedTuple):
    """A track that stopped in the barrel, and ln L in the order of HYPOTHESES."""

    charge: int
    crossed: int
    hit: int
    last: int
    chi2: float
    ndof: int
    ln_L: tuple[float, ...]


RECORDS = (
    Record(-1, ALL, ALL, 13, 29.5, 28, (-169.215, -0.288937, -46.5124, -49.7292, -72.7715, -96.2517)),
    Record(1, ALL, ALL, 13, 29.5, 28, (-169.215, -0.284881, -45.7914, -42.7717, -95.9839, -118.769)),
    Record(-1, ALL, 0b11011111111101, 13, 23.5, 24, (-147.07, -6.37567, -40.9424, -43.8204, -63.8973, -84.6684)),
    Record(-1, 0b11, 0b11, 1, 7.5, 4, (-13.0068, -1.82853, -4.78739, -6.44048, -6.67272, -6.8342)),
)


@cache
def sample(name: str, events: int, settings: MuidSettings = SETTINGS) -> MuidTracks:
    """Selected tracks of a species."""
    gun = {"particle": name, "p": (0.5, 5.0), "theta": np.radians([17, 150]).tolist(), "theta_spectrum": "uniform"}
    config = SimulateKLM.model_validate(
        {"generate": {"events": events, "seed": 23}, "gun": gun, "readout": {"rpc_efficiency": 1.0}}
    )
    piece = simulate_piece(config, "belle2", None, events, 0)
    tracks = extrapolate(piece.tracks, piece.hits, build_yoke(load_detector("belle2"), settings)).tracks
    return tracks[selected(tracks, piece.truth, SELECTION)]


def frequencies(tracks: MuidTracks, outcome: int, bits: range) -> tuple[FloatArray, int]:
    """Shares (layers,) of tracks of an outcome that cross all layers, with a hit in each; and the number of tracks."""
    whole = sum(1 << bit for bit in bits)
    pattern = tracks.hit_layer_pattern[(tracks.outcome == outcome) & (tracks.ext_layer_pattern == whole)]
    return np.array([np.mean(pattern >> bit & 1) for bit in bits]), len(pattern)


def published_frequencies(name: str, kind: str) -> FloatArray:
    """The same (layers,) in the documentation."""
    with shared_data("belle2/longitudinal_layer_frequency.csv").open() as stream:
        rows = [r for r in csv.DictReader(stream) if (r["species"], r["outcome"]) == (NAMES[name], kind)]
    return np.array([float(r["frequency"]) for r in rows])


def reduced_chi2(tracks: MuidTracks, ndof: int) -> tuple[FloatArray, int]:
    """Shares of tracks in the barrel with `ndof` in bins of reduced chi2 (20,), and their number."""
    x = tracks.chi2[(tracks.ndof == ndof) & (tracks.endcap_ext_layer < 0)] / ndof
    count = np.histogram(x, EDGES)[0]
    return count / max(count.sum(), 1), len(x)


def published_chi2(name: str, ndof: int) -> FloatArray:
    """The same (20,) in the documentation."""
    count = published_counts(name, ndof).reshape(len(EDGES) - 1, -1).sum(axis=1)
    return np.asarray(count / count.sum())


def published_counts(name: str, ndof: int) -> FloatArray:
    """Entries of the published histogram (100,)."""
    with shared_data("belle2/reduced_chi2_histograms.csv").open() as stream:
        rows = [r for r in csv.DictReader(stream) if (r["species"], int(r["ndof"])) == (NAMES[name], ndof)]
    return np.array([float(r["frequency"]) for r in rows])


def edge_of_gate(name: str) -> float:
    """Where the published density of chi2/2 of one hit leaves the circle that fits into the gate: g^2/2 of a square
    gate of half width g. Fitted between 2 and 6 is the share of a circle in the square, times a parabola."""
    x = np.arange(2.05, 6, 0.1)
    y = published_counts(name, 2)[20:60]
    within = np.linspace(-0.0475, 0.0475, 20)

    def misfit(edge: float) -> float:
        share = 1 - 4 / np.pi * np.arccos(1 / np.sqrt(np.maximum((x[:, None] + within) / edge, 1)))
        columns = np.stack([share.mean(axis=1) * x**i for i in range(3)], axis=1) / np.sqrt(y)[:, None]
        return float(np.linalg.lstsq(columns, np.sqrt(y))[1][0])

    edges = np.arange(3.2, 4.4, 0.01)
    return float(edges[np.argmin([misfit(edge) for edge in edges])])


def distance(one: FloatArray, other: FloatArray) -> float:
    """Half the sum of the differences of shares."""
    return float(np.abs(one - other).sum() / 2)


def as_tracks(records: tuple[Record, ...]) -> MuidTracks:
    """Records as what the extrapolation leaves."""
    n = len(records)
    charge, crossed, hit, last, chi2, ndof, _ = (np.array(column) for column in zip(*records, strict=True))
    none = np.full(n, -1)
    one = np.ones(n, np.int64)
    perfect = np.ones((n, LAYERS))
    return MuidTracks(charge * 1.0, one, one > 0, crossed, hit, last, none, last, none, chi2, ndof, perfect, 0 * one)


def of_unit_tests(payload: LikelihoodParameters) -> tuple[FloatArray, FloatArray]:
    """ln L (4, 6) of a payload, and as published."""
    return likelihood(as_tracks(RECORDS), payload).log_pdf, np.array([record.ln_L for record in RECORDS])


def of_file(payload: LikelihoodParameters) -> tuple[FloatArray, FloatArray]:
    """ln L (4, 6) of a payload, and as stored with the four records of an older release."""
    table = open_table(shared_data("belle2/mdst_with_muid.root"), "tracks")
    records = open_records(table)
    assert records is not None
    found, truth = read_columns(records, 0, 4), read_truth(open_table(table.path, "truth"), 0, 4)
    columns = {name: np.asarray(found[name]).astype(np.int64) for name in NUMBERS}
    columns |= {"is_forward": np.asarray(found["is_forward"]) == 1, "chi2": np.asarray(found["chi2"], np.float64)}
    ones = np.ones((4, LAYERS))
    tracks = MuidTracks(charge=charge(truth), efficiency=ones, status=np.zeros(4, np.int64), **columns)
    stored = np.column_stack([np.asarray(found[f"logL_{name}"], np.float64) for name in HYPOTHESES])
    return likelihood(tracks, payload).log_pdf, stored


def charge(truth: KLMTruth) -> FloatArray:
    """Of muons (n,)."""
    return -np.sign(truth.pdg_id).astype(np.float64)


def below_muon(ln_L: FloatArray) -> FloatArray:
    """ln L(mu) - ln L, (n, 6)."""
    return ln_L[:, [HYPOTHESES.index("mu")]] - ln_L


def lines(payload: LikelihoodParameters, events: int, settings: MuidSettings) -> list[str]:
    """The comparison as text."""
    return [*of_frequencies(events, settings), *of_chi2(events, settings), *of_ln_L(payload)]


def of_frequencies(events: int, settings: MuidSettings) -> Iterator[str]:
    """Muons: difference to the published frequencies; pions: ratio."""
    for kind, (outcome, bits) in CLASSES.items():
        for name in NAMES:
            found, n = frequencies(sample(name, events, settings), outcome, bits)
            expected = published_frequencies(name, kind)
            change = found - expected if name == "mu" else found / expected
            yield f"{kind} {name} ({n} tracks): " + " ".join(f"{x:.3f}" for x in change)


def of_chi2(events: int, settings: MuidSettings) -> Iterator[str]:
    """Distances to the published histograms."""
    for name in NAMES:
        for ndof in NDOF:
            found, n = reduced_chi2(sample(name, events, settings), ndof)
            apart = distance(found, published_chi2(name, ndof))
            yield f"reduced chi2 {name} ndof {ndof} ({n} tracks): distance {apart:.3f}"


def of_ln_L(payload: LikelihoodParameters) -> Iterator[str]:
    """ln L, in brackets the published ones."""
    for what, (ours, theirs) in {"unit tests": of_unit_tests(payload), "file": of_file(payload)}.items():
        for mine, belle in zip(ours, theirs, strict=True):
            words = (f"{h} {a:.1f} ({b:.1f})" for h, a, b in zip(HYPOTHESES, mine, belle, strict=True))
            yield f"ln L {what}: " + ", ".join(words)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.muid.published", description=__doc__)
    parser.add_argument("--payload", default=DEFAULT)
    parser.add_argument("--gate", type=float, default=SETTINGS.max_sigma)
    parser.add_argument("--scattering", default=SETTINGS.scattering)
    parser.add_argument("--events", type=int, default=100_000, help="of each species")
    chosen = parser.parse_args()
    payload = payload_of(chosen.payload, Path())
    settings = MuidSettings(max_sigma=chosen.gate, scattering=chosen.scattering)
    print("\n".join(lines(payload, chosen.events, settings)))


if __name__ == "__main__":
    main()
