"""One piece of tracks and the hits of its events -> one row of results per track."""

from dataclasses import dataclass

import numpy as np

from muonkit.core.arrays import AnyArray
from muonkit.data.klm import Candidates, KLMHits
from muonkit.detector.detector import Detector
from muonkit.muid.classifier.features import features
from muonkit.muid.classifier.model import Model
from muonkit.muid.likelihood.evaluate import Likelihoods, LikelihoodSettings, likelihood
from muonkit.muid.likelihood.hypotheses import HYPOTHESES
from muonkit.muid.likelihood.outcome import NOT_REACHED
from muonkit.muid.run_conditions import RunConditions
from muonkit.muid.swim.channels import build_channels
from muonkit.muid.swim.crossing import NOT_STARTED
from muonkit.muid.swim.extrapolate import Extrapolated, MuidSettings, extrapolate, hit_faults
from muonkit.muid.swim.layout import build_layout
from muonkit.muid.swim.sharing import arbitrate, shared_hits

COMPUTED = (
    *("outcome", "is_forward", "ext_layer_pattern", "hit_layer_pattern", "barrel_ext_layer", "endcap_ext_layer"),
    *("barrel_hit_layer", "endcap_hit_layer", "chi2", "ndof"),
)
KNOWN = ("experiment", "run", "event", "track", "status")  # of every track
Columns = dict[str, AnyArray]


@dataclass(frozen=True)
class Identification:
    """How tracks are identified; arbitrated: hits that several tracks match are given to one; classifier: adds its
    probability of a muon."""

    detector: Detector
    muid: MuidSettings = MuidSettings()
    likelihood: LikelihoodSettings = LikelihoodSettings()
    arbitrated: bool = False
    classifier: Model | None = None


def identify(candidates: Candidates, hits: KLMHits, how: Identification, conditions: RunConditions) -> Columns:
    """The columns of the output (n,); `masked` gives those of tracks that were not started.

    Raises InputError for hits that cannot be; see `usable`."""
    found = extrapolated(candidates, hits, how, conditions)
    likelihoods = likelihood(found.tracks, conditions.payload, how.likelihood)
    table = columns(candidates, found, likelihoods)
    return table if how.classifier is None else table | classified(candidates, hits, found, how.classifier)


def classified(candidates: Candidates, hits: KLMHits, found: Extrapolated, model: Model) -> Columns:
    """The column of the classifier, NaN for tracks that do not reach the muon detector."""
    p = model.probability(features(candidates, hits, found))
    return {"classifier_mu": np.where(found.tracks.outcome == NOT_REACHED, np.nan, p)}


def extrapolated(candidates: Candidates, hits: KLMHits, how: Identification, conditions: RunConditions) -> Extrapolated:
    """Tracks through the detector in the state that it had in the run."""
    layout = build_layout(how.detector, how.muid.first_rpc_layer)
    channels = build_channels(how.detector, layout, conditions.status, conditions.efficiency)
    follow = arbitrate if how.arbitrated else extrapolate
    return follow(candidates, hits, how.detector, how.muid, channels)


def usable(hits: KLMHits, how: Identification) -> tuple[KLMHits, dict[str, int]]:
    """The hits without those that cannot be, and how many had which fault."""
    faults = hit_faults(hits, build_layout(how.detector, how.muid.first_rpc_layer))
    bad = np.any(list(faults.values()), axis=0)
    return hits[~bad], {what: int(np.sum(rows)) for what, rows in faults.items() if np.any(rows)}


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
    unknown = {"junk": bad | (table["outcome"] == NOT_REACHED)}
    out = {}
    for name, values in table.items():
        if name in KNOWN:
            out[name] = values
        elif values.dtype.kind == "f":
            out[name] = np.where(bad, np.nan, values)
        else:
            out[name] = np.ma.masked_array(values, unknown.get(name, bad))
    return out


def summary(table: Columns) -> dict[str, int]:
    """Numbers of tracks: all, not started, not reached, junk, and by the most probable species."""
    bad = np.isin(table["status"], NOT_STARTED)
    p = np.column_stack([table[f"p_{name}"] for name in HYPOTHESES])
    known = ~np.isnan(p).any(axis=1) & ~bad
    best = np.bincount(np.argmax(p[known], axis=1), minlength=len(HYPOTHESES)) if known.any() else np.zeros(6, int)
    counts = {
        "tracks": len(bad),
        "not_started": int(bad.sum()),
        "not_reached": int(np.sum(~bad & (table["outcome"] == NOT_REACHED))),
        "junk": int(np.sum(~bad & table["junk"])),
        "shared_hits": int(np.sum(table["shared_hits"][~bad] > 0)),
        "efficiency_missing": int(np.sum(table["efficiency_missing"][~bad])),
    }
    return counts | {f"most_probable_{name}": int(count) for name, count in zip(HYPOTHESES, best, strict=True)}
