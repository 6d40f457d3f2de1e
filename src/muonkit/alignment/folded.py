"""The mass of pairs where the detector has thousands of modules: what it says of field and matter alone.

A pair couples all modules of both muons, 0.2 MB of blocks. Modules of one layer at the same r and z answer alike to
field and matter, so one of them stands for all: some hundred are left. Where the modules are is left to the tracks; to
the mass their random shifts are noise."""

import numpy as np

from muonkit.alignment.mass import MassEquations
from muonkit.alignment.parameters import FIELD, MATERIAL, SIZE
from muonkit.core.arrays import IntArray
from muonkit.detector.detector import Detector

NEAR = 5.0  # cm in r and z
FEW = 1000  # surfaces, up to which a mass can act on everything


def standing_for(detector: Detector) -> IntArray:
    """The surface (n,) that stands for each one."""
    n = len(detector.layers)
    r, z = np.hypot(*detector.nominal[:, :2].T), detector.nominal[:, 2]
    layer = detector.layer_of if len(detector.layer_of) else np.full(n, -1)
    layer = np.where(layer >= 0, layer, -1 - np.arange(n))
    place = np.column_stack((layer, np.round(r / NEAR).astype(np.int64), np.round(z / NEAR).astype(np.int64)))
    first, group = np.unique(place, axis=0, return_index=True, return_inverse=True)[1:]
    return np.asarray(first[group.reshape(-1)])


def folded(found: MassEquations, standing: IntArray, kinds: IntArray) -> MassEquations:
    """The equations of field and matter alone, where they are among the kinds (k,) that are fitted, of those surfaces
    (n,) that stand for others; what comes behind the surfaces are coefficients of the field."""
    acts = [kind for kind in (FIELD, MATERIAL) if kind in kinds]
    of_surface, n = found.surface < len(standing), len(standing)
    near = np.where(found.surface >= 0, standing[np.clip(found.surface, 0, n - 1)], -1)
    surface = np.where(of_surface, near if acts else -1, found.surface)
    kept = (surface >= 0).any(axis=0)
    D = found.D.reshape(len(found.z), -1, SIZE)[:, kept]
    D[of_surface[:, kept][:, :, None] & ~np.isin(np.arange(SIZE), acts)] = 0.0
    return MassEquations(surface[:, kept], D.reshape(len(found.z), 1, -1), found.z)
