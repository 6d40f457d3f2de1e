"""What a calibration of one run period gave, as a record of the calibration of all runs."""

from collections.abc import Mapping
from dataclasses import dataclass

from muonkit.core.arrays import FloatArray


@dataclass(frozen=True, slots=True)
class Period:
    """A run period with corrections of its own: first and last run, its folder in OUT/, selected pairs, verdict; values
    and errors of the parameters per eta bin, by letter; `reason`: why there are none."""

    first: int
    last: int
    folder: str
    pairs: int
    verdict: str
    values: Mapping[str, FloatArray]
    errors: Mapping[str, FloatArray]
    reason: str = ""
