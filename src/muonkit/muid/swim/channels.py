"""The state of the readout as the kernels see it: efficiencies of modules, dead strips as ranges in their planes."""

import numpy as np

from muonkit.detector.channels import ALL_WORK, Channels, dead_strips, efficiencies
from muonkit.detector.detector import Detector
from muonkit.detector.strips import strips_of
from muonkit.muid.swim.kernels.tuples import ChannelArrays


def build_channels(detector: Detector, first_rpc_layer: int, channels: Channels = ALL_WORK) -> ChannelArrays:
    """The state of all channels of a detector; without payloads everything works with efficiency 1.

    A module that the payload of efficiencies does not name has NaN. Raises InputError for a module or strip that does
    not exist."""
    strips = strips_of(detector, first_rpc_layer)
    surface, plane, number = dead_strips(detector, strips, channels.status).T
    low = strips.low[surface, plane] + number * strips.pitch[surface, plane]
    return ChannelArrays(
        efficiencies(detector, channels.efficiency).prod(axis=1),
        np.searchsorted(surface, np.arange(len(detector.layers) + 1)),
        plane,
        low,
        low + strips.pitch[surface, plane],
    )
