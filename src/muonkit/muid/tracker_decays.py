"""Primaries that decay inside of the tracker: what leaves it is another particle than the table of truth says.

A track fit may not find such a track, or finds one with a kink, so samples of good tracks have few of them."""

from typing import Literal

from muonkit.core.arrays import BoolArray
from muonkit.data.klm import DECAYED, KLMTruth
from muonkit.muid.swim.config import TrackerCan

TrackerDecays = Literal["keep", "drop"]


def in_tracker(truth: KLMTruth, tracker: TrackerCan) -> BoolArray:
    """Whether the particle decayed before it left the tracker (n,)."""
    return (truth.fate == DECAYED) & tracker.holds(truth.end)
