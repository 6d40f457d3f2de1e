"""Hits and starts that a fit cannot use are refused by name."""

import numpy as np

from muonkit.core.arrays import BoolArray
from muonkit.core.errors import InputError
from muonkit.data.hits import Hits
from muonkit.data.tracks import BoundStates
from muonkit.detector.detector import Detector
from muonkit.transport.checks import charge_faults, surface_faults


def check_hits(hits: Hits, detector: Detector) -> None:
    """Raises InputError, one line per fault, if the arrays do not fit together, for a surface that does not exist or
    measures nothing, and for a value or variance that is no measurement, or farther off than the detector is large."""
    found = _shapes(hits)
    if found:
        raise InputError(found)
    if found := surface_faults("hits", hits.surface, detector):
        raise InputError(found)
    n_measured = detector.surfaces.n_measured[hits.surface]
    measured = np.arange(2) < n_measured[:, None]
    no_value = _any(measured, ~np.isfinite(hits.value))
    no_variance = _any(measured, ~(np.isfinite(hits.variance) & (hits.variance > 0)))
    r_max, z_min, z_max = detector.envelope
    outside = _any(measured, np.abs(hits.value) > np.pi * np.hypot(r_max, max(abs(z_min), abs(z_max))))
    faults = [
        *_listed(hits, detector, n_measured == 0, "lie on a surface that measures nothing; leave them out"),
        *_listed(hits, detector, no_value, "have a value that is not finite; leave them out"),
        *_listed(hits, detector, outside & ~no_value, "lie outside of the detector; give values in cm"),
        *_listed(hits, detector, no_variance, "have a variance that is not finite and above 0; give sigma^2 [cm^2]"),
    ]
    if faults:
        raise InputError(faults)


def check_starts(hits: Hits, start: BoundStates, detector: Detector) -> None:
    """Raises InputError if there is not one start per track, for a surface that does not exist, and for q/p = 0."""
    if len(hits) != len(start):
        raise InputError(f"fit: {len(hits)} tracks of hits, but {len(start)} starts; give one start per track")
    if start.parameters.shape != (len(start), 5):
        raise InputError(f"start: parameters: must have the shape ({len(start)}, 5), not {start.parameters.shape}")
    faults = surface_faults("start", start.surface, detector) + charge_faults("start", start.parameters)
    if faults:
        raise InputError(faults)


def _shapes(hits: Hits) -> list[str]:
    k = len(hits.surface)
    faults = [
        f"hits: {name}: must have the shape ({k}, 2), not {array.shape}"
        for name, array in (("value", hits.value), ("variance", hits.variance))
        if array.shape != (k, 2)
    ]
    offsets = hits.offsets
    if offsets.ndim != 1 or not len(offsets) or offsets[0] != 0 or offsets[-1] != k or (np.diff(offsets) < 0).any():
        faults.append(f"hits: offsets: must rise from 0 to the number of hits, {k}")
    return faults


def _any(measured: BoolArray, bad: BoolArray) -> BoolArray:
    return np.asarray((measured & bad).any(axis=1), dtype=np.bool_)


def _listed(hits: Hits, detector: Detector, bad: BoolArray, what: str) -> list[str]:
    """One line about the hits (k,) that are bad, with the first of them."""
    if not bad.any():
        return []
    row = int(np.flatnonzero(bad)[0])
    track = int(hits.track[row])
    place = f"hit {row - hits.offsets[track]} of track {track} on {detector.layers[hits.surface[row]]}"
    numbers = f"value {hits.value[row].tolist()}, variance {hits.variance[row].tolist()}"
    return [f"hits: {bad.sum()} of {len(bad)} {what} (the first: {place}, {numbers})"]
