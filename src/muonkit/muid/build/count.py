"""Tracks -> counts, the waist of the hourglass: what pieces have counted adds up, and all tables are made of it."""

from dataclasses import dataclass, replace

import numpy as np

from muonkit.core.additive import Additive
from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.data.klm import KLMTruth
from muonkit.data.muid import BARREL_LAYERS, MuidTracks
from muonkit.muid.build.behaviour import TrackSample, no_sample, sampled
from muonkit.muid.build.chain import ChainCounts, count_chains, no_chains
from muonkit.muid.build.config import BuildSelection
from muonkit.muid.likelihood.hypotheses import HYPOTHESES, SIGNED, from_pdg
from muonkit.muid.likelihood.longitudinal import classes_of
from muonkit.muid.likelihood.outcome import OUTCOMES, OVERLAP_STOP_FORWARD, classes, number_of_entries, region
from muonkit.muid.likelihood.payload import ORDERS, REGIONS, first_entries
from muonkit.muid.likelihood.spline import BINS, WIDTH
from muonkit.muid.tracker_decays import in_tracker

MUONS = (10, 11)  # signed numbers


@dataclass(frozen=True, slots=True)
class PdfCounts(Additive):
    """By signed hypothesis: hit, crossed (12, entries), of the payload's longitudinal tables; tracks (12, classes);
    chi2 (12, REGIONS, ORDERS, BINS + 1): reduced chi2, the last bin all above; selected, with_holes (12, OUTCOMES):
    tracks that were selected, and those of them that saw one region and are not in the longitudinal counts because a
    layer is missing; seen (12,): all tracks; tracker_decays (12,): of them those of primaries that decayed inside of
    the tracker. chain: see there; sample: some of the selected tracks."""

    hit: IntArray
    crossed: IntArray
    tracks: IntArray
    chi2: IntArray
    selected: IntArray
    with_holes: IntArray
    seen: IntArray
    tracker_decays: IntArray
    chain: ChainCounts
    sample: TrackSample


def nothing() -> PdfCounts:
    """No counts yet."""
    entries = int(first_entries()[-1])
    return PdfCounts(
        hit=_zeros(SIGNED, entries),
        crossed=_zeros(SIGNED, entries),
        tracks=_zeros(SIGNED, len(classes())),
        chi2=_zeros(SIGNED, REGIONS, ORDERS, BINS + 1),
        selected=_zeros(SIGNED, OUTCOMES),
        with_holes=_zeros(SIGNED, OUTCOMES),
        seen=_zeros(SIGNED),
        tracker_decays=_zeros(SIGNED),
        chain=no_chains(),
        sample=no_sample(),
    )


def _zeros(*shape: int) -> IntArray:
    return np.zeros(shape, dtype=np.int64)


def hypothesis_of(pdg_id: IntArray) -> IntArray:
    """Signed hypothesis (n,) of PDG codes. Raises InputError for one that is none."""
    codes, which = np.unique(pdg_id, return_inverse=True)
    return np.array([from_pdg(int(code)) for code in codes], dtype=np.int64)[which]


def angles(truth: KLMTruth) -> tuple[FloatArray, FloatArray]:
    """True theta and phi [deg] (n,) where the particle begins."""
    px, py, pz = truth.momentum.T
    return np.degrees(np.arctan2(np.hypot(px, py), pz)), np.degrees(np.arctan2(py, px))


def selected(tracks: MuidTracks, truth: KLMTruth, selection: BuildSelection) -> BoolArray:
    """Which tracks (n,) PDFs are made of."""
    theta, phi = angles(truth)
    kept = (tracks.outcome > 0) & (tracks.ndof < selection.max_ndof)
    for low, high in selection.cracks:
        kept &= (theta < low) | (theta > high)
    chimney = (theta > selection.chimney_theta[0]) & (theta < selection.chimney_theta[1])
    kept &= ~(chimney & (phi > selection.chimney_phi[0]) & (phi < selection.chimney_phi[1]))
    if selection.tracker_decays == "drop":
        kept &= ~in_tracker(truth, selection.tracker)
    muon = np.isin(hypothesis_of(truth.pdg_id), MUONS)
    return np.asarray(kept & (~muon | (truth.soft <= selection.max_soft)))


