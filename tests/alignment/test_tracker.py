"""Injected distortions of the CMS-like tracker are found where they are: layers, modules, matter and field."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy import stats
from tests.alignment import pairs, samples
from tests.thresholds import ALIGNMENT_ELSEWHERE, ALIGNMENT_PROBABILITY, FIELD_HELD

from muonkit.alignment.apply import corrected
from muonkit.alignment.config import AlignmentSettings, Groups
from muonkit.alignment.harmonics import Harmonics
from muonkit.alignment.parameters import SIZE, indices
from muonkit.alignment.solve import Corrections, solve
from muonkit.alignment.system import NormalSystem
from muonkit.detector.detector import Detector, load_detector
from muonkit.detector.distort import Misalign, Scatter, add_material, scale_field
from muonkit.detector.field import Field, Gaussian, Harmonic, Sum
from muonkit.detector.moves import bodies
from muonkit.simulation.gun import Gun
from muonkit.tracking.perigee import with_beam_line

pytestmark = pytest.mark.slow
CENTRAL = Gun(pt=(3, 50), distribution="log-uniform", eta=(-1.2, 1.2), spread=(0.001, 0.001, 3.0))
ALL_ROUND = Gun(pt=(1.5, 10), distribution="log-uniform", eta=(-2.2, 2.2), spread=(0.001, 0.001, 3.0))
ASIDE = Gun(pt=(3, 50), distribution="log-uniform", eta=(-0.8, 0.8), phi=(-0.5, 0.5), spread=(0.001, 0.001, 3.0))
MOVED = 20e-4  # cm
FORWARD = ("beam*", "services/*", "T[EOI][CBD]/*", "PXF/*")


def tracker() -> Detector:
    return load_detector("cms_like_tracker")


@cache
def with_a_pixel_layer_moved() -> NormalSystem:
    detector = tracker()
    real = Misalign(layers=("PXB/2/*",), translation=(MOVED, 0, 0), frame="global").apply(detector)
    system = NormalSystem(len(detector.layers))
    for part in range(3):
        system.merge(samples.sums(detector, real, 4000, 70 + part, CENTRAL))
    return system


def probability(found: np.ndarray, true: np.ndarray, covariance: np.ndarray) -> float:
    difference = found - true
    return float(stats.chi2.sf(difference @ np.linalg.solve(covariance, difference), len(difference)))


def found_there(found: Corrections, name: str, true: float) -> None:
    """One parameter is found, and the others are compatible with 0, one by one and together."""
    place = found.names.index(name)
    pulls = found.found / found.errors
    assert pulls[place] > 5
    assert abs(found.found[place] - true) < 3 * found.errors[place]
    assert np.abs(np.delete(pulls, place)).max() < ALIGNMENT_ELSEWHERE
    expected = np.where(np.arange(len(pulls)) == place, true, 0.0)
    assert probability(found.found, expected, found.covariance) > ALIGNMENT_PROBABILITY


def test_a_pixel_layer_moved_by_20_um_is_found_as_one_body():
    """Among three layers of pixels and two of strips that move as bodies, along x, y, z."""
    widths = {"u": 0.01, "v": 0.01, "w": 0.01, "alpha": 1e-3, "beta": 1e-3, "gamma": 1e-3, "field": 0, "material": 0}
    outside = ("TIB/[34]/*", "T[EO][CB]/*", "TID/*", "beam*", "services/*")
    settings = AlignmentSettings(**widths, groups=Groups(moves="layer"), reference=outside)
    found_there(solve(with_a_pixel_layer_moved(), tracker(), settings, "all"), "PXB/2: u", MOVED)


def test_a_pixel_layer_moved_by_20_um_is_found_module_by_module():
    """All 864 modules of the barrel of pixels are free; their means along x tell the layer."""
    detector = tracker()
    real = Misalign(layers=("PXB/2/*",), translation=(MOVED, 0, 0), frame="global").apply(detector)
    modules = np.array([i for i, name in enumerate(detector.layers) if name.startswith("PXB")])
    settings = AlignmentSettings(
        u=0.01, v=0.01, w=0.01, alpha=0, beta=0, gamma=0, field=0, material=0, reference=FORWARD
    )
    asked = np.concatenate([indices(modules, kind) for kind in "uv"])
    found = solve(with_a_pixel_layer_moved(), detector, settings, asked)
    axes, shift = detector.surfaces.axes[modules], real.surfaces.center - detector.surfaces.center
    true = np.einsum("nij,nj->ni", axes, shift[modules])[:, :2].T.reshape(-1)
    assert probability(found.found, true, found.covariance) > ALIGNMENT_PROBABILITY
    layer = np.tile(np.array(bodies(detector.layers, "layer"))[modules], 2)
    for name, expected in (("PXB/1", 0.0), ("PXB/2", MOVED), ("PXB/3", 0.0)):
        here = np.flatnonzero(layer == name)
        along = np.concatenate((axes[:, 0, 0], axes[:, 1, 0]))[here]
        weight = np.linalg.solve(found.covariance[np.ix_(here, here)], along)
        error = (along @ weight) ** -0.5
        assert error < MOVED / 10
        assert abs(weight @ found.found[here] * error**2 - expected) < 3 * error


def test_a_hundred_modules_moved_by_50_um_are_found():
    """Among 860 modules of two layers that are free. A second fit, with the corrected detector, finds the rest."""
    detector = tracker()
    center = detector.surfaces.center
    near = np.hypot(np.arctan2(center[:, 1], center[:, 0]), center[:, 2] / 100)
    free = np.array([i for i, name in enumerate(detector.layers) if name.startswith(("PXB/2", "TIB/1"))])
    chosen = tuple(detector.layers[i] for i in free[np.argsort(near[free])[:100]])
    real = Scatter(layers=chosen, translation=(50e-4, 50e-4, 0), seed=5).apply(detector)
    true = np.einsum("nij,nj->ni", detector.surfaces.axes, real.surfaces.center - center)[free, :2]
    outside = ("PXB/[13]/*", "PXF/*", "TIB/[234]/*", "T[EO][CB]/*", "TID/*", "beam*", "services/*")
    settings = AlignmentSettings(
        u=50e-4, v=50e-4, w=0, alpha=0, beta=0, gamma=0, field=0, material=0, reference=outside
    )
    asked = (SIZE * free[:, None] + [0, 1]).reshape(-1)
    first = solve(samples.sums(detector, real, 8000, 3, ASIDE), detector, settings, asked)
    assert probability(first.found, true.reshape(-1), first.covariance) > ALIGNMENT_PROBABILITY
    moved, known = np.abs(true).reshape(-1) > 0, first.errors < 10e-4
    assert (moved & known).sum() > 80
    assert (first.found - true.reshape(-1))[moved & known].std() < 0.2 * true.reshape(-1)[moved & known].std()
    assert np.abs(first.found / first.errors)[~moved].max() < ALIGNMENT_ELSEWHERE
    better = corrected(detector, first)
    second = solve(samples.sums(better, real, 8000, 3, ASIDE), better, settings, asked)
    assert np.abs(second.found / second.errors)[known].max() < 1


@pytest.mark.parametrize(
    ("name", "layer", "n"), [("cms_like_layers", "PXB/2", 12_000), ("cms_like_tracker", "PXB/3", 12_000)]
)
def test_20_per_cent_more_matter_in_one_layer_is_found(name, layer, n):
    """All layers, with their services, are free; the modules of a layer are tied."""
    detector = load_detector(name)
    tied = name == "cms_like_tracker"
    real = add_material(detector, f"{layer}/*" if tied else layer, factor=1.2)
    system = NormalSystem(len(detector.layers))
    for part in range(n // 4000):
        system.merge(samples.sums(detector, real, 4000, 50 + part, ALL_ROUND, scattering=True))
    settings = AlignmentSettings(
        u=0, v=0, w=0, alpha=0, beta=0, gamma=0, field=0, groups=Groups(material="layer" if tied else "surface")
    )
    found_there(solve(system, detector, settings, "all"), f"{layer}: material", 0.2)


def field_found(real: Detector, n: int) -> tuple[Corrections, Harmonics]:
    """From the tracks and masses of n J/psi in layers."""
    bare = load_detector("cms_like_layers")
    detector = with_beam_line(bare)
    settings = AlignmentSettings(u=0, v=0, w=0, alpha=0, beta=0, gamma=0, material=0, field_order=6, rigid="move")
    terms = settings.harmonics(bare)
    assert terms is not None
    system = NormalSystem(len(detector.layers), terms)
    for part in range(n // 1000):
        pairs.add_pairs(system, pairs.made(real, 1000, 100 + part), detector, terms)
    return solve(system, detector, settings), terms


def held(terms: Harmonics, bare: Field, real: Field) -> tuple[np.ndarray, float]:
    """The coefficients that are closest to a true field in the tracker; and what is left, rms, over the change."""
    rng = np.random.default_rng(1)
    r, phi, z = 108 * np.sqrt(rng.uniform(size=3000)), rng.uniform(0, 2 * np.pi, 3000), rng.uniform(-270, 270, 3000)
    points = np.column_stack((r * np.cos(phi), r * np.sin(phi), z))
    change = (real.value(points) - bare.value(points)).reshape(-1)
    by = np.concatenate((bare.value(points)[:, None], terms.values(points)), axis=1)
    by = by.transpose(0, 2, 1).reshape(len(change), -1)
    closest = np.linalg.lstsq(by, change, rcond=None)[0]
    return closest, float(np.std(change - by @ closest) / np.sqrt(np.mean(change**2)))


def test_a_weaker_field_is_found_from_masses():
    """1 - 5e-4 everywhere: the scale is found, and the shape is left alone."""
    bare = load_detector("cms_like_layers")
    found, terms = field_found(scale_field(bare, 1 - 5e-4), 6000)
    assert found.field is not None
    true = np.concatenate(([-5e-4], np.zeros(len(terms) - 1)))
    assert probability(found.field.values, true, found.field.covariance) > ALIGNMENT_PROBABILITY
    middle = np.array([[0.0, 0.0, terms.middle]])
    by = np.concatenate((bare.field.value(middle)[:, None], terms.values(middle)), axis=1)[0, :, 2] / terms.strength
    error = np.sqrt(by @ found.field.covariance @ by)
    assert error < 2e-4
    assert abs(by @ found.field.values + 5e-4) < 3 * error


def test_a_field_that_is_weaker_at_one_end_is_found():
    """-1e-3 from z = 150 cm on, two Gaussians of 150 cm on the axis with their Maxwell series: a narrower change on the
    axis would be many times as large at a radius of 1 m."""
    bare = load_detector("cms_like_layers")
    weaker = Harmonic((Gaussian(-3.0e-3, 300.0, 150.0), Gaussian(-2.3e-3, 150.0, 150.0)))
    real = replace(bare, field=Sum((bare.field, weaker)))
    found, terms = field_found(real, 14_000)
    assert found.field is not None
    true, left = held(terms, bare.field, real.field)
    assert left < FIELD_HELD
    assert probability(found.field.values, true, found.field.covariance) > ALIGNMENT_PROBABILITY
    assert probability(found.field.values, np.zeros(len(terms)), found.field.covariance) < ALIGNMENT_PROBABILITY
