"""The section `[alignment]` of a configuration."""

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from muonkit.alignment.parameters import NAMES
from muonkit.core.arrays import FloatArray
from muonkit.core.config import Section

Shift = Annotated[float, Field(ge=0, le=10)]
Turn = Annotated[float, Field(ge=0, le=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Kind = Literal["u", "v", "w", "alpha", "beta", "gamma", "field", "material"]


class AlignmentSettings(Section):
    """Widths of the Gaussian priors around 0 of every surface: u, v, w [cm], alpha, beta, gamma [rad], field and
    material (relative); 0 fixes a parameter. free: kinds without a prior. reference: patterns of the names of surfaces
    that stay as described. rigid: the detector as a whole may `move`, or
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
        if all(getattr(self, name) == 0 for name in NAMES):
            raise ValueError("all parameters are fixed by widths of 0; give one of them a width")
        return self

    def widths(self) -> FloatArray:
        """Scale (8,) of every kind, 0 where it is fixed."""
        return np.array([getattr(self, name) for name in NAMES], dtype=np.float64)

    def has_prior(self) -> FloatArray:
        """1 for a kind with a prior, 0 for a free one, (8,)."""
        return np.array([float(name not in self.free) for name in NAMES])
