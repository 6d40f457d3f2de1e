"""The template of a cell in as few nodes as its resolution asks for.

Nodes near each other become two, with the same weight, mean, variance and third moment: a Gauss quadrature. What is
left out is of fourth order in the reach of a group, times its share of the weight: 1e-4 of the density at most. So the
peak is resolved to REACH sigma, and its radiative tail more coarsely."""

import math

from muonkit.calibration.kernels.records import TILTS
from muonkit.core.compiled import leaf

REACH = 0.6  # sigma: of a group with all of the weight
FARTHEST = 2.0  # sigma: of a group with hardly any
TAIL = 0.1  # of the error of the peak: what a group beyond REACH may add
POINT = 0.005  # sigma: narrower groups become one node, which takes 1e-5 off sigma


@leaf
def moments(mass, weight, first, last):
    """Weight, mean, variance and third central moment of the nodes first ... last - 1."""
    total = mean = 0.0
    for j in range(first, last):
        total += weight[j]
        mean += weight[j] * (mass[j] - mass[first])
    mean = mass[first] + mean / total
    second = third = 0.0
    for j in range(first, last):
        d = mass[j] - mean
        second += weight[j] * d * d
        third += weight[j] * d * d * d
    return total, mean, second / total, third / total


@leaf
def end_of_group(spectra, first, end, sigma, total):
    """The node after the group that begins with `first`; sigma: relative; total: weight of the cell."""
    last, weight = first, 0.0
    while last < end:
        reach = (spectra.nodes[last] / spectra.nodes[first] - 1) / sigma
        weight += spectra.weights[last]
        if reach > FARTHEST or (reach > REACH and weight * reach**4 > TAIL * total * REACH**4):
            break
        last += 1
    return last


@leaf
def compress(spectra, begin, end, sigma, nodes):
    """Write the nodes begin ... end - 1 of all cells, compressed for a relative resolution sigma, into `nodes`."""
    count, first = 0, begin
    whole = spectra.weights[begin:end].sum()
    while first < end:
        last = end_of_group(spectra, first, end, sigma, whole)
        variance = spectra.variances[first:last].sum()
        total, mean, second, third = moments(spectra.nodes, spectra.weights, first, last)
        if second < (POINT * sigma * mean) ** 2:
            _add_modes(spectra, first, last, nodes, count, 1.0)
            count = _append(nodes, count, mean, total, variance)
        else:
            root = math.sqrt(second)
            skew = third / (second * root)
            half = math.sqrt(1 + skew * skew / 4)
            upper = 0.5 - skew / (4 * half)
            _add_modes(spectra, first, last, nodes, count, 1 - upper)
            count = _append(nodes, count, mean + root * (skew / 2 - half), total * (1 - upper), variance * (1 - upper))
            _add_modes(spectra, first, last, nodes, count, upper)
            count = _append(nodes, count, mean + root * (skew / 2 + half), total * upper, variance * upper)
        first = last
    nodes.size[0] = count


@leaf
def _append(nodes, count, mass, weight, variance):
    nodes.mass[count], nodes.weight[count], nodes.variance[count] = mass, weight, variance
    return count + 1


@leaf
def _add_modes(spectra, first, last, nodes, place, share):
    """Write a share of the modes of the nodes first ... last - 1, if there are modes, into one node."""
    if spectra.modes.shape[0] == 0:
        return
    for k in range(TILTS):
        total = 0.0
        for j in range(first, last):
            total += spectra.modes[j, k]
        nodes.modes[place, k] = share * total
