"""The verb of Muid: tracks through the muon detector, from plane to plane, with the hits that match.

The state at the outermost measured point goes through calorimeter, coil, iron and gaps, exactly to every plane; at each
the nearest hit is looked for, and a hit within the gate updates the track (`match`, `kernels.swim`). A track whose
momentum points inwards came from outside, a cosmic: it is followed backwards in time, where it gains energy.

Source: Belle II Software Documentation, "Muon Identification"; TrackExtrapolateG4e of the Belle II software."""

from functools import partial

import numpy as np

from muonkit.core.arrays import FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.indices import ALONG_U, ALONG_V, FREE_QOP, QOP, TO_U, TO_V, TZ
from muonkit.data.klm import BARREL, ENDCAP, Candidates, KLMHits
from muonkit.data.muid import LAYERS, Extrapolated, MuidLayers, MuidTracks
from muonkit.data.tracks import FreeStates
from muonkit.muid.likelihood.outcome import outcome
from muonkit.muid.swim.hits import Lost, arrange
from muonkit.muid.swim.kernels.swim import swim_tracks
from muonkit.muid.swim.kernels.tuples import CROSSED, MATCHED, Out, Scene
from muonkit.muid.swim.layout import MISSING
from muonkit.muid.swim.sharing import arbitrated
from muonkit.muid.swim.yoke import Yoke
from muonkit.transport import cartesian

ZERO_FIELD_P = 10.0  # GeV
ZERO_FIELD_VARIANCE = (5e-5, 1e-7, 5e-4, 3.5e-3, 3.5e-3)  # of 1/p [1/GeV], lambda, phi, yT, zT [cm]


def extrapolate(candidates: Candidates, hits: KLMHits, yoke: Yoke) -> Extrapolated:
    """Tracks (n) through the muon detector, matched with the hits of their events; hits that several tracks match are
    given to one if the settings of the yoke say `arbitrate`.

    A track that cannot be followed hurts no other: see its status (`swim.crossing`). Raises InputError if the tracks
    have no covariance, if a hit is in a layer, sector or section that does not exist, or is not finite."""
    if yoke.settings.arbitrate:
        return arbitrated(partial(follow, yoke=yoke), candidates, hits)
    return follow(candidates, hits, yoke)


def follow(candidates: Candidates, hits: KLMHits, yoke: Yoke, lost: Lost | None = None) -> Extrapolated:
    """As `extrapolate`, each track as if it were alone: hits may be shared, as in Muid, but for those that are lost."""
    free, cov = start_states(candidates.states, yoke.settings.zero_field)
    hit_arrays, event = arrange(hits, candidates.event, yoke.layout, lost)
    out = empty(len(candidates))
    scene = Scene(yoke.transport, yoke.layout, hit_arrays, yoke.channels, yoke.rules)
    swim_tracks(free, cov, direction_of_time(candidates.states, yoke.settings.cosmics), event, scene, out)
    return Extrapolated(_tracks(candidates, out), _layers(out))


def start_states(states: FreeStates, zero_field: bool = False) -> tuple[FloatArray, FloatArray]:
    """Free states (n, 7): position [cm], direction, q/p [1/GeV]; and curvilinear covariances (n, 5, 5).

    zero_field: |p| is 10 GeV and the covariance a fixed one, as in Muid. Raises InputError without covariance."""
    if states.covariance is None:
        raise InputError("tracks: have no covariance; Muid weighs hits against it")
    with np.errstate(invalid="ignore", divide="ignore"):
        free = cartesian.to_free(states)
        if not zero_field:
            return free, cartesian.to_curvilinear(free, states.covariance)
    free[:, FREE_QOP] = np.sign(free[:, FREE_QOP]) / ZERO_FIELD_P
    qop, lam, phi, y, z = ZERO_FIELD_VARIANCE
    diagonal = np.empty((len(free), 5))
    diagonal[:, ALONG_U], diagonal[:, ALONG_V] = y, z
    diagonal[:, TO_U], diagonal[:, TO_V] = (1 - free[:, TZ] ** 2) * phi, lam
    diagonal[:, QOP] = qop
    return free, diagonal[:, :, None] * np.eye(5)


def direction_of_time(states: FreeStates, cosmics: bool = True) -> FloatArray:
    """+1 for tracks that are followed forwards, -1 backwards (n,): with `cosmics` those that point inwards."""
    inwards = np.sum(states.position * states.momentum, axis=1) < 0
    return np.where(inwards & cosmics, -1.0, 1.0)


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
        crossing=whole(0, LAYERS),
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
        crossing=out.crossing,
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
