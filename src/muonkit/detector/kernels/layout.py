"""How a magnetic field lies in flat arrays: a sum of parts, each confined to a region if wanted, and multiplied by a
constant and by correction maps. Lengths cm, field tesla.

`params[i]`: FACTOR, cylinder (r_min, r_max, z_min, z_max), box (x_min, x_max, y_min, y_max, z_min, z_max), and from OWN
on the numbers of the kind:

    UNIFORM       Bx, By, Bz
    SOLENOID      radius, half length, mu0 n I, z0
    RZ_MAP        r_min, z_min, 1/dr, 1/dz, z0, mirrored
    XYZ_MAP       x_min, y_min, z_min, 1/dx, 1/dy, 1/dz
    HARMONIC      z0 (in the pool: amplitude, centre, width of every Gaussian)
    PARAMETRISED  a, l, B0, z0, p, q, g, d, w
    KLM_IRON      z0, then as in `fields.iron` (in the pool: its pieces)

`offsets[i]`: where the part's data begin in the pool, three sizes, the interpolation (LINEAR, CUBIC) or the order of
the series, where its correction maps begin in the pool, how many they are, which regions count. A correction map in the
pool: dimension, interpolation, three sizes, three origins, three inverse steps, coefficients."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

UNIFORM, SOLENOID, RZ_MAP, XYZ_MAP, HARMONIC, PARAMETRISED, KLM_IRON = range(7)
LINEAR, CUBIC = 1, 3
N_PARAMS, N_OFFSETS = 32, 8
FACTOR, CYLINDER, BOX, OWN = 0, 1, 5, 11
DATA, SIZE0, SIZE1, SIZE2, ORDER, CORRECTION, CORRECTIONS, REGION = range(N_OFFSETS)
IN_CYLINDER, IN_BOX = 1, 2
HEADER = 11  # of a correction map in the pool; the places of what stands in it:
DIMENSION, INTERPOLATION, SIZE, ORIGIN, INVERSE_STEP = 0, 1, 2, 5, 8
FAR = 1e12  # cm: no cell of a grid has such a number
ON_AXIS = 1e-9  # cm: closer to the axis of a map Br/r is its limit dBr/dr


class FieldArrays(NamedTuple):
    """A field of n parts: kinds (n,), params (n, 32), offsets (n, 8), pool."""

    kinds: npt.NDArray[np.int64]
    params: npt.NDArray[np.float64]
    offsets: npt.NDArray[np.int64]
    pool: npt.NDArray[np.float64]
