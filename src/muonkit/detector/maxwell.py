"""How far a field map is from Maxwell's equations, and whether that matters for momenta.

div B and curl B are 0 where no current flows. A map violates them between its nodes by what interpolation costs, and
everywhere if it is wrong. Gauss and Stokes turn the violation into an error of the field: along r,

    dBr(r) = 1/r int_0^r div B r' dr',        dBz(r) = int_0^r (curl B)_phi dr'.

Errors of interpolation change their sign from cell to cell and cancel there; wrong components do not. A momentum is off
by about the same share as the field."""

from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray
from muonkit.detector.coverage import Envelope, PlacedMap, cylindrical
from muonkit.detector.fields.maps import MapRZ

RADII, AZIMUTHS, HEIGHTS = 48, 8, 64
METRE = 100.0  # cm
MATTERS, WRONG = 1e-4, 1e-2  # of the field


class Departure(NamedTuple):
    """div B and the size of curl B, rms and largest, in units of the rms of |B| per metre; `field_error`: the part of
    the field that contradicts them, as a share of its rms."""

    divergence_rms: float
    divergence_max: float
    curl_rms: float
    curl_max: float
    field_error: float

    def words(self) -> str:
        """Whether it matters."""
        if self.field_error < MATTERS:
            return f"B is off by {self.field_error:.1e}, which does not matter"
        return f"B is off by {self.field_error:.1e}, and so are momenta"


def departure(placed: PlacedMap, envelope: Envelope) -> Departure:
    """Of the map where it is inside of its region and of the envelope (r_max, z_min, z_max) [cm]; 0 where B is 0."""
    r, phi, z = _axes(placed, envelope)
    points = cylindrical(r, phi, z)
    there = placed.region.contains(points) & placed.grid.inside(points)
    B, G = placed.part.value(points[there]), placed.part.gradient(points[there])
    strength = float(np.sqrt(np.mean(np.sum(B * B, axis=1)))) if there.any() else 0.0
    if strength == 0:
        return Departure(0.0, 0.0, 0.0, 0.0, 0.0)
    div = np.trace(G, axis1=1, axis2=2) / strength
    curl = np.stack([G[:, 2, 1] - G[:, 1, 2], G[:, 0, 2] - G[:, 2, 0], G[:, 1, 0] - G[:, 0, 1]], axis=1) / strength
    size, around = np.linalg.norm(curl, axis=1), np.arctan2(points[there, 1], points[there, 0])
    shape, along = (len(r), len(phi), len(z)), curl[:, 1] * np.cos(around) - curl[:, 0] * np.sin(around)
    off_r = _summed(_spread(div, there, shape) * r[:, None, None], r).mean(axis=1) / r[:, None]
    off_z = _summed(_spread(along, there, shape), r)
    error = float(np.sqrt(np.mean(off_r**2) + np.mean(off_z**2)))
    rms = [METRE * float(np.sqrt(np.mean(part**2))) for part in (div, size)]
    most = [METRE * float(np.max(np.abs(part))) for part in (div, size)]
    return Departure(rms[0], most[0], rms[1], most[1], error)


def _axes(placed: PlacedMap, envelope: Envelope) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Radii, azimuths and heights inside of map and envelope."""
    edges, (r_max, z_min, z_max) = placed.grid.reach(), envelope
    low, high = edges[:2] if isinstance(placed.grid, MapRZ) else (0.0, max(abs(edge) for edge in edges[:4]))
    spans = [(low, max(low, min(high, r_max))), (max(edges[-2], z_min), min(edges[-1], z_max))]
    (r_low, r_high), (z_low, z_high) = spans
    r = r_low + (r_high - r_low) * (np.arange(RADII) + 0.5) / RADII
    z = z_low + (z_high - z_low) * (np.arange(HEIGHTS) + 0.5) / HEIGHTS
    return r, 2 * np.pi * (np.arange(AZIMUTHS) + 0.1) / AZIMUTHS, z


def _spread(values: FloatArray, there: BoolArray, shape: tuple[int, ...]) -> FloatArray:
    """Values at the points that are there, (radii, azimuths, heights); 0 elsewhere."""
    full = np.zeros(len(there))
    full[there] = values
    return full.reshape(shape)


def _summed(values: FloatArray, r: FloatArray) -> FloatArray:
    """The integral along r, from the first radius on."""
    total: FloatArray = np.cumsum(values, axis=0) * (r[1] - r[0])
    return total
