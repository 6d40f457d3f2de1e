"""The XML of Belle II's generator of likelihood parameters: an element for every signed hypothesis with its
`LayerProfile` (Outcome, LastLayer) and its `TransversePDF` (region, DegreesOfFreedom: Tail and Histogram).

The generator appends one hypothesis after the other, so a file may have several roots."""

import re
from collections.abc import Iterable, Iterator
from xml.etree import ElementTree

import numpy as np

from muonkit.core import limits
from muonkit.core.arrays import FloatArray
from muonkit.core.errors import InputError
from muonkit.data.muid import longitudinal_id, transverse_id

TAGS = (
    *("Positron", "Electron", "Deuteron", "Antideuteron", "Proton", "Antiproton"),
    *("PionPlus", "PionMinus", "KaonPlus", "KaonMinus", "MuonPlus", "MuonMinus"),
)
PROFILE, OUTCOME, LAST, TRANSVERSE = "LayerProfile", "Outcome", "LastLayer", "TransversePDF"
REGIONS = ("BarrelAndEndcap", "BarrelOnly", "EndcapOnly")
DEGREES, TAIL, HISTOGRAM = "DegreesOfFreedom", "Tail", "Histogram"
TAILS = {"Threshold": "TransverseThreshold", "ScaleY": "TransverseScaleY", "ScaleX": "TransverseScaleX"}
LONGITUDINAL = "LongitudinalPDF"
DECLARATION = re.compile(r"<\?xml[^>]*\?>")
ENTITY = re.compile(r"<!(DOCTYPE|ENTITY)", re.IGNORECASE)
SHOWN = 3
Maps = dict[str, dict[int, FloatArray]]
Entry = tuple[str, int, FloatArray]


def parse(text: str, name: str) -> Maps:
    """The maps of a text. Raises InputError if it is no XML, for elements that are no tables, and for tables that stand
    twice."""
    if ENTITY.search(text):
        raise InputError(f"{name}: has a DOCTYPE or entities, which are not read. Remove them.")
    with limits.reading(name, "XML of likelihood parameters"):
        whole = ElementTree.fromstring(f"<all>{DECLARATION.sub('', text)}</all>")
    maps: Maps = {known: {} for known in (LONGITUDINAL, TRANSVERSE, *TAILS.values())}
    faults = list[str]()
    for number, tag in enumerate(TAGS):
        for element in whole.iter(tag):
            for entry in (*_longitudinal(element, number, faults), *_transverse(element, number, faults)):
                _put(maps, entry, tag, faults)
    if len(faults) > SHOWN:
        faults = [*faults[:SHOWN], f"{len(faults) - SHOWN} more faults of this kind"]
    if faults:
        raise InputError([f"{name}: {fault}. Mend the file." for fault in faults])
    return maps


def _put(maps: Maps, entry: Entry, tag: str, faults: list[str]) -> None:
    name, code, values = entry
    if code in maps[name]:
        faults.append(f"{tag}: {name} with the id {code} stands twice")
    maps[name][code] = values


def _longitudinal(element: ElementTree.Element, hypothesis: int, faults: list[str]) -> Iterator[Entry]:
    for outcome in element.findall(f"{PROFILE}/{OUTCOME}"):
        for last in outcome.findall(LAST):
            code, layer = _number(outcome, "outcome", faults), _number(last, "layer", faults)
            yield LONGITUDINAL, longitudinal_id(layer, code, hypothesis), _values(last, faults)


def _transverse(element: ElementTree.Element, hypothesis: int, faults: list[str]) -> Iterator[Entry]:
    for D, region in enumerate(REGIONS):
        for degrees in element.findall(f"{TRANSVERSE}/{region}/{DEGREES}"):
            code = transverse_id(_number(degrees, "ndof", faults), D, hypothesis)
            for tag, name in TAILS.items():
                for found in degrees.findall(f"{TAIL}/{tag}"):
                    yield name, code, _values(found, faults)
            for found in degrees.findall(HISTOGRAM):
                yield TRANSVERSE, code, _values(found, faults)


def _number(element: ElementTree.Element, key: str, faults: list[str]) -> int:
    text = element.get(key, "")
    if not (text.isascii() and text.isdigit() and len(text) < 4):
        faults.append(f"<{element.tag}>: its attribute {key} is {limits.shown(repr(text), 20)}, not a number")
        return 0
    return int(text)


def _values(element: ElementTree.Element, faults: list[str]) -> FloatArray:
    words = (element.text or "").replace(",", " ").split()
    try:
        return np.array([float(word) for word in words])
    except ValueError as error:
        faults.append(f"<{element.tag}> does not hold numbers ({limits.shown(str(error), 60)})")
        return np.zeros(0)


def lines(maps: Maps) -> Iterable[str]:
    """The maps as such a text, with all digits."""
    yield '<?xml version="1.0" encoding="utf-8"?>'
    yield "<KLMLikelihoodParameters>"
    for number, tag in enumerate(TAGS):
        yield f"<{tag}>"
        yield from _profile_lines(maps[LONGITUDINAL], number)
        yield from _transverse_lines(maps, number)
        yield f"</{tag}>"
    yield "</KLMLikelihoodParameters>"


def _profile_lines(entries: dict[int, FloatArray], number: int) -> Iterator[str]:
    yield f"<{PROFILE}>"
    own = sorted(code for code in entries if code >> 11 == number)
    for outcome in sorted({(code >> 4) & 127 for code in own}):
        yield f'<{OUTCOME} outcome="{outcome}">'
        for code in (code for code in own if (code >> 4) & 127 == outcome):
            yield f'<{LAST} layer="{code & 15}">{_text(entries[code])}</{LAST}>'
        yield f"</{OUTCOME}>"
    yield f"</{PROFILE}>"


def _transverse_lines(maps: Maps, number: int) -> Iterator[str]:
    yield f"<{TRANSVERSE}>"
    for D, region in enumerate(REGIONS):
        yield f"<{region}>"
        for code in sorted(code for code in maps[TRANSVERSE] if code >> 8 == number and (code >> 6) & 3 == D):
            tails = "".join(f"<{tag}>{_text(maps[name][code])}</{tag}>" for tag, name in TAILS.items())
            yield f'<{DEGREES} ndof="{code & 63}"><{TAIL}>{tails}</{TAIL}>'
            yield f"<{HISTOGRAM}>{_text(maps[TRANSVERSE][code])}</{HISTOGRAM}></{DEGREES}>"
        yield f"</{region}>"
    yield f"</{TRANSVERSE}>"


def _text(values: FloatArray) -> str:
    return " ".join(repr(float(value)) for value in values)
