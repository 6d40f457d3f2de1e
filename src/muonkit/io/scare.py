"""Corrections of muons from the CMS muon group (the JSON that comes with MuonScaRe): their names stand here.

    a_data m_data, a_mc m_mc   eta, phi, variation: corrected pT = 1 / (m / pT + charge a), for data and simulation
    k_data k_mc                |eta|, variation: factors on the resolution
    poly_params                |eta|, tracker layers, index 0 1 2: the relative width as a polynomial in pT
    cb_params                  |eta|, tracker layers, index 0 1 2 3: mean, width, power, alpha of a Crystal Ball

Source: the public examples in cms-nanoAOD/jsonpog-integration. Their code leaves muons of |eta| > 2.4 and those of
pT below 26 or above 200 GeV as they are; the file does not say so."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from muonkit.core.errors import InputError

SCALES = {"data": ("a_data", "m_data"), "simulation": ("a_mc", "m_mc")}
WIDTH = ("k_data", "poly_params", "cb_params")
CORE = 1  # index of the width in cb_params
NOMINAL = ("nom", "nominal")
KINDS = {"k_data": ("real", "string")} | dict.fromkeys(("poly_params", "cb_params"), ("real", "number", "int"))
WAY_OUT = "give a JSON of MuonScaRe"


class Scare(NamedTuple):
    """What a file has: by sample the nominal variations of a and m; that of k_data, empty without a resolution; whether
    layers are whole numbers."""

    scales: dict[str, tuple[str, ...]]
    width: str
    whole_layers: bool


def check_scare(content: dict[str, Any], name: str) -> Scare:
    """What is in the `content` of a file called `name`. Raises InputError, a line per fault, if a correction is missing
    or has other inputs or no nominal variation."""
    found = {each["name"]: each for each in content["corrections"]}
    groups = [group for group in (*SCALES.values(), WIDTH) if any(each in found for each in group)]
    faults = [fault for group in groups for each in group for fault in _faults(each, found)]
    if faults:
        raise InputError(f"{name}: {fault}; {WAY_OUT}" for fault in faults)
    scales = {
        sample: tuple(_nominal(found[each]) for each in pair) for sample, pair in SCALES.items() if pair in groups
    }
    if WIDTH not in groups:
        return Scare(scales, "", False)
    return Scare(scales, _nominal(found["k_data"]), found["poly_params"]["inputs"][1]["type"] == "int")


def _faults(name: str, found: dict[str, Any]) -> Iterator[str]:
    expected = KINDS.get(name, ("real", "real", "string"))
    if name not in found:
        yield f"lacks the correction {name}"
        return
    kinds = [each["type"] for each in found[name]["inputs"]]
    if len(kinds) != len(expected) or any(not _fits(*pair) for pair in zip(kinds, expected, strict=True)):
        yield f"the inputs of {name} are {', '.join(kinds)} in place of {', '.join(expected)}"
    elif expected[-1] == "string" and not _nominal(found[name]):
        yield f"{name} has no variation {' or '.join(NOMINAL)}"


def _fits(kind: str, expected: str) -> bool:
    return kind == expected or (expected == "number" and kind in ("int", "real"))


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
