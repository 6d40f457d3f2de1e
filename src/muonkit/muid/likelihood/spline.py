"""Cubic splines through logarithms of densities at the centres of bins.

Forsythe, Malcolm and Moler (Computer Methods for Mathematical Computations, 1977, ch. 4.4): the third derivative in the
first and in the last interval is that of the cubic through the four points there. With sigma_i = s''(x_i)/6 and step h

    sigma_{i-1} + 4 sigma_i + sigma_{i+1} = [y_{i-1}, y_i, y_{i+1}] 2  at inner points                           (17)
    sigma_1 - sigma_0 = h [y_0, y_1, y_2, y_3]  and likewise at the end

where [...] are divided differences. As in Muid, the spline is built on all bins but the last, which is flat."""

import numpy as np
from scipy.linalg import solve_banded

from muonkit.core.arrays import FloatArray

BINS = 100
WIDTH = 0.1  # of a bin in reduced chi2


def coefficients(values: FloatArray) -> FloatArray:
    """Coefficients (..., 100, 4) of y + d (b + d (c + d e)) behind each bin centre, d the distance from it, for values
    (..., 100) at the centres."""
    flat = values.reshape(-1, BINS)
    out = np.zeros((len(flat), BINS, 4))
    out[:, :, 0] = flat
    inner = flat[:, :-1]
    sigma = second_derivatives(inner)
    slope = np.diff(inner, axis=1) / WIDTH
    out[:, :-2, 1] = slope - WIDTH * (sigma[:, 1:] + 2 * sigma[:, :-1])
    out[:, -2, 1] = slope[:, -1] + WIDTH * (sigma[:, -2] + 2 * sigma[:, -1])
    out[:, :-1, 2] = 3 * sigma
    out[:, :-2, 3] = np.diff(sigma, axis=1) / WIDTH
    out[:, -2, 3] = out[:, -3, 3]
    return out.reshape(*values.shape, 4)


def second_derivatives(values: FloatArray) -> FloatArray:
    """sigma (m, n) of values (m, n), eq. 17."""
    n = values.shape[1]
    third = np.diff(values, n=3, axis=1) / (6 * WIDTH**3)
    right = np.empty_like(values)
    right[:, 1:-1] = np.diff(values, n=2, axis=1) / WIDTH**2
    right[:, 0], right[:, -1] = WIDTH * third[:, 0], WIDTH * third[:, -1]
    bands = np.ones((3, n))
    bands[1] = 4.0
    bands[1, 0], bands[1, -1], bands[2, -2] = -1.0, 1.0, -1.0
    sigma: FloatArray = solve_banded((1, 1), bands, right.T).T
    return sigma


def interval(x: FloatArray) -> FloatArray:
    """Number of the bin centre that a point x builds on, rounded towards the first, at most the last."""
    return np.minimum(np.trunc((x - WIDTH / 2) / WIDTH), BINS - 1).astype(np.int64)
