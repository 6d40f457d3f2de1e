"""What a calibration will know, before there are data: errors and correlations for a number of pairs.

An Asimov set stands for the data (Cowan et al., EPJC 71 (2011) 1554): every cell holds the counts that are expected,
the fitted curve of the simulation with some background, scaled to the pairs. Its fit gives the curve back, and the
Fisher information as the covariance of every cell. From there on all is as for data: statistics of the template,
extraction, correlations. Errors do not depend on the biases, which are small."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from muonkit.calibration.accumulate import CellMasses
from muonkit.calibration.binning import MuonBins
from muonkit.calibration.budget import with_choice
from muonkit.calibration.cells import Cells
from muonkit.calibration.closure import scale_design
from muonkit.calibration.derive import FitPlan, Map, fit_masses, fit_sample
from muonkit.calibration.extract import Extraction, extract_jointly
from muonkit.calibration.massfit import CellData, CellFits
from muonkit.core.arrays import FloatArray

W_MASS = 80.4  # GeV
W_PT = 40.0  # GeV: muons of W with pT from 26 to 56 GeV have a mean curvature of 1/40 GeV
W_ETA = 2.4


@dataclass(frozen=True, slots=True)
class ExpectedSample:
    """What is expected of one sample: number of selected pairs, and the share of them that is background; the plan of
    its fit, and its simulation."""

    pairs: float
    background: float
    plan: FitPlan
    simulation: CellMasses


def expected_masses(simulation: CellMasses, pairs: float) -> CellMasses:
    """The sums of the simulation, scaled to `pairs` selected pairs of weight 1."""
    factor = pairs / simulation.entries.sum()
    masses, numbers = factor * simulation.masses, factor * simulation.pairs
    return replace(
        simulation,
        masses=masses,
        weight2=masses.sum(axis=1),
        spread=masses.sum(axis=0),
        pairs=numbers,
    )


def asimov(sample: ExpectedSample, run: Map = map) -> tuple[Cells, CellData, CellFits]:
    """Cells, expected counts, and their fits. Cells whose simulation cannot be fitted are empty."""
    cells, data, fits = fit_sample(with_choice(sample.plan, background=False), sample.simulation, run)
    expected = expected_masses(sample.simulation, sample.pairs)
    entries = np.where(fits.good, np.maximum(sample.plan.merging.sum(expected.entries), 0), 0)
    counts = entries[:, None] * _curves(data, fits, sample.background)
    plan = with_choice(sample.plan, background=sample.background > 0)
    filled = replace(data, counts=counts, known=np.zeros_like(counts))
    return replace(cells, entries=entries), *fit_masses(plan, filled, run)


def _curves(data: CellData, fits: CellFits, background: float) -> FloatArray:
    """Share of every mass bin (cells, bins): the fitted signal, and a flat background."""
    signal = np.maximum(data.counts.sum(axis=1, keepdims=True) * fits.shares - data.known, 0)
    signal /= np.maximum(signal.sum(axis=1, keepdims=True), 1e-300)
    curves: FloatArray = (1 - background) * signal + background / signal.shape[1]
    return curves


def expected_errors(
    samples: Sequence[ExpectedSample], run: Map = map
) -> tuple[Extraction, Extraction, list[tuple[Cells, CellFits]]]:
    """The extraction from the Asimov sets of all samples, then without the statistics of the template; the cells of
    every sample with their fits.

    Raises InputError as `extract` does: what the cells cannot fix stays open for any number of pairs."""
    fitted = [(cells, fits) for cells, _, fits in (asimov(each, run) for each in samples)]
    plan = samples[0].plan
    both, alone = (
        extract_jointly(fitted, plan.counting.binning.muons, plan.choice.parameters, plan.rules(template))[0]
        for template in (True, False)
    )
    return both, alone, fitted


def w_weights(bins: MuonBins) -> FloatArray:
    """Share (bins,) of the muons of W in every bin: flat in eta within W_ETA, and in phi; all 0 if no bin is there."""
    eta, phi = np.diff(np.clip(bins.eta_edges, -W_ETA, W_ETA)), np.diff(bins.phi_edges)
    weights: FloatArray = np.outer(eta / max(float(eta.sum()), 1e-300), phi / phi.sum()).ravel()
    return weights


def w_mass_error(extraction: Extraction) -> float:
    """Error of the W mass [GeV] by the scale: W_MASS times that of A - e/W_PT, averaged over the muons of W.

    M cancels: it moves the masses of W+ and W- by the same, in opposite directions."""
    row = w_weights(extraction.bins) @ scale_design(extraction.layout, W_PT)
    return float(W_MASS * np.sqrt(row @ extraction.covariance @ row))
