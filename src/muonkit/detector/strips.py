"""Readout strips of the muon detector's planes.

Strips begin at the low end of the local coordinate, in a quadrant of an endcap at the axis. Their pitch follows from
the resolution of the plane, w = sigma sqrt(12); in resistive plate chambers single strips have a variance of 0.60 (phi)
and 0.55 (z) of w^2/12."""

from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.data.klm import BARREL
from muonkit.detector.detector import Detector
from muonkit.detector.planes import RPC_SHARE, plane_names
from muonkit.detector.surfaces import measured_spans


class Strips(NamedTuple):
    """By surface and readout plane (n, 2): pitch [cm], number of strips, low end [cm] of the first one; 0 where there
    are none."""

    pitch: FloatArray
    number: IntArray
    low: FloatArray


def chambers(detector: Detector, first_rpc_layer: int) -> BoolArray:
    """Whether a surface (n,) is a resistive plate chamber: in the barrel those from `first_rpc_layer` on."""
    found = np.zeros(len(detector.layers), dtype=np.bool_)
    for plane in plane_names(detector):
        found[plane.surface] = plane.region == BARREL and plane.layer >= first_rpc_layer
    return found


def strips_of(detector: Detector, first_rpc_layer: int) -> Strips:
    """The strips of all surfaces. Raises InputError if the detector has no muon planes."""
    share = np.where(chambers(detector, first_rpc_layer)[:, None], RPC_SHARE, 1.0)
    pitch = detector.surfaces.sigma * np.sqrt(12 / share)
    low, high = np.swapaxes(measured_spans(detector.surfaces), 0, 1)
    count = np.ceil((high - low) / np.where(pitch > 0, pitch, np.inf) - 1e-6)
    return Strips(pitch, count.astype(np.int64), low)
