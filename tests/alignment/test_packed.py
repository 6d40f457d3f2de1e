"""Sums travel in a small form; a second look is linear around a corrected detector."""

import numpy as np
import pytest
from tests.alignment import samples

from muonkit.alignment.apply import corrected
from muonkit.alignment.compact import compact
from muonkit.alignment.config import AlignmentSettings
from muonkit.alignment.folded import folded, standing_for
from muonkit.alignment.harmonics import Harmonics
from muonkit.alignment.iteration import around
from muonkit.alignment.linear import eliminate, equations
from muonkit.alignment.mass import MassEquations
from muonkit.alignment.packed import packed, thinned, unpacked
from muonkit.alignment.parameters import FIELD, SIZE, U, V
from muonkit.alignment.solve import solve
from muonkit.alignment.system import NormalSystem, accumulate
from muonkit.detector.detector import load_detector
from muonkit.detector.distort import misalign
from muonkit.pipelines.align_piece import chosen

KINDS = np.array([U, V])
ENDS = ("plane/01", "plane/06", "plane/12")
SHIFTS = AlignmentSettings(w=0, alpha=0, beta=0, gamma=0, field=0, material=0, reference=ENDS)


@pytest.fixture(scope="module")
def sums() -> NormalSystem:
    detector = samples.telescope()
    hits, fitted = samples.fitted(detector, misalign(detector, "plane/05", (20e-4, 0, 0)), 200)
    return accumulate(hits, fitted, detector, samples.SETTINGS, Harmonics.of(detector, 2))


def test_the_small_form_has_the_kinds_that_are_fitted_and_the_field(sums):
    small = packed(sums, KINDS)
    whole, found = (each.matrix(np.ones(len(each))).toarray() for each in (sums, unpacked(small, sums.harmonics)))
    kept = np.zeros((len(sums.rhs), SIZE), dtype=bool)
    kept[:12, KINDS], kept[12:] = True, True
    kept = kept.reshape(-1)
    np.testing.assert_array_equal(
        found[kept.reshape(-1)][:, kept.reshape(-1)], whole[kept.reshape(-1)][:, kept.reshape(-1)]
    )
    assert not found[~kept][:, kept][:, : 12 * len(KINDS)].any()
    assert small.blocks.size < sums._blocks.size / 8


def test_a_solution_of_the_small_form_is_the_same(sums):
    detector = samples.telescope()
    total = NormalSystem(12, sums.harmonics)
    total.merge(unpacked(packed(sums, KINDS), sums.harmonics))
    found, true = (solve(each, detector, SHIFTS) for each in (total, sums))
    np.testing.assert_array_equal(found.values, true.values)
    assert (found.chi2, found.ndf, found.gain) == (true.chi2, true.ndf, true.gain)


def test_a_matrix_without_zeros_is_the_same(sums):
    matrix = unpacked(packed(sums, KINDS), sums.harmonics).matrix(np.ones(len(sums)))
    small = compact(matrix)
    np.testing.assert_array_equal(small.toarray(), matrix.toarray())
    assert small.nnz < matrix.nnz / 4


def test_a_second_look_finds_what_the_second_order_left():
    """A rotation of 20 mrad: the first look is wrong by some errors, the second by much less."""
    detector = samples.telescope()
    real = misalign(detector, "plane/05", (0.2, 0.0, 0.0), (0, 0, 0.02))
    settings = AlignmentSettings(u=1, v=1, w=0, gamma=0.1, alpha=0, beta=0, field=0, material=0, reference=ENDS)
    hits, _ = samples.fitted(detector, real, 500)
    found, looks = None, []
    for _ in range(3):
        now = detector if found is None else corrected(detector, found)
        system = accumulate(hits, samples.refitted(hits, now), now, samples.SETTINGS)
        if found is not None:
            around(system, found)
        found = solve(system, detector, settings, "all")
        looks.append(found)
    errors = looks[-1].errors
    apart = [np.abs(looks[i].found - looks[-1].found) / errors for i in (0, 1)]
    assert apart[0].max() > 1
    assert apart[1].max() < 0.2 * apart[0].max()
    assert looks[1].chi2 == pytest.approx(looks[0].chi2, rel=0.05)


def test_the_prior_counts_once():
    """A weak prior far from the data, and many looks: the same as one look."""
    detector = samples.telescope()
    real = misalign(detector, "plane/05", (20e-4, 0, 0))
    settings = SHIFTS.model_copy(update={"u": 1e-4, "v": 1e-4})
    hits, fitted = samples.fitted(detector, real, 200)
    first = solve(accumulate(hits, fitted, detector, samples.SETTINGS), detector, settings)
    now = corrected(detector, first)
    system = accumulate(hits, samples.refitted(hits, now), now, samples.SETTINGS)
    around(system, first)
    second = solve(system, detector, settings)
    assert second.values[4, U] == pytest.approx(first.values[4, U], rel=0.02)


def test_modules_at_one_place_stand_for_each_other():
    detector = load_detector("cms_like_tracker")
    standing = standing_for(detector)
    S = detector.surfaces
    assert len(np.unique(standing)) < 0.1 * len(standing)
    assert (standing[standing] == standing).all()
    assert np.abs(S.center[standing, 2] - S.center[:, 2]).max() <= 5.0
    assert (detector.layer_of[standing] == detector.layer_of).all()


def test_the_mass_acts_on_field_and_matter_of_those_that_stand_for_others():
    surface = np.array([[0, 1, -1, 3]])  # 3 holds coefficients of the field
    equations, standing = MassEquations(surface, np.ones((1, 1, 4 * SIZE)), np.zeros((1, 1))), np.array([0, 0, 2])
    found = folded(equations, standing, np.array([U, FIELD]))
    assert found.surface.tolist() == [[0, 0, 3]]
    parts = found.D.reshape(3, SIZE)
    assert parts[:2].sum(axis=0).tolist() == [0, 0, 0, 0, 0, 0, 2, 0]
    assert parts[2].all()
    found = folded(equations, standing, np.array([U, V]))
    assert found.surface.tolist() == [[3]]
    assert found.D.all()


def test_sums_without_services_are_the_same_also_of_no_track():
    detector = samples.telescope()
    hits, fitted = samples.fitted(detector, detector, 20)
    gone = eliminate(equations(hits, fitted, detector, samples.SETTINGS))
    whole, small = NormalSystem(12), NormalSystem(12)
    whole.add(gone)
    small.add(thinned(gone, KINDS, 12))
    small.add(chosen(thinned(gone, KINDS, 12), np.zeros(20, dtype=bool)))
    small.add(thinned(chosen(gone, np.zeros(20, dtype=bool)), KINDS, 12))
    for kind in KINDS:
        np.testing.assert_allclose(small.rhs[:, kind], whole.rhs[:, kind], rtol=1e-12)
    assert small.tracks == whole.tracks
