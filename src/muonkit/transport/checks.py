"""States and targets that cannot be transported are refused by name, before a kernel sees them."""

import numpy as np

from muonkit.core.arrays import AnyArray, BoolArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.indices import QOP
from muonkit.data.tracks import BoundStates, FreeStates
from muonkit.detector.detector import Detector
from muonkit.detector.surfaces import to_global


def checked_targets(target: AnyArray | int, n: int, detector: Detector) -> IntArray:
    """Targets (n,) of one or of n. Raises InputError if they are not whole numbers of surfaces of the detector, or if
    there are not as many as states."""
    given = np.asarray(target)
    if given.dtype.kind not in "iu":
        raise InputError(f"target: must be the number of a surface of {detector.name}, from 0, not {target!r}")
    if given.shape not in ((), (n,)):
        raise InputError(f"target: {given.size} targets for {n} states; give one target, or one per state")
    targets = np.broadcast_to(given, (n,)).astype(np.int64)
    _refuse(surface_faults("target", given.reshape(-1), detector))
    return targets


def check_bound(states: BoundStates, detector: Detector) -> None:
    """Raises InputError, one line per fault: arrays that do not fit together, surfaces that do not exist, q/p = 0,
    places outside of the detector. What is not finite is left to the status of the track."""
    n = len(states)
    _refuse(
        shape_faults({"parameters": (states.parameters, (n, 5)), "covariance": (states.covariance, (n, 5, 5))})
        or surface_faults("states", states.surface, detector)
    )
    places = to_global(detector.surfaces, states.surface, states.parameters[:, :2])
    _refuse(charge_faults("states", states.parameters) + place_faults("states", places, detector))


def check_free(states: FreeStates, detector: Detector) -> None:
    """The same for free states: charge +1 or -1, momentum above 0, places in the detector."""
    n = len(states)
    shapes: dict[str, tuple[FloatArray | None, tuple[int, ...]]] = {
        "position": (states.position, (n, 3)),
        "momentum": (states.momentum, (n, 3)),
        "covariance": (states.covariance, (n, 6, 6)),
    }
    _refuse(shape_faults(shapes) or free_faults(states, detector))


def free_faults(states: FreeStates, detector: Detector) -> list[str]:
    """One line for every kind of fault in charge, momentum and position."""
    charge, still = np.asarray(states.charge), (states.momentum == 0).all(axis=1)
    return [
        *row_faults("states", (np.abs(charge) != 1) & ~np.isnan(charge), "charge must be +1 or -1", charge),
        *row_faults("states", still, "momentum must not be 0", states.momentum),
        *place_faults("states", states.position, detector),
    ]


def shape_faults(arrays: dict[str, tuple[FloatArray | None, tuple[int, ...]]]) -> list[str]:
    """Arrays, None where there is none, and the shapes that they must have."""
    return [
        f"states: {name}: must have the shape {shape}, not {array.shape}"
        for name, (array, shape) in arrays.items()
        if array is not None and array.shape != shape
    ]


def surface_faults(name: str, surface: IntArray, detector: Detector) -> list[str]:
    """Surfaces (n,) that the detector does not have."""
    n = len(detector.surfaces.kind)
    if surface.dtype.kind not in "iu":
        return [f"{name}: surface: must be whole numbers, from 0 to {n - 1}, not of the type {surface.dtype}"]
    wrong = np.flatnonzero((surface < 0) | (surface >= n))
    if not len(wrong):
        return []
    found = f"{name}: surface {surface[wrong[0]]} is not one of the {n} of {detector.name}"
    return [f"{found} (row {wrong[0]}, {len(wrong)} of {len(surface)}); give a number from 0 to {n - 1}"]


def charge_faults(name: str, parameters: FloatArray) -> list[str]:
    """Bound parameters (n, 5) without charge."""
    return row_faults(name, parameters[:, QOP] == 0, "q/p must not be 0: a track has a charge", parameters)


def place_faults(name: str, places: FloatArray, detector: Detector) -> list[str]:
    """Places (n, 3) [cm] outside of the envelope; what is not finite is no fault here."""
    r_max, z_min, z_max = detector.envelope
    radius, z = np.hypot(places[:, 0], places[:, 1]), places[:, 2]
    what = f"position must lie in the envelope of {detector.name} (r < {r_max:g}, {z_min:g} < z < {z_max:g} cm)"
    return row_faults(name, (radius > r_max) | (z < z_min) | (z > z_max), what, places)


def row_faults(name: str, wrong: BoolArray, must: str, values: FloatArray) -> list[str]:
    """One line about the rows (n,) that are wrong, with the first of them."""
    if not wrong.any():
        return []
    row = int(np.flatnonzero(wrong)[0])
    return [f"{name}: {must}; {wrong.sum()} of {len(wrong)} rows (the first: row {row}, {values[row].tolist()})"]


def _refuse(faults: list[str]) -> None:
    if faults:
        raise InputError(faults)
