"""The eight numbers of a surface: how the real detector differs from its description.

u, v, w [cm] and alpha, beta, gamma [rad]: the real surface is the described one, moved and turned by so much in its own
frame, as `detector.distort.misalign` does. field: the real field on the way to the surface, from the surface before, is
(1 + field) times the described one. material: the same for the matter on the surface.

Parameter `index` of a detector is SIZE x surface + kind. Coefficients of a correction of the field (`harmonics`) come
behind those of the last surface."""

from collections.abc import Sequence

import numpy as np

from muonkit.core.arrays import IntArray
from muonkit.detector.moves import bodies

U, V, W, ALPHA, BETA, GAMMA, FIELD, MATERIAL = range(8)
SIZE = 8
NAMES = ("u", "v", "w", "alpha", "beta", "gamma", "field", "material")
UNITS = ("cm", "cm", "cm", "rad", "rad", "rad", "", "")
TRANSLATION, ROTATION = slice(U, ALPHA), slice(ALPHA, FIELD)


APART = ("surface",) * SIZE  # no kind is tied


def indices(surfaces: IntArray, kind: str) -> IntArray:
    """Parameters (n,) of one kind, a name of NAMES, of surfaces (n,). Raises ValueError for another name."""
    return SIZE * np.asarray(surfaces, dtype=np.int64) + NAMES.index(kind)


def units(terms: int) -> int:
    """How many blocks of eight numbers hold so many coefficients of the field."""
    return -(-terms // SIZE)


def label(index: int, layers: Sequence[str], terms: Sequence[str] = (), levels: Sequence[str] = APART) -> str:
    """The parameter in words: "plane/03: u", or the name of a coefficient of the field. What is tied has the name of
    its ladder or layer."""
    surface, kind = divmod(index, SIZE)
    if surface >= len(layers):
        return (*terms, "no parameter")[min(index - SIZE * len(layers), len(terms))]
    return f"{bodies((layers[surface],), levels[kind])[0]}: {NAMES[kind]}"


def unit_of(index: int, surfaces: int) -> str:
    """The unit of a parameter, "" for a share."""
    return UNITS[index % SIZE] if index < SIZE * surfaces else ""
