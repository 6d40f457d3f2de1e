"""Figures have labelled axes with units, say what they show, and leave matplotlib as it was."""

from dataclasses import replace
from typing import get_args

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from tests.report import folders

from muonkit.calibration.binning import MuonBins
from muonkit.calibration.quantities import QUANTITIES
from muonkit.core.particles import PDG_ID
from muonkit.io.columns import read_columns, read_masses
from muonkit.io.config import Input
from muonkit.report import figures, labels, masses, style
from muonkit.report.figures import MassSpectrum, Series

BINS = MuonBins(np.linspace(-2.4, 2.4, 7))
ONE = Series("sample", np.linspace(-1e-3, 1e-3, 6), np.full(6, 2e-4))


def scale() -> Figure:
    left = Series("before", 1 + ONE.values, ONE.errors, 1.5 * ONE.errors, "before")
    return figures.scale(BINS, left, left, "Simulation", labels.decay("z"))


def spectrum() -> MassSpectrum:
    edges = np.linspace(2.9, 3.3, 41)
    return MassSpectrum(edges, np.full(40, 25.0), np.full(40, 25.0), np.full(40, 30.0), np.full(40, 4.0), ("a line",))


DRAWN = {
    "parameter": lambda: figures.parameter("A", BINS, [ONE], "Simulation", labels.decay("jpsi"), ONE),
    "pulls": lambda: figures.pulls(np.random.default_rng(1).normal(size=300), "Simulation"),
    "correlation": lambda: figures.correlation(np.eye(4), ["A_0", "A_1", "e_0", "e_1"], "Simulation"),
    "mass": lambda: figures.mass(spectrum(), "Simulation"),
    "scale": scale,
}


@pytest.mark.parametrize("name", DRAWN)
def test_figure_has_labelled_axes_and_says_what_the_sample_is(name):
    figure = DRAWN[name]()
    assert isinstance(figure, Figure)
    assert figure.axes[-1].get_xlabel() or name == "correlation"
    assert all(axes.get_ylabel() for axes in figure.axes)
    assert figure.axes[0].get_title("left") == "Simulation"


@pytest.mark.parametrize("name", DRAWN)
def test_figure_is_the_same_text_every_time(name):
    assert style.svg(DRAWN[name]()) == style.svg(DRAWN[name]())


@pytest.mark.parametrize("name", QUANTITIES)
def test_parameter_axis_carries_symbol_and_unit(name):
    figure = figures.parameter(name, BINS, [ONE], "Simulation")
    label = figure.axes[0].get_ylabel()
    assert QUANTITIES[name].symbol in label
    assert label.endswith("]")
    assert style.png(figure).startswith("data:image/png;base64,")


def test_points_are_drawn_in_the_unit_of_the_axis():
    figure = figures.parameter("e", BINS, [ONE], "Simulation")
    points = figure.axes[0].lines[0].get_ydata()
    np.testing.assert_allclose(points, 1e3 * ONE.values)


def test_parameter_at_its_limit_is_a_cross():
    limited = Series("sample", ONE.values, np.where(np.arange(6) == 2, 0.0, ONE.errors))
    figure = figures.parameter("c", BINS, [limited], "Simulation")
    crosses = [line for line in figure.axes[0].lines if line.get_marker() == "x"]
    assert [len(line.get_xdata()) for line in crosses] == [1]


def test_bins_of_phi_stand_side_by_side_in_their_eta_bin():
    bins = MuonBins.of_edges([-2.4, 0.0, 2.4], np.linspace(-np.pi, np.pi, 4))
    axes = figures.parameter("e", bins, [ONE], "Simulation").axes[0]
    np.testing.assert_allclose(axes.containers[0].lines[0].get_xdata(), np.linspace(-2.0, 2.0, 6))
    assert "phi" in axes.get_xlabel()
    assert [line.get_xdata()[0] for line in axes.lines if len(set(line.get_xdata())) == 1] == [0.0]


def test_scale_is_shown_against_1():
    points = scale().axes[0].get_lines()
    assert any(np.allclose(line.get_ydata(), 1e3 * ONE.values) for line in points)


def test_outlying_pulls_are_not_lost():
    figure = figures.pulls(np.array([-99.0, 0.1, 99.0]), "Simulation")
    heights = figure.axes[0].patches[0].get_data().values
    assert heights.sum() == 3
    assert heights[0] == heights[-1] == 1


@pytest.mark.parametrize("values", [[], [0.3]])
def test_pulls_of_hardly_any_cell_can_be_drawn(values):
    assert isinstance(figures.pulls(np.array(values), "Simulation"), Figure)


def test_empty_mass_bins_have_finite_pulls():
    drawn = MassSpectrum(np.linspace(2.9, 3.3, 5), *np.zeros((4, 4)))
    assert np.isfinite(drawn.pulls).all()


def test_global_settings_are_untouched():
    before = dict(mpl.rcParams)
    with mpl.rc_context({"font.size": 30}):
        style.svg(DRAWN["mass"]())
        assert mpl.rcParams["font.size"] == 30
    assert dict(mpl.rcParams) == before


def test_nothing_is_labelled_with_an_experiment_alone():
    assert not {"CMS", "Belle II", "ATLAS", "LHCb"} & set(labels.SAMPLE.values())
    assert set(labels.SAMPLE) == set(get_args(Input.model_fields["format"].annotation)), "every format has a label"
    assert labels.sample("Belle II-like simulation", "dimuon") == "Belle II-like simulation"


def test_every_resonance_has_a_name_for_figures_and_text():
    assert set(labels.RESONANCE) == set(PDG_ID)
    assert all(r"\mu^{+}\mu^{-}" in labels.decay(name) for name in PDG_ID)


@pytest.fixture
def tables(tmp_path):
    out = folders.write(tmp_path, "calibration.json", folders.calibration())
    counts, variances, edges = read_masses(out / "masses.json.gz")
    curves, _, _ = read_masses(out / "curves.json.gz")
    return masses.CellTables(read_columns(out / "cells.parquet"), counts, variances, curves, edges)


def test_chosen_cells_are_the_largest_a_typical_and_the_worst(tables):
    tables.cells["chi2"] = np.where(np.arange(folders.CELLS) == 4, 99.0, 30.0)
    chosen = masses.chosen(tables)
    assert [cell for why, cell in chosen if why == "largest"] == [11, 10]
    assert ("worst χ²", 4) in chosen
    assert len({cell for _, cell in chosen}) == len(chosen) <= 5


def test_chosen_cells_of_a_tiny_run_are_each_shown_once(tables):
    one = {name: values[:1] for name, values in tables.cells.items()}
    assert masses.chosen(replace(tables, cells=one)) == [("largest", 0)]


def test_curve_is_the_fit_to_the_entries_of_the_cell(tables):
    drawn = masses.spectrum(tables, 3, MuonBins(folders.ETA_EDGES))
    assert drawn.model.sum() == pytest.approx(tables.counts[3].sum())
    assert drawn.background.sum() == pytest.approx(0.05 * tables.counts[3].sum())
    assert abs(drawn.pulls.mean()) < 0.5
    assert drawn.pulls.std() == pytest.approx(1, abs=0.3)


def test_fits_without_background_have_two_more_degrees_of_freedom(tables):
    assert tables.ndf[-1] - tables.ndf[0] == 2
