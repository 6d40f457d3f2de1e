"""Knock-on electrons and their photons: they widen clusters and fire strips beside a track.

Made where their range exceeds EXPLICIT, as Geant4's production cuts do, by the collisions of `matter.collisions`: xi
x/beta^2 dT/T^2 (1 - beta^2 T/Tmax + T^2/(2 E^2)), at the angle of two-body kinematics (PDG 2024 sec. 34.2). They lose
dT/dt = -(T + Ec) per radiation length, so that their range is X0 ln(1 + T/Ec), and scatter (Highland). Photons of more
than LEAST_PHOTON are radiated as 4/3 dk/k (1 - y + 3/4 y^2) dt with y = k/T (PDG 2024 sec. 34.4) and become pairs. Ec
[GeV]: the loss of a minimum ionising particle in a radiation length."""

import math

from muonkit.core.compiled import inlined, leaf
from muonkit.core.units import ELECTRON_MASS
from muonkit.detector.kernels import places
from muonkit.simulation.kernels import matter, philox, walls
from muonkit.simulation.klm.kernels import cascade
from muonkit.simulation.klm.kernels.cascade import ELECTRON, MU, PHOTON, P

EXPLICIT = 1.0  # cm: range
LAST = 3e-4  # GeV of kinetic energy: where the way of an electron ends
STRIDE, SHARE = 0.15, 0.3  # of a step: radiation lengths, share of the range
SOFT, SOFT_PHOTON = 0.1, 0.03  # GeV: electrons and photons of less are followed here, of more they are showers
LEAST_PHOTON = 0.005  # GeV
CONVERSION = 2.3  # radiation lengths: mean free path of photons of 5 to 30 MeV in iron (NIST XCOM: 2.2 to 2.4)
WIDEST = 1.0  # rad, of the projected angles of a stride
MINIMUM = int(cascade.DENSITY * math.log(3.5 / cascade.LOWEST))  # p/m = 3.5 in the table of energy loss


@inlined
def critical(world, i):
    """Ec [GeV] of material i."""
    return world.kinds.power[i, MU, MINIMUM] * world.detector.materials.X0[i]


@inlined
def reach(world, i, T):
    """Range [cm] of an electron in material i."""
    return world.detector.materials.X0[i] * math.log1p(T / critical(world, i))


@inlined
def knock_on(world, y, i, slice_, h, wall, slab, particle, s, dice):
    """Electrons from a step h that ends at y: those that may come out of the slice, `wall` long from where the step
    began, `slab` in all, or that are made in front of the sensor in its middle. They go on the stack."""
    beside = world.first[slice_] < world.first[slice_ + 1]
    M, E = world.detector.materials, math.sqrt(y[P] * y[P] + particle.mass * particle.mass)
    beta2, Tmax = (y[P] / E) ** 2, matter.largest_transfer(y[P], particle.mass)
    least = critical(world, i) * math.expm1(EXPLICIT / M.X0[i])
    width, count = M.xi[i] * h / beta2, philox.exponential(dice)
    while True:
        T = 1 / (count / width + 1 / Tmax)
        if least >= T:
            return
        back = h * philox.uniform(dice)
        left = wall - h + back
        arrives = reach(world, i, T) > (left - 0.5 * slab if beside else left)
        if arrives and philox.uniform(dice) < 1 - beta2 * T / Tmax + particle.spin * T * T / (2 * E * E):
            push(world, y, T, E, back, s, dice)
        count += philox.exponential(dice)


@leaf
def push(world, y, T, E, back, s, dice):
    """An electron of kinetic energy T goes on the stack, where the particle of energy E was `back` cm before."""
    n, p = s.used[0], math.sqrt(T * (T + 2 * ELECTRON_MASS))
    angle = math.acos(min(T / p * (E + ELECTRON_MASS) / y[P], 1.0))
    cascade.push(s, y, ELECTRON + 1, p, angle, world, dice, False)
    if s.used[0] > n:
        for c in range(3):
            s.stack[n, c] -= back * y[3 + c]


@leaf
def follow(world, y, s, dice, track, out):
    """An electron to the end of its range; crossings of sensors are written down."""
    det = world.detector
    for _ in range(cascade.MAX_STEPS):
        T = math.sqrt(y[P] * y[P] + ELECTRON_MASS * ELECTRON_MASS) - ELECTRON_MASS
        if LAST >= T or cascade.gone(world, y):
            return
        block, part = places.locate(det.volumes, y[0], y[1], y[2], -1)
        i = places.material_of(det.volumes, block, part)
        h, x0, x1, x2 = walls.ahead(det.volumes, block, part, y) + cascade.NUDGE, y[0], y[1], y[2]
        if i > 0:
            h = min(h, STRIDE * det.materials.X0[i], SHARE * reach(world, i, T))
            Ec = critical(world, i)
            radiate(world, y, h / det.materials.X0[i], T, s, dice)
            T = (T + Ec) * math.exp(-h / det.materials.X0[i]) - Ec
        cascade.turn(s, y, h, 0.0)
        y[cascade.TIME] += h / cascade.LIGHT
        if i > 0:
            cascade.cross(world, det.volumes.first[block] + part, x0, x1, x2, y, track, out)
            scatter(world, i, h, y, dice)
            y[P] = math.sqrt(T * (T + 2 * ELECTRON_MASS))


@leaf
def radiate(world, y, depth, T, s, dice):
    """Photons of an electron over so many radiation lengths go on the stack; what they take is in its mean loss."""
    if LEAST_PHOTON >= T:
        return
    log = math.log(T / LEAST_PHOTON)
    count = philox.exponential(dice)
    while count < 4 / 3 * depth * log:
        share = math.exp(-log * philox.uniform(dice))
        if philox.uniform(dice) < 1 - share + 0.75 * share * share:
            cascade.push(s, y, PHOTON, share * T, 0.0, world, dice, False)
        count += philox.exponential(dice)


@leaf
def convert(world, y, s, dice):
    """A photon goes straight on until it becomes a pair, which goes on the stack."""
    det, left = world.detector, CONVERSION * philox.exponential(dice)
    for _ in range(cascade.MAX_STEPS):
        block, part = places.locate(det.volumes, y[0], y[1], y[2], -1)
        i = places.material_of(det.volumes, block, part)
        h = walls.ahead(det.volumes, block, part, y) + cascade.NUDGE
        depth = h / det.materials.X0[i] if i > 0 else 0.0
        ends = depth >= left
        h = left * det.materials.X0[i] if ends else h
        cascade.turn(s, y, h, 0.0)
        y[cascade.TIME] += h / cascade.LIGHT
        left -= depth
        if ends:
            kinetic, share = y[P] - 2 * ELECTRON_MASS, philox.uniform(dice)
            for T in (share * kinetic, (1 - share) * kinetic):
                cascade.push(s, y, ELECTRON, math.sqrt(T * (T + 2 * ELECTRON_MASS)), 0.0, world, dice, False)
            return
        if cascade.gone(world, y):
            return


@leaf
def scatter(world, i, h, y, dice):
    """Over a stride."""
    depth = h / world.detector.materials.X0[i]
    width = min(matter.core_width(depth, depth, y[P], ELECTRON_MASS), WIDEST)
    matter.deflect(y, width * philox.normal(dice), width * philox.normal(dice))
