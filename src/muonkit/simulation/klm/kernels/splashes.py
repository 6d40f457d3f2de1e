"""Showers of hard photons and electrons: they go straight on and leave the crossings of a mean shower.

Its profile in depth is a gamma distribution (PDG 2024 eqs. 34.36 and 34.37)."""

import math
from typing import NamedTuple

from muonkit.core.compiled import inlined, leaf
from muonkit.simulation.kernels import geometry, philox
from muonkit.simulation.kernels.indices import U_AXIS, V_AXIS, P, X, Y, Z
from muonkit.simulation.klm.kernels import cascade, scene
from muonkit.simulation.klm.kernels.kinds import ELECTRON, PHOTON
from muonkit.simulation.klm.kernels.scene import KIND, UNKNOWN

LEAST_MEAN = 1e-5  # crossings: a shower has ended where fewer are expected, behind its maximum
BEHIND = 20.0  # radiation lengths: where the longest shower ends
FRONT = 0.5  # b of the profile
ONSET = 0.5  # C of its maximum: photons begin that much deeper, electrons less deep
LEAST_RATIO, LEAST_SHAPE = 1.01, 1.05  # of p to the critical energy, and of a: showers that hardly are any


class SplashProfile(NamedTuple):
    """At t radiation lengths norm (b t)^(shape - 1) exp(-b t) crossings are expected; b is FRONT."""

    norm: float
    shape: float


@inlined
def profile(showers, p, is_photon):
    """Of a photon or electron of momentum p."""
    log = math.log(max(p / showers.critical, LEAST_RATIO))
    shape = max(1 + FRONT * (log + (ONSET if is_photon else -ONSET)), LEAST_SHAPE)
    norm = (showers.photon if is_photon else showers.electron) * p / showers.critical * FRONT / math.gamma(shape)
    return SplashProfile(norm, shape)


@leaf
def shower(world, event, y):
    """A photon or electron goes straight on; sensors on its way are crossed by the particles of its mean shower,
    beside it."""
    V, X0, envelope = world.detector.volumes, world.detector.materials.X0, world.detector.envelope
    norm, shape = profile(world.showers, y[P], int(y[KIND]) == PHOTON)
    depth = 0.0
    for _ in range(cascade.MAX_STEPS):
        place, before = scene.look_up(V, y, UNKNOWN), (y[X], y[Y], y[Z])
        h = place.wall + cascade.NUDGE
        cascade.fly(y, h)
        if place.material > 0:
            step = h / X0[place.material]
            middle = FRONT * (depth + 0.5 * step)
            mean = norm * middle ** (shape - 1) * math.exp(-middle)
            splash(world, event, y, place.slice_, before, mean, depth)
            depth += step
            if middle > shape and mean < LEAST_MEAN:
                return
        if depth > shape / FRONT + BEHIND or cascade.gone(envelope, y):
            return


@inlined
def axis_crossing(world, y, slice_, before):
    """The first sensor of a slice that the way from `before` crosses, and where; -1 if there is none."""
    for j in range(world.sensors.first[slice_], world.sensors.first[slice_ + 1]):
        surface = world.sensors.surface[j]
        met, point = cascade.crossing(world.detector.surfaces, surface, before, y)
        if met:
            return surface, point
    return -1, before


@leaf
def splash(world, event, y, slice_, before, mean, depth):
    """As many crossings as a Poisson number of that mean, at and beside where the axis of a shower crosses a sensor."""
    S, dice, notes = world.detector.surfaces, event.dice, event.notes
    surface, axis = axis_crossing(world, y, slice_, before)
    if surface < 0 or notes.written[0] >= notes.track.size:
        return
    count, width, axes = philox.exponential(dice), world.showers.spread * math.sqrt(1 + depth), S.axes
    kind, p = y[KIND], y[P]
    y[KIND], y[P] = ELECTRON, world.showers.critical  # what crosses the sensor, until it is all noted
    while count < mean:
        a, b = width * philox.normal(dice), width * philox.normal(dice)
        point = (
            axis[X] + a * axes[surface, U_AXIS, X] + b * axes[surface, V_AXIS, X],
            axis[Y] + a * axes[surface, U_AXIS, Y] + b * axes[surface, V_AXIS, Y],
            axis[Z] + a * axes[surface, U_AXIS, Z] + b * axes[surface, V_AXIS, Z],
        )
        if geometry.within(S, surface, point):
            scene.note(world.kinds, notes, y, surface, point)
        count += philox.exponential(dice)
    y[KIND], y[P] = kind, p
