"""Counts of tracks -> the payload."""

from dataclasses import replace
from typing import Any

from muonkit.muid.build import behaviour, chain, longitudinal, transverse
from muonkit.muid.build.config import BuildPdfs
from muonkit.muid.build.count import PdfCounts, check
from muonkit.muid.likelihood.payload import LikelihoodParameters


def build(counts: PdfCounts, config: BuildPdfs, provenance: dict[str, Any]) -> LikelihoodParameters:
    """The payload; the same counts give the same bytes. Raises InputError if a hypothesis has no tracks."""
    check(counts)
    p, error = longitudinal.tables(counts, config.longitudinal)
    chi2 = transverse.tables(counts.chi2, config.transverse)
    counted = {
        "tracks": counts.seen.tolist(),
        "selected": counts.selected.sum(axis=1).tolist(),
        "tracker decays": counts.tracker_decays.tolist(),
        "with holes": counts.with_holes.sum(axis=1).tolist(),
        "selection": config.selection.model_dump(mode="json"),
        "longitudinal": config.longitudinal.model_dump(mode="json"),
        "transverse": config.transverse.model_dump(mode="json"),
        "chain": config.chain.model_dump(mode="json"),
        "muid": config.muid.model_dump(mode="json"),
    }
    payload = LikelihoodParameters(
        longitudinal=p, uncertainty=error, crossed=counts.crossed, tracks=counts.tracks,
        entries=counts.chi2.sum(axis=3), provenance=provenance | counted, **chi2,
        log_odds=chain.tables(counts.chain, config.chain), behaviour=behaviour.no_others(),
    )  # fmt: skip
    return replace(payload, behaviour=behaviour.shares(counts.sample, payload, config.chain))
