"""Which detector payloads and classifiers are made for: that of their samples, and that through which the tracks were
extrapolated. Both stand in their provenance, by name and checksum. Where one is used with another detector, a line says
so; and where tracks are extrapolated in another way than those that the tables of a payload are made of."""

from collections.abc import Mapping, Sequence
from typing import Any

from muonkit.core.errors import InputError
from muonkit.detector.detector import Detector
from muonkit.io.samples import OpenSample
from muonkit.muid.swim.config import MuidSettings

OF_SAMPLES, THROUGH = "detector", "extrapolated through"
DIGITS = 12  # of a checksum, in a line
SHAPING = "max_sigma", "match", "scattering", "straggling"  # settings that hits and chi2 depend on
Recorded = dict[str, str]  # name, checksum


def recorded(detector: Detector) -> Recorded:
    """Name and checksum of a detector, as files keep them."""
    return {"name": detector.name, "checksum": detector.distorted_checksum}


def found_in(content: Mapping[str, Any], key: str) -> Recorded | None:
    """Name and checksum in the note of a sample or in a provenance; None if they are not recorded."""
    there = content.get(key)
    whole = isinstance(there, dict) and all(isinstance(there.get(name), str) for name in ("name", "checksum"))
    return {name: there[name] for name in ("name", "checksum")} if there and whole else None


def shown(detector: Recorded) -> str:
    """A detector in a line."""
    return f"{detector['name']} ({detector['checksum'][:DIGITS]})"


def of_samples(samples: Sequence[OpenSample], detector: Detector) -> dict[str, Any]:
    """What a payload or a classifier records: the detector of its samples, if all say which, and the one through which
    their tracks are extrapolated. Raises InputError for samples of different detectors."""
    named = {sample.name: found_in(sample.about, OF_SAMPLES) for sample in samples}
    known = {each["checksum"]: each for each in named.values() if each is not None}
    if len(known) > 1:
        listed = "; ".join(f"{name}: {shown(each)}" for name, each in named.items() if each is not None)
        raise InputError(f"input.samples: are of different detectors ({listed}); give samples of one")
    whole = {} if None in named.values() or not known else {OF_SAMPLES: next(iter(known.values()))}
    return whole | {THROUGH: recorded(detector)}


def doubts_of(samples: Sequence[OpenSample], detector: Detector) -> tuple[str, ...]:
    """A line for samples that do not say of which detector they are, and for those of another than `detector`."""
    own, lines = recorded(detector), []
    for sample in samples:
        each = found_in(sample.about, OF_SAMPLES)
        if each is None:
            lines.append(f"{sample.name}: does not record its detector")
        elif each["checksum"] != own["checksum"]:
            lines.append(f"WARNING: {sample.name}: is of detector {shown(each)}, its tracks go through {shown(own)}")
    return tuple(lines)


def about_fit(made: Mapping[str, Mapping[str, Any]], detector: Detector) -> tuple[str, ...]:
    """Warnings and notes, see `fits`, about payloads and classifiers by what they are called."""
    found = [fits(what, provenance, detector) for what, provenance in made.items()]
    warnings = [f"WARNING: {warning}" for warning, _ in found if warning]
    return (*warnings, *(note for _, note in found if note))


def fits(what: str, provenance: Mapping[str, Any], detector: Detector) -> tuple[str | None, str | None]:
    """Warning and note about a payload or classifier that is used with a detector: that it is made for another one, or
    that it does not say for which."""
    own, made = recorded(detector), [found_in(provenance, key) for key in (OF_SAMPLES, THROUGH)]
    known = list({each["checksum"]: each for each in made if each is not None}.values())
    if not known:
        return None, f"{what}: for which detector it is made is not recorded"
    if all(each["checksum"] == own["checksum"] for each in known):
        return None, None
    made_for = ", with tracks through ".join(shown(each) for each in known)
    return f"{what} is made for detector {made_for}; tracks are extrapolated through {shown(own)}", None


def other_settings(what: str, provenance: Mapping[str, Any], muid: MuidSettings) -> str | None:
    """A warning about a payload whose tracks were extrapolated with other settings than `muid`; None if they were the
    same, or are not recorded."""
    made, own = provenance.get("muid"), muid.model_dump(mode="json")
    if not isinstance(made, dict):
        return None
    changed = [
        f"muid.{key} = {made[key]!r}, here {own[key]!r}" for key in SHAPING if made.get(key, own[key]) != own[key]
    ]
    return f"{what} is made with {'; '.join(changed)}" if changed else None
