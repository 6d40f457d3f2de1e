"""The planes of a muon detector, read from the names of a detector's surfaces.

A plane is called REGION/SECTION/SECTOR/LAYER: region barrel or endcap, section bwd or fwd, sector from 1 (in the barrel
one for each side of a polygon, sector 1 first; in the endcaps 1 to 4, the quadrants), layer from 0."""

from dataclasses import dataclass

from muonkit.core.errors import InputError
from muonkit.data.klm import BARREL, ENDCAP, REGIONS, SECTIONS
from muonkit.data.muid import BARREL_LAYERS, ENDCAP_LAYERS
from muonkit.detector.detector import Detector

RPC_SHARE = (0.60, 0.55)  # of w^2/12, the variance of single strips of resistive plate chambers, in phi and z
QUADRANTS = 4
MAX_LAYERS = {BARREL: BARREL_LAYERS, ENDCAP: ENDCAP_LAYERS}


@dataclass(frozen=True, slots=True)
class PlaneName:
    """A plane by its name; section and region as in `data.klm`."""

    surface: int
    region: int
    section: int
    sector: int
    layer: int


def plane_names(detector: Detector) -> list[PlaneName]:
    """All planes of the muon detector, in the order of the surfaces.
    Raises InputError if a name does not fit the pattern, or if the detector has no such plane."""
    planes = []
    for surface, name in enumerate(detector.layers):
        if name.partition("/")[0] in REGIONS:
            planes.append(_plane(surface, name))
    if not planes:
        example = "barrel/fwd/{sector}/{n:02d}"
        raise InputError(f"{detector.name}: no layer belongs to a muon detector; name them like '{example}'")
    return planes


def _plane(surface: int, name: str) -> PlaneName:
    region, *rest = name.split("/")
    whole = REGIONS.index(region)
    if len(rest) != 3 or rest[0] not in SECTIONS or not (rest[1] + rest[2]).isdigit():
        raise InputError(f"layer '{name}': is not of the form {region}/bwd|fwd/SECTOR/LAYER; rename it")
    sector, layer = int(rest[1]), int(rest[2])
    if layer >= MAX_LAYERS[whole]:
        raise InputError(f"layer '{name}': {region} layers are 0 to {MAX_LAYERS[whole] - 1}; rename it")
    if sector == 0 or (whole == ENDCAP and sector > QUADRANTS):
        raise InputError(f"layer '{name}': sectors count from 1, those of an endcap to {QUADRANTS}; rename it")
    return PlaneName(surface, whole, SECTIONS.index(rest[0]), sector, layer)
