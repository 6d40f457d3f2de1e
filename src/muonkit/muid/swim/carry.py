"""Helices at the closest point to the axis -> states where the tracker ends, behind its material.

With d0, phi, omega, z0, T = tan lambda as Belle II defines them, and the field B along z at that point,

    x = (d0 sin phi, -d0 cos phi, z0),   p = pT (cos phi, sin phi, T),   pT = c B/|omega|,   q = sign(omega B).

A muon goes from there to the can at which the tracks of muonkit begin, so that energy loss, scattering and field on the
way are those of the detector's description."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.indices import DIRECTION
from muonkit.core.units import CURVATURE
from muonkit.data.tracks import FreeStates, Helices
from muonkit.detector.detector import Detector
from muonkit.detector.surfaces import CYLINDER, DISC, PLANE, SurfaceArrays
from muonkit.muid.swim.config import TrackerEnd
from muonkit.muid.swim.crossing import IN_TRACKER, NO_FIT
from muonkit.muid.swim.kernels.carry import CarriedOut, carry_tracks
from muonkit.transport import cartesian
from muonkit.transport.kernels.tuples import Scene
from muonkit.transport.propagate import Settings, scene
from muonkit.transport.status import OK

CAN = 3  # surfaces: the side, both ends
STRAIGHT, LARGEST = 1e-9, 1e6  # 1/cm: pT is 4 PeV; any parameter, any covariance
FAR = 1e9  # rad
OUTSIDE = 0.1  # cm: the can is behind what stands at its place
D0, PHI0, OMEGA, Z0, TAN_LAMBDA = range(5)


class Carried(NamedTuple):
    """states (n,): at the end of the tracker, NaN for a track that does not get there; status (n,): 0, NO_FIT, or
    IN_TRACKER."""

    states: FreeStates
    status: IntArray


def free_states(helices: Helices, field: FloatArray) -> FreeStates:
    """States (n), with a covariance of rank 5, in the field along z (n,) [T] at their points."""
    position, momentum = points(helices.parameters, field)
    J = jacobian(helices.parameters, field)
    charge = np.sign(helices.parameters[:, OMEGA] * field)
    return FreeStates(position, momentum, charge, J @ helices.covariance @ J.transpose(0, 2, 1))


def points(parameters: FloatArray, field: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Position [cm] and momentum [GeV], (n, 3) each."""
    d0, phi, omega, z0, slope = parameters.T
    sin, cos = np.sin(phi), np.cos(phi)
    pt = CURVATURE * np.abs(field / omega)
    return np.column_stack((d0 * sin, -d0 * cos, z0)), np.column_stack((pt * cos, pt * sin, pt * slope))


def jacobian(parameters: FloatArray, field: FloatArray) -> FloatArray:
    """Derivatives (n, 6, 5) of position and momentum; the field is taken as constant."""
    d0, phi, omega, _, _ = parameters.T
    sin, cos = np.sin(phi), np.cos(phi)
    _, p = points(parameters, field)
    J = np.zeros((len(parameters), 6, 5))
    J[:, 0, D0], J[:, 1, D0] = sin, -cos
    J[:, 0, PHI0], J[:, 1, PHI0] = d0 * cos, d0 * sin
    J[:, 2, Z0] = 1
    J[:, 3, PHI0], J[:, 4, PHI0] = -p[:, 1], p[:, 0]
    J[:, 3:, OMEGA] = -p / omega[:, None]
    J[:, 5, TAN_LAMBDA] = np.hypot(p[:, 0], p[:, 1])
    return J


def carried(helices: Helices, detector: Detector, settings: Settings, tracker: TrackerEnd) -> Carried:
    """Tracks (n) at the end of the tracker. A track that turns around in it, or is stopped, hurts no other.
    Raises InputError if there is no field along z where the tracks begin."""
    fitted = usable(helices)
    status = np.where(fitted, IN_TRACKER, NO_FIT)
    own = helices[fitted]
    field = field_at(own, detector) if tracker.field is None else np.full(len(own), tracker.field)
    begin = free_states(own, field)
    there = within(begin.position, tracker) & (field != 0)
    ends = detector_with_can(detector, tracker)
    found, code = along(begin[there], stops(own[there], ends), scene(ends, settings))
    arrived: IntArray = np.flatnonzero(fitted)[there][code == OK]
    status[arrived] = 0
    return Carried(_spread(found[code == OK], arrived, len(helices)), status)


def usable(helices: Helices) -> BoolArray:
    """Which helices (n,) are those of tracks that turn."""
    turns = np.abs(helices.parameters[:, OMEGA]) > STRAIGHT
    possible = np.all(np.abs(helices.parameters) < LARGEST, axis=1)  # NaN is not
    return np.asarray(turns & possible & np.all(np.abs(helices.covariance) < LARGEST, axis=(1, 2)))


def along(begin: FreeStates, stops: IntArray, here: Scene) -> tuple[FreeStates, IntArray]:
    """States (n) behind the last of their stops (n, m), and the status (n,) of the transport."""
    n, free = len(begin), cartesian.to_free(begin)
    given = np.zeros((n, 6, 6)) if begin.covariance is None else begin.covariance
    end, cov = np.full((n, 7), np.nan), np.full((n, 5, 5), np.nan)
    out = CarriedOut(end, cov, np.zeros(n, dtype=np.int64))
    carry_tracks(free, cartesian.to_curvilinear(free, given), stops, here, out)
    across = cartesian.on_surface(end, cov, np.zeros((n, 4)), end[:, DIRECTION])
    return cartesian.from_free(end, across), out.status


