"""Hits and starts that a fit cannot use: refused by name, or a status; nothing is lost without a word."""

from dataclasses import replace

import numpy as np
import pytest
from tests.tracking import samples

import muonkit
from muonkit.core.errors import InputError
from muonkit.data.hits import Hits
from muonkit.detector.detector import load_detector
from muonkit.tracking.fit import fit
from muonkit.tracking.fitted import REPEATED, TOO_FEW, UNORDERED
from muonkit.tracking.kernels.tuples import USED
from muonkit.tracking.seed import seed
from muonkit.transport.propagate import Settings
from muonkit.transport.status import NO_START, OK

PLANES = 12


@pytest.fixture(scope="module")
def telescope():
    detector, _, hits, _ = samples.fitted("telescope", 5, 5)
    return detector, hits, seed(hits, detector)


def with_value(array, row, value):
    changed = array.copy()
    changed[row] = value
    return changed


@pytest.mark.parametrize("column", ["value", "variance"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_hits_that_are_not_finite_are_refused_by_name(telescope, column, value):
    detector, hits, start = telescope
    bad = replace(hits, **{column: with_value(getattr(hits, column), (PLANES + 3, 1), value)})
    with pytest.raises(InputError, match=rf"hits: 1 of 60 have a {column} .*hit 3 of track 1 on plane/"):
        fit(bad, start, detector)
    with pytest.raises(InputError, match="hit 3 of track 1"):
        muonkit.refit(bad, detector)


@pytest.mark.parametrize("value", [0.0, -1e-6])
def test_a_variance_that_is_not_above_0_is_refused(telescope, value):
    detector, hits, start = telescope
    bad = replace(hits, variance=with_value(hits.variance, 7, value))
    with pytest.raises(InputError, match=r"variance that is not finite and above 0; give sigma"):
        fit(bad, start, detector)


def test_the_second_coordinate_of_a_strip_needs_no_variance():
    detector, _, hits, _ = samples.fitted("cms_like_layers", 20, 5)
    assert (hits.variance == 0).any()
    assert fit(hits, seed(hits, detector), detector).good.any()


@pytest.mark.parametrize("surface", [-1, PLANES, 10**12])
def test_a_hit_on_an_unknown_surface_is_refused(telescope, surface):
    detector, hits, start = telescope
    bad = replace(hits, surface=with_value(hits.surface, 4, surface))
    for work in (lambda: fit(bad, start, detector), lambda: seed(bad, detector)):
        with pytest.raises(InputError, match=rf"hits: surface {surface} is not one of the 12 of telescope"):
            work()


def test_surfaces_that_are_no_whole_numbers_are_refused(telescope):
    detector, hits, _ = telescope
    with pytest.raises(InputError, match="hits: surface: must be whole numbers, from 0 to 11, not of the type float64"):
        muonkit.refit(replace(hits, surface=hits.surface.astype(float)), detector)


def test_a_hit_outside_of_the_detector_is_refused(telescope):
    detector, hits, _ = telescope
    far = replace(hits, value=with_value(hits.value, 17, 1e3))
    with pytest.raises(InputError, match=r"1 of 60 lie outside of the detector; give values in cm \(the first: hit 5"):
        muonkit.refit(far, detector)


def test_a_hit_on_a_surface_without_sensor_is_refused():
    detector = load_detector("cms_like_layers")
    surface = np.flatnonzero(detector.surfaces.n_measured == 0)[:1]
    hits = Hits(np.array([0, 1]), surface, np.zeros((1, 2)), np.ones((1, 2)))
    with pytest.raises(InputError, match="lie on a surface that measures nothing"):
        muonkit.refit(hits, detector)


@pytest.mark.parametrize("offsets", [[0, 5], [0, 70, 60], [1, 60], []])
def test_offsets_that_do_not_fit_are_refused(telescope, offsets):
    detector, hits, _ = telescope
    with pytest.raises(InputError, match="offsets: must rise from 0 to the number of hits, 60"):
        muonkit.refit(replace(hits, offsets=np.array(offsets, dtype=np.int64)), detector)


def test_starts_without_charge_are_refused_and_unknown_ones_have_a_status(telescope):
    detector, hits, start = telescope
    with pytest.raises(InputError, match=r"start: q/p must not be 0.*1 of 5 rows \(the first: row 2"):
        fit(hits, replace(start, parameters=with_value(start.parameters, (2, 4), 0.0)), detector)
    fitted = fit(hits, replace(start, parameters=with_value(start.parameters, (2, 4), np.nan)), detector)
    assert fitted.status.tolist() == [OK, OK, NO_START, OK, OK]


def test_an_unknown_species_is_refused(telescope):
    detector, hits, start = telescope
    with pytest.raises(InputError, match="species: there is no 'tau'; choose one of mu"):
        fit(hits, start, detector, Settings(species="tau"))


def test_two_hits_on_one_surface_are_counted(telescope):
    detector, hits, start = telescope
    double = Hits(
        np.array([0, 13]),
        np.insert(hits.surface[:PLANES], 5, hits.surface[4]),
        np.insert(hits.value[:PLANES], 5, hits.value[4] + 0.01, axis=0),
        np.insert(hits.variance[:PLANES], 5, hits.variance[4], axis=0),
    )
    fitted = fit(double, start[:1], detector)
    assert fitted.use.tolist() == [USED] * 5 + [REPEATED] + [USED] * 7
    assert fitted.good.all()
    assert "behind another hit of the track on the same surface: 1" in str(fitted)


def test_hits_out_of_order_have_a_status(telescope):
    detector, hits, _ = telescope
    order = np.concatenate([PLANES * track + np.roll(np.arange(PLANES), 6) for track in range(len(hits))])
    mixed = Hits(hits.offsets, hits.surface[order], hits.value[order], hits.variance[order])
    fitted = fit(mixed, seed(mixed, detector), detector)
    assert (fitted.status == UNORDERED).all()
    assert "does not meet all of its hits in turn: out of order" in str(fitted)


def test_the_order_does_not_matter_where_the_start_is_on_the_first_surface(telescope):
    detector, hits, start = telescope
    order = np.concatenate([PLANES * track + np.arange(PLANES)[::-1] for track in range(len(hits))])
    mixed = Hits(hits.offsets, hits.surface[order], hits.value[order], hits.variance[order])
    one, other = (fit(h, start, detector) for h in (hits, mixed))
    np.testing.assert_array_equal(one.states.parameters, other.states.parameters)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_tracks_with_too_few_hits_have_a_status(telescope, n):
    detector, hits, start = telescope
    few = Hits(np.array([0, n]), hits.surface[:n], hits.value[:n], hits.variance[:n])
    fitted = fit(few, start[:1], detector)
    assert fitted.status.tolist() == [TOO_FEW]
    assert str(fitted).startswith("Tracks fitted        0 of 1\n  has no more measurements than parameters: 1\n")
    assert muonkit.refit(few, detector).status.tolist() == [TOO_FEW]
