"""The payload from maps of ids to numbers, as Belle II stores it, and back, without a loss.

Maps do not say how many tracks stand behind a number: uncertainties and numbers of tracks are 0 in what comes from
them. Probabilities keep all digits."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from scipy.special import gammainc, gammaln

from muonkit.core.arrays import AnyArray, FloatArray
from muonkit.core.errors import InputError
from muonkit.data.muid import longitudinal_id, transverse_id
from muonkit.muid.likelihood.hypotheses import SIGNED
from muonkit.muid.likelihood.outcome import classes, number_of_entries
from muonkit.muid.likelihood.payload import (
    DOUBLE,
    LONGITUDINAL,
    ORDERS,
    PRECISION,
    REGIONS,
    LikelihoodParameters,
    shapes,
)
from muonkit.muid.likelihood.spline import BINS, WIDTH

Entries = Mapping[int, FloatArray]
ARRAYS = {
    "LongitudinalPDF": LONGITUDINAL,
    "TransversePDF": "log_density",
    "TransverseThreshold": "threshold",
    "TransverseScaleX": "scale_x",
    "TransverseScaleY": "scale_y",
}
NORMALISED = 0.2  # most that the integral of a density over 0 to 10 may differ from 1
RANGE = 10.0  # of reduced chi2


def longitudinal_lengths() -> dict[int, int]:
    """Length of the table with every id."""
    return {
        longitudinal_id(last, outcome, hypothesis): number_of_entries(outcome, last)
        for hypothesis in range(SIGNED)
        for outcome, last in classes()
    }


def transverse_ids() -> list[int]:
    """All ids, in the order of the arrays."""
    orders = range(2, 2 * ORDERS + 1, 2)
    return [transverse_id(ndof, D, h) for h in range(SIGNED) for D in range(REGIONS) for ndof in orders]


def lengths_of(name: str) -> dict[int, int]:
    """Length of every entry of a map."""
    if ARRAYS[name] == LONGITUDINAL:
        return longitudinal_lengths()
    return dict.fromkeys(transverse_ids(), BINS if ARRAYS[name] == "log_density" else 1)


def to_maps(payload: LikelihoodParameters) -> dict[str, dict[int, FloatArray]]:
    """The maps of a payload."""
    return {name: _entries(getattr(payload, array), lengths_of(name)) for name, array in ARRAYS.items()}


def _entries(values: AnyArray, lengths: Mapping[int, int]) -> dict[int, FloatArray]:
    ends = np.cumsum(list(lengths.values()))[:-1]
    return dict(zip(lengths, np.split(values.astype(np.float64).ravel(), ends), strict=True))


def from_maps(
    maps: Mapping[str, Entries], name: str, provenance: Mapping[str, Any], as_is: bool = False
) -> LikelihoodParameters:
    """The payload of maps from the file `name`. as_is: densities need not be normalised. Raises InputError, with a line
    for every kind of fault in every map: missing ids, wrong lengths, numbers that cannot be."""
    faults = [fault for known in ARRAYS for fault in _faults(known, maps.get(known, {}))]
    if faults:
        raise InputError([f"{name}: {fault}" for fault in faults])
    arrays = {array: _array(maps[known], known) for known, array in ARRAYS.items()}
    empty: dict[str, AnyArray] = {
        other: np.zeros(shape, kind) for other, (shape, kind) in shapes().items() if other not in arrays
    }
    said = dict(provenance) | {PRECISION: DOUBLE}
    faults = [] if as_is else list(unnormalised(**{each: arrays[each] for each in arrays if each != LONGITUDINAL}))
    if faults:
        raise InputError([f"{name}: {fault}" for fault in faults])
    return LikelihoodParameters(**arrays, **empty, provenance=said)


def unknown_ids(maps: Mapping[str, Entries]) -> dict[str, int]:
    """Number of entries of every map that no track needs."""
    return {name: len(set(maps.get(name, {})) - set(lengths_of(name))) for name in ARRAYS}


def _faults(name: str, entries: Entries) -> Iterator[str]:
    lengths = lengths_of(name)
    missing = [code for code in lengths if code not in entries]
    if missing:
        yield f"{name}: {len(missing)} of {len(lengths)} ids are missing, the first: {spelt(name, missing[0])}"
    wrong = [code for code, length in lengths.items() if code in entries and len(entries[code]) != length]
    if wrong:
        first, found = spelt(name, wrong[0]), len(entries[wrong[0]])
        yield f"{name}: {len(wrong)} entries have a wrong length, the first: {first}: {found}, not {lengths[wrong[0]]}"
    bad = [code for code in lengths if code in entries and not _possible(name, entries[code])]
    if bad:
        yield f"{name}: {len(bad)} entries {WRONG[ARRAYS[name]]}, the first: {spelt(name, bad[0])}"


WRONG = {
    LONGITUDINAL: "are not probabilities from 0 to 1",
    "log_density": "are not finite",
    "threshold": "are not finite",
    "scale_x": "are not above 0",
    "scale_y": "are not above 0",
}


def _possible(name: str, values: FloatArray) -> bool:
    if not np.isfinite(values).all():
        return False
    array = ARRAYS[name]
    if array == LONGITUDINAL:
        return bool(np.all((values >= 0) & (values <= 1)))
    return not array.startswith("scale") or bool(np.all(values > 0))


def spelt(name: str, code: int) -> str:
    """An id and what it stands for."""
    if ARRAYS[name] == LONGITUDINAL:
        return f"{code} (last layer {code & 15}, outcome {(code >> 4) & 127}, hypothesis {code >> 11})"
    return f"{code} (ndof {code & 63}, region {(code >> 6) & 3}, hypothesis {code >> 8})"


def _array(entries: Entries, name: str) -> FloatArray:
    flat = np.concatenate([entries[code] for code in lengths_of(name)])
    return flat.reshape(shapes()[ARRAYS[name]][0])


def unnormalised(
    log_density: FloatArray, threshold: FloatArray, scale_x: FloatArray, scale_y: FloatArray
) -> Iterator[str]:
    """A line if integrals of densities are not 1."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = integrals(log_density, threshold, scale_x, scale_y).ravel()
    wrong = np.flatnonzero(~(np.abs(total - 1) < NORMALISED))
    if len(wrong):
        first = spelt("TransversePDF", transverse_ids()[int(wrong[0])])
        yield (
            f"TransversePDF: {len(wrong)} densities are not normalised, the first: {first}: {total[wrong[0]]:.3g} "
            "from 0 to 10. Correct them, or say --as-is."
        )


def integrals(log_density: FloatArray, threshold: FloatArray, scale_x: FloatArray, scale_y: FloatArray) -> FloatArray:
    """Integrals (12, 3, 18) of the densities: bins up to the threshold, eq. 19 above it."""
    k = np.arange(1.0, ORDERS + 1)
    share = np.clip(threshold[..., None] / WIDTH - np.arange(BINS), 0, 1)
    body = WIDTH * np.sum(np.exp(log_density) * share, axis=-1)
    begin = np.clip(threshold, 0, RANGE)
    part = gammainc(k, k * scale_x * RANGE) - gammainc(k, k * scale_x * begin)
    return np.asarray(body + scale_y / (k * scale_x) * np.exp(gammaln(k)) * part)