def within(position: FloatArray, tracker: TrackerEnd) -> BoolArray:
    """Which points (n, 3) lie in the tracker (n,)."""
    low, high = tracker.z
    radius, z = np.hypot(position[:, 0], position[:, 1]), position[:, 2]
    return np.asarray((radius < tracker.r) & (z > low) & (z < high))


def field_at(helices: Helices, detector: Detector) -> FloatArray:
    """The field along z (n,) [T] at the points of closest approach. Raises InputError if it is 0."""
    position, _ = points(helices.parameters, np.ones(len(helices)))
    field: FloatArray = detector.field.value(position)[:, 2]
    if len(field) and not np.any(field):
        raise InputError(
            f"detector '{detector.name}': has no field along z where the tracks begin, so a helix does not say its "
            "momentum. Choose another detector, or unset muid.zero_field."
        )
    return field


def stops(helices: Helices, detector: Detector) -> IntArray:
    """Surfaces (n, m) that each helix crosses, as if it lost no energy, in their order: those with matter in the
    tracker, then one of the can, the last three of the detector; -1 behind it."""
    S, number = detector.surfaces, len(detector.layers)
    can = np.arange(number - CAN, number)
    passive = np.flatnonzero((S.thickness > 0) & np.isin(S.kind, (CYLINDER, DISC)) & (S.radius < S.radius[can[0]]))
    passive = passive[np.abs(S.axes[passive, 2, 2]) == 1]  # around the axis, or across it
    surface = np.concatenate((passive, can))
    turn = np.column_stack([turned(helices, S, i) for i in surface])
    turn[:, -CAN] = np.minimum(turn[:, -CAN], FAR)  # who meets none of the can is sent to its side, and lost on the way
    last = np.min(turn[:, -CAN:], axis=1)
    turn[:, :-CAN] = np.where(turn[:, :-CAN] < last[:, None], turn[:, :-CAN], np.inf)
    turn[:, -CAN:] = np.where(turn[:, -CAN:] == last[:, None], turn[:, -CAN:], np.inf)
    order = np.argsort(turn, axis=1, kind="stable")
    met = np.isfinite(np.take_along_axis(turn, order, axis=1))
    return np.where(met, surface[order], -1)


def turned(helices: Helices, S: SurfaceArrays, i: int) -> FloatArray:
    """By which angle (n,) [rad] the helices have turned when they meet surface i within its bounds, infinity if they do
    not. A surface with its lower bound above the upper one has none."""
    d0, phi, omega, z0, slope = helices.parameters.T
    radius, sign = 1 / np.abs(omega), np.sign(omega)
    with np.errstate(all="ignore"):  # straight tracks, and tracks along the surface
        if S.kind[i] == CYLINDER:
            centre = np.abs(radius + sign * d0)  # its distance from the axis
            angle = np.arccos((centre**2 + radius**2 - S.radius[i] ** 2) / (2 * centre * radius))
            place = z0 + radius * angle * slope - S.center[i, 2]
            low, high = S.bounds[i, 2:]
        else:
            angle = (S.center[i, 2] - z0) / (slope * radius)
            chord = 2 * radius * np.sin(angle / 2)
            direction = phi - sign * angle / 2
            place = np.hypot(d0 * np.sin(phi) + chord * np.cos(direction), chord * np.sin(direction) - d0 * np.cos(phi))
            low, high = S.bounds[i, :2]
        inside = (place >= low) & (place <= high) | (low > high)
        return np.where(inside & (angle > 0) & np.isfinite(angle), angle, np.inf)


def detector_with_can(detector: Detector, tracker: TrackerEnd) -> Detector:
    """The detector with the cylinder and both ends of the can behind its other surfaces. Only tracks that are sent
    there meet them."""
    new = len(detector.layers) + np.arange(CAN)
    columns = {
        name: np.concatenate((old, np.zeros((CAN, *old.shape[1:]), old.dtype)))
        for name, old in detector.surfaces._asdict().items()
    }
    columns["kind"][new] = (CYLINDER, PLANE, PLANE)
    columns["axes"][new] = np.eye(3)
    columns["bounds"][new] = (1.0, -1.0, 1.0, -1.0)
    columns["radius"][new[0]] = tracker.r + OUTSIDE
    columns["center"][new[1:], 2] = tracker.z[0] - OUTSIDE, tracker.z[1] + OUTSIDE
    more = CAN if len(detector.layer_of) else 0
    return replace(
        detector,
        surfaces=SurfaceArrays(**columns),
        layers=(*detector.layers, *(f"tracker end/{i}" for i in range(CAN))),
        layer_of=np.concatenate((detector.layer_of, np.full(more, -1))),
        nominal=np.concatenate((detector.nominal, np.zeros((more, 3)))),
    )


def _spread(states: FreeStates, rows: IntArray, n: int) -> FreeStates:
    """The states in their rows of a table of n, NaN in the others."""
    three, charge = np.full((2, n, 3), np.nan), np.full(n, np.nan)
    covariance = np.full((n, 6, 6), np.nan)
    three[0, rows], three[1, rows], charge[rows] = states.position, states.momentum, states.charge
    if states.covariance is not None:
        covariance[rows] = states.covariance
    return FreeStates(three[0], three[1], charge, covariance)
