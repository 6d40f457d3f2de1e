"""From pairs to sums, one pair after the other: the compiled twin of `tests/calibration/reference_counting.py`.

Letters: m, a mass [GeV]; w, a weight; r, m/pole - 1; x, an axis of `accumulate.AXES`. Everything is in double
precision: a loop waits for exp, cos and memory, and single precision would lose 1e-5 in a sum of 1e8 pairs."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from muonkit.core.compiled import compiled, inlined
from muonkit.core.units import MUON_MASS

READ, SELECTED, OFF_WINDOW, OFF_CUTS, OFF_CELLS, BELOW_0 = range(6)  # of Sums.pairs
WEIGHT, WEIGHT2, SIZE, SIZED_MASS = range(4)  # columns of a generator node
Column = npt.NDArray[np.float64]


class Muons(NamedTuple):
    """pT [GeV], eta, phi [rad] of the muons of both charges (n,); without rows where they are not known."""

    plus_pt: Column
    plus_eta: Column
    plus_phi: Column
    minus_pt: Column
    minus_eta: Column
    minus_phi: Column


class Pair(NamedTuple):
    """One pair: its muons, cos dphi, and angles = cos dphi + sinh eta+ sinh eta-."""

    plus_pt: float
    plus_eta: float
    plus_phi: float
    plus_cosh: float
    minus_pt: float
    minus_eta: float
    minus_phi: float
    minus_cosh: float
    cos_dphi: float
    angles: float


class Grid(NamedTuple):
    """Edges of cells, see `binning.Binning`; mass window [GeV], number of its bins, cuts on pT/m x pole [GeV]; of
    every bin of log(pT+/pT-), the shift of it for `leaving` (bins,) and exp(shift/4)."""

    eta: Column
    phi: Column
    ratio: Column
    cos_dphi: Column
    window: tuple[float, float]
    mass_bins: int
    pole: float
    scaled_pt: tuple[float, float]
    shift: Column
    rise: Column


class Sums(NamedTuple):
    """What is filled, see `accumulate.CellMasses`."""

    masses: npt.NDArray[np.float64]
    weight2: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float64]
    means: npt.NDArray[np.float64]
    leaving: npt.NDArray[np.float64]
    angular: npt.NDArray[np.float64]
    correlation: npt.NDArray[np.float64]
    pairs: npt.NDArray[np.float64]


class Slices(NamedTuple):
    """Slice (n,) of every pair, without rows if there are no slices; class of every fine cell, -1 for none; what is
    filled, see `drift.SliceMasses`."""

    row: npt.NDArray[np.int64]
    of_cell: npt.NDArray[np.int64]
    masses: npt.NDArray[np.float64]
    weight2: npt.NDArray[np.float64]


class NodeGrid(NamedTuple):
    """Nodes of generator masses: node 0 begins at ln m = `start`, each is `spacing` wide."""

    start: float
    spacing: float
    nodes: int


class ResponseGrid(NamedTuple):
    """Edges of generated pT [GeV]; bins of k_reco/k_gen - 1 from -end on, each `step` wide."""

    pt: Column
    end: float
    step: float
    bins: int


@inlined
def place_of(value, edges):
    """Bin of a value; the first or last one outside."""
    low, high = 0, edges.size - 1
    while high - low > 1:
        middle = (low + high) // 2
        if value < edges[middle]:
            high = middle
        else:
            low = middle
    return low


@inlined
def bin_of(value, edges):
    """Bin of a value, -1 outside [first, last)."""
    if not (value >= edges[0] and value < edges[edges.size - 1]):
        return -1
    return place_of(value, edges)


@inlined
def muon_bin_of(eta, phi, eta_edges, phi_edges):
    """Bin of a muon, see `binning.MuonBins`, -1 outside the eta range."""
    row = bin_of(eta, eta_edges)
    if row < 0:
        return -1
    turned = phi - phi_edges[0]
    turned = phi_edges[0] + (turned - math.tau * math.floor(turned / math.tau))
    return row * (phi_edges.size - 1) + place_of(turned, phi_edges)


@inlined
def pair_of(muons, i):
    """Pair i; cosh and sinh of an eta take one exponential."""
    plus_up, minus_up = math.exp(muons.plus_eta[i]), math.exp(muons.minus_eta[i])
    plus_down, minus_down = 1 / plus_up, 1 / minus_up
    cos_dphi = math.cos(muons.plus_phi[i] - muons.minus_phi[i])
    angles = cos_dphi + (plus_up - plus_down) * (minus_up - minus_down) / 4
    plus = (muons.plus_pt[i], muons.plus_eta[i], muons.plus_phi[i], (plus_up + plus_down) / 2)
    minus = (muons.minus_pt[i], muons.minus_eta[i], muons.minus_phi[i], (minus_up + minus_down) / 2)
    return Pair(*plus, *minus, cos_dphi, angles)


@inlined
def energy_of(pt, cosh):
    """Energy [GeV] of a muon."""
    return math.sqrt((pt * cosh) * (pt * cosh) + MUON_MASS * MUON_MASS)


@inlined
def mass_of(pair, plus_pt, minus_pt):
    """Mass [GeV] of a pair with these pT [GeV]."""
    energies = energy_of(plus_pt, pair.plus_cosh) * energy_of(minus_pt, pair.minus_cosh)
    return math.sqrt(2 * (MUON_MASS * MUON_MASS + energies - plus_pt * minus_pt * pair.angles))


@inlined
def is_within(plus_pt, minus_pt, factor, cuts):
    """Whether both pT x factor [GeV] lie between the cuts."""
    return min(plus_pt, minus_pt) * factor > cuts[0] and max(plus_pt, minus_pt) * factor < cuts[1]


@inlined
def cell_of(pair, ratio, grid):
    """Fine cell of a pair with `ratio` = log(pT+/pT-), -1 outside."""
    a = muon_bin_of(pair.plus_eta, pair.plus_phi, grid.eta, grid.phi)
    b = muon_bin_of(pair.minus_eta, pair.minus_phi, grid.eta, grid.phi)
    c, d = bin_of(ratio, grid.ratio), bin_of(pair.cos_dphi, grid.cos_dphi)
    if a < 0 or b < 0 or c < 0 or d < 0:
        return -1
    muons = (grid.eta.size - 1) * (grid.phi.size - 1)
    return ((a * muons + b) * (grid.ratio.size - 1) + c) * (grid.cos_dphi.size - 1) + d


@inlined
def add_mass(m, w, cell, grid, sums):
    """Add a pair to the spectrum of its cell."""
    low, high = grid.window
    position = min(int((m - low) / (high - low) * grid.mass_bins), grid.mass_bins - 1)
    sums.masses[cell, position] += w
    sums.weight2[cell] += w * w
    sums.spread[position] += w * w


@inlined
def add_to_slice(i, m, w, cell, grid, slices):
    """Add pair i to the spectrum of its slice and class."""
    row, of_cell = slices.row[i], slices.of_cell[cell]
    if of_cell >= 0:
        low, high = grid.window
        position = min(int((m - low) / (high - low) * grid.mass_bins), grid.mass_bins - 1)
        slices.masses[row, of_cell, position] += w
        slices.weight2[row] += w * w


@inlined
def mass_responses(pair, m):
    """d ln m/d ln pT of both muons of a pair of mass m [GeV]."""
    plus, minus = pair.plus_pt, pair.minus_pt
    e_plus, e_minus = energy_of(plus, pair.plus_cosh), energy_of(minus, pair.minus_cosh)
    p_plus, p_minus = plus * pair.plus_cosh, minus * pair.minus_cosh
    dot = plus * minus * pair.angles
    first = (p_plus * p_plus * e_minus / e_plus - dot) / (m * m)
    return first, (p_minus * p_minus * e_plus / e_minus - dot) / (m * m)


@inlined
def add_means(pair, m, w, cell, means):
    """Add a pair to the sums of `accumulate.MEANS`."""
    plus, minus = pair.plus_pt, pair.minus_pt
    by_plus, by_minus = mass_responses(pair, m)
    means[cell, 0] += w * (1 / plus)
    means[cell, 1] += w * (1 / minus)
    means[cell, 2] += w * plus
    means[cell, 3] += w * minus
    means[cell, 4] += w * (plus * plus)
    means[cell, 5] += w * (minus * minus)
    means[cell, 6] += w * by_plus
    means[cell, 7] += w * by_minus


@inlined
def add_leaving(pair, ratio, factor, w, cell, grid, leaving):
    """Add a pair that leaves its cell, or the selection, when log(pT+/pT-) grows by the shift; subtract one that leaves
    when it falls. From there to the wall density and pT^2 are extrapolated linearly: w -> 3 w for a pair that leaves by
    half the shift, -w for the others."""
    plus, minus, c = pair.plus_pt, pair.minus_pt, cell // (grid.cos_dphi.size - 1) % (grid.ratio.size - 1)
    low, high, shift, half = grid.ratio[c], grid.ratio[c + 1], grid.shift[c], grid.rise[c]
    lowest, highest = grid.scaled_pt[0] / factor, grid.scaled_pt[1] / factor
    whole, fall = half * half, 1 / half
    net = 4.0 * ((ratio + shift / 2 >= high) | (minus * fall <= lowest) | (plus * half >= highest))
    net -= 1.0 * ((ratio + shift >= high) | (minus * (fall * fall) <= lowest) | (plus * whole >= highest))
    net -= 4.0 * ((ratio - shift / 2 < low) | (plus * fall <= lowest) | (minus * half >= highest))
    net += 1.0 * ((ratio - shift < low) | (plus * (fall * fall) <= lowest) | (minus * whole >= highest))
    density = net * w / shift
    leaving[cell, 0] += density
    leaving[cell, 1] += density * (plus * plus)
    leaving[cell, 2] += density * (minus * minus)


@inlined
def add_angular(pair, true, w, cell, angular):
    """Add ln of the change of the mass by the measurement of the angles; `true`: the generated pair."""
    plus, minus = true.plus_pt, true.minus_pt
    change = math.log(mass_of(pair, plus, minus) / mass_of(true, plus, minus))
    angular[cell, 0] += w
    angular[cell, 1] += w * change
    angular[cell, 2] += w * change * change


@inlined
def add_correlation(pair, ratio, r, correlation):
    """Add a pair to the sums of all axes."""
    leading = pair.plus_eta if pair.plus_pt > pair.minus_pt else pair.minus_eta
    axes = (pair.plus_eta, pair.minus_eta, ratio, pair.cos_dphi, abs(leading))
    for axis in range(5):
        x = axes[axis]
        correlation[axis, 0] += x
        correlation[axis, 1] += x * x
        correlation[axis, 2] += r
        correlation[axis, 3] += r * r
        correlation[axis, 4] += x * r


@compiled
def tally(muons, generated, weight, grid, sums, slices):
    """Add all pairs, with weights (n,), to `sums`, and to `slices` if there are any."""
    known, sliced = generated.plus_pt.size > 0, slices.row.size > 0
    for i in range(weight.size):
        pair = pair_of(muons, i)
        m = mass_of(pair, pair.plus_pt, pair.minus_pt)
        if not (m >= grid.window[0] and m < grid.window[1]):
            sums.pairs[OFF_WINDOW] += 1
            continue
        factor = grid.pole / m
        if not is_within(pair.plus_pt, pair.minus_pt, factor, grid.scaled_pt):
            sums.pairs[OFF_CUTS] += 1
            continue
        ratio = math.log(pair.plus_pt / pair.minus_pt)
        cell = cell_of(pair, ratio, grid)
        if cell < 0:
            sums.pairs[OFF_CELLS] += 1
            continue
        w = weight[i]
        sums.pairs[SELECTED] += 1
        if w < 0:
            sums.pairs[BELOW_0] += 1
        add_mass(m, w, cell, grid, sums)
        add_means(pair, m, w, cell, sums.means)
        add_leaving(pair, ratio, factor, w, cell, grid, sums.leaving)
        add_correlation(pair, ratio, m / grid.pole - 1, sums.correlation)
        if sliced:
            add_to_slice(i, m, w, cell, grid, slices)
        if known:
            add_angular(pair, pair_of(generated, i), w, cell, sums.angular)
    sums.pairs[READ] += weight.size


@compiled
def selected_pairs(muons, weight, grid, cell, columns):
    """Write the cell, and the columns of `accumulate.KeptPairs` (n, 6), of the pairs that pass the cuts, lie in the
    mass window and fall in a cell, one after the other; returns their number."""
    found = 0
    for i in range(weight.size):
        pair = pair_of(muons, i)
        m = mass_of(pair, pair.plus_pt, pair.minus_pt)
        if not (m >= grid.window[0] and m < grid.window[1]):
            continue
        where = cell_of(pair, math.log(pair.plus_pt / pair.minus_pt), grid)
        if where >= 0 and is_within(pair.plus_pt, pair.minus_pt, grid.pole / m, grid.scaled_pt):
            by_plus, by_minus = mass_responses(pair, m)
            values = (m, pair.plus_pt, pair.minus_pt, by_plus, by_minus, weight[i])
            cell[found] = where
            for column in range(len(values)):
                columns[found, column] = values[column]
            found += 1
    return found


@compiled
def generator_nodes(muons, generated, weight, grid, spacing, cell, node, columns):
    """Write cell, node and what is added there (n, 4) for the pairs that pass the cuts and fall in a cell, one after
    the other; returns their number."""
    found = 0
    for i in range(weight.size):
        true, pair = pair_of(generated, i), pair_of(muons, i)
        true_mass = mass_of(true, true.plus_pt, true.minus_pt)
        position = math.floor((math.log(true_mass) - spacing.start) / spacing.spacing)
        factor = grid.pole / mass_of(pair, pair.plus_pt, pair.minus_pt)
        where = cell_of(pair, math.log(pair.plus_pt / pair.minus_pt), grid)
        within = is_within(pair.plus_pt, pair.minus_pt, factor, grid.scaled_pt)
        if where >= 0 and within and position >= 0 and position < spacing.nodes:
            w = weight[i]
            cell[found], node[found] = where, int(position)
            columns[found, WEIGHT], columns[found, WEIGHT2] = w, w * w
            columns[found, SIZE], columns[found, SIZED_MASS] = abs(w), abs(w) * true_mass
            found += 1
    return found


@compiled
def responses(reco, true, safe, weight, edges, grid, row, place, columns, rows):
    """Write row, bin and weight (n, 1) of the muons of one charge that fall in a histogram of responses, one after the
    other, and add them to the sums `rows`; returns their number. reco: (pT, eta) (n,) each; true: pT (n,) [GeV];
    `safe` (n,): which pairs count; edges: of eta."""
    found = 0
    for i in range(weight.size):
        x = math.floor((true[i] / reco[0][i] - 1 + grid.end) / grid.step)
        eta, pt = bin_of(reco[1][i], edges), bin_of(true[i], grid.pt)
        if safe[i] and eta >= 0 and pt >= 0 and x >= 0 and x < grid.bins:
            w, where = weight[i], eta * (grid.pt.size - 1) + pt
            row[found], place[found], columns[found, 0] = where, int(x), w
            rows[where, 0] += w
            rows[where, 1] += w * w
            rows[where, 2] += w * (true[i] * true[i])
            found += 1
    return found


@compiled
def safe_pairs(generated, pole, cuts, safe):
    """Write which pairs (n,) lie within the cuts on generated pT/m x pole [GeV]."""
    for i in range(safe.size):
        true = pair_of(generated, i)
        factor = pole / mass_of(true, true.plus_pt, true.minus_pt)
        safe[i] = is_within(true.plus_pt, true.minus_pt, factor, cuts)


@compiled
def pair_masses(muons, out):
    """Write the mass (n,) [GeV] of every pair."""
    for i in range(out.size):
        pair = pair_of(muons, i)
        out[i] = mass_of(pair, pair.plus_pt, pair.minus_pt)


@compiled
def correct(muon, charge, edges, bias, least, out):
    """Write corrected pT (n,) [GeV], see `bias.corrected_pt`; muon = (pT, eta, phi), (n,) each; edges of (eta, phi);
    bias = (A, e, M), per bin of muons; `least`: of k_c/k."""
    (pt, eta, phi), (A, e, M) = muon, bias
    for i in range(pt.size):
        b = muon_bin_of(eta[i], phi[i], edges[0], edges[1])
        out[i] = pt[i]
        if b >= 0:
            out[i] = pt[i] / max(1 + A[b] - e[b] * (1 / pt[i]) + charge * M[b] * pt[i], least)
