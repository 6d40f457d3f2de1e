"""Knock-on electrons and their photons: they widen clusters and fire strips beside a track.

Made where their range exceeds EXPLICIT, as Geant4's production cuts do, by the collisions of `matter.collisions`: xi
x/beta^2 dT/T^2 (1 - beta^2 T/Tmax + T^2/(2 E^2)), at the angle of two-body kinematics (PDG 2024 sec. 34.2). They lose
dT/dt = -(T + Ec) per radiation length, so that their range is X0 ln(1 + T/Ec), and scatter (Highland). Photons of more
than LEAST_PHOTON are radiated as 4/3 dk/k (1 - y + 3/4 y^2) dt with y = k/T (PDG 2024 sec. 34.4) and become pairs. Ec
[GeV]: the loss of a minimum ionising particle in a radiation length."""

import math

from muonkit.core.compiled import inlined, leaf
from muonkit.core.units import ELECTRON_MASS
from muonkit.simulation.kernels import matter, philox
from muonkit.simulation.kernels.indices import TX, P, X, Y, Z
from muonkit.simulation.klm.kernels import cascade, scene
from muonkit.simulation.klm.kernels.kinds import DENSITY, ELECTRON, MU_PLUS, PHOTON, POSITRON
from muonkit.simulation.klm.kernels.scene import UNKNOWN, Daughter

EXPLICIT = 1.0  # cm: range
LAST = 3e-4  # GeV of kinetic energy: where the way of an electron ends
STRIDE, SHARE = 0.15, 0.3  # of a step: radiation lengths, share of the range
SOFT, SOFT_PHOTON = 0.1, 0.03  # GeV: electrons and photons of less are followed here, of more they are showers
LEAST_PHOTON = 0.005  # GeV
CONVERSION = 2.3  # radiation lengths: mean free path of photons of 5 to 30 MeV in iron (NIST XCOM: 2.2 to 2.4)
WIDEST = 1.0  # rad, of the projected angles of a stride
MINIMUM = int(DENSITY * math.log(3.5 / matter.LOWEST))  # p/m = 3.5 in the table of energy loss


@inlined
def momentum(T):
    """Of an electron of kinetic energy T."""
    return math.sqrt(T * (T + 2 * ELECTRON_MASS))


@inlined
def critical(world, material):
    """Ec [GeV]."""
    return world.kinds.power[material, MU_PLUS, MINIMUM] * world.detector.materials.X0[material]


@inlined
def reach(world, material, T):
    """Range [cm] of an electron."""
    return world.detector.materials.X0[material] * math.log1p(T / critical(world, material))


@inlined
def knock_on(world, event, y, place, kind, h):
    """Electrons from a step h that began at a place and ends at y: those that may come out of the slice, or that are
    made in front of the sensor in its middle. They go on the stack."""
    beside, particle, dice = scene.measures(world.sensors, place.slice_), kind.particle, event.dice
    M, E = world.detector.materials, math.sqrt(y[P] * y[P] + particle.mass * particle.mass)
    beta2, hardest = (y[P] / E) ** 2, matter.largest_transfer(y[P], particle.mass)
    least = critical(world, place.material) * math.expm1(EXPLICIT / M.X0[place.material])
    width, count = M.xi[place.material] * h / beta2, philox.exponential(dice)
    while True:
        T = 1 / (count / width + 1 / hardest)
        if least >= T:
            return
        back = h * philox.uniform(dice)
        left = place.wall - h + back
        arrives = reach(world, place.material, T) > (left - 0.5 * place.slab if beside else left)
        if arrives and philox.uniform(dice) < 1 - beta2 * T / hardest + particle.spin * T * T / (2 * E * E):
            push(world.kinds, event, y, T, E, back)
        count += philox.exponential(dice)


@leaf
def push(kinds, event, y, T, E, back):
    """An electron of kinetic energy T goes on the stack, where the particle of energy E was `back` cm before."""
    n, p = event.stack.used[0], momentum(T)
    angle = math.acos(min(T / p * (E + ELECTRON_MASS) / y[P], 1.0))
    scene.push(kinds, event, y, Daughter(ELECTRON, p, angle), False)
    if event.stack.used[0] > n:
        for c in range(3):
            event.stack.rows[n, X + c] -= back * y[TX + c]


@leaf
def follow(world, event, y):
    """An electron to the end of its range; crossings of sensors are written down."""
    V, M, envelope = world.detector.volumes, world.detector.materials, world.detector.envelope
    for _ in range(cascade.MAX_STEPS):
        T = math.sqrt(y[P] * y[P] + ELECTRON_MASS * ELECTRON_MASS) - ELECTRON_MASS
        if LAST >= T or cascade.gone(envelope, y):
            return
        place, before = scene.look_up(V, y, UNKNOWN), (y[X], y[Y], y[Z])
        h, material = place.wall + cascade.NUDGE, place.material
        if material == 0:
            cascade.fly(y, h)
            continue
        h, Ec = min(h, STRIDE * M.X0[material], SHARE * reach(world, material, T)), critical(world, material)
        depth = h / M.X0[material]
        radiate(world.kinds, event, y, depth, T)
        cascade.fly(y, h)
        cascade.cross(world, event.notes, y, place.slice_, before)
        scatter(y, depth, event.dice)
        y[P] = momentum((T + Ec) * math.exp(-depth) - Ec)


@leaf
def radiate(kinds, event, y, depth, T):
    """Photons of an electron over so many radiation lengths go on the stack; what they take is in its mean loss."""
    if LEAST_PHOTON >= T:
        return
    dice, log = event.dice, math.log(T / LEAST_PHOTON)
    count = philox.exponential(dice)
    while count < 4 / 3 * depth * log:
        share = math.exp(-log * philox.uniform(dice))
        if philox.uniform(dice) < 1 - share + 0.75 * share * share:
            scene.push(kinds, event, y, Daughter(PHOTON, share * T, 0.0), False)
        count += philox.exponential(dice)


@leaf
def convert(world, event, y):
    """A photon goes straight on until it becomes a pair, which goes on the stack."""
    V, M, envelope = world.detector.volumes, world.detector.materials, world.detector.envelope
    left = CONVERSION * philox.exponential(event.dice)
    for _ in range(cascade.MAX_STEPS):
        place = scene.look_up(V, y, UNKNOWN)
        h, X0 = place.wall + cascade.NUDGE, M.X0[place.material]
        depth = h / X0 if place.material > 0 else 0.0
        ends = depth >= left
        cascade.fly(y, left * X0 if ends else h)
        left -= depth
        if ends:
            pair(world.kinds, event, y)
            return
        if cascade.gone(envelope, y):
            return


@leaf
def pair(kinds, event, y):
    """A photon becomes an electron and a positron; both go on the stack."""
    T, share = y[P] - 2 * ELECTRON_MASS, philox.uniform(event.dice)
    scene.push(kinds, event, y, Daughter(POSITRON, momentum(share * T), 0.0), False)
    scene.push(kinds, event, y, Daughter(ELECTRON, momentum((1 - share) * T), 0.0), False)


@leaf
def scatter(y, depth, dice):
    """Over a stride of so many radiation lengths."""
    width = min(matter.core_width(depth, depth, y[P], ELECTRON_MASS), WIDEST)
    matter.deflect(y, width * philox.normal(dice), width * philox.normal(dice))
