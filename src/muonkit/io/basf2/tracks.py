"""Tracks of a basf2 file: the helix at the point of closest approach to the z axis, from the fit whose hypothesis is
the muon or, as in the Belle II software, the one of closest mass.

A file stores fits of a few hypotheses only, most often pion, kaon and proton. RecoTracks hold the state at the last
measured point, but as objects of genfit, which only basf2 unpacks: they are counted, not read."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.core.particles import species
from muonkit.io.basf2.rows import Columns, Rows, first_rows, starts_of
from muonkit.io.basf2.tree import EventTree, OpenTree

TRACKS, FITS, RECO = "Tracks", "TrackFitResults", "RecoTracks"
PLACES = "m_trackFitIndices"
FIT = ("m_pdg", "m_tau", "m_cov5")
MUON = 13
NO_FIT = 0  # in place of the hypothesis
MASSES = {abs(species(name).pdg_id): species(name).mass for name in ("e", "mu", "pi", "K", "p", "d")}


@dataclass(frozen=True)
class TrackRows(Rows):
    """A row for every track. hypothesis: PDG code of the fit, NO_FIT if there is none; helix (5 columns): d0 [cm], phi0
    [rad], omega [1/cm], z0 [cm], tan lambda, NaN without a fit; helix_cov (15 columns): upper triangle of their
    covariance; charge: the sign of omega."""

    names: ClassVar[tuple[str, ...]] = ("charge", "hypothesis", "helix", "helix_cov")

    def columns(self, here: OpenTree, entries: slice) -> tuple[IntArray, Columns]:
        places = here.read(TRACKS, (PLACES,), entries)[PLACES]
        fits = here.read(FITS, FIT, entries)
        pdg = np.abs(fits["m_pdg"].values.astype(np.int64))
        row = chosen_fits(places.counts, places.values.astype(np.int64), fits["m_pdg"].counts, pdg)
        there = row >= 0
        helix, covariance = (_rows(fits[name].values, row, there) for name in ("m_tau", "m_cov5"))
        table = {"charge": np.sign(helix[:, 2]), "hypothesis": np.where(there, pdg[row], NO_FIT)} if len(pdg) else {}
        empty = {"charge": np.full(len(row), np.nan), "hypothesis": np.full(len(row), NO_FIT)}
        return places.counts, empty | table | {"helix": helix, "helix_cov": covariance}


def open_track_rows(tree: EventTree) -> TrackRows:
    """The tracks of a file. Raises InputError if they or their fits are not there."""
    tree.require(TRACKS, PLACES)
    tree.require(FITS, *FIT)
    return TrackRows(tree, first_rows(tree, track_counts(tree)))


def track_counts(tree: EventTree) -> IntArray:
    """Number of tracks in every entry."""
    with tree.opened() as here:
        return here.read(TRACKS, (PLACES,), slice(0, len(tree.events)))[PLACES].counts


def chosen_fits(tracks: IntArray, places: IntArray, fits: IntArray, pdg: IntArray) -> IntArray:
    """Row of the fit of every track (k,), -1 without any. tracks, fits (n,): numbers in the entries; places (k, m): of
    the fits in their event, -1 for none; pdg: of all fits, without sign."""
    entry = np.repeat(np.arange(len(tracks)), tracks)
    there = (places >= 0) & (places < fits[entry][:, None])
    rows = np.where(there, starts_of(fits)[entry][:, None] + places, 0)
    if not len(pdg):
        return np.full(len(places), -1)
    mass = np.array([MASSES.get(int(code), np.inf) for code in np.unique(pdg)])[np.unique(pdg, return_inverse=True)[1]]
    far = np.where(there, np.abs(mass - MASSES[MUON])[rows], np.inf)
    best = np.argmin(far, axis=1)
    each = np.arange(len(places))
    return np.where(np.isfinite(far[each, best]), rows[each, best], -1)


def _rows(values: FloatArray, row: IntArray, there: BoolArray) -> FloatArray:
    """Rows of `values` (m, j), NaN where there is none (k, j)."""
    found = np.full((len(row), values.shape[1]), np.nan)
    found[there] = values[row[there]]
    return found


def track_notes(tree: EventTree) -> tuple[str, ...]:
    """A line about RecoTracks that are not used."""
    if not tree.has(RECO):
        return ()
    what = f"{tree.name}: {RECO} are objects that only basf2 unpacks"
    return (f"{what}; {FITS} are used, from the point of closest approach",)
