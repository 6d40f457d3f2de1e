"""Rochester corrections of muon momenta as arrays: what stands in one of their text files."""

from dataclasses import dataclass

from muonkit.core.arrays import FloatArray

SIMULATION, DATA = 0, 1  # index of the sample in M, A and k


@dataclass(frozen=True, slots=True)
class RochesterResolution:
    """Resolution of k = 1/pT by bins of |eta|, edges (bins + 1,), and of tracker layers, the first with `least_layers`.

    k: (members, 2, bins) factors on the width in simulation and data; polynomial (members, 3, bins, layers) of the
    relative width in pT - 45 GeV; width, alpha, power: (members, bins, layers) of a Crystal Ball with two equal tails.
    """

    eta_edges: FloatArray
    least_layers: int
    k: FloatArray
    polynomial: FloatArray
    width: FloatArray
    alpha: FloatArray
    power: FloatArray


@dataclass(frozen=True, slots=True)
class Rochester:
    """Corrections by bins of eta, edges (bins + 1,), and of phi, all equal. `members`: how many each set has; all
    members are one axis of the arrays, set after set. kinds: per set 0 (default), 1 (replicas) or 2 (variation).

    M, A: (members, 2, eta bins, phi bins); corrected pT / pT = 1 / (M + charge A pT), A in 1/GeV."""

    members: tuple[int, ...]
    kinds: tuple[int, ...]
    eta_edges: FloatArray
    M: FloatArray
    A: FloatArray
    resolution: RochesterResolution | None
