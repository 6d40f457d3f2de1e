"""A gun: single particles of one species from around one point. Particle i of a seed does not depend on the others."""

from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Discriminator, Field, Tag, model_validator
from scipy.special import ndtri

from muonkit.core.arrays import FloatArray
from muonkit.core.config import Section
from muonkit.data.tracks import FreeStates
from muonkit.simulation.draws import uniforms
from muonkit.simulation.kernels import philox


def _kind(value: Any) -> str:
    return "range" if isinstance(value, list | tuple) else "value"


Range = tuple[float, float]
One = Annotated[float, Field(strict=True)]
Reach = Annotated[Annotated[Range, Tag("range")] | Annotated[One, Tag("value")], Discriminator(_kind)]
SLOWEST, FASTEST = 1e-6, 1e7  # GeV
FARTHEST = 20.0  # eta
ParticleName = Literal[
    "mu", "mu+", "mu-", "pi", "pi+", "pi-", "K", "K+", "K-", "p", "p+", "p-", "d", "d+", "d-", "e", "e+", "e-"
]


class Gun(Section):
    """particle: without a sign, both charges are equally frequent. p or pt [GeV], one of both: a range, spread evenly
    or evenly in the logarithm, or one value. eta or theta [rad], one of both: theta is spread evenly in its cosine, as
    on a sphere, or with theta_spectrum = "uniform" in theta itself; phi [rad]; vertex [cm] and the Gaussian spread [cm]
    of each coordinate."""

    particle: ParticleName = "mu"
    p: Reach | None = None
    pt: Reach | None = None
    distribution: Literal["uniform", "log-uniform"] = "uniform"
    eta: Reach | None = None
    theta: Reach | None = None
    theta_spectrum: Literal["cos", "uniform"] = "cos"
    phi: Reach = (-np.pi, np.pi)
    vertex: tuple[float, float, float] = (0.0, 0.0, 0.0)
    spread: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        for one, other in (("p", "pt"), ("eta", "theta")):
            if (getattr(self, one) is None) == (getattr(self, other) is None):
                raise ValueError(f"give either {one} or {other}")
        for key in ("p", "pt", "eta", "theta", "phi"):
            low, high = ends(getattr(self, key))
            if low > high:
                raise ValueError(f"{key}: the range must not fall ({low:g} is followed by {high:g})")
        if min(ends(self.p)[0], ends(self.pt)[0]) <= 0:
            raise ValueError("p and pt must be positive")
        if not SLOWEST <= min(ends(self.p)[0], ends(self.pt)[0]) <= max(ends(self.p)[1], ends(self.pt)[1]) <= FASTEST:
            raise ValueError(f"p and pt must lie between {SLOWEST:g} and {FASTEST:g} GeV")
        if max(map(abs, ends(self.eta))) > FARTHEST:
            raise ValueError(f"eta: must lie between -{FARTHEST:g} and {FARTHEST:g}")
        if not 0 < ends(self.theta)[0] <= ends(self.theta)[1] < np.pi:
            raise ValueError("theta: must lie between 0 and pi")
        if self.theta is None and self.theta_spectrum != "cos":
            raise ValueError("theta_spectrum: has no meaning with eta; give theta, or remove it")
        if min(self.spread) < 0:
            raise ValueError("spread: must not be negative")
        return self

    @property
    def species(self) -> str:
        """Name of the species, without a sign."""
        return self.particle.rstrip("+-")


def ends(span: Reach | None) -> Range:
    """Both ends of a range; what is not given is in order."""
    if span is None:
        return 1.0, 1.0
    return span if isinstance(span, tuple) else (span, span)


def shoot(gun: Gun, n: int, seed: int, first: int = 0) -> FreeStates:
    """Particles `first` ... `first` + n - 1 of a seed. Raises InputError for a seed below 0."""
    u = uniforms(seed, philox.GUN, np.arange(first, first + n), 7)
    size, sin, cos = _size(gun, u[:, 0]), *_polar(gun, u[:, 1])
    p, phi = size if gun.pt is None else size / sin, _between(gun.phi, u[:, 2])
    direction = np.stack((sin * np.cos(phi), sin * np.sin(phi), cos), axis=1)
    position = np.array(gun.vertex) + np.array(gun.spread) * ndtri(u[:, 4:7])
    return FreeStates(position, p[:, None] * direction, _charge(gun, u[:, 3]))


def _size(gun: Gun, u: FloatArray) -> FloatArray:
    low, high = ends(gun.p if gun.pt is None else gun.pt)
    if gun.distribution == "uniform":
        return low + (high - low) * u
    return low * (high / low) ** u


def _polar(gun: Gun, u: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Sine and cosine of the polar angle."""
    if gun.theta is None:
        eta = _between(gun.eta, u)
        return 1 / np.cosh(eta), np.tanh(eta)
    if gun.theta_spectrum == "uniform":
        theta = _between(gun.theta, u)
        return np.sin(theta), np.cos(theta)
    low, high = ends(gun.theta)
    cos = _between((float(np.cos(low)), float(np.cos(high))), u)
    return np.sqrt(1 - cos**2), cos


def _between(span: Reach | None, u: FloatArray) -> FloatArray:
    low, high = ends(span)
    return low + (high - low) * u


def _charge(gun: Gun, u: FloatArray) -> FloatArray:
    sign = gun.particle[-1]
    if sign in "+-":
        return np.full(len(u), 1.0 if sign == "+" else -1.0)
    return np.where(u < 0.5, -1.0, 1.0)
