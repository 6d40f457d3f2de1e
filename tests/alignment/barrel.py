"""A barrel of planes: layers of ladders of modules, in a field along the beam."""

from dataclasses import replace

import numpy as np

from muonkit.detector.detector import Detector, load_detector
from muonkit.detector.surfaces import PLANE, SurfaceArrays
from muonkit.simulation.gun import Gun

RADII = (4.0, 8.0, 20.0, 40.0, 60.0)  # cm
LADDERS, RINGS = 12, 3
LENGTH = 50.0  # cm, of every layer
FROM_THE_BEAM = Gun(pt=(3, 50), distribution="log-uniform", eta=(-0.5, 0.5), spread=(0.001, 0.001, 5.0))


def barrel() -> Detector:
    """180 modules in five layers; u runs along phi, v along z, w outwards."""
    base = load_detector("telescope")
    layer, ladder, ring = np.indices((len(RADII), LADDERS, RINGS)).reshape(3, -1)
    r, phi, z = np.array(RADII)[layer], 2 * np.pi * ladder / LADDERS, LENGTH / RINGS * (ring - (RINGS - 1) / 2)
    n, zero = len(r), np.zeros(len(r))
    out, along = np.column_stack((np.cos(phi), np.sin(phi), zero)), np.column_stack((-np.sin(phi), np.cos(phi), zero))
    axes = np.stack((along, np.tile([0.0, 0, 1], (n, 1)), out), axis=1)
    half = np.column_stack((r * np.tan(np.pi / LADDERS), np.full(n, LENGTH / RINGS / 2)))
    bounds = np.column_stack((-half[:, 0], half[:, 0], -half[:, 1], half[:, 1]))
    like, ones = base.surfaces, np.ones(n)
    surfaces = SurfaceArrays(
        np.full(n, PLANE),
        np.column_stack((r * out[:, 0], r * out[:, 1], z)),
        axes,
        zero,
        bounds,
        np.full(n, like.material[0]),
        ones * like.thickness[0],
        np.full(n, 2),
        np.tile(np.eye(2), (n, 1, 1)),
        np.tile([15e-4, 25e-4], (n, 1)),
    )
    names = tuple(f"layer {a}/ladder {b}/module {c}" for a, b, c in zip(layer, ladder, ring, strict=True))
    placed = {"surfaces": surfaces, "layers": names, "layer_of": np.full(n, -1), "nominal": surfaces.center}
    return replace(base, name="barrel", title="Barrel", **placed)
