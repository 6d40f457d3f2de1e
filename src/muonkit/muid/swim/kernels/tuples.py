"""What travels together through the kernels of Muid."""

from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import AnyArray
from muonkit.core.compiled import part
from muonkit.muid.swim.layout import LayoutArrays
from muonkit.transport.kernels import tuples

CROSSED, MATCHED = range(2)  # of Out.pattern and Out.last


class Rules(NamedTuple):
    """Least pT [GeV], radius below which a track is in the beam pipe [cm], time window [ns], gate [sigma], whether one
    coordinate within the gate is enough, factor on the variance of hits."""

    min_pt: float
    beam_pipe: float
    mean_dt: float
    max_dt: float
    max_sigma: float
    either: bool
    variance_factor: float


class HitArrays(NamedTuple):
    """Hits sorted by event and slot: first (events + 1,); slot (k,), see `planes.slot_of`; section, sector (k,) from 0;
    x (k, 3); time (k,); width (k, 2); row (k,) in the table. lost (m,): rows of hits that a track may not take, those
    of track i in lost_first[i] ... lost_first[i + 1] - 1."""

    first: AnyArray
    slot: AnyArray
    section: AnyArray
    sector: AnyArray
    x: AnyArray
    time: AnyArray
    width: AnyArray
    row: AnyArray
    lost_first: AnyArray
    lost: AnyArray


class ChannelArrays(NamedTuple):
    """efficiency (surfaces,) of modules; dead strips of surface i in rows first[i] ... first[i + 1] - 1: coordinate,
    its range [cm]."""

    efficiency: AnyArray
    first: AnyArray
    coordinate: AnyArray
    low: AnyArray
    high: AnyArray


class Scene(NamedTuple):
    """What stays the same while tracks swim: the Scene of the transport, and what Muid knows of planes, hits and
    channels, and its rules."""

    transport: tuples.Scene
    layout: LayoutArrays
    hits: HitArrays
    channels: ChannelArrays
    rules: Rules


class Crossing(NamedTuple):
    """A track on a plane: row of the track, surface, region, section, layer; sector of the barrel from 0, NO_SECTOR in
    an endcap."""

    row: int
    i: int
    region: int
    section: int
    layer: int
    sector: int


class Out(NamedTuple):
    """What is written, see `data.muid.MuidTracks` and `MuidLayers`; pattern (n, 2), last (n, 2 regions, 2): CROSSED,
    MATCHED."""

    status: AnyArray
    escaped: AnyArray
    is_forward: AnyArray
    pattern: AnyArray
    last: AnyArray
    chi2: AnyArray
    ndof: AnyArray
    efficiency: AnyArray
    crossing: AnyArray
    surface: AnyArray
    position: AnyArray
    momentum: AnyArray
    local: AnyArray
    covariance: AnyArray
    residual: AnyArray
    variance: AnyArray
    layer_chi2: AnyArray
    hit: AnyArray


class Workspace(NamedTuple):
    """That of the transport, and matrices of a match: H, P, V, r, K, and the state before the update."""

    transport: tuples.Workspace
    H: AnyArray
    P: AnyArray
    V: AnyArray
    r: AnyArray
    K: AnyArray
    before: AnyArray


@part
def workspace():
    """A Workspace; one for each thread."""
    return Workspace(
        tuples.workspace(),
        np.zeros((2, 2)),
        np.zeros((2, 2)),
        np.zeros(2),
        np.zeros(2),
        np.zeros((5, 2)),
        np.zeros(7),
    )
