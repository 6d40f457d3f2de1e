"""The section `[alignment]` of a configuration."""

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from muonkit.alignment.harmonics import Harmonics
from muonkit.alignment.parameters import FIELD, NAMES
from muonkit.core.arrays import FloatArray
from muonkit.core.config import Section
from muonkit.detector.detector import Detector

Shift = Annotated[float, Field(ge=0, le=10)]
Turn = Annotated[float, Field(ge=0, le=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Kind = Literal["u", "v", "w", "alpha", "beta", "gamma", "field", "material"]
Level = Literal["surface", "ladder", "layer"]


class Groups(Section):
    """What has parameters of its own: every surface, every ladder (or ring), or every layer. moves: all six of
    translation and rotation, as one body, which a layer makes along x, y, z; field: on the way to it; material."""

    moves: Level = "surface"
    field: Level = "surface"
    material: Level = "surface"

    def levels(self) -> tuple[Level, ...]:
        """Of the eight kinds of parameters."""
        return (*(self.moves,) * FIELD, self.field, self.material)


class AlignmentSettings(Section):
    """Widths of the Gaussian priors around 0 of every surface: u, v, w [cm], alpha, beta, gamma [rad], field and
    material (relative); 0 fixes a parameter. free: kinds without a prior. field_order: a correction of the map, by
    polynomials of this degree (`harmonics`), in place of a number per way to a surface; its coefficients have the prior
    of `field`; field_azimuth: up to cos and sin of so many phi. groups: what moves or changes together.
    reference: patterns of the names of surfaces that stay as described. rigid: the detector as a whole may `move`, or
    it is `fixed`: its mean translation and rotation are 0, where
    no surface is a reference. method: `direct` (CHOLMOD if it is installed, SuperLU
    otherwise), `iterative` (conjugate gradients), or `auto`: direct up to 4000 parameters. tolerance: relative, of the
    residual of the iteration; max_iterations."""

    u: Shift = 0.1
    v: Shift = 0.1
    w: Shift = 0.1
    alpha: Turn = 0.01
    beta: Turn = 0.01
    gamma: Turn = 0.01
    field: Share = 0.01
    material: Share = 0.3
    free: tuple[Kind, ...] = ()
    field_order: int | None = Field(None, ge=0, le=12, strict=True)
    field_azimuth: int = Field(0, ge=0, le=4, strict=True)
    groups: Groups = Groups()
    reference: tuple[str, ...] = ()
    rigid: Literal["fixed", "move"] = "fixed"
    method: Literal["auto", "direct", "iterative"] = "auto"
    tolerance: float = Field(1e-10, ge=1e-14, le=1e-2)
    max_iterations: int = Field(10_000, ge=1, le=1_000_000, strict=True)

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        for kind in self.free:
            if getattr(self, kind) == 0:
                raise ValueError(f"{kind}: is fixed by a width of 0 and also listed in free; choose one of both")
        if self.field_azimuth and self.field_order is None:
            raise ValueError("field_azimuth: is for a correction of the map; give field_order, too")
        if all(getattr(self, name) == 0 for name in NAMES):
            raise ValueError("all parameters are fixed by widths of 0; give one of them a width")
        return self

    def widths(self) -> FloatArray:
        """Scale (8,) of every kind, 0 where it is fixed."""
        return np.array([getattr(self, name) for name in NAMES], dtype=np.float64)

    def harmonics(self, detector: Detector) -> Harmonics | None:
        """The terms of the correction of the field; None for a number per way.
        Raises InputError if the detector has no field in its middle."""
        return None if self.field_order is None else Harmonics.of(detector, self.field_order, self.field_azimuth)

    def has_prior(self) -> FloatArray:
        """1 for a kind with a prior, 0 for a free one, (8,)."""
        return np.array([float(name not in self.free) for name in NAMES])
