"""`python -m tests.calibration.trap_sizes`: how large the traps of the method are, and what is left of them here.

Mean of mu - 1 over all cells, in 1e-5, of samples without bias; the table of docs/results.md."""

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from operator import add

import numpy as np
from tests.calibration import samples

from muonkit.calibration import extract
from muonkit.calibration.accumulate import CellMasses, CountSettings, accumulate, selected
from muonkit.calibration.binning import Binning, MuonBins, merge
from muonkit.calibration.cells import Cells
from muonkit.calibration.resolution import Resolution
from muonkit.core.kinematics import mass
from muonkit.data.dimuons import Dimuons
from muonkit.simulation.dimuons.generate import EventBlock, make_block

ETA = (-2.4, -1.2, 0.0, 1.2, 2.4)
TWO = (-2.4, 0.0, 2.4)


def mean_scale(counts: samples.Counts, kernel: str = "curvature") -> str:
    """Weighted mean of mu - 1 and its error [1e-5]."""
    fits = samples.fit(counts, ("A",), kernel=kernel).fits
    good = fits.good
    weight = 1 / (fits.expected_covariance[good, 0, 0] + fits.template_covariance[good, 0, 0])
    mean = (weight * (fits.theta[good, 0] - 1)).sum() / weight.sum()
    return f"{1e5 * mean:+7.2f} +- {1e5 / np.sqrt(weight.sum()):.2f}"


def count(events: int, seed: int, a: float, change: Callable[[Dimuons], Dimuons] = lambda t: t) -> samples.Counts:
    resolution = {"resolution": {"a": [a], "c": [0.0]}}
    data, simulation = (samples.sample(events, seed + i, **resolution) for i in (0, 1))
    return samples.count(data, simulation, ETA, change)


def migration_slope(blocks: int) -> tuple[float, float, float]:
    """Slope of the mean of ln(m_reco/m_gen) in a cell against the predicted shift, its error, and the largest shift.

    Resolutions 0.5 % and 3 % in the two eta halves; what the kernel takes care of, sigma^2/2, is taken out first."""
    a = np.array([0.005, 0.03])
    config = samples.sample(1, 5, resolution={"eta_edges": TWO, "a": tuple(a), "c": (0.0,)})
    binning = Binning(MuonBins.of_edges(TWO), np.linspace(-1.2, 1.2, 13), np.array([-1.01, 1.01]))
    settings = replace(samples.settings_for(make_block(EventBlock(config, 0)), TWO), binning=binning, window=(2.6, 3.7))
    parts = [_mean_shift(make_block(EventBlock(config, number)), settings, a) for number in range(1, blocks + 1)]
    n, x, xx = (np.sum([part[i] for part in parts], axis=0) for i in range(3))
    merging = merge(n, binning.shape, 1)
    cells = Cells.from_sums(reduce(add, [part[3] for part in parts]), binning, merging)
    n, x, xx = (merging.sum(values) for values in (n, x, xx))
    weight = n**2 / xx
    resolution = Resolution(a, *(np.zeros(2),) * 3)
    shift = extract.migration(cells, resolution.at(cells.bin_plus), resolution.at(cells.bin_minus))
    error = 1 / np.sqrt((weight * shift**2).sum())
    return float((weight * shift * x / n).sum() * error**2), float(error), float(np.abs(shift).max())


def _mean_shift(
    table: Dimuons, settings: CountSettings, a: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, CellMasses]:
    """Per cell: pairs, sums of x and x^2, x = 1 - m_gen/m_reco - (s+^2 + s-^2)/8; and the sums that are counted."""
    assert table.gen_plus is not None
    assert table.gen_minus is not None
    reco, gen = mass(table.plus, table.minus), mass(table.gen_plus, table.gen_minus)
    kept = selected(table, reco, settings) & (reco > settings.window[0]) & (reco < settings.window[1]) & (gen > 3.0)
    chosen = table[kept]
    variance = sum(a[(muon.eta > 0).astype(int)] ** 2 for muon in (chosen.plus, chosen.minus))
    x = 1 - gen[kept] / reco[kept] - variance / 8
    cell = settings.binning.index(chosen.plus, chosen.minus)
    x, cell = x[cell >= 0], cell[cell >= 0]
    size = settings.binning.size
    return (
        np.bincount(cell, minlength=size).astype(float),
        np.bincount(cell, x, size),
        np.bincount(cell, x**2, size),
        accumulate(chosen, settings),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=4_000_000)
    events = parser.parse_args().events
    for a in (0.007, 0.012, 0.020):
        counts = count(events, 70, a)
        sigma = f"sigma_m/m = {100 * a / np.sqrt(2):.2f} %"
        print(f"{sigma}: Gaussian in mass {mean_scale(counts, 'mass')}, in curvature {mean_scale(counts)}")
    cut = count(events, 80, 0.012, lambda t: t[(t.plus.pt > 4.5) & (t.minus.pt > 4.5)])
    print(f"cut in reconstructed pT > 4.5 GeV: {mean_scale(cut)}")
    slope, error, largest = migration_slope(events // 10_000)
    print(f"migration (0.5 % and 3 %): up to {1e5 * largest:.0f}e-5 in a cell; slope {slope:.2f} +- {error:.2f}")


if __name__ == "__main__":
    main()
