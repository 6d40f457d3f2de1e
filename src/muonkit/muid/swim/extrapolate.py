"""The verb of Muid: tracks through the muon detector, from plane to plane, with the hits that match.

The state at the outermost measured point goes through calorimeter, coil, iron and gaps, exactly to every plane; at each
the nearest hit is looked for, and a hit within the gate updates the track (`match`, `kernels.swim`). A track whose
momentum points inwards came from outside, a cosmic: it is followed backwards in time, where it gains energy."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.indices import ALONG_U, ALONG_V, FREE_QOP, QOP, TO_U, TO_V, TZ
from muonkit.core.particles import SPECIES
from muonkit.data.klm import BARREL, ENDCAP, Candidates, KLMHits
from muonkit.data.muid import BARREL_LAYERS, ENDCAP_LAYERS, LAYERS, MuidLayers, MuidTracks
from muonkit.data.tracks import FreeStates
from muonkit.detector.detector import Detector
from muonkit.detector.field import Uniform
from muonkit.muid.likelihood.outcome import outcome
from muonkit.muid.swim.channels import build_channels
from muonkit.muid.swim.kernels.swim import swim_tracks
from muonkit.muid.swim.kernels.tuples import CROSSED, MATCHED, ChannelArrays, HitArrays, Out, Rules, Scene
from muonkit.muid.swim.layout import MISSING, LayoutArrays, build_layout
from muonkit.transport import cartesian
from muonkit.transport.propagate import Settings
from muonkit.transport.propagate import scene as transport

BEAM_PIPE = "beam pipe"
TRANSPORT = Settings(tolerance=5e-2, max_loss=0.2)
ZERO_FIELD_P = 10.0  # GeV
ZERO_FIELD_VARIANCE = (5e-5, 1e-7, 5e-4, 3.5e-3, 3.5e-3)  # of 1/p [1/GeV], lambda, phi, yT, zT [cm]
ZERO_FIELD_FACTOR = 10.0  # on the variances of hits


@dataclass(frozen=True, slots=True)
class MuidSettings:
    """How to extrapolate and match. species: the hypothesis; min_pt [GeV]: tracks start above it; min_kinetic [GeV]:
    they stop below it; mean_dt, max_dt [ns]: hits count within max_dt of mean_dt; max_sigma: the gate, in sigma of
    track and hit together, which `both` coordinates must pass (Muid) or `either` (its documentation); first_rpc_layer:
    barrel layers from here on are resistive plate chambers; cosmics: follow tracks that point inwards backwards;
    zero_field: no field anywhere, |p| = 10 GeV, a wide covariance and hits of ten times the variance; transport: the
    rest, its species and min_kinetic are not looked at. With scattering = "highland, no log" noise is Geant4e's."""

    species: str = "mu"
    min_pt: float = 0.1
    min_kinetic: float = 0.002
    mean_dt: float = 0.0
    max_dt: float = 1e4
    max_sigma: float = 3.5
    match: Literal["both", "either"] = "both"
    first_rpc_layer: int = 2
    cosmics: bool = True
    zero_field: bool = False
    transport: Settings = TRANSPORT

    def __post_init__(self) -> None:
        if self.species not in SPECIES:
            raise InputError(f"species: {self.species!r} is not one of {', '.join(SPECIES)}")

    @property
    def propagation(self) -> Settings:
        """Settings of the transport."""
        return replace(self.transport, species=self.species, min_kinetic=self.min_kinetic)

    def rules(self, detector: Detector) -> Rules:
        """The settings as the kernel sees them."""
        factor = ZERO_FIELD_FACTOR if self.zero_field else 1.0
        pipe = beam_pipe_radius(detector)
        return Rules(self.min_pt, pipe, self.mean_dt, self.max_dt, self.max_sigma, self.match == "either", factor)


@dataclass(frozen=True, slots=True)
class Extrapolated:
    """Per track, and per track and layer."""

    tracks: MuidTracks
    layers: MuidLayers


