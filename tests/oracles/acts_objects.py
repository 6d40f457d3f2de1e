"""Tracks of ACTS from arrays and back: bound parameters on planes across x, with their covariance.

Arrays are in cm, GeV, rad; ACTS works in mm. Imports ACTS only when called."""

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
MM = 10.0  # per cm
SCALE = np.array([MM, MM, 1.0, 1.0, 1.0])
WIDE = 1e6  # mm: half width of a surface without borders


def plane(x: float) -> Any:
    """The plane at x [cm] whose local axes are y and z."""
    import acts

    columns = (acts.Vector3(0, 1, 0), acts.Vector3(0, 0, 1), acts.Vector3(1, 0, 0))
    place = acts.Transform3(acts.Vector3(x * MM, 0, 0), acts.RotationMatrix3(*columns))
    return acts.Surface.createPlane(place, acts.RectangleBounds(WIDE, WIDE))


def cylinder(radius: float) -> Any:
    """The cylinder around z with this radius [cm]; its local coordinates are r phi and z."""
    import acts

    return acts.Surface.createCylinder(acts.Transform3.Identity(), acts.CylinderBounds(radius * MM, WIDE))


def tracks(surface: Any, bound: Floats, cov: Floats | None, particle: str = "muon") -> Any:
    """A container of ACTS tracks with `bound` (n, 5) on the surface and `cov` (n, 5, 5); None is ACTS' unit matrix."""
    import acts
    import acts.examples

    container = acts.examples.TrackContainer()
    covariances = [None] * len(bound) if cov is None else list(cov)
    for values, covariance in zip(bound, covariances, strict=True):
        track = container.makeTrack()
        track.referenceSurface = surface
        track.parameters = acts.BoundVector(*(values * SCALE), 0.0)
        track.covariance = acts.BoundMatrix.Identity() if covariance is None else matrix(covariance)
        track.particleHypothesis = getattr(acts.ParticleHypothesis, particle)
    return container


def matrix(cov: Floats) -> Any:
    """An ACTS covariance from `cov` (5, 5) in cm, rad, 1/GeV; the variance of the time is one.

    The bindings cannot set elements: they are written to the memory of the matrix, after a look that it is what is read
    there and before a look that ACTS reads what was written. RuntimeError where it is not."""
    import acts

    made = acts.BoundMatrix.Identity()
    address = ctypes.c_void_p.from_address(id(made) + object.__basicsize__).value
    memory = np.ctypeslib.as_array((ctypes.c_double * 36).from_address(address or 0)).reshape(6, 6)
    _demand(np.array_equal(memory, np.eye(6)))
    memory[:5, :5] = (cov + cov.T) / 2 * SCALE[:, None] * SCALE
    _demand(np.array_equal(covariance_of(made), memory[:5, :5] / SCALE[:, None] / SCALE))
    return made


def _demand(ok: bool) -> None:
    if not ok:
        raise RuntimeError("a matrix of ACTS does not lie in memory where it is expected")


def parameters_of(vector: Any) -> Floats:
    """(5,) in cm, rad, 1/GeV from an ACTS vector."""
    return np.array([vector[k] for k in range(5)]) / SCALE


def covariance_of(made: Any) -> Floats:
    """(5, 5) in cm, rad, 1/GeV from an ACTS matrix."""
    return np.array([[made[a, b] for b in range(5)] for a in range(5)]) / SCALE[:, None] / SCALE
