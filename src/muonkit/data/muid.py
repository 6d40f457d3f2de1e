"""What extrapolation through the KLM leaves of every track, a struct of arrays; likelihoods are made of it."""

from dataclasses import dataclass, fields
from typing import Self

from muonkit.core.arrays import AnyArray, BoolArray, FloatArray, IntArray

BARREL_LAYERS, ENDCAP_LAYERS = 15, 14
LAYERS = BARREL_LAYERS + ENDCAP_LAYERS  # bits of a pattern: barrel layers 0 to 14, then endcap layers 0 to 13


@dataclass(frozen=True, slots=True)
class MuidTracks:
    """charge (n,) +1 or -1; outcome (n,) 0 to 66: where the track ended, see `muid.likelihood.outcome`; is_forward
    (n,): it ends at z > z0.

    Patterns (n,): bit i for layer i, barrel 0-14, endcap 15-28; ext: crossed, hit: crossed with a matching hit. Last
    layers (n,), -1 if there is none. chi2, ndof (n,): sums over the hits that updated the track. efficiency (n,
    LAYERS): of the layer where the track crosses it, 1 where it does not. status (n,): why the track ended, see
    `muid.swim.crossing`."""

    charge: FloatArray
    outcome: IntArray
    is_forward: BoolArray
    ext_layer_pattern: IntArray
    hit_layer_pattern: IntArray
    barrel_ext_layer: IntArray
    endcap_ext_layer: IntArray
    barrel_hit_layer: IntArray
    endcap_hit_layer: IntArray
    chi2: FloatArray
    ndof: IntArray
    efficiency: FloatArray
    status: IntArray

    def __len__(self) -> int:
        return len(self.outcome)

    def __getitem__(self, rows: AnyArray | slice) -> Self:
        """The tracks selected by a mask, an index array or a slice."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class MuidLayers:
    """How every track crossed every layer: arrays (n, LAYERS, ...), NaN or -1 where it did not.

    crossing: 0 to 7, what became of the track there, see `muid.swim.crossing`; surface: index in the detector; position
    (..., 3) [cm] and momentum [GeV]: predicted at the plane, before a hit updates the track; local (..., 2) [cm]: the
    same in the frame of the plane; covariance (..., 3) [cm^2]: of `local`, elements 00, 01, 11; residual (..., 2) [cm]:
    of the nearest hit, in the frame of its plane, and variance (..., 2) [cm^2]: of the residual, track and hit; chi2:
    of a hit that matched; hit: row of the nearest hit in the table of hits."""

    crossing: IntArray
    surface: IntArray
    position: FloatArray
    momentum: FloatArray
    local: FloatArray
    covariance: FloatArray
    residual: FloatArray
    variance: FloatArray
    chi2: FloatArray
    hit: IntArray

    def __len__(self) -> int:
        return len(self.crossing)

    def __getitem__(self, rows: AnyArray | slice) -> Self:
        """The tracks selected by a mask, an index array or a slice."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class Extrapolated:
    """Per track (n), and per track and layer (n, LAYERS)."""

    tracks: MuidTracks
    layers: MuidLayers


def longitudinal_id(last: int, outcome: int, hypothesis: int) -> int:
    """4 bits of the last layer, 7 of the outcome, then the signed hypothesis."""
    return last + (outcome << 4) + (hypothesis << 11)


def transverse_id(ndof: int, D: int, hypothesis: int) -> int:
    """6 bits of ndof, 2 of the region, then the signed hypothesis."""
    return ndof + (D << 6) + (hypothesis << 8)
