"""Six likelihoods of tracks in the muon detector, on one core: the compiled loop against the formulas in NumPy.

A million tracks of all 829 classes, with patterns as muons and hadrons leave them, 1 % of the layers not fully
efficient, ndof up to 30."""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from muonkit.core.arrays import FloatArray
from muonkit.data.muid import LAYERS, MuidTracks
from muonkit.muid.checks.toy import toy_payload
from muonkit.muid.likelihood.config import LikelihoodSettings
from muonkit.muid.likelihood.evaluate import likelihood, reference
from muonkit.muid.likelihood.outcome import EXIT_BARREL, STOP_BARREL, classes
from muonkit.muid.likelihood.payload import LikelihoodParameters

SHARES = {3: 0.35, 1: 0.2, 4: 0.15, 2: 0.08, 6: 0.08, 5: 0.04}  # of outcomes; the rest are overlaps
ROUNDS = 5


def sample(n: int, seed: int = 1) -> MuidTracks:
    """Tracks: outcome by SHARES, last layer evenly, hits with the frequencies of muons or of hadrons."""
    rng = np.random.default_rng(seed)
    pairs = np.array(classes())
    overlap = (1 - sum(SHARES.values())) / 60
    weight = np.array([SHARES.get(int(code), overlap) / np.sum(pairs[:, 0] == code) for code in pairs[:, 0]])
    code, last = pairs[rng.choice(len(pairs), n, p=weight / weight.sum())].T
    only_barrel = (code == STOP_BARREL) | (code == EXIT_BARREL)
    barrel = np.where(only_barrel, last, np.where(code >= 7, (code - 7) % 15, -1))
    endcap = np.where(only_barrel, -1, last)
    ext = ((1 << (barrel + 1)) - 1) | (((1 << (endcap + 1)) - 1) << 15)
    p = np.where(rng.random(n) < 0.5, 0.97, 0.3)
    hit = np.zeros(n, dtype=np.int64)
    for bit in range(LAYERS):
        hit |= ((rng.random(n) < p).astype(np.int64) << bit) & ext
    ndof = 2 * np.bitwise_count(hit).astype(np.int64)
    chi2 = rng.gamma(np.maximum(ndof / 2, 0.5), 2.0) * np.where(p > 0.5, 1.0, 2.0)
    efficiency = np.ones((n, LAYERS))
    efficiency[rng.random((n, LAYERS)) < 0.01] = 0.95
    forward = np.isin(code, (2, 4)) | ((code >= 7) & (code < 22)) | ((code >= 37) & (code < 52))
    charge = rng.choice([-1.0, 1.0], n)
    return MuidTracks(charge, code, forward, ext, hit, barrel, endcap, barrel, endcap, chi2, ndof, efficiency, code)


def payload_of_full_size() -> LikelihoodParameters:
    """The toy with noise on every number, so that it does not compress better than a measured payload."""
    toy, rng = toy_payload(), np.random.default_rng(1)
    return replace(
        toy,
        longitudinal=np.clip(toy.longitudinal * rng.uniform(0.9, 1.1, toy.longitudinal.shape), 1e-6, 0.999),
        uncertainty=rng.uniform(0, 0.01, toy.longitudinal.shape),
        crossed=rng.integers(1, 100_000, toy.crossed.shape),
        log_density=toy.log_density + rng.normal(0, 0.05, toy.log_density.shape),
    )


def fastest(work: Callable[[], object], rounds: int) -> float:
    """Seconds of the quickest of some rounds."""
    seconds = []
    for _ in range(rounds):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def difference(ours: FloatArray, theirs: FloatArray) -> float:
    """The largest relative difference; NaN and infinities must be the same."""
    finite = np.isfinite(theirs)
    if not np.array_equal(ours[~finite], theirs[~finite], equal_nan=True):
        return np.inf
    return float(np.max(np.abs(ours[finite] - theirs[finite]) / np.maximum(np.abs(theirs[finite]), 1.0)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer tracks")
    n = 50_000 if parser.parse_args().quick else 1_000_000
    tracks, payload, settings = sample(n), payload_of_full_size(), LikelihoodSettings()
    few = tracks[: n // 10]
    apart = difference(likelihood(few, payload).log_pdf, reference(few, payload).log_pdf)
    print(f"{n} tracks; largest relative difference of ln pdf on a tenth of them: {apart:.1e}")
    if not apart < 1e-10:
        raise SystemExit("the results do not agree: no speed is printed")
    content = payload.to_bytes()
    loading = fastest(lambda: LikelihoodParameters.from_bytes(content), 20)
    print(f"payload: {len(content) / 1e6:.2f} MB, read and checked in {1000 * loading:.1f} ms")
    rate = n / fastest(lambda: likelihood(tracks, payload, settings), ROUNDS)
    other = len(few) / fastest(lambda: reference(few, payload, settings), 2)
    print(f"tracks/s, six hypotheses: muonkit {rate:.0f}, NumPy {other:.0f}")
    print(json.dumps({"name": "likelihood", "ours": rate, "theirs": other, "ratio": rate / other, "unit": "tracks/s"}))


if __name__ == "__main__":
    main()
