"""Corrections of muons from the CMS muon group (the JSON that comes with MuonScaRe): their names stand here.

    a_data m_data, a_mc m_mc   eta, phi, variation: corrected pT = 1 / (m / pT + charge a), for data and simulation
    k_data k_mc                |eta|, variation: factors on the resolution
    poly_params                |eta|, tracker layers, index 0 1 2: the relative width as a polynomial in pT
    cb_params                  |eta|, tracker layers, index 0 1 2 3: mean, width, power, alpha of a Crystal Ball

Source: the public examples in cms-nanoAOD/jsonpog-integration. Their code leaves muons of |eta| > 2.4 and those of
pT below 26 or above 200 GeV as they are; the file does not say so."""

from collections.abc import Iterator
from typing import Any

from muonkit.core.errors import InputError

SCALES = {"data": ("a_data", "m_data"), "simulation": ("a_mc", "m_mc")}
NEEDED = SCALES["data"]
NOMINAL = ("nom", "nominal")
KINDS = ("real", "real", "string")
WAY_OUT = "give a JSON of MuonScaRe"


def check_scare(content: dict[str, Any], name: str) -> dict[str, tuple[str, ...]]:
    """Samples whose corrections are in the `content` of a file called `name`, with the name of their nominal variation
    for a and m. Raises InputError, a line per fault, if they have other inputs or no nominal variation."""
    found = {each["name"]: each for each in content["corrections"]}
    samples = {sample: pair for sample, pair in SCALES.items() if any(each in found for each in pair)}
    faults = [fault for pair in samples.values() for each in pair for fault in _faults(each, found)]
    if faults:
        raise InputError(f"{name}: {fault}; {WAY_OUT}" for fault in faults)
    return {sample: tuple(_nominal(found[each]) for each in pair) for sample, pair in samples.items()}


def _faults(name: str, found: dict[str, Any]) -> Iterator[str]:
    if name not in found:
        yield f"lacks the correction {name}"
    elif tuple(each["type"] for each in found[name]["inputs"]) != KINDS:
        yield f"the inputs of {name} are not eta, phi and a variation"
    elif not _nominal(found[name]):
        yield f"{name} has no variation {' or '.join(NOMINAL)}"


def _nominal(correction: dict[str, Any]) -> str:
    keys = _keys(correction["data"], correction["inputs"][-1]["name"])
    return next((name for name in NOMINAL if name in keys), "")


def _keys(tree: Any, name: str) -> set[str]:
    """Keys of all categories of the input `name`."""
    waiting, keys = [tree], set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            waiting += [part for part in node.values() if isinstance(part, dict | list)]
            if node.get("nodetype") == "category" and node.get("input") == name:
                keys |= {entry["key"] for entry in node["content"]}
    return keys
