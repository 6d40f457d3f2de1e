"""The mass of pairs where the detector has thousands of modules: what it says of field and material alone.

A pair couples all modules of both muons, 0.2 MB of blocks. Modules of one layer at the same r and z answer alike to
field and material, so one of them stands for all: some hundred are left. Where the modules are is left to the tracks;
to the mass their random shifts are noise."""

import numpy as np

from muonkit.alignment.mass import MassEquations
from muonkit.alignment.parameters import FIELD, SIZE
from muonkit.core.arrays import IntArray
from muonkit.detector.detector import Detector

NEAR = 5.0  # cm in r and z
FEW = 1000  # surfaces, up to which a mass can act on everything


def standing_for(detector: Detector) -> IntArray:
    """The surface (n,) that stands for each one."""
    n = len(detector.layers)
    r, z = np.hypot(*detector.nominal[:, :2].T), detector.nominal[:, 2]
    layer = np.where(detector.layer_of >= 0, detector.layer_of, -1 - np.arange(n))
    place = np.column_stack((layer, np.round(r / NEAR).astype(np.int64), np.round(z / NEAR).astype(np.int64)))
    first, group = np.unique(place, axis=0, return_index=True, return_inverse=True)[1:]
    return first[group.reshape(-1)]


def folded(found: MassEquations, standing: IntArray | None) -> MassEquations:
    """The equations of field and material alone, of those surfaces that stand for others."""
    if standing is None:
        return found
    D = found.D.reshape(len(found.z), 1, -1, SIZE).copy()
    D[..., :FIELD] = 0.0
    surface = np.where(found.surface >= 0, standing[found.surface], -1)
    return MassEquations(surface, D.reshape(found.D.shape), found.z)
