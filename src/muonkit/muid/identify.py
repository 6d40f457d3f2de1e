"""One piece of tracks and the hits of its events -> one row of results per track."""

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np

from muonkit.core.arrays import AnyArray, IntArray
from muonkit.data.klm import Candidates, KLMHits
from muonkit.data.muid import Extrapolated
from muonkit.muid.classifier.features import features
from muonkit.muid.classifier.model import Classifier
from muonkit.muid.likelihood.config import LikelihoodSettings
from muonkit.muid.likelihood.evaluate import Likelihoods, likelihood
from muonkit.muid.likelihood.hypotheses import HYPOTHESES
from muonkit.muid.likelihood.outcome import NOT_REACHED
from muonkit.muid.likelihood.payload import LikelihoodParameters
from muonkit.muid.swim.crossing import NOT_STARTED
from muonkit.muid.swim.extrapolate import extrapolate
from muonkit.muid.swim.sharing import shared_hits
from muonkit.muid.swim.yoke import Yoke

COMPUTED = (
    *("outcome", "is_forward", "ext_layer_pattern", "hit_layer_pattern", "barrel_ext_layer", "endcap_ext_layer"),
    *("barrel_hit_layer", "endcap_hit_layer", "chi2", "ndof"),
)
OF_EVERY_TRACK = ("experiment", "run", "event", "track", "status")  # never masked
EQUAL = 1e-9  # probabilities
Columns = dict[str, AnyArray]


@dataclass(frozen=True)
class Identification:
    """How the tracks of a run are identified: the yoke with the channels of the run, the payload, which variant of the
    likelihood; classifier: adds its probabilities of the six species; sources: names and revisions of the payloads."""

    yoke: Yoke
    payload: LikelihoodParameters
    likelihood: LikelihoodSettings = LikelihoodSettings()
    classifier: Classifier | None = None
    sources: tuple[str, ...] = ()


def identify(
    candidates: Candidates, hits: KLMHits, how: Identification, given: IntArray | None = None
) -> tuple[Columns, Extrapolated]:
    """The columns of the output (n,), of which `masked` hides those of tracks that were not started; and what was found
    at every layer. given (n,): status of tracks that have no state, 0 for the others.

    Raises InputError for hits that cannot be; see `swim.hits.usable`."""
    found = extrapolate(candidates, hits, how.yoke)
    if given is not None:
        status = np.where(given > 0, given, found.tracks.status)
        found = replace(found, tracks=replace(found.tracks, status=status))
    likelihoods = likelihood(found.tracks, how.payload, how.likelihood)
    table = columns(candidates, found, likelihoods)
    if how.classifier is not None:
        table |= classified(candidates, hits, found, how.classifier)
    return table, found


def classified(candidates: Candidates, hits: KLMHits, found: Extrapolated, classifier: Classifier) -> Columns:
    """The columns of the classifier (n,), NaN for tracks that do not reach the muon detector."""
    p = classifier.probability(features(candidates, hits, found))
    p[found.tracks.outcome == NOT_REACHED] = np.nan
    return {f"classifier_{name}": p[:, i] for i, name in enumerate(HYPOTHESES)}


def columns(candidates: Candidates, found: Extrapolated, likelihoods: Likelihoods) -> Columns:
    """One column per name of the output, in its order."""
    tracks = found.tracks
    table: Columns = {"event": candidates.event, "track": candidates.track, "status": tracks.status}
    table |= {name: getattr(tracks, name) for name in COMPUTED}
    table |= {"junk": likelihoods.junk}
    table |= {f"logL_{name}": likelihoods.log_pdf[:, i] for i, name in enumerate(HYPOTHESES)}
    table |= {f"p_{name}": likelihoods.probability[:, i] for i, name in enumerate(HYPOTHESES)}
    table |= {"shared_hits": shared_hits(found.layers), "efficiency_missing": likelihoods.efficiency_missing}
    return table


def masked(table: Columns) -> Columns:
    """The table without what was not computed: all of a track that was not started, junk of one that did not reach
    the muon detector. Floating point columns have NaN there."""
    bad = np.isin(table["status"], NOT_STARTED)
    not_computed = {"junk": bad | (table["outcome"] == NOT_REACHED)}
    out = {}
    for name, values in table.items():
        if name in OF_EVERY_TRACK:
            out[name] = values
        elif values.dtype.kind == "f":
            out[name] = np.where(bad, np.nan, values)
        else:
            out[name] = np.ma.masked_array(values, not_computed.get(name, bad))
    return out


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers of tracks: all; not started; of the started ones those that did not reach the muon detector, that are
    junk, share hits with others, cross a module without a known efficiency, have no information, that is equal
    probabilities; most_probable (6,): the others by the species with the largest probability, in the order of
    HYPOTHESES."""

    tracks: int
    not_started: int
    not_reached: int
    junk: int
    shared_hits: int
    efficiency_missing: int
    uninformed: int
    most_probable: IntArray

    def __add__(self, other: Self) -> Self:
        return type(self)(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    def to_json(self) -> dict[str, int]:
        """By name, as plain content of JSON."""
        plain = {one.name: int(getattr(self, one.name)) for one in fields(self)[:-1]}
        return plain | {f"most_probable_{name}": int(n) for name, n in zip(HYPOTHESES, self.most_probable, strict=True)}


def counted(table: Columns) -> Numbers:
    """The numbers of tracks in a table of `identify`."""
    bad = np.isin(table["status"], NOT_STARTED)
    p = np.column_stack([table[f"p_{name}"] for name in HYPOTHESES])
    computed = ~np.isnan(p).any(axis=1) & ~bad
    equal = computed & (np.ptp(p, axis=1) < EQUAL)
    return Numbers(
        tracks=len(bad),
        not_started=int(bad.sum()),
        not_reached=int(np.sum(~bad & (table["outcome"] == NOT_REACHED))),
        junk=int(np.sum(~bad & table["junk"])),
        shared_hits=int(np.sum(table["shared_hits"][~bad] > 0)),
        efficiency_missing=int(np.sum(table["efficiency_missing"][~bad])),
        uninformed=int(equal.sum()),
        most_probable=np.bincount(np.argmax(p[computed & ~equal], axis=1), minlength=len(HYPOTHESES)),
    )
