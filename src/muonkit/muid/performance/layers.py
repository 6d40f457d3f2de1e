"""How much earlier than the extrapolation the hits end: last extrapolated layer - last layer with a hit.

ext = b + e + 1; hit = b_hit, or b + e_hit + 1 if there is a hit in the endcap. 0 for a track that looks like a muon;
ext + 1 for one without any hit."""

import numpy as np

from muonkit.core.arrays import IntArray
from muonkit.data.muid import LAYERS
from muonkit.muid.likelihood.outcome import ext_layer, hit_layer
from muonkit.muid.performance.fine import count
from muonkit.muid.performance.labelled import LabelledTracks
from muonkit.muid.performance.rates import SPECIES

DIFFERENCES = np.arange(LAYERS + 1)


def difference(tracks: LabelledTracks) -> IntArray:
    """ext - hit (n,)."""
    found = tracks.tracks
    last = ext_layer(found.barrel_ext_layer, found.endcap_ext_layer)
    return last - hit_layer(found.barrel_ext_layer, found.barrel_hit_layer, found.endcap_hit_layer)


def differences(tracks: LabelledTracks) -> IntArray:
    """Numbers of tracks (species, DIFFERENCES)."""
    return count((SPECIES, len(DIFFERENCES)), tracks.species, difference(tracks))
