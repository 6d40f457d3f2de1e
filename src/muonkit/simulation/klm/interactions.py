"""The library of nuclear interactions that comes with the package, made by Geant4 (`simulation.geant4.library`), for a
detector: `kernels.scene.Library`."""

import json
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np

from muonkit.core.arrays import AnyArray
from muonkit.core.errors import InputError
from muonkit.detector.material import Material
from muonkit.simulation.klm.kernels.kinds import CODES, KINDS
from muonkit.simulation.klm.kernels.scene import Library

SCHEMA = "interactions/2"
MATERIALS = ("iron", "CsI")
MASS_NUMBER = {"iron": 55.845, "CsI": 129.9}
KINETIC = np.array([0.03, 0.06, 0.1, 0.16, 0.25, 0.4, 0.6, 0.9, 1.35, 2.0, 3.0, 4.5, 7.0])  # GeV
PROJECTILES = np.array([211, -211, 321, -321, 2212, -2212, 2112, 130, 1000010020, -1000010020, -2112])
THRESHOLD = {  # GeV of kinetic energy
    211: 0.01, -211: 0.01, 321: 0.01, -321: 0.01, 2212: 0.012, -2212: 0.012, 2112: 0.025, -2112: 0.025,
    130: 0.04, 1000010020: 0.02, 22: 0.03, 11: 0.03, -11: 0.03, 13: 0.01, -13: 0.01,
}  # fmt: skip
HEAVY = 90.0  # mass number from which caesium iodide stands for a material
ABSORBED = (211, -211, -321)  # mesons that a nucleus may swallow


class Products(NamedTuple):
    """first (k + 1,): where the products of each interaction stand; code, share of the energy available (kinetic, and
    `release`), cosine."""

    first: AnyArray
    code: AnyArray
    share: AnyArray
    cosine: AnyArray


def release(code: int) -> float:
    """Rest energy [GeV] that an interaction can set free: of absorbed mesons, and of antibaryons with a nucleon."""
    from particle import Particle

    mass = float(Particle.from_pdgid(code).mass or 0) / 1000
    return mass if code in ABSORBED else 2 * mass if code < -2000 else 0.0


@cache
def stored() -> dict[str, AnyArray]:
    """The arrays of the file, and `about`. Raises InputError for another schema."""
    with (
        files("muonkit.simulation.klm").joinpath("interactions.npz").open("rb") as stream,
        np.load(stream, allow_pickle=False) as archive,
    ):
        arrays = dict(archive)
    if about(arrays)["schema"] != SCHEMA:
        raise InputError("interactions.npz: is of another version; install the package again")
    return arrays


def about(arrays: dict[str, AnyArray]) -> dict[str, Any]:
    """How the library was made."""
    return dict(json.loads(bytes(arrays["about"])))


def library(materials: tuple[Material, ...]) -> Library:
    """For the materials of a detector; mean free paths [g/cm2] grow with the third root of the mass number."""
    arrays = stored()
    family = np.array([int(mean_mass_number(material) > HEAVY) for material in materials])
    shape = (len(materials), KINDS, len(KINETIC))
    inelastic, elastic, kick = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    kinds = [CODES.index(code) for code in PROJECTILES.tolist()]
    for i, material in enumerate(materials):
        name = MATERIALS[family[i]]
        scale = material.density * (MASS_NUMBER[name] / max(mean_mass_number(material), 1)) ** (1 / 3)
        inelastic[i, kinds], elastic[i, kinds] = (scale / arrays[f"{name} {what}"] for what in ("inelastic", "elastic"))
        kick[i, kinds] = arrays[f"{name} kick"]
    free = np.zeros(KINDS)
    free[kinds] = [release(code) for code in PROJECTILES.tolist()]
    first, *products = joined(arrays, kinds)
    return Library(KINETIC, inelastic, elastic, kick, free, family, first, *products)


def mean_mass_number(material: Material) -> float:
    """Weighted by mass; 0 for vacuum."""
    if not material.elements:
        return 0.0
    return float(np.average([e.A for e in material.elements], weights=[e.weight for e in material.elements]))


def joined(arrays: dict[str, AnyArray], kinds: list[int]) -> tuple[AnyArray, ...]:
    """Products of both materials, one after the other, with kinds for codes."""
    kept = (len(arrays[f"{MATERIALS[0]} first"]) - 1) // (len(kinds) * len(KINETIC))
    first = np.zeros((len(MATERIALS), KINDS, len(KINETIC), kept + 1), dtype=np.int64)
    columns, start = [], 0
    for i, name in enumerate(MATERIALS):
        table = Products(*(arrays[f"{name} {column}"] for column in Products._fields))
        starts = table.first.reshape(-1)
        for row, kind in enumerate(kinds):
            for g in range(len(KINETIC)):
                place = (row * len(KINETIC) + g) * kept
                first[i, kind, g] = start + starts[place : place + kept + 1]
        columns.append(table)
        start += len(table.code)
    codes, which = np.unique(np.concatenate([table.code for table in columns]), return_inverse=True)
    kinds_of = np.array([CODES.index(c) for c in codes.tolist()], dtype=np.int8)
    share, cosine = (np.concatenate([getattr(t, name) for t in columns]) for name in ("share", "cosine"))
    return first, kinds_of[which], share.astype(np.float32), cosine.astype(np.float32)
