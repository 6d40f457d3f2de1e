"""Models of the track fit: what the standard fit of an experiment neglects, each approximation by its name.

The improved fit has none of them. What each does to the curvature is in docs/physics.md."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal

from muonkit.core.errors import InputError
from muonkit.tracking.fit import FitSettings
from muonkit.transport.propagate import Settings

Approximation = Literal[
    "field at one end",
    "constant field",
    "no field gradient",
    "mean loss",
    "lumped material",
    "no straggling",
    "uncorrelated scattering",
    "wrong mass",
    "no path length",
]
HARD = 0.03  # of the momentum: about twice the resolution
ONE_END = 10.0  # cm: longest step of the fit that looks up the field at one end of it
APPROXIMATIONS: dict[Approximation, dict[str, Any]] = {
    "field at one end": {"field": "start of step", "max_step": ONE_END},
    "constant field": {"field": "start surface", "max_step": Settings().max_step},
    "no field gradient": {"field_gradient": False},
    "mean loss": {"energy_loss": "mean"},
    "lumped material": {"lumped": True},
    "no straggling": {"straggling": False},
    "uncorrelated scattering": {"correlated": False},
    "wrong mass": {"species": "pi"},
    "no path length": {"path_length": False},
}
SETTLED = 0.1  # standard deviations of q/p
IMPROVED = FitSettings(iterations=2, margin=0.0, settled=SETTLED, follow_kicks=False)
Loss = Literal["landau", "restricted", "most probable", "mean", "ionisation"]
Angles = Literal["moliere", "highland, no log", "highland"]


def settings_of(
    approximations: Iterable[str] = (),
    loss: Loss = "landau",
    angles: Angles = "moliere",
    species: str = "mu",
    hard: float = HARD,
) -> Settings:
    """The transport of a fit with some approximations, of particles with such losses and angles.

    `landau` and `moliere` transport as `restricted` and `highland, no log`: what they add follows the fit (`tails`).
    `restricted` and `most probable` are for Landau's fluctuations: without transfers above `hard` of the momentum,
    which are the tail, or the mode in every slab. `mean` is for Gaussian ones, `ionisation` the same without radiation.
    Raises InputError for an approximation that does not exist."""
    improved = Settings(
        species=species,
        energy_loss="restricted" if loss == "landau" else loss,
        scattering="highland, no log" if angles == "moliere" else angles,
        mean_qop=loss != "most probable",
        hard=hard,
    )
    changes: dict[str, Any] = {}
    for name in ordered(approximations):
        changes |= APPROXIMATIONS[name]
    return replace(improved, **changes)


def ordered(approximations: Iterable[str]) -> tuple[Approximation, ...]:
    """In the order of APPROXIMATIONS, each once. Raises InputError for one that does not exist."""
    chosen = set(approximations)
    faults = [
        f"approximations: there is no '{name}'; choose from {', '.join(APPROXIMATIONS)}"
        for name in sorted(chosen - set(APPROXIMATIONS))
    ]
    if faults:
        raise InputError(faults)
    return tuple(name for name in APPROXIMATIONS if name in chosen)


def acting(approximations: Iterable[str]) -> tuple[Approximation, ...]:
    """Those that act where all of them are made: a helix from surface to surface leaves no step whose field is that of
    one end. Raises InputError for one that does not exist."""
    chosen = ordered(approximations)
    together = {key: name for name in chosen for key in APPROXIMATIONS[name]}
    return tuple(name for name in chosen if name in together.values())


STANDARD: tuple[Approximation, ...] = tuple(APPROXIMATIONS)
