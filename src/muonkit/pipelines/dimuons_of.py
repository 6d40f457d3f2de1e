"""Fitted tracks -> pairs of opposite charge from a common vertex, as a table of dimuons."""

from collections.abc import Mapping

import numpy as np

from muonkit.core.arrays import AnyArray, FloatArray, IntArray
from muonkit.core.indices import QOP
from muonkit.core.kinematics import MuonArrays, mass_response
from muonkit.data.hits import TrackHits
from muonkit.data.truth import TrackTruth
from muonkit.detector.field import Field
from muonkit.tracking.law import Law, combined
from muonkit.tracking.refit import Refitted
from muonkit.tracking.vertex import ONE, OTHER, Vertices, fit_vertices

Columns = Mapping[str, AnyArray]


def pairs_of(event: IntArray, fitted: Refitted) -> tuple[IntArray, IntArray]:
    """Rows of the positive and of the negative tracks (m,) of all pairs of fitted tracks of one event. Events stand
    together."""
    qop = fitted.perigees.parameters[:, QOP]
    number = np.cumsum(np.concatenate(([0], np.diff(event) != 0)))
    plus, minus = (np.flatnonzero(fitted.good & (sign * qop > 0)) for sign in (1, -1))
    first, last = (np.searchsorted(number[minus], number[plus], side) for side in ("left", "right"))
    partners = last - first
    begin = np.cumsum(partners) - partners
    which = np.arange(partners.sum()) - np.repeat(begin, partners) + np.repeat(first, partners)
    return np.repeat(plus, partners), minus[which]


def pair_columns(
    found: TrackHits,
    fitted: Refitted,
    pairs: tuple[IntArray, IntArray],
    field: Field,
    truth: TrackTruth | None,
    true: IntArray,
) -> dict[str, AnyArray]:
    """Columns (m,): muons at their common vertex, mass and its error, its law, vertex and chi2; of the truth, where it
    is given, whose rows `true` (n,) are those of the tracks, NaN for a track that it does not have."""
    plus, minus = pairs
    perigees = fitted.perigees
    vertices = fit_vertices(perigees[plus], perigees[minus], field)
    muons = dict(zip(("plus", "minus"), vertices.muons, strict=True))
    columns: dict[str, AnyArray] = {}
    for name, muon in muons.items():
        columns |= _muon(name, muon)
    event = found.event[plus]
    columns |= {"run": np.zeros_like(event), "luminosityBlock": np.zeros_like(event), "event": event}
    columns |= {"plus_track": found.track[plus], "minus_track": found.track[minus]}
    columns |= {"plus_pt_error": pt_error(vertices, ONE), "minus_pt_error": pt_error(vertices, OTHER)}
    columns |= {"mass": vertices.mass, "mass_error": vertices.mass_error, "vertex_chi2": vertices.chi2}
    columns |= mass_law(vertices, fitted.law[plus], fitted.law[minus])
    columns |= dict(zip(("vertex_x", "vertex_y", "vertex_z"), vertices.parameters[:, :3].T, strict=True))
    if truth is not None:
        for name, rows in (("plus_gen", plus), ("minus_gen", minus)):
            columns |= _muon(name, _true(truth, true[rows]))
    return columns


def mass_law(vertices: Vertices, plus: Law, minus: Law) -> dict[str, AnyArray]:
    """Columns (m,) of the law of m_true/m_fit - 1 - shift. A gain of k is a loss of mass."""
    sigma = vertices.mass_error / vertices.mass
    law, shift = combined((plus, minus), mass_response(*vertices.muons), sigma)
    names = ("sigma", "loss", "loss_end", "kick", "kick_end", "shift")
    values = law.sigma, law.loss, law.hardest, law.kick, law.size, shift
    return {f"mass_{name}_rel": value for name, value in zip(names, values, strict=True)}


def pt_error(vertices: Vertices, part: slice) -> FloatArray:
    """Standard deviation (n,) [GeV] of the transverse momentum of a track at the vertex."""
    theta, qop = vertices.parameters[:, part][:, 1:].T
    slope = np.stack((1 / np.tan(theta), -1 / qop), axis=1)
    covariance = vertices.covariance[:, part, part][:, 1:, 1:]
    pt: FloatArray = np.sin(theta) / np.abs(qop)
    return pt * np.sqrt(np.einsum("ni,nij,nj->n", slope, covariance, slope))


def _muon(prefix: str, muon: MuonArrays) -> dict[str, AnyArray]:
    return {f"{prefix}_{name}": column for name, column in zip(muon._fields, muon, strict=True)}


def _true(truth: TrackTruth, rows: IntArray) -> MuonArrays:
    there = rows >= 0
    momentum = np.full((len(rows), 3), np.nan)
    momentum[there] = truth.momentum[rows[there]]
    pt = np.hypot(momentum[:, 0], momentum[:, 1])
    return MuonArrays(pt, np.arcsinh(momentum[:, 2] / pt), np.arctan2(momentum[:, 1], momentum[:, 0]))
