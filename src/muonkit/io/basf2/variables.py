"""Results of identification as a flat ntuple with the names of the Belle II software: those of its KLM calibration
variables where it has one, `muidLogL_*` and `klmMuonID` (L_mu over the sum of all six) besides."""

from collections.abc import Mapping

import numpy as np

from muonkit.core.arrays import AnyArray, IntArray
from muonkit.data.muid import BARREL_LAYERS, ENDCAP_LAYERS
from muonkit.io.basf2.records import SPECIES

NAMES = {
    "experiment": "__experiment__",
    "run": "__run__",
    "event": "__event__",
    "track": "__candidate__",
    "outcome": "muidOutcomeExtTrack",
    "is_forward": "muidIsForward",
    "ext_layer_pattern": "muidExtLayerPattern",
    "hit_layer_pattern": "muidHitLayerPattern",
    "barrel_ext_layer": "muidBarrelExtLayer",
    "endcap_ext_layer": "muidEndcapExtLayer",
    "barrel_hit_layer": "muidBarrelHitLayer",
    "endcap_hit_layer": "muidEndcapHitLayer",
    "chi2": "muidChiSquared",
    "ndof": "muidDegreesOfFreedom",
    "junk": "muidJunk",
    "p_mu": "klmMuonID",
    **{f"logL_{name}": f"muidLogL_{name}" for name in SPECIES},
    **{f"p_{name}": f"muidProbability_{name}" for name in SPECIES if name != "mu"},
}


def as_variables(columns: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    """The columns under those names; last layers and numbers of hits that Belle II counts besides."""
    return {NAMES.get(name, name): values for name, values in columns.items()} | counted(columns)


def counted(columns: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    """Last layers of both regions together, and numbers of hits; masked where the patterns are."""
    ext, hit = (columns[f"barrel_{name}_layer"] for name in ("ext", "hit"))
    endcap_ext, endcap_hit = (columns[f"endcap_{name}_layer"] for name in ("ext", "hit"))
    pattern = columns["hit_layer_pattern"]
    barrel, endcap = number_of_bits(pattern, 0, BARREL_LAYERS), number_of_bits(pattern, BARREL_LAYERS, ENDCAP_LAYERS)
    return {
        "muidExtLayer": ext + endcap_ext + 1,
        "muidHitLayer": hit + np.ma.masked_array(endcap_hit >= 0) * (ext + endcap_hit + 1 - hit),
        "muidTotalBarrelHits": barrel,
        "muidTotalEndcapHits": endcap,
        "muidTotalHits": barrel + endcap,
    }


def number_of_bits(pattern: AnyArray, first: int, number: int) -> AnyArray:
    """How many of `number` bits from `first` on are set (n,), masked as the pattern."""
    values: IntArray = np.ma.getdata(pattern)
    ones = sum((values >> (first + i)) & 1 for i in range(number))
    return np.ma.masked_array(ones, np.ma.getmaskarray(pattern))
