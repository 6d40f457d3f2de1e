"""What the scale of data is compared with: the masses of the generator, or the simulation's own fit.

With the simulation as the reference the corrections are x = x_data - x_simulation, from the same cells, with the same
template and kernel. To first order each is its bias + its chance + a shift b that both have in common: what the kernel
does not describe, and the chance of the template. b cancels if resolution and background are the same. So both are
extracted with the errors of their entries alone, and these covariances add. Resolution parameters are widths of data
and not differences."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from muonkit.calibration.derive import Derived
from muonkit.calibration.extract import Extraction, Rules, extract_jointly


def of_entries(samples: Sequence[Derived], rules: Rules, fitted: tuple[str, ...] | None = None) -> Extraction:
    """`fitted` (what it was, if not given) from the same mass fits, with the errors of the entries alone."""
    before, parts = samples[0].extraction, [(each.cells, each.fits) for each in samples]
    alone = replace(rules, template_errors=False)
    return extract_jointly(parts, before.bins, fitted or before.layout.fitted, alone)[0]


def difference(data: Sequence[Derived], simulation: Sequence[Derived], rules: Rules) -> tuple[Derived, ...]:
    """The fits to data with A, e, M less those of the simulation; cells, chi2 and resolution stay those of data."""
    fitted = data[0].extraction.layout.fitted
    mine, theirs = of_entries(data, rules), of_entries(simulation, rules, fitted)
    return tuple(replace(each, extraction=_less(each.extraction, mine, theirs)) for each in data)


def _less(data: Extraction, mine: Extraction, theirs: Extraction) -> Extraction:
    rows = data.layout.scale_rows
    block = np.ix_(rows, rows)
    vector, covariance = data.vector.copy(), data.covariance.copy()
    vector[rows] = mine.vector[rows] - theirs.vector[rows]
    covariance[block] = mine.covariance[block] + theirs.covariance[block]
    return replace(data, vector=vector, covariance=covariance)


def without_simulation(found: Sequence[Derived], rules: Rules) -> Extraction:
    """A difference with the errors of data alone: for two parts of data, in which the simulation cancels once more."""
    return replace(found[0].extraction, covariance=of_entries(found, rules).covariance)
