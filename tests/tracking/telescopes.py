"""Telescopes of any number of planes, and tracks through them."""

from pathlib import Path

import numpy as np
from tests.tracking import samples

from muonkit.data.hits import Hits
from muonkit.data.truth import Truth
from muonkit.detector.detector import Detector, load_detector
from muonkit.simulation.gun import Gun
from muonkit.simulation.tracker.tracks import simulate_tracks

LENGTH = 60.0  # cm
SIGMA = (15e-4, 25e-4)  # cm
SILICON = 'material = "silicon"\nthickness_um = 320'


def telescope(folder: Path, planes: int, field: float = 1.0, matter: str = SILICON) -> Detector:
    """Planes across x at equal distances up to LENGTH, in a uniform field along z [T]."""
    file = folder / "telescope.toml"
    distances = (LENGTH / planes * np.arange(1, planes + 1)).tolist()
    file.write_text(f"""
        schema = 1
        name = "planes"
        title = "Planes"
        envelope = {{ r = 70, z = [-30, 30] }}
        [field]
        kind = "uniform"
        B = [0, 0, {field}]
        [[layers]]
        name = "plane/{{n:03d}}"
        shape = "plane"
        distance = {distances}
        half_width = 25
        span = [-25, 25]
        resolution_um = [15, 25]
        {matter}
        """)
    return load_detector(file)


def tracks(detector: Detector, gun: Gun, n: int, seed: int) -> tuple[Truth, Hits]:
    """Those that hit every plane."""
    truth, hits = simulate_tracks(detector, gun, n, seed, samples.PHYSICS)
    whole = np.diff(hits.offsets) == len(detector.layers)
    return truth[whole], hits[whole]


def pulls(detector: Detector, truth: Truth, fitted) -> np.ndarray:
    """(n, 5) at the first plane."""
    rows, met = samples.first_rows(truth, fitted)
    assert met.all()
    difference = fitted.states.parameters - samples.bound(detector, truth, rows)
    return difference / np.sqrt(np.einsum("nii->ni", fitted.states.covariance))
