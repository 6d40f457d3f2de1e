"""A piece of a table of hits -> sums of its tracks and masses, for `muonkit align`; travels to another process."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from muonkit.alignment.folded import folded
from muonkit.alignment.harmonics import Harmonics
from muonkit.alignment.linear import Eliminated, Equations, Scatter, eliminate, equations
from muonkit.alignment.mille import write_mille
from muonkit.alignment.packed import PackedSums, packed, thinned
from muonkit.alignment.pairs import Measured, vertex_equations
from muonkit.alignment.reference import MassReference, weight
from muonkit.alignment.system import NormalSystem
from muonkit.core.arrays import AnyArray, BoolArray, FloatArray, IntArray
from muonkit.core.files import scratch
from muonkit.data.hits import TrackHits
from muonkit.data.tracks import BoundStates, Perigees
from muonkit.detector.detector import Detector
from muonkit.io.track_hits import HitsFile, Rows, read_hits
from muonkit.pipelines.dimuons_of import pairs_of
from muonkit.tracking.fitted import FittedTracks
from muonkit.tracking.perigee import PLANES, perigee_of
from muonkit.tracking.refit import REFIT_STATUS, FitChoice, at_beam_line, from_hits
from muonkit.tracking.vertex import fit_vertices, mass_by_perigees

CHUNK = 500  # tracks whose equations are in memory
CODES = max(REFIT_STATUS) + 1
WORST_VERTEX = 25.0  # chi2 of one degree of freedom


@dataclass(frozen=True)
class MassJob:
    """What pairs should weigh: reference, window and width of the resonance [GeV]; the surfaces (n,) that stand for
    others, None where none has to; kinds (k,) of parameters that are fitted."""

    reference: MassReference
    window: tuple[float, float]
    width: float
    standing: IntArray | None
    kinds: IntArray


@dataclass(frozen=True)
class AlignJob:
    """All that a process needs. detector: `prepared`; surfaces: how many of it were described; most: tracks of a piece;
    kinds (k,): of parameters that are fitted; harmonics: of the field; mille: whether equations are wanted as bytes."""

    table: HitsFile
    detector: Detector
    surfaces: int
    choice: FitChoice
    most: int | None
    max_chi2: float
    kinds: IntArray
    harmonics: Harmonics | None
    mass: MassJob | None
    mille: bool


@dataclass(frozen=True, slots=True)
class AlignPiece:
    """Sums; tracks by status (c,); tracks with a bad chi2; pairs that were used, and fitted ones that were not; bytes
    for Millepede (b,)."""

    sums: PackedSums
    status: IntArray
    bad_chi2: int
    pairs: int
    other_pairs: int
    mille: AnyArray


@dataclass(frozen=True)
class Pairs:
    """Tracks (n, 2) of pairs, positive and negative; mass and its error (n,) [GeV]; derivatives (n, 2, 5) of the mass
    by the first states; whether the mass is used (n,)."""

    tracks: IntArray
    mass: FloatArray
    sigma: FloatArray
    by_first: FloatArray
    used: BoolArray


def align_piece(job: AlignJob, rows: Rows) -> AlignPiece:
    """Fit one piece and add up its equations."""
    found = first_events(read_hits(job.table, rows), job.most)
    fitted = from_hits(found.hits, job.detector, job.choice)
    refitted = at_beam_line(fitted, found.hits, job.detector, job.choice)
    both = pairs_of(found.event, refitted)
    pairs = None if job.mass is None else pairs_in(job.mass, fitted, refitted.perigees, both, job.detector)
    system, bad, used, mille = NormalSystem(job.surfaces, job.harmonics), 0, 0, list[Equations]()
    for some in chunks(found.event, refitted.good, fitted.count):
        own = equations(found.hits, fitted, job.detector, job.choice.transport, some, job.harmonics)
        own = without_beam_line(own, job.surfaces)
        gone = eliminate(own)
        fine = gone.chi2 <= job.max_chi2 * np.maximum(gone.ndf, 1)
        bad += int((~fine).sum())
        add_tracks(system, chosen(gone, fine), job.kinds)
        if pairs is not None and job.mass is not None:
            used += add_masses(system, job.mass, gone, np.where(fine, own.track, -1), pairs)
        mille += [of_surfaces(own, job.surfaces)] if job.mille else []
    status = np.bincount(refitted.status, minlength=CODES)
    other = 0 if pairs is None else len(pairs.mass) - used
    return AlignPiece(packed(system, job.kinds), status, bad, used, other, mille_bytes(mille))


def first_events(found: TrackHits, most: int | None) -> TrackHits:
    """The first events, with at least `most` tracks if there are so many."""
    if most is None or len(found) <= most:
        return found
    stop = int(np.searchsorted(found.event, found.event[most - 1], "right"))
    return TrackHits(found.event[:stop], found.track[:stop], found.hits[:stop])


def chunks(event: IntArray, good: BoolArray, stops: IntArray) -> Iterator[IntArray]:
    """Good tracks (m,) of whole events, about CHUNK of them; those of a chunk have about as many stops (n,)."""
    tracks = np.flatnonzero(good)
    number = np.cumsum(np.diff(event[tracks], prepend=event[:1]) != 0)
    most = np.zeros(len(tracks) + 1, dtype=np.int64)
    np.maximum.at(most, number, stops[tracks])
    order = np.lexsort((number, most[number]))
    tracks, edges = tracks[order], np.flatnonzero(np.diff(number[order]) != 0) + 1
    begin = 0
    while begin < len(tracks):
        later = edges[edges >= begin + CHUNK]
        end = int(later[0]) if len(later) else len(tracks)
        yield tracks[begin:end]
        begin = end


def without_beam_line(own: Equations, surfaces: int) -> Equations:
    """The planes through the beam line, where the fit starts, have no parameters: those of the described surfaces are
    followed by the coefficients of the field."""
    further = max(int(own.surface.max(initial=-1)) + 1 - surfaces - PLANES, 0)
    number = np.concatenate((np.arange(surfaces), np.full(PLANES, -1), surfaces + np.arange(further), [-1]))
    return replace(own, surface=number[own.surface])


def of_surfaces(own: Equations, surfaces: int) -> Equations:
    """Without the coefficients of the field: Millepede has a number per way."""
    return replace(own, surface=np.where(own.surface < surfaces, own.surface, -1))


def chosen(tracks: Eliminated, rows: BoolArray) -> Eliminated:
    """Some of the tracks."""
    if rows.all():
        return tracks
    columns = ("surface", "z", "D", "response", "covariance", "chi2", "ndf")
    scatter = Scatter(*(part[rows] for part in tracks.scatter))
    return replace(tracks, scatter=scatter, **{name: getattr(tracks, name)[rows] for name in columns})


def pairs_in(
    mass: MassJob, fitted: FittedTracks, perigees: Perigees, rows: tuple[IntArray, IntArray], detector: Detector
) -> Pairs:
    """The pairs of rows of positive and negative tracks, from a common vertex."""
    plus, minus = (perigees[side] for side in rows)
    vertices = fit_vertices(plus, minus, detector.field)
    slope = mass_by_perigees(vertices, plus, minus, detector.field).reshape(-1, 2, 5)
    by_state = [perigee_of(first_states(fitted, side), detector)[1] for side in rows]
    by_first = np.stack([np.einsum("ni,nij->nj", slope[:, i], by_state[i]) for i in (0, 1)], axis=1)
    used = usable(vertices.mass, vertices.mass_error, vertices.chi2, mass.window)
    return Pairs(np.column_stack(rows), vertices.mass, np.hypot(vertices.mass_error, mass.width), by_first, used)


def add_tracks(system: NormalSystem, tracks: Eliminated, kinds: IntArray) -> None:
    """Add the equations of tracks; surfaces that no fitted kind acts on are met, too."""
    there = tracks.surface[(tracks.surface >= 0) & (tracks.surface < len(system.met))]
    met = system.met + np.bincount(there, minlength=len(system.met))
    system.add(thinned(tracks, kinds, len(met)))
    system.met = met


def first_states(fitted: FittedTracks, rows: IntArray) -> BoundStates:
    """The states, without covariance, on the planes through the beam line."""
    return BoundStates(fitted.states.surface[rows], fitted.states.parameters[rows])


def usable(mass: FloatArray, error: FloatArray, chi2: FloatArray, window: tuple[float, float]) -> BoolArray:
    """Which pairs (n,) are in the window of the mass, and from one vertex; those without a vertex have NaN."""
    inside = (mass > window[0]) & (mass < window[1]) & (error > 0) & (chi2 < WORST_VERTEX)
    return np.asarray(inside, dtype=np.bool_)


def add_masses(system: NormalSystem, mass: MassJob, tracks: Eliminated, number: IntArray, pairs: Pairs) -> int:
    """Add the masses of those pairs whose tracks are among these, with their numbers (n,), -1 for those left out; how
    many."""
    row = np.full(max(int(number.max(initial=0)), int(pairs.tracks.max(initial=0))) + 1, -1)
    row[number[number >= 0]] = np.flatnonzero(number >= 0)
    both = row[pairs.tracks]
    mine = np.flatnonzero(pairs.used & (both >= 0).all(axis=1))
    if not len(mine):
        return 0
    reference = mass.reference.at(pairs.sigma[mine])
    root = np.sqrt(weight((pairs.mass[mine] - reference) / pairs.sigma[mine]))
    measured = Measured(pairs.mass[mine], pairs.by_first[mine], reference)
    found = vertex_equations(tracks, both[mine], measured, mass.width)
    found = found if mass.standing is None else folded(found, mass.standing, mass.kinds)
    system.add_equations(found.surface, found.D * root[:, None, None], found.z * root[:, None])
    return len(mine)


def mille_bytes(tracks: list[Equations]) -> AnyArray:
    """The records of Millepede (b,), as bytes."""
    if not tracks:
        return np.zeros(0, dtype=np.uint8)
    with scratch() as folder:
        write_mille(folder / "mille.bin", tracks)
        return np.frombuffer((folder / "mille.bin").read_bytes(), dtype=np.uint8)
