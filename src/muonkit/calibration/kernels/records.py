"""What the mass fits read and write."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

MASS, CURVATURE = 0, 1
CONVERGED, NO_BACKGROUND, AT_LIMIT, NOT_CONVERGED, BAD_FISHER, NO_ENTRIES = range(6)
MU, SIGMA, FRACTION, SLOPE = range(4)  # of theta
FLOOR = 1e-12  # of a bin's probability: below, the tables have no digits
END, STEPS = 10.0, 16  # a table of F reaches from z = -END to END, in steps of 1/STEPS
INTERVALS = int(2 * END * STEPS)
TILTS = 3  # of a template that is made from those of all cells, see `pooling`


class MassFitPlan(NamedTuple):
    """What is common to all cells: mass edges, kernel, limits, which of the four parameters are fitted,
    constraint (mean, width) of the slope, tolerance in ln L, most steps."""

    edges: npt.NDArray[np.float64]
    kind: int
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    fitted: npt.NDArray[np.bool_]
    prior: npt.NDArray[np.float64]
    tolerance: float
    max_steps: int


class Spectra(NamedTuple):
    """All cells: counts (cells, bins), and the part of them whose expectation is known; start values (cells, 4); masses
    (nodes,) of the template [GeV], their weights and variances; the nodes of cell c are first[c] : first[c + 1]. Modes
    (nodes, TILTS), by which the weights of a cell vary together, if there are any. Tables (tables, INTERVALS, 4) of F
    as cubic polynomials, and kappa (tables,); of every cell its table and growth (cells,): the relative width of a node
    is sigma (m/m_mean)^growth."""

    counts: npt.NDArray[np.float64]
    known: npt.NDArray[np.float64]
    start: npt.NDArray[np.float64]
    first: npt.NDArray[np.int64]
    nodes: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]
    variances: npt.NDArray[np.float64]
    modes: npt.NDArray[np.float64]
    tables: npt.NDArray[np.float64]
    kappa: npt.NDArray[np.float64]
    table: npt.NDArray[np.int64]
    growth: npt.NDArray[np.float64]


class MassFits(NamedTuple):
    """What is written: theta (cells, 4), its covariance (cells, 4, 4) from the observed and from the expected
    information and that of the finite template; status, ln L and Pearson's chi2 (cells,); share of every mass bin
    (cells, bins)."""

    theta: npt.NDArray[np.float64]
    observed: npt.NDArray[np.float64]
    expected: npt.NDArray[np.float64]
    template: npt.NDArray[np.float64]
    status: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]
    chi2: npt.NDArray[np.float64]
    shares: npt.NDArray[np.float64]


class Cell(NamedTuple):
    """One cell: counts (bins,) and their known part (bins,); its response: F as a table (INTERVALS, 4), kappa, growth,
    mean mass [GeV]."""

    counts: npt.NDArray[np.float64]
    known: npt.NDArray[np.float64]
    table: npt.NDArray[np.float64]
    kappa: float
    growth: float
    mean: float


class Nodes(NamedTuple):
    """Masses [GeV], weights and variances (nodes,) of a template, and modes (nodes, TILTS), by which weights vary
    together; of which only the first size[0] count. At the current theta: z = constant + factor x, and the relative
    width over sigma (nodes,)."""

    size: npt.NDArray[np.int64]
    mass: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    variance: npt.NDArray[np.float64]
    modes: npt.NDArray[np.float64]
    constant: npt.NDArray[np.float64]
    factor: npt.NDArray[np.float64]
    width: npt.NDArray[np.float64]


class Density(NamedTuple):
    """Of every bin its probability p (bins,), and derivatives by theta: first (bins, 4), second (bins, 5) by (mu mu,
    mu sigma, sigma sigma, slope slope, slope f). Sums at edges (bins + 1, 6) and the background there (bins + 1, 3) are
    what they are made of."""

    p: npt.NDArray[np.float64]
    dp: npt.NDArray[np.float64]
    d2p: npt.NDArray[np.float64]
    sums: npt.NDArray[np.float64]
    background: npt.NDArray[np.float64]
