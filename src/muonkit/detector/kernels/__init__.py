"""Compiled field evaluation: `field(f, x, y, z, B, G, want_gradient) -> inside`, with `f` from `Field.arrays()`."""

from muonkit.detector.kernels.evaluate import field, field_many
from muonkit.detector.kernels.layout import FieldArrays

__all__ = ["FieldArrays", "field", "field_many"]
