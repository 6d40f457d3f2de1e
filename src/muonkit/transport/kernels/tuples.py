"""What travels together through the kernels of the transport, and of tracking and Muid behind it."""

from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import AnyArray
from muonkit.core.compiled import part
from muonkit.detector.detector import DetectorArrays

PATH, TURNED, DEPTH, NEXT_STEP, NODES, LOST, LUMPED_DEPTH, LUMPED_XI = range(8)  # of Track.at
EVERYWHERE, OF_STEP, OF_SURFACE = range(3)  # where the field is looked up: see `Plan`


class Plan(NamedTuple):
    """Error of a step at the target [cm], most steps, longest step [cm], most of the kinetic energy lost in one step,
    kinetic energy [GeV] at which a track has stopped, angle [rad] after which it loops, width of a boundary [cm];
    switches; jacobian: whether the total Jacobian is wanted; approximations of a track fit (see `propagate.Settings`):
    where the field is looked up (EVERYWHERE, only at the start OF_STEP or OF_SURFACE), whether slabs grow longer with
    the angle, matter is lumped on sensors, scattering shifts and turns a track alike, and q/p behind straggling is its
    mean; hard: transfers above this share of the momentum are no part of a RESTRICTED loss."""

    tolerance: float
    max_steps: int
    max_step: float
    max_loss: float
    min_kinetic: float
    max_turn: float
    boundary: float
    gradient: bool
    loss_mode: int
    scattering: int
    straggling: bool
    jacobian: bool
    field: int = EVERYWHERE
    path_length: bool = True
    lumped: bool = False
    correlated: bool = True
    mean_qop: bool = False
    hard: float = 0.03


class Loss(NamedTuple):
    """Mean energy loss of one species: see `interactions.tables.LossTables`."""

    mass: float
    u_min: float
    du: float
    value: AnyArray
    slope: AnyArray


class Scene(NamedTuple):
    """What stays the same while tracks move: detector, energy loss of the species, and how to transport."""

    det: DetectorArrays
    loss: Loss
    plan: Plan


class Track(NamedTuple):
    """One moving track: free state y (7), derivatives J (7, 5), total Jacobian T (5, 5), covariance C (5, 5) where J
    starts, and `at`: PATH [cm], angle TURNED [rad], DEPTH in radiation lengths, NEXT_STEP to try [cm], NODES at which
    the `kicks` of a step look up the field; what is kept for the next sensor where matter is lumped: energy LOST [GeV],
    depth, xi beta^2 [GeV]."""

    y: AnyArray
    J: AnyArray
    T: AnyArray
    C: AnyArray
    at: AnyArray


class Place(NamedTuple):
    """The volume that a track is in: block and slice, -1 outside all of them; material; whether it has just entered."""

    block: int
    part: int
    material: int
    entered: bool


class Stages(NamedTuple):
    """Scratch of one step; place 0, 1, 2: start, middle, end; stage 0 ... 3.

    B (3, 3), G (3, 3, 3): field and gradient at the places; M (3, 3, 3, 3): R, H, dH/da of half, of the whole step, and
    between kicks; t (4, 4): direction and lambda of the stages; e (4, 3): c lambda B - omega; g (4, 3); f (4, 2):
    lambda' and its derivative; k (2, 3): t' at start and end; sums (2, 3): R(h/2) g3 and R(h/2)(g2 + g3); by_lambda
    (7, 3): derivatives of what `try_step` and `move` compute by lambda0, at fixed t; nudge (1,): of the step that was
    tried; held (3,): the field at the surface where a track started, for OF_SURFACE; kick (3,): the field of a
    kick."""

    B: AnyArray
    G: AnyArray
    M: AnyArray
    t: AnyArray
    e: AnyArray
    g: AnyArray
    f: AnyArray
    k: AnyArray
    sums: AnyArray
    by_lambda: AnyArray
    nudge: AnyArray
    held: AnyArray
    kick: AnyArray


class Workspace(NamedTuple):
    """Scratch of one track: stages of a step, end (7,) of a step, matrices F and M (5, 5), vectors n, u, v (3,); `k`
    and `rate` are dt/ds and d lambda/ds where `slopes` was called last."""

    stages: Stages
    end: AnyArray
    F: AnyArray
    M: AnyArray
    n: AnyArray
    u: AnyArray
    v: AnyArray
    k: AnyArray
    rate: AnyArray


@part
def workspace():
    """A Workspace; one for each thread."""
    f, k = np.zeros((4, 2)), np.zeros((2, 3))
    stages = Stages(
        np.zeros((3, 3)),
        np.zeros((3, 3, 3)),
        np.zeros((3, 3, 3, 3)),
        np.zeros((4, 4)),
        np.zeros((4, 3)),
        np.zeros((4, 3)),
        f,
        k,
        np.zeros((2, 3)),
        np.zeros((7, 3)),
        np.zeros(1),
        np.zeros(3),
        np.zeros(3),
    )
    n, u, v = np.zeros(3), np.zeros(3), np.zeros(3)
    return Workspace(stages, np.zeros(7), np.zeros((5, 5)), np.zeros((5, 5)), n, u, v, k[0], f[0])


@part
def empty_track():
    """A track to be filled."""
    return Track(np.zeros(7), np.zeros((7, 5)), np.eye(5), np.zeros((5, 5)), np.zeros(8))
