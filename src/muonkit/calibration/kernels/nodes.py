"""The template of a cell in as few nodes as its resolution asks for.

Nodes within REACH sigma of each other become two, with the same weight, mean, variance and third moment: a Gauss
quadrature. What is left out is of fourth order: 1e-4 of the density at most."""

import math

from muonkit.core.compiled import leaf

REACH = 0.6  # sigma
POINT = 0.02  # sigma: narrower groups become one node


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
def compress(spectra, begin, end, sigma, nodes):
    """Write the nodes begin ... end - 1 of all cells, compressed for a relative resolution sigma, into `nodes`."""
    count, first = 0, begin
    while first < end:
        last, variance = first, 0.0
        limit = spectra.nodes[first] * (1 + REACH * sigma)
        while last < end and spectra.nodes[last] <= limit:
            variance += spectra.variances[last]
            last += 1
        total, mean, second, third = moments(spectra.nodes, spectra.weights, first, last)
        if second < (POINT * sigma * mean) ** 2:
            count = _append(nodes, count, mean, total, variance)
        else:
            root = math.sqrt(second)
            skew = third / (second * root)
            half = math.sqrt(1 + skew * skew / 4)
            upper = 0.5 - skew / (4 * half)
            count = _append(nodes, count, mean + root * (skew / 2 - half), total * (1 - upper), variance * (1 - upper))
            count = _append(nodes, count, mean + root * (skew / 2 + half), total * upper, variance * upper)
        first = last
    nodes.size[0] = count


@leaf
def _append(nodes, count, mass, weight, variance):
    nodes.mass[count], nodes.weight[count], nodes.variance[count] = mass, weight, variance
    return count + 1
