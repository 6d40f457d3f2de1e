"""The fast engine: `kernels.showers` with the library of `interactions`.

Charged particles lose energy with Landau's fluctuations and scatter (Highland), pions, kaons and muons decay, hadrons
interact as they did in Geant4 at the nearest energy of a grid and are captured or decay where they stop, photons and
electrons leave the crossings of a mean shower. Not simulated: thin matter of the tracker, muons after they stopped,
neutrons below 40 MeV, photons of nuclei."""

from functools import cache

import numpy as np

from muonkit.core.arrays import FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.detector.detector import Detector
from muonkit.detector.material import MaterialArrays
from muonkit.detector.surfaces import DISC
from muonkit.detector.volumes import locate
from muonkit.simulation.draws import key_of
from muonkit.simulation.kernels.indices import CHARGE, MASS, R_MAX, R_MIN, U_AXIS
from muonkit.simulation.kernels.walls import Can
from muonkit.simulation.klm.crossings import Simulated, from_rows
from muonkit.simulation.klm.interactions import library
from muonkit.simulation.klm.kernels import scene, showers
from muonkit.simulation.klm.kernels.kinds import CODES, Kinds, tabulate
from muonkit.simulation.nuclei import nuclei

MOST = 2000  # crossings of one event
SHOWERS = scene.Showers(photon=0.85, electron=0.5, spread=1.5, critical=0.0217)
SPIN_HALF = (13, 11, 2212, 2112)
LIFE = {13: 65863.8, 211: 780.45, 321: 371.1}  # c tau [cm]; PDG 2024


@cache
def properties() -> tuple[FloatArray, ...]:
    """mass [GeV], charge, spin (1 for 1/2) and proper life [cm] of all that is followed; masses of the PDG."""
    from particle import Particle

    mass = np.array([float(Particle.from_pdgid(code).mass or 0) / 1000 for code in CODES])
    charge = np.array([float(Particle.from_pdgid(code).charge or 0) for code in CODES])
    size = np.abs(CODES)
    life = np.array([LIFE.get(int(code), 0.0) for code in size])
    return mass, charge, np.isin(size, SPIN_HALF).astype(np.float64), life


def kinds(materials: MaterialArrays) -> Kinds:
    """The same with their mean energy loss in the materials of a detector."""
    mass, charge, spin, life = properties()
    return Kinds(mass, charge, spin, life, tabulate(materials, mass, charge, spin))


def sensors(detector: Detector) -> scene.Sensors:
    """The sensors in each slice of each volume. Raises InputError for one in none."""
    S, V = detector.surfaces, detector.volumes
    chosen = np.flatnonzero(S.n_measured > 0)
    off = np.where(S.kind[chosen] == DISC, S.bounds[chosen][:, [R_MIN, R_MAX]].mean(axis=1), 0)
    block, part = locate(V, S.center[chosen] + off[:, None] * S.axes[chosen, U_AXIS])
    if np.any(block < 0):
        lost = detector.layers[chosen[np.flatnonzero(block < 0)[0]]]
        raise InputError(f"detector {detector.name}: sensor {lost} lies in no volume; the engines of showers need one")
    slice_ = V.first[block] + part
    order = np.argsort(slice_, kind="stable")
    first = np.searchsorted(slice_[order], np.arange(len(V.material) + 1))
    return scene.Sensors(first, chosen[order])


def world(detector: Detector, start: tuple[float, float, float]) -> scene.KLMWorld:
    """All that the kernel reads."""
    arrays = detector.arrays()
    tables = kinds(arrays.materials), library(detector.materials), SHOWERS, sensors(detector)
    return scene.KLMWorld(arrays, nuclei(detector.materials), *tables, Can(*map(float, start)))


def simulate(
    detector: Detector, states: FloatArray, codes: IntArray, seed: int, first: int, start: tuple[float, float, float]
) -> Simulated:
    """Primaries `first` ... of a seed, states (n, 6) in cm and GeV, PDG codes (n,); start: radius and ends in z [cm] of
    the tracker. What happens to one depends on its number, not on the others."""
    numbers = np.array([CODES.index(code) for code in codes.tolist()], dtype=np.int64)
    states = np.ascontiguousarray(states)
    out = showers.simulate(world(detector, start), states, numbers, key_of(seed), first, MOST)
    crossings = from_rows(out.track, out.surface, out.row)
    return Simulated(crossings, out.begin[:, :MASS], out.begin[:, CHARGE], out.fate, out.end, out.soft)
