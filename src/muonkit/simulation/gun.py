"""A particle gun: single tracks of one species from one vertex."""

from typing import Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from muonkit.core import random
from muonkit.core.arrays import FloatArray
from muonkit.core.config import Section

BLOCK = 10_000  # tracks of one random stream: the same tracks whatever the chunks
Range = tuple[float, float]


class Gun(Section):
    """momentum [GeV]: of the total momentum, or of pT with `transverse`; spread evenly (`uniform`) or in the logarithm
    (`log`); direction: eta, or cos(theta) where it is given; phi [rad]; vertex and its Gaussian spread [cm]."""

    species: Literal["mu", "pi", "K", "p", "d", "e"] = "mu"
    charge: Literal["+", "-", "both"] = "both"
    momentum: Range = (1.0, 10.0)
    transverse: bool = False
    spectrum: Literal["uniform", "log"] = "uniform"
    eta: Range = (-1.0, 1.0)
    cos_theta: Range | None = None
    phi: Range = (-np.pi, np.pi)
    vertex: tuple[float, float, float] = (0.0, 0.0, 0.0)
    spread: tuple[float, float, float] = (0.0, 0.0, 0.0)
    seed: int = Field(1, ge=0)

    @model_validator(mode="after")
    def _ranges_make_sense(self) -> Self:
        for key in ("momentum", "eta", "phi", "cos_theta"):
            span = getattr(self, key)
            if span is not None and span[0] > span[1]:
                raise ValueError(f"{key}: {span[0]:g} is followed by {span[1]:g}; the range must not fall")
        if self.momentum[0] <= 0:
            raise ValueError("momentum: must be positive")
        return self


class Shots(NamedTuple):
    """vertex (n, 3) [cm], momentum (n, 3) [GeV], charge (n,)."""

    vertex: FloatArray
    momentum: FloatArray
    charge: FloatArray


def shoot(gun: Gun, n: int, first: int = 0) -> Shots:
    """Tracks `first` ... `first` + n - 1 of a gun; a track does not depend on who asks for it."""
    if n == 0:
        return Shots(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0))
    blocks = [_block(gun, number) for number in range(first // BLOCK, (first + n - 1) // BLOCK + 1)]
    start = first % BLOCK
    return Shots(*(np.concatenate(column)[start : start + n] for column in zip(*blocks, strict=True)))


def _block(gun: Gun, number: int) -> Shots:
    rng = random.stream(gun.seed, number)
    u = rng.random((BLOCK, 4))
    size, phi = _spread(gun, u[:, 0]), _between(gun.phi, u[:, 1])
    cos = np.tanh(_between(gun.eta, u[:, 2])) if gun.cos_theta is None else _between(gun.cos_theta, u[:, 2])
    sin = np.sqrt(1 - cos**2)
    p = size / sin if gun.transverse else size
    momentum = np.stack((p * sin * np.cos(phi), p * sin * np.sin(phi), p * cos), axis=1)
    vertex = np.array(gun.vertex) + np.array(gun.spread) * rng.standard_normal((BLOCK, 3))
    sign = {"+": np.ones(BLOCK), "-": -np.ones(BLOCK), "both": np.where(u[:, 3] < 0.5, -1.0, 1.0)}[gun.charge]
    return Shots(vertex, momentum, sign)


def _spread(gun: Gun, u: FloatArray) -> FloatArray:
    if gun.spectrum == "log":
        low, high = gun.momentum
        return np.exp(_between((float(np.log(low)), float(np.log(high))), u))
    return _between(gun.momentum, u)


def _between(span: Range, u: FloatArray) -> FloatArray:
    return span[0] + (span[1] - span[0]) * u
