"""Normal equations of all tracks, summed block by block: N = sum D^T D, b = sum D^T z.

A block holds the products of the eight parameters of two surfaces. Only pairs of surfaces that a track meets have one,
and of each pair one: with 14 000 modules and 170 neighbours of each, 1.2 GB. Tracks are added in chunks: a product per
track by BLAS, then one sum per pair of stops (`kernels.blocks`)."""

import numpy as np
from scipy import sparse

from muonkit.alignment.harmonics import Harmonics
from muonkit.alignment.kernels.blocks import add_blocks
from muonkit.alignment.linear import Eliminated, Scatter, eliminate, equations, one_thread
from muonkit.alignment.parameters import MATERIAL, SIZE, units
from muonkit.alignment.ties import Ties
from muonkit.core.arrays import FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.data.hits import Hits
from muonkit.detector.detector import Detector
from muonkit.tracking.fitted import FittedTracks
from muonkit.transport.propagate import Settings

GROWTH = 1.3  # of the memory for blocks
CHUNK = 500  # tracks at a time: 50 MB
BATCH = 20  # of them whose products fit into the cache together


class NormalSystem:
    """Sums over tracks, for a detector of n surfaces, and for the coefficients of a correction of the field.

    rhs (n + ..., 8): b; tracks: how many were added; lost: how many more could not be followed; met (n,): how many
    tracks met each surface; chi2, ndf: of these tracks before any correction."""

    def __init__(self, surfaces: int, harmonics: Harmonics | None = None):
        self.harmonics = harmonics
        self.rhs = np.zeros((surfaces + units(len(self.terms)), SIZE))
        self.met = np.zeros(surfaces, dtype=np.int64)
        self.tracks, self.lost, self.chi2, self.ndf = 0, 0, 0.0, 0
        self._keys, self._slots = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        self._blocks = np.zeros((16, SIZE, SIZE))

    @property
    def terms(self) -> tuple[str, ...]:
        """Names (t,) of the coefficients of the field."""
        return self.harmonics.names if self.harmonics is not None else ()

    def __len__(self) -> int:
        """Number of parameters."""
        return self.rhs.size

    def add(self, tracks: Eliminated, scattering: bool = False) -> None:
        """Add the equations of n tracks, in place; with scattering also what the sizes of kinks say of the matter."""
        self.add_equations(tracks.surface, tracks.D, tracks.z, tracks.scatter if scattering else None)
        self.tracks += len(tracks.z)
        self.lost += tracks.lost
        self.chi2 += float(tracks.chi2.sum())
        self.ndf += int(tracks.ndf.sum())
        there = tracks.surface[(tracks.surface >= 0) & (tracks.surface < len(self.met))]
        self.met += np.bincount(there, minlength=len(self.met))

    def add_equations(self, surface: IntArray, D: FloatArray, z: FloatArray, scatter: Scatter | None = None) -> None:
        """Add whitened equations z (n, m) = D (n, m, 8 s) p of surfaces (n, s), -1 for none, in place; and what the
        sizes of kinks say of the matter on the first of them.
        Raises InputError for a surface that the sums do not have."""
        if surface.max(initial=0) >= len(self.rhs):
            raise InputError(f"alignment: the tracks meet more than {len(self.rhs)} surfaces; make sums for as many")
        n, size = surface.shape
        there = surface >= 0
        slope = np.einsum("nmg,nm->ng", D, z).reshape(n, size, SIZE)
        slot, surface = self._slots_of(surface), np.ascontiguousarray(surface)  # may replace the blocks
        if scatter is not None:
            slope[:, : scatter.score.shape[1], MATERIAL] += scatter.score
        np.add.at(self.rhs, surface[there], slope[there])
        with one_thread():
            for rows in (slice(first, first + BATCH) for first in range(0, n, BATCH)):
                product = D[rows].swapaxes(1, 2) @ D[rows]
                if scatter is not None:
                    matter = slice(MATERIAL, SIZE * scatter.score.shape[1], SIZE)
                    product[:, matter, matter] += scatter.information[rows]
                add_blocks(self._blocks, slot[rows], surface[rows], product)

    def _slots_of(self, surface: IntArray) -> IntArray:
        """The block (n, s, s) of every pair of stops a <= b, -1 for none and for the others."""
        n, size = surface.shape
        a, b = np.triu_indices(size)
        low, high = (end(surface[:, a], surface[:, b]) for end in (np.minimum, np.maximum))
        slot = np.full((n, size, size), -1)
        slot[:, a, b] = self._places(np.where(low >= 0, low * len(self.rhs) + high, -1))
        return slot

    def merge(self, other: "NormalSystem") -> None:
        """Add the sums of other tracks through the same detector, in place.
        Raises InputError for sums with other surfaces or coefficients of the field."""
        if (len(other.met), other.harmonics) != (len(self.met), self.harmonics):
            raise InputError("alignment: sums with other surfaces, or another field_order, cannot be added")
        self.rhs += other.rhs
        self.met += other.met
        self.tracks, self.lost = self.tracks + other.tracks, self.lost + other.lost
        self.chi2, self.ndf = self.chi2 + other.chi2, self.ndf + other.ndf
        slot = self._places(other._keys)  # may replace the blocks
        self._blocks[slot] += other._blocks[other._slots]

    def _places(self, pair: IntArray) -> IntArray:
        """The block of every pair of surfaces, made where there was none; -1 for the pair -1."""
        wanted = np.unique(pair)
        wanted = wanted[wanted >= 0]
        known = np.isin(wanted, self._keys, assume_unique=True)
        new = wanted[~known]
        if len(new):
            self._make_room(len(self._keys) + len(new))
            where = np.searchsorted(self._keys, new)
            self._slots = np.insert(self._slots, where, len(self._keys) + np.arange(len(new)))
            self._keys = np.insert(self._keys, where, new)
        if not len(self._keys):
            return np.full(pair.shape, -1)
        found = self._slots[np.searchsorted(self._keys, np.maximum(pair, self._keys[0]))]
        return np.where(pair >= 0, found, -1)

    def _make_room(self, count: int) -> None:
        if count > len(self._blocks):
            larger = np.zeros((max(count, int(GROWTH * len(self._blocks))), SIZE, SIZE))
            larger[: len(self._blocks)] = self._blocks
            self._blocks = larger

    def tied(self, ties: Ties) -> "NormalSystem":
        """The sums T^T N T and T^T b of parameters that are tied; the same sums if none are."""
        if ties.matrix is None:
            return self
        T, out = ties.matrix, NormalSystem(len(self.met), self.harmonics)
        out.rhs = np.asarray(T.T @ self.rhs.reshape(-1)).reshape(-1, SIZE)
        out.met, out.tracks, out.lost, out.chi2, out.ndf = self.met, self.tracks, self.lost, self.chi2, self.ndf
        blocks = sparse.bsr_array(T.T @ self.matrix(np.ones(len(self))).tocsr() @ T, blocksize=(SIZE, SIZE))
        blocks.sort_indices()
        rows = np.repeat(np.arange(len(out.rhs)), np.diff(blocks.indptr))
        upper = rows <= blocks.indices
        out._keys = rows[upper] * len(out.rhs) + blocks.indices[upper]
        out._slots, out._blocks = np.arange(len(out._keys)), blocks.data[upper]
        return out

    def diagonal(self) -> FloatArray:
        """Diagonal blocks (n, 8, 8); 0 for a surface that no track met."""
        blocks = np.zeros((len(self.rhs), SIZE, SIZE))
        first, second = np.divmod(self._keys, len(self.rhs))
        same = first == second
        blocks[first[same]] = self._blocks[self._slots[same]]
        return blocks

    def matrix(self, scale: FloatArray) -> sparse.bsr_array:
        """S N S for scales S (8 n,), symmetric, both halves, in blocks."""
        n = len(self.rhs)
        first, second = np.divmod(self._keys, n)
        other = np.flatnonzero(first != second)
        rows, columns = np.concatenate((first, second[other])), np.concatenate((second, first[other]))
        order = np.argsort(rows * n + columns, kind="stable")
        rows, columns = rows[order].astype(np.int32), columns[order].astype(np.int32)
        data = np.empty((len(order), SIZE, SIZE))
        half = order < len(first)
        data[half] = self._blocks[self._slots[order[half]]]
        data[~half] = self._blocks[self._slots[other[order[~half] - len(first)]]].swapaxes(1, 2)
        scales = scale.reshape(n, SIZE)
        data *= scales[rows][:, :, None]
        data *= scales[columns][:, None, :]
        start = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=n)))).astype(np.int32)
        return sparse.bsr_array((data, columns, start), shape=(n * SIZE, n * SIZE))


def accumulate(
    hits: Hits,
    fitted: FittedTracks,
    detector: Detector,
    settings: Settings = Settings(),
    harmonics: Harmonics | None = None,
    scattering: bool = False,
) -> NormalSystem:
    """The sums of all tracks that were fitted, chunk by chunk. `settings` are those of the fit; harmonics: terms of a
    correction of the field that are wanted, too; scattering: matter also from the sizes of kinks, where the angles of
    the fit are those of the tracks to a few per cent.

    Raises InputError, see `linear.equations`."""
    system = NormalSystem(len(detector.layers), harmonics)
    good = np.flatnonzero(fitted.good)
    good = good[np.argsort(fitted.count[good], kind="stable")]  # tracks of a chunk have as many stops
    for first in range(0, max(len(good), 1), CHUNK):
        some = equations(hits, fitted, detector, settings, good[first : first + CHUNK], harmonics)
        system.add(eliminate(some), scattering)
    return system
