"""The peaks of several resonances in one cell, and their yields."""

from muonkit.calibration.kernels.density import look_up
from muonkit.calibration.kernels.records import END, FLOOR
from muonkit.core.compiled import compiled


@compiled
def fill_below(x, constant, factor, weight, component, table, below):
    """Add up `below` (edges, components), which is 0: the weight of every component below the edges. z = constant +
    factor x, with constant, factor, weight and component (nodes,), x (edges,); F: a table (INTERVALS, 4)."""
    for e in range(x.size):
        for j in range(constant.size):
            z = constant[j] + factor[j] * x[e]
            if z <= -END:  # masses rise with j: z falls
                break
            below[e, component[j]] += weight[j] * (look_up(table, z)[0] if z < END else 1.0)


@compiled
def maximise(counts, peaks, base, scale, yields, most, settled):
    """Change `yields` (components,) until no step of the expectation-maximisation moves one by `settled`, in at most
    `most` steps. Probabilities of the bins are base + scale x yields peaks; counts, base (bins,), peaks (components,
    bins)."""
    wanted = yields.copy()
    for _ in range(most):
        wanted[:] = 0.0
        for i in range(counts.size):
            p = 0.0
            for k in range(yields.size):
                p += yields[k] * peaks[k, i]
            ratio = counts[i] / max(base[i] + scale * p, FLOOR)
            for k in range(yields.size):
                wanted[k] += yields[k] * peaks[k, i] * ratio
        total, largest = wanted.sum(), 0.0
        for k in range(yields.size):
            largest = max(largest, abs(wanted[k] / total - yields[k]))
            yields[k] = wanted[k] / total
        if largest < settled:
            return
