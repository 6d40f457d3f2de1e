"""Two tracks from one point: their common vertex, their momenta there, and the mass of the pair with its error.

Least squares of both perigees with their covariances, with the vertex and six momenta as parameters (Billoir and Qian,
Nucl. Instr. Meth. A 311 (1992) 139): ten measurements, nine parameters. Each iteration is linear."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray
from muonkit.core.indices import PHI, THETA
from muonkit.core.kinematics import MuonArrays, mass, mass_response
from muonkit.data.tracks import Perigees
from muonkit.detector.field import Field
from muonkit.tracking.perigee import closest

ITERATIONS = 3
VERTEX, ONE, OTHER = slice(0, 3), slice(3, 6), slice(6, 9)
THETA_OF_ONE, THETA_OF_OTHER = 4, 7


@dataclass(frozen=True, slots=True)
class Vertices:
    """Of n pairs. parameters (n, 9): vertex [cm], then phi, theta, q/p of the positive and of the negative track at it;
    covariance (n, 9, 9); chi2 (n,), of one degree of freedom; NaN where there is none."""

    parameters: FloatArray
    covariance: FloatArray
    chi2: FloatArray

    @property
    def muons(self) -> tuple[MuonArrays, MuonArrays]:
        """pT, eta, phi of the positive and of the negative track."""
        return _muon(self.parameters[:, ONE]), _muon(self.parameters[:, OTHER])

    @property
    def mass(self) -> FloatArray:
        """Of the pair (n,) [GeV], as muons."""
        return mass(*self.muons)

    @property
    def mass_error(self) -> FloatArray:
        """Standard deviation (n,) [GeV] of the mass."""
        slope = self.mass_slope
        variance = np.einsum("ni,nij,nj->n", slope, self.covariance[:, 3:, 3:], slope)
        return np.sqrt(variance)

    @property
    def mass_slope(self) -> FloatArray:
        """d mass/d (phi, theta, q/p of both), (n, 6)."""
        (plus, minus), m = self.muons, self.mass
        # at fixed p, theta changes pT and eta; at fixed angles, q/p changes pT alone
        size = [muon.pt * np.cosh(muon.eta) for muon in (plus, minus)]
        unit, turned = zip(*(_directions(self.parameters[:, part]) for part in (ONE, OTHER)), strict=True)
        product = (size[0] * size[1] / m)[:, None]
        by_angles = [-product * np.stack([np.einsum("ni,ni->n", turned[i][a], unit[1 - i]) for a in (0, 1)], axis=1)
                     for i in (0, 1)]  # fmt: skip
        by_qop = [-m * response / self.parameters[:, part.stop - 1]
                  for response, part in zip(mass_response(plus, minus), (ONE, OTHER), strict=True)]  # fmt: skip
        columns = [np.column_stack((angles, slope)) for angles, slope in zip(by_angles, by_qop, strict=True)]
        return np.column_stack(columns)


class _Linear(NamedTuple):
    """Expected perigees (n, 10) and their derivatives (n, 10, 9)."""

    expected: FloatArray
    slope: FloatArray


def fit_vertices(plus: Perigees, minus: Perigees, field: Field) -> Vertices:
    """The common vertices of n pairs of tracks. A pair without finite result has NaN."""
    measured = np.column_stack((plus.parameters, minus.parameters))
    L = _whitening(plus, minus)
    n, good = len(plus), np.isfinite(np.column_stack((measured, L.sum(axis=2)))).all(axis=1)
    out = Vertices(np.full((n, 9), np.nan), np.full((n, 9, 9), np.nan), np.full(n, np.nan))
    if good.any():
        out.parameters[good], out.covariance[good], out.chi2[good] = _solved(measured[good], L[good], field)
        for values in (out.parameters, out.covariance, out.chi2):
            values[_ran_away(out.parameters)] = np.nan
    return out


def mass_by_perigees(vertices: Vertices, plus: Perigees, minus: Perigees, field: Field) -> FloatArray:
    """d mass/d (perigee of the positive, of the negative track), (n, 10): the vertex fit is linear around its result,
    with d vertex/d perigees = C S^T V^-1, S = d perigees/d vertex. NaN where there is no vertex."""
    good = np.isfinite(vertices.chi2)
    out = np.full((len(plus), 10), np.nan)
    L, slope = _whitening(plus[good], minus[good]), _linear(vertices.parameters[good], field).slope
    A = np.linalg.solve(L, slope)
    by_vertex = np.einsum("ni,nij->nj", vertices.mass_slope[good], vertices.covariance[good, 3:])
    white = np.einsum("nj,nkj->nk", by_vertex, A)
    out[good] = np.linalg.solve(L.transpose(0, 2, 1), white[..., None])[..., 0]
    return out


def _ran_away(parameters: FloatArray) -> BoolArray:
    """Which fits (n,) ended where no momentum is: at a polar angle beyond the axis, or at q/p = 0."""
    theta, qop = parameters[:, (THETA_OF_ONE, THETA_OF_OTHER)], parameters[:, (ONE.stop - 1, OTHER.stop - 1)]
    return ~np.all((theta > 0) & (theta < np.pi) & (qop != 0), axis=1)


def _solved(measured: FloatArray, L: FloatArray, field: Field) -> tuple[FloatArray, FloatArray, FloatArray]:
    now = _start(measured)
    for _ in range(ITERATIONS):
        linear = _linear(now, field)
        A = np.linalg.solve(L, linear.slope)
        r = np.linalg.solve(L, _difference(measured, linear.expected)[..., None])
        scale = 1 / np.linalg.norm(A, axis=1)  # lengths, angles and curvatures are of very different size
        A = A * scale[:, None]
        normal = np.linalg.pinv(A.transpose(0, 2, 1) @ A, hermitian=True)
        now = now + scale * (normal @ A.transpose(0, 2, 1) @ r)[..., 0]
    left = np.linalg.solve(L, _difference(measured, _linear(now, field).expected)[..., None])[..., 0]
    return now, normal * scale[:, :, None] * scale[:, None], np.einsum("ni,ni->n", left, left)


def _whitening(plus: Perigees, minus: Perigees) -> FloatArray:
    """Lower Cholesky factors (n, 10, 10) of the covariances of both tracks; NaN where there is none."""
    L = np.zeros((len(plus), 10, 10))
    for at, tracks in ((0, plus), (5, minus)):
        C = np.full((len(plus), 5, 5), np.nan)
        size = np.sqrt(np.einsum("nii->ni", tracks.covariance).clip(min=0))
        usable = np.flatnonzero(np.isfinite(tracks.covariance.sum(axis=(1, 2))) & (size.min(axis=1) > 0))
        outer = size[usable, :, None] * size[usable, None]
        relative = tracks.covariance[usable] / outer
        positive = np.linalg.eigvalsh(relative).min(axis=1) > 0
        kept = usable[positive]
        C[kept] = size[kept, :, None] * np.linalg.cholesky(relative[positive])
        L[:, at : at + 5, at : at + 5] = C
    return L


def _start(measured: FloatArray) -> FloatArray:
    """Half way between both perigees, with the momenta there."""
    points = [np.stack((-p[:, 0] * np.sin(p[:, PHI]), p[:, 0] * np.cos(p[:, PHI]), p[:, 1]), axis=1)
              for p in (measured[:, :5], measured[:, 5:])]  # fmt: skip
    return np.column_stack(((points[0] + points[1]) / 2, measured[:, PHI:5], measured[:, 5 + PHI :]))


def _linear(now: FloatArray, field: Field) -> _Linear:
    B = field.value(now[:, VERTEX])
    slope, expected = np.zeros((len(now), 10, 9)), np.zeros((len(now), 10))
    for at, own in ((0, ONE), (5, OTHER)):
        rows = slice(at, at + 5)
        expected[:, rows], J = closest(now[:, VERTEX], now[:, own], B)
        slope[:, rows, VERTEX], slope[:, rows, own] = J[:, :, :3], J[:, :, 3:]
    return _Linear(expected, slope)


def _difference(measured: FloatArray, expected: FloatArray) -> FloatArray:
    """With phi looked at across its seam."""
    r = measured - expected
    for at in (PHI, 5 + PHI):
        r[:, at] -= 2 * np.pi * np.rint(r[:, at] / (2 * np.pi))
    return r


def _muon(momentum: FloatArray) -> MuonArrays:
    phi, theta, qop = momentum.T
    phi = phi - 2 * np.pi * np.rint(phi / (2 * np.pi))
    return MuonArrays(np.sin(theta) / np.abs(qop), -np.log(np.tan(theta / 2)), phi)


def _directions(momentum: FloatArray) -> tuple[FloatArray, tuple[FloatArray, FloatArray]]:
    """Unit direction (n, 3) and its derivatives by phi and theta."""
    phi, theta = momentum[:, 0], momentum[:, THETA - PHI]
    sin, cos, zero = np.sin(theta), np.cos(theta), np.zeros_like(phi)
    t = np.stack((sin * np.cos(phi), sin * np.sin(phi), cos), axis=1)
    by_phi = np.stack((-t[:, 1], t[:, 0], zero), axis=1)
    return t, (by_phi, np.stack((cos * np.cos(phi), cos * np.sin(phi), -sin), axis=1))
