"""Whether hits lie on the modules that they name and, where they do not, what may be the reason."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from muonkit.core.arrays import BoolArray
from muonkit.data.klm import KLMHits
from muonkit.detector.detector import Detector
from muonkit.detector.surfaces import in_frame, inside
from muonkit.muid.swim.hits import module_of
from muonkit.muid.swim.layout import MISSING, LayoutArrays

OFF_PLANE, OFF_EDGE = 4.0, 20.0  # cm: layers are 9 cm apart, alignment moves modules by millimetres

Change = Callable[[KLMHits], KLMHits]
REASONS: dict[str, Change] = {
    "positions look like mm; give cm": lambda hits: replace(hits, position=hits.position / 10),
    "positions look like m; give cm": lambda hits: replace(hits, position=hits.position * 100),
    "layers look counted from 1; count from 0": lambda hits: replace(hits, layer=hits.layer - 1),
    "sectors look counted from 0; count from 1": lambda hits: replace(hits, sector=hits.sector + 1),
    "sections look exchanged; bwd is at small z": lambda hits: replace(hits, section=1 - hits.section),
    "regions look exchanged; 0 is barrel, 1 endcap": lambda hits: replace(hits, region=1 - hits.region),
    "regions look counted from 1; count from 0": lambda hits: replace(hits, region=hits.region - 1),
    "x and y look exchanged": lambda hits: replace(hits, position=hits.position[:, [1, 0, 2]]),
}
"""What may be wrong with hits, and the change that mends it."""


def on_modules(hits: KLMHits, detector: Detector, layout: LayoutArrays) -> BoolArray:
    """Whether hits (k,) lie on the modules that they name, within OFF_PLANE and OFF_EDGE."""
    surface = module_of(hits, layout)
    there = (surface != MISSING) & np.isfinite(hits.position).all(axis=1)
    plane = np.where(there, surface, 0)
    framed = in_frame(detector.surfaces, plane, np.where(there[:, None], hits.position, 0.0))
    near = np.abs(framed[:, 2]) < OFF_PLANE
    return np.asarray(there & near & inside(detector.surfaces, plane, framed[:, :2], OFF_EDGE))
