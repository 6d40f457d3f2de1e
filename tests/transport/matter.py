"""What the tests of the interactions share: published tables, kinetic energy to momentum, numerical derivatives."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from muonkit.core.arrays import FloatArray
from muonkit.core.particles import species
from muonkit.detector.material import Material, library

REFERENCE = Path(__file__).parents[1] / "reference"
MUON, PROTON, ELECTRON = (species(name).mass for name in ("mu", "p", "e"))
IRON, SILICON, ALUMINIUM = (library()[name] for name in ("iron", "silicon", "aluminium"))


def table(file: str, name: str) -> dict[str, FloatArray]:
    """Columns of a published table; `T` becomes GeV, losses stay in MeV cm2/g."""
    content: dict[str, Any] = json.loads((REFERENCE / file).read_text())[name]
    columns = {key: np.array(value, dtype=np.float64) for key, value in content.items() if isinstance(value, list)}
    return columns | {"T": columns["T"] * 1e-3}


def momentum(T: FloatArray, mass: float) -> FloatArray:
    """Of the kinetic energy T."""
    return np.sqrt(T * (T + 2 * mass))


def per_mass(loss: FloatArray, material: Material) -> FloatArray:
    """GeV/cm to MeV cm2/g."""
    return loss / material.density * 1e3


def difference(function: Callable[[FloatArray], FloatArray], p: FloatArray, h: float = 1e-4) -> FloatArray:
    """Derivative by central differences of fourth order with relative step h."""
    near = function(p * (1 + h)) - function(p * (1 - h))
    far = function(p * (1 + 2 * h)) - function(p * (1 - 2 * h))
    return (8 * near - far) / (12 * h * p)
