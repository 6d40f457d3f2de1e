"""Compiled field evaluation: `field(f, x, y, z, B, G, want_gradient) -> inside`, with `f` from `Field.arrays()`; and
the search for the volume around a point, `places`; and the search for modules along a track, `modules`.

Letters of this room; inside a formula of `profiles` and `sheet` those of `fields.harmonic` and `fields.sheet` are used.

    f, i      arrays of a field, number of a part      B, G     field [T], its gradient dB_i/dx_j [T/cm]
    x, y, z   a point [cm]                             r        its distance from the axis [cm]
    u, v, w   places along the axes of a grid          j, k, m  numbers of cells, pieces and coefficients
    V, b      arrays of volumes, number of a block     n        number of sides of a block
    g         number of a layer of modules             a, b, p  in `modules` points [cm]"""

from muonkit.detector.kernels.evaluate import field, field_many, value
from muonkit.detector.kernels.layout import FieldArrays

__all__ = ["FieldArrays", "field", "field_many", "value"]
