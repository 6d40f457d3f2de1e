"""Calls that cannot be meant are refused by name."""

import numpy as np
import pytest
from tests.tracking import samples

from muonkit.alignment.linear import equations
from muonkit.core.errors import InputError
from muonkit.tracking.fit import fit
from muonkit.tracking.seed import seed


@pytest.mark.parametrize("track", [-1, 5])
def test_a_track_that_does_not_exist_is_refused(track: int) -> None:
    detector, _, hits, _ = samples.fitted("telescope", 5, 50)
    with pytest.raises(InputError, match="tracks are numbered from 0 to 4"):
        equations(hits, fit(hits, seed(hits, detector), detector), detector, tracks=np.array([track]))
