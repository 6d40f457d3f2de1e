"""The library of interactions behind the fast simulation: `python -m muonkit.simulation.geant4.library OUT.npz`.

Geant4 sends every hadron into iron and into caesium iodide at a grid of kinetic energies. Kept are mean free paths, the
kick of elastic scattering, and what some hundred inelastic interactions each gave: charged particles, neutrons,
photons and neutral kaons above thresholds, after the decay of what is short-lived."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from muonkit.core.arrays import AnyArray, FloatArray
from muonkit.core.files import atomic
from muonkit.simulation.geant4.engine import launch
from muonkit.simulation.klm.interactions import KINETIC, MATERIALS, PROJECTILES, SCHEMA, THRESHOLD, Products, release

GEANT4_NAMES = {"iron": "G4_Fe", "CsI": "G4_CESIUM_IODIDE"}
DENSITY = {"iron": 7.874, "CsI": 4.51}  # g/cm3, of Geant4's


def beams(events: int) -> tuple[AnyArray, FloatArray]:
    """PDG codes and kinetic energies of all primaries, projectile after projectile, `events` at every energy."""
    codes = np.repeat(PROJECTILES, len(KINETIC) * events)
    return codes, np.tile(np.repeat(KINETIC, events), len(PROJECTILES))


def shot(material: str, events: int, keep: int, seed: int, folder: Path | None) -> dict[str, AnyArray]:
    """The arrays of `targets.run`."""
    codes, kinetic = beams(events)
    kept = np.arange(len(codes)) % events < keep
    name = GEANT4_NAMES[material]
    job = {"material": name, "codes": codes, "kinetic": kinetic, "keep": kept, "seed": seed}
    return launch("targets", job, folder)


def lengths(found: dict[str, AnyArray], events: int, density: float) -> dict[str, FloatArray]:
    """Mean free paths [g/cm2] of inelastic and elastic interactions and mean squared kick [GeV2], (projectiles, g)."""
    shape = (len(PROJECTILES), len(KINETIC), events)
    way, elastic, kicks = (found[name].reshape(shape).sum(axis=2) for name in ("way", "elastic", "kicks"))
    per = np.maximum(elastic, 1)
    return {"inelastic": density * way / events, "elastic": density * way / per, "kick": kicks / per}


def products(found: dict[str, AnyArray], events: int, keep: int) -> Products:
    """All that the kept interactions gave, above threshold."""
    codes, kinetic = beams(events)
    free = np.array([release(code) for code in PROJECTILES.tolist()])
    available = kinetic + np.repeat(free, len(codes) // len(free))
    rows: list[list[tuple[float, float, float]]] = [[] for _ in range(len(codes) // events * keep)]
    for event, code, T, cosine in found["products"]:
        i = int(event)
        if THRESHOLD.get(int(code), np.inf) < T:
            rows[i // events * keep + i % events].append((code, T / available[i], cosine))
    flat = np.array([product for row in rows for product in row]).reshape(-1, 3)
    first = np.concatenate(([0], np.cumsum([len(row) for row in rows])))
    return Products(first, flat[:, 0].astype(np.int32), flat[:, 1].astype(np.float16), flat[:, 2].astype(np.float16))


def build(events: int, keep: int, seed: int, folder: Path | None) -> dict[str, Any]:
    """The arrays of the file."""
    arrays: dict[str, Any] = {}
    for material in MATERIALS:
        found = shot(material, events, keep, seed, folder)
        arrays |= {f"{material} {name}": values for name, values in lengths(found, events, DENSITY[material]).items()}
        made = products(found, events, keep)
        arrays |= {f"{material} {name}": values for name, values in made._asdict().items()}
    about = {"schema": SCHEMA, "geant4": str(found["version"]), "physics": "FTFP_BERT", "seed": seed}
    about |= {"events": events, "kept": keep, "stand-in data": bool(found["stand_in"])}
    return arrays | {"about": np.frombuffer(json.dumps(about, sort_keys=True).encode(), dtype=np.uint8)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m muonkit.simulation.geant4.library", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--events", type=int, default=2000, help="at every energy, for the mean free paths")
    parser.add_argument("--keep", type=int, default=250, help="of them, whose products are kept")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, help="folder with a directory for each of Geant4's data sets")
    chosen = parser.parse_args()
    arrays = build(chosen.events, chosen.keep, chosen.seed, chosen.data)
    with atomic(chosen.out) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)


if __name__ == "__main__":
    main()