def beam_pipe_radius(detector: Detector) -> float:
    """Radius [cm] of the layer of that name, 0 without one."""
    if BEAM_PIPE not in detector.layers:
        return 0.0
    return float(detector.surfaces.radius[detector.layers.index(BEAM_PIPE)])


def extrapolate(
    candidates: Candidates,
    hits: KLMHits,
    detector: Detector,
    settings: MuidSettings = MuidSettings(),
    channels: ChannelArrays | None = None,
) -> Extrapolated:
    """Tracks (n) through the muon detector of `detector`, matched with the hits of their events.

    A track that cannot be followed hurts no other: see its status (`muid.crossing`). Raises InputError if the tracks
    have no covariance, if a hit is in a layer, sector or section that does not exist, or is not finite."""
    layout = build_layout(detector, settings.first_rpc_layer)
    if settings.zero_field:
        detector = replace(detector, field=Uniform((0.0, 0.0, 0.0)))
    free, cov = start_states(candidates.states, settings)
    hit_arrays, event = arrange(hits, candidates.event, layout)
    out = empty(len(candidates))
    here = transport(detector, settings.propagation)
    scene = Scene(
        here._replace(plan=here.plan._replace(jacobian=False)),
        layout,
        hit_arrays,
        build_channels(detector, layout) if channels is None else channels,
        settings.rules(detector),
    )
    swim_tracks(free, cov, direction_of_time(candidates.states, settings), event, scene, out)
    return Extrapolated(_tracks(candidates, out), _layers(out))


def start_states(states: FreeStates, settings: MuidSettings) -> tuple[FloatArray, FloatArray]:
    """Free states (n, 7) and curvilinear covariances (n, 5, 5). Raises InputError without covariance."""
    if states.covariance is None:
        raise InputError("tracks: have no covariance; Muid weighs hits against it")
    with np.errstate(invalid="ignore", divide="ignore"):
        free = cartesian.to_free(states)
        if not settings.zero_field:
            return free, cartesian.to_curvilinear(free, states.covariance)
    free[:, FREE_QOP] = np.sign(free[:, FREE_QOP]) / ZERO_FIELD_P
    qop, lam, phi, y, z = ZERO_FIELD_VARIANCE
    diagonal = np.empty((len(free), 5))
    diagonal[:, ALONG_U], diagonal[:, ALONG_V] = y, z
    diagonal[:, TO_U], diagonal[:, TO_V] = (1 - free[:, TZ] ** 2) * phi, lam
    diagonal[:, QOP] = qop
    return free, diagonal[:, :, None] * np.eye(5)


def direction_of_time(states: FreeStates, settings: MuidSettings) -> FloatArray:
    """+1 for tracks that are followed forwards, -1 backwards (n,)."""
    inwards = np.sum(states.position * states.momentum, axis=1) < 0
    return np.where(inwards & settings.cosmics, -1.0, 1.0)


def arrange(hits: KLMHits, track_event: IntArray, layout: LayoutArrays) -> tuple[HitArrays, IntArray]:
    """Hits sorted by event and slot, and the event (n,) of every track among them, -1 where it has no hits.

    Slots are those of `kernels.planes.slot_of`; the order of hits in one is that of the table. Raises InputError for
    hits that cannot be."""
    check_hits(hits, layout)
    events, number = np.unique(hits.event, return_inverse=True)
    slot = np.where(hits.region == BARREL, hits.layer, BARREL_LAYERS + ENDCAP_LAYERS * hits.section + hits.layer)
    order = np.lexsort((slot, number))
    first = np.searchsorted(number[order], np.arange(len(events) + 1))
    place = np.searchsorted(events, track_event)
    found = np.append(events, track_event.max(initial=0) + 1)[place] == track_event
    arrays = HitArrays(
        first,
        slot[order],
        hits.section[order],
        (hits.sector - 1)[order],
        np.ascontiguousarray(hits.position[order]),
        hits.time[order],
        np.ascontiguousarray(hits.width[order]),
        order,
    )
    return arrays, np.where(found, place, MISSING)


