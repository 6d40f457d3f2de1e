"""The eight numbers of a surface: how the real detector differs from its description.

u, v, w [cm] and alpha, beta, gamma [rad]: the real surface is the described one, moved and turned by so much in its own
frame, as `detector.distort.misalign` does. field: the real field on the way to the surface, from the surface before, is
(1 + field) times the described one. material: the same for the matter on the surface.

Parameter `index` of a detector is SIZE x surface + kind."""

from collections.abc import Sequence

import numpy as np

from muonkit.core.arrays import IntArray

U, V, W, ALPHA, BETA, GAMMA, FIELD, MATERIAL = range(8)
SIZE = 8
NAMES = ("u", "v", "w", "alpha", "beta", "gamma", "field", "material")
UNITS = ("cm", "cm", "cm", "rad", "rad", "rad", "", "")
TRANSLATION, ROTATION = slice(U, ALPHA), slice(ALPHA, FIELD)


def indices(surfaces: IntArray, kind: str) -> IntArray:
    """Parameters (n,) of one kind, a name of NAMES, of surfaces (n,). Raises ValueError for another name."""
    return SIZE * np.asarray(surfaces, dtype=np.int64) + NAMES.index(kind)


def label(index: int, layers: Sequence[str]) -> str:
    """The parameter in words: "plane/03: u"."""
    return f"{layers[index // SIZE]}: {NAMES[index % SIZE]}"
