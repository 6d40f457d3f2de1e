"""A second look: equations that are linear around a detector with corrections p0, and are solved for all of p.

D (p - p0) = z is D p = z + D p0, so N stays and b becomes b + N p0. Then the priors act on the whole correction and
count once, whatever the number of iterations."""

import numpy as np

from muonkit.alignment.compact import compact
from muonkit.alignment.parameters import FIELD
from muonkit.alignment.solve import Corrections
from muonkit.alignment.system import NormalSystem
from muonkit.core.arrays import FloatArray


def applied(corrections: Corrections, size: int) -> FloatArray:
    """The parameters (size,) that `apply.corrected` brings into the detector: all but the field of single ways."""
    out, values = np.zeros(size), corrections.values.copy()
    values[:, FIELD] = 0.0
    out[: values.size] = values.reshape(-1)
    if corrections.field is not None:
        out[values.size : values.size + len(corrections.field.values)] = corrections.field.values
    return out


def around(system: NormalSystem, corrections: Corrections) -> None:
    """Turn sums around a detector with these corrections into sums around the described one, in place; chi2 too."""
    p = applied(corrections, len(system))
    moved = compact(system.matrix(np.ones(len(system)))) @ p
    system.chi2 += float(2 * p @ system.rhs.reshape(-1) + p @ moved)
    system.rhs += moved.reshape(system.rhs.shape)