def without_holes(tracks: MuidTracks) -> BoolArray:
    """Whether every layer up to the last ones is crossed (n,)."""
    one = np.int64(1)
    barrel = (one << (tracks.barrel_ext_layer + 1)) - 1
    endcap = ((one << (tracks.endcap_ext_layer + 1)) - 1) << BARREL_LAYERS
    return np.asarray(tracks.ext_layer_pattern == (barrel | endcap))


def count(tracks: MuidTracks, truth: KLMTruth, selection: BuildSelection, sample: int = 2000) -> PdfCounts:
    """The counts of some tracks, and at most `sample` of the tracks. Raises InputError for particles that are no
    hypothesis."""
    hypothesis = hypothesis_of(truth.pdg_id)
    total = nothing()
    np.add.at(total.seen, hypothesis, 1)
    np.add.at(total.tracker_decays, hypothesis[in_tracker(truth, selection.tracker)], 1)
    kept = selected(tracks, truth, selection)
    chosen, hypothesis = tracks[kept], hypothesis[kept]
    np.add.at(total.selected, (hypothesis, chosen.outcome), 1)
    whole = without_holes(chosen) | (chosen.outcome >= OVERLAP_STOP_FORWARD)
    np.add.at(total.with_holes, (hypothesis[~whole], chosen.outcome[~whole]), 1)
    _longitudinal(total, chosen[whole], hypothesis[whole])
    _transverse(total, chosen, hypothesis)
    return replace(total, chain=count_chains(chosen, hypothesis), sample=sampled(chosen, hypothesis, sample))


def _longitudinal(total: PdfCounts, tracks: MuidTracks, hypothesis: IntArray) -> None:
    place = classes_of(tracks)
    has_class = place >= 0
    tracks, hypothesis, place = tracks[has_class], hypothesis[has_class], place[has_class]
    np.add.at(total.tracks, (hypothesis, place), 1)
    length = np.array([number_of_entries(*pair) for pair in classes()])
    for bit in range(int(length.max())):
        crossed = (tracks.ext_layer_pattern >> bit & 1 == 1) & (bit < length[place])
        where = hypothesis[crossed], first_entries()[place[crossed]] + bit
        np.add.at(total.crossed, where, 1)
        np.add.at(total.hit, where, tracks.hit_layer_pattern[crossed] >> bit & 1)


def _transverse(total: PdfCounts, tracks: MuidTracks, hypothesis: IntArray) -> None:
    k = tracks.ndof // 2
    counted = (k >= 1) & (k <= ORDERS) & (tracks.chi2 >= 0)
    x = tracks.chi2[counted] / tracks.ndof[counted]
    place = np.minimum((x / WIDTH).astype(np.int64), BINS)
    D = region(tracks.barrel_ext_layer, tracks.endcap_ext_layer)[counted]
    np.add.at(total.chi2, (hypothesis[counted], D, k[counted] - 1, place), 1)


def missing_species(counts: PdfCounts) -> list[str]:
    """Signed hypotheses without tracks, by name."""
    names = [f"{name}{sign}" for name in ("e", "d", "p", "pi", "K", "mu") for sign in "+-"]
    return [name for name, seen in zip(names, counts.seen, strict=True) if seen == 0]


def check(counts: PdfCounts) -> None:
    """Raises InputError if a hypothesis has no tracks."""
    missing = missing_species(counts)
    if missing:
        needs = f"{', '.join(HYPOTHESES)}, of both charges"
        raise InputError(f"input.samples: hold no {', '.join(missing)}; a payload needs {needs}")
