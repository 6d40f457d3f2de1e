"""A detector with corrections applied."""

import json
from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from muonkit.alignment.harmonics import FieldCorrection
from muonkit.alignment.parameters import MATERIAL, ROTATION, TRANSLATION
from muonkit.alignment.solve import Corrections
from muonkit.core.arrays import FloatArray
from muonkit.core.errors import InputError
from muonkit.detector.detector import Detector
from muonkit.detector.field import Field, MapRZ, MapXYZ, Scaled, Sum
from muonkit.detector.kernels.layout import CUBIC

MARGIN, NODES = 0.05, 40  # of a map of the correction: beyond the envelope, in units of a; nodes per a


def corrected(detector: Detector, corrections: Corrections) -> Detector:
    """The detector with every surface moved and turned in its own frame, with its matter scaled, and with its field
    corrected. A number per way between surfaces is left out: it belongs to no place.

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
    field = detector.field if corrections.field is None else corrected_field(detector, corrections.field)
    note = json.dumps({"kind": "alignment", "tracks": corrections.tracks})
    return replace(detector, surfaces=moved, field=field, distortions=(*detector.distortions, note))


def corrected_field(detector: Detector, found: FieldCorrection) -> Field:
    """The field with its correction. Without azimuth, a map stays one map with the same nodes; otherwise a map of the
    correction is added, cubic.

    Raises InputError if the field has been corrected for another detector: one with another envelope."""
    r_max, low, high = detector.envelope
    harmonics, values = found.harmonics, found.values
    if harmonics.middle != (low + high) / 2 or harmonics.length != max(r_max, (high - low) / 2):
        raise InputError(f"alignment: these corrections are for a detector larger or smaller than {detector.name}")
    old = detector.field
    if harmonics.azimuth == 0 and isinstance(old, MapRZ) and not old.mirrored and old.grid.order == CUBIC:
        nodes = [np.linspace(o, e, n) for o, e, n in zip(old.grid.origin, old.grid.end, old.grid.sizes, strict=True)]
        nodes[1] += old.z0
        return _sampled(detector, found, nodes, 1.0)
    edges = (-r_max, r_max), (-r_max, r_max), (low, high)
    step, margin = harmonics.length / NODES, MARGIN * harmonics.length
    axes = [np.linspace(a - margin, b + margin, 5 + int((b - a + 2 * margin) / step)) for a, b in edges]
    if harmonics.azimuth == 0:
        axes = [np.linspace(0, axes[0][-1], len(axes[0]) // 2 + 4), axes[2]]
    only = replace(found, values=np.concatenate(([0.0], values[1:])))
    return Sum((Scaled(old, 1 + values[0]), _sampled(detector, only, axes, 0.0)))


def _sampled(detector: Detector, found: FieldCorrection, axes: list[FloatArray], share: float) -> MapRZ | MapXYZ:
    """A map of the correction plus a share of the field itself, with nodes on two or three axes."""
    whole = [*axes[:1], np.zeros(1), *axes[1:]] if len(axes) == 2 else axes
    nodes = np.stack(np.meshgrid(*whole, indexing="ij"), axis=-1)
    points = nodes.reshape(-1, 3)
    B = found.harmonics.change(detector, found.values, points)
    if share:
        B += share * detector.field.value(points)
    B = B.reshape(nodes.shape)
    if len(axes) == 3:
        return MapXYZ.of(axes[0], axes[1], axes[2], B)
    return MapRZ.of(axes[0], axes[1], B[:, 0, :, 0], B[:, 0, :, 2])