def check_hits(hits: KLMHits, layout: LayoutArrays) -> None:
    """Raises InputError, one line per kind of fault, for hits that are not finite or not on a module."""
    faults = []
    for what, bad in hit_faults(hits, layout).items():
        rows = np.flatnonzero(bad)
        if len(rows):
            faults.append(f"hits: {len(rows)} of {len(bad)} {what}, the first in row {rows[0]}; remove them")
    if faults:
        raise InputError(faults)


def hit_faults(hits: KLMHits, layout: LayoutArrays) -> dict[str, BoolArray]:
    """Kind of fault -> the hits (k,) that have it."""
    measured = np.column_stack((hits.position, hits.time, hits.width))
    return {
        "are not finite": np.asarray(~np.isfinite(measured).all(axis=1)),
        "have a cluster of less than one strip": np.asarray((hits.width < 1).any(axis=1)),
        "are in a region, section, sector or layer that does not exist": ~_on_module(hits, layout),
    }


def _on_module(hits: KLMHits, layout: LayoutArrays) -> BoolArray:
    sectors = layout.barrel.shape[1]
    in_section = (hits.section >= 0) & (hits.section <= 1)
    in_barrel = (hits.region == BARREL) & (hits.sector >= 1) & (hits.sector <= sectors) & (hits.layer < BARREL_LAYERS)
    in_endcap = (hits.region == ENDCAP) & (hits.layer < ENDCAP_LAYERS)
    possible = in_section & (hits.layer >= 0) & (in_barrel | in_endcap)
    section, layer = np.where(possible, hits.section, 0), np.where(possible, hits.layer, 0)
    sector = np.where(possible & in_barrel, hits.sector - 1, 0)
    there = np.where(
        in_barrel, layout.barrel[section, sector, layer], layout.endcap[section, np.minimum(layer, ENDCAP_LAYERS - 1)]
    )
    on_module: BoolArray = possible & (there != MISSING)
    return on_module


def empty(n: int) -> Out:
    """Room for n tracks, nothing crossed."""

    def missing(*shape: int) -> FloatArray:
        return np.full((n, *shape), np.nan)

    def whole(value: int, *shape: int) -> IntArray:
        return np.full((n, *shape), value, dtype=np.int64)

    return Out(
        status=whole(0),
        escaped=np.zeros(n, dtype=np.bool_),
        is_forward=np.zeros(n, dtype=np.bool_),
        pattern=whole(0, 2),
        last=whole(-1, 2, 2),
        chi2=np.zeros(n),
        ndof=whole(0),
        efficiency=np.ones((n, LAYERS)),
        outcome=whole(0, LAYERS),
        surface=whole(MISSING, LAYERS),
        position=missing(LAYERS, 3),
        momentum=missing(LAYERS),
        local=missing(LAYERS, 2),
        covariance=missing(LAYERS, 3),
        residual=missing(LAYERS, 2),
        variance=missing(LAYERS, 2),
        layer_chi2=missing(LAYERS),
        hit=whole(MISSING, LAYERS),
    )


def _tracks(candidates: Candidates, out: Out) -> MuidTracks:
    barrel, endcap = out.last[:, BARREL], out.last[:, ENDCAP]
    return MuidTracks(
        charge=candidates.states.charge,
        outcome=outcome(barrel[:, CROSSED], endcap[:, CROSSED], out.escaped, out.is_forward),
        is_forward=out.is_forward,
        ext_layer_pattern=out.pattern[:, CROSSED],
        hit_layer_pattern=out.pattern[:, MATCHED],
        barrel_ext_layer=barrel[:, CROSSED],
        endcap_ext_layer=endcap[:, CROSSED],
        barrel_hit_layer=barrel[:, MATCHED],
        endcap_hit_layer=endcap[:, MATCHED],
        chi2=out.chi2,
        ndof=out.ndof,
        efficiency=out.efficiency,
        status=out.status,
    )


def _layers(out: Out) -> MuidLayers:
    return MuidLayers(
        outcome=out.outcome,
        surface=out.surface,
        position=out.position,
        momentum=out.momentum,
        local=out.local,
        covariance=out.covariance,
        residual=out.residual,
        variance=out.variance,
        chi2=out.layer_chi2,
        hit=out.hit,
    )
