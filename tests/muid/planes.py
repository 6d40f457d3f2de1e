"""Hits, tracks and a compiled door to the kernels of a match."""

import numpy as np

from muonkit.core.compiled import compiled
from muonkit.data.klm import BARREL, FORWARD, Candidates, KLMHits
from muonkit.data.tracks import FreeStates
from muonkit.muid.swim.kernels import match
from muonkit.muid.swim.kernels.swim import update
from muonkit.muid.swim.kernels.tuples import workspace
from muonkit.transport.kernels import frames
from muonkit.transport.kernels.tuples import empty_track


def hits(*rows, event=0):
    """KLMHits of rows (region, section, sector, layer, x, y, z), and if given time, width_phi, width_z."""
    table = np.array([(*row, *(0.0, 1.0, 1.0)[len(row) - 7 :])[:10] for row in rows], dtype=np.float64).reshape(-1, 10)
    whole = table[:, :4].astype(np.int64)
    events = np.full(len(rows), event)
    return KLMHits(events, *whole.T, table[:, 4:7], table[:, 7], table[:, 8:])


def no_hits():
    return hits()


def candidates(position, momentum, charge=-1.0, sigma=(0.1, 0.003), event=0):
    """Tracks (n, 3) of one event; sigma: of position [cm] and, relative, of momentum."""
    position, momentum = np.atleast_2d(position).astype(float), np.atleast_2d(momentum).astype(float)
    n = len(position)
    p2 = np.sum(momentum**2, axis=1)
    variance = np.column_stack((np.full((n, 3), sigma[0] ** 2), np.tile(sigma[1] ** 2 * p2, (3, 1)).T))
    states = FreeStates(position, momentum, np.full(n, charge), variance[:, :, None] * np.eye(6))
    return Candidates(np.full(n, event), np.arange(n), states)


def barrel_row(x, y, z, layer, sector=1, section=FORWARD, **_):
    return BARREL, section, sector, layer, x, y, z


@compiled
def compiled_update(S, layout, i, own, y, C, hits, rules):
    """(kept, chi2) of the update of one track on plane i of the barrel with the first hit, on plane `own`; y (7) and C
    (5, 5) are changed."""
    work, track = workspace(), empty_track()
    for a in range(7):
        track.y[a] = y[a]
    track.C[:] = C
    frames.track_axes(track.y, work.transport.u, work.transport.v)
    match.project(S, own, track.y, work)
    match.projected(work.H, track.C, work.P)
    match.hit_variance(S, own, layout.grows[own], hits.width[0], rules, work.V)
    match.residual(S, own, hits.x[0], track.y, work.r)
    chi2 = match.chi_square(work.r, work.P, work.V)[0]
    kept = update(track, S, i, layout.barrel_region, layout.z0, work)
    for a in range(7):
        y[a] = track.y[a]
    C[:] = track.C
    return kept, chi2
