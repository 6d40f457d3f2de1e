"""The shipped payload on simulated tracks of the same spectrum: posteriors are right as often as they say."""

import numpy as np
import pytest
from tests import thresholds

from muonkit.cli import main
from muonkit.data.muid import MuidTracks
from muonkit.muid.build.config import BuildSelection
from muonkit.muid.build.count import selected
from muonkit.muid.checks.closure import reliability
from muonkit.muid.likelihood.config import LikelihoodSettings
from muonkit.muid.likelihood.evaluate import likelihood
from muonkit.muid.likelihood.hypotheses import HYPOTHESES
from muonkit.muid.shipped import default_payload
from muonkit.muid.swim.config import MuidSettings
from muonkit.muid.swim.extrapolate import extrapolate
from muonkit.muid.swim.yoke import build_yoke
from muonkit.pipelines.pieces import cut_samples, detector_of, open_samples, read_sample

EVENTS = 8000
SAMPLE = """
[generate]
events = {events}
seed = 2812
[gun]
particle = "{particle}"
p = [0.4, 6.0]
theta = [0.2618, 2.618]
theta_spectrum = "uniform"
"""


def simulated(folder, particle) -> MuidTracks:
    """Extrapolated tracks of the spectrum of the shipped payload, selected as for it."""
    (folder / f"{particle}.toml").write_text(SAMPLE.format(particle=particle, events=EVENTS))
    out = folder / f"{particle}.parquet"
    assert main(["simulate", "klm", str(folder / f"{particle}.toml"), "-o", str(out)]) == 0
    (piece,) = cut_samples(open_samples((out.name,), folder), EVENTS)
    events, yoke = read_sample(piece), build_yoke(detector_of("belle2", folder).detector, MuidSettings())
    tracks = extrapolate(events.tracks, events.hits, yoke).tracks
    return tracks[selected(tracks, events.truth, BuildSelection(tracker_decays="drop"))]


@pytest.mark.slow
def test_of_simulated_tracks_with_a_posterior_of_74_percent_74_percent_are_muons(tmp_path):
    samples = [simulated(tmp_path, particle) for particle in HYPOTHESES]
    n, payload = min(map(len, samples)), default_payload()  # equal priors
    species = np.repeat(np.arange(len(samples)), n)
    chi2 = {}
    for mode in ("faithful", "improved"):
        settings = LikelihoodSettings(mode=mode)
        q = np.concatenate([likelihood(tracks[:n], payload, settings).probability for tracks in samples])
        found = reliability(q, species, "mu")
        chi2[mode] = found.chi2 / found.ndf
    assert chi2["improved"] < thresholds.POSTERIOR_CHI2 < chi2["faithful"] / 10
    fine = np.flatnonzero(found.number > 20)
    sigma = np.sqrt(found.predicted * (1 - found.predicted) / np.maximum(found.number, 1))
    assert np.all(np.abs(found.observed - found.predicted)[fine] < thresholds.POSTERIOR + 4 * sigma[fine])
