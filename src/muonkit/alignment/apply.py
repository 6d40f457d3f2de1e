"""A detector with corrections applied."""

import json
from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from muonkit.alignment.parameters import MATERIAL, ROTATION, TRANSLATION
from muonkit.alignment.solve import Corrections
from muonkit.core.errors import InputError
from muonkit.detector.detector import Detector


def corrected(detector: Detector, corrections: Corrections) -> Detector:
    """The detector with every surface moved and turned in its own frame, and with its matter scaled. Corrections of the
    field are left out: they belong to ways between surfaces, not to places.

    Raises InputError for corrections of another detector, or where matter would be negative."""
    if corrections.layers != detector.layers:
        raise InputError(f"alignment: these corrections have other surfaces than {detector.name}; give its own")
    values, surfaces = corrections.values, detector.surfaces
    factor = 1 + values[:, MATERIAL]
    if (factor < 0).any():
        name = detector.layers[int(np.argmin(factor))]
        raise InputError(f"alignment: {name} would have less matter than none; make alignment.material narrower")
    turn = Rotation.from_rotvec(values[:, ROTATION]).as_matrix()
    moved = surfaces._replace(
        center=surfaces.center + np.einsum("nij,ni->nj", surfaces.axes, values[:, TRANSLATION]),
        axes=np.einsum("nki,nkj->nij", turn, surfaces.axes),
        thickness=surfaces.thickness * factor,
    )
    note = json.dumps({"kind": "alignment", "tracks": corrections.tracks})
    return replace(detector, surfaces=moved, distortions=(*detector.distortions, note))
