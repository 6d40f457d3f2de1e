"""The law of the mass of a pair, from the laws of its muons, against simulated pairs with tails."""

import numpy as np
from scipy import stats
from tests.thresholds import FLAT_P_VALUE
from tests.tracking.cores import evenness
from tests.tracking.test_refit import true_mass

from muonkit.detector.detector import load_detector
from muonkit.pipelines.dimuons_of import mass_law
from muonkit.simulation.gun import Gun
from muonkit.simulation.tracker.step import Physics
from muonkit.simulation.tracker.tracks import simulate_tracks
from muonkit.tracking.law import Law
from muonkit.tracking.refit import FitChoice, prepared, refit
from muonkit.tracking.vertex import fit_vertices

N = 4000


def test_the_law_of_a_mass_describes_core_and_tails_and_a_gaussian_does_not():
    plain = load_detector("cms_like_layers")
    detector, both = prepared(plain), []
    for seed, particle in enumerate(("mu+", "mu-")):
        gun = Gun(particle=particle, pt=(3, 6), eta=(-0.9, 0.9))
        truth, hits = simulate_tracks(plain, gun, N, 51 + seed, Physics(scattering="tails"))
        both.append((truth, refit(hits, detector, FitChoice())))
    (plus, one), (minus, other) = both
    good = one.good & other.good
    vertices = fit_vertices(one.perigees[good], other.perigees[good], detector.field)
    columns = mass_law(vertices, one.law[good], other.law[good])
    *law, shift = columns.values()
    apart = true_mass(plus, minus)[good] / vertices.mass - 1 - shift
    assert evenness(Law(*law).cdf(apart)) > FLAT_P_VALUE
    assert evenness(stats.norm.cdf(apart / columns["mass_sigma_rel"])) < FLAT_P_VALUE
    assert 0 < np.median(shift / columns["mass_loss_rel"]) < 1
