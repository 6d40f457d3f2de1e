"""Do the errors cover? Toys are drawn from the fitted curves of all cells, fitted and extracted as the data are, and
their spread is compared with the errors that they report.

Strong and weak directions are eigenvectors of the correlation matrix: the third with the smallest eigenvalues, and the
third with the largest. The template is that of the data in every toy, so its statistics do not count."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from muonkit.calibration import massfit
from muonkit.calibration.cells import Cells
from muonkit.calibration.derive import Derived
from muonkit.calibration.diagnostics import correlation
from muonkit.calibration.extract import Extraction, Rules, extract
from muonkit.calibration.massfit import CellFits, FitOptions
from muonkit.core import random
from muonkit.core.arrays import FloatArray

AT_ONCE = 10  # toys of a task
SEED = 20  # of all toys
Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class Covered:
    """Spread of the toys over the reported error: its root mean square, with its statistical error, for a parameter or
    for directions."""

    name: str
    ratio: float
    error: float


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the toys say of every parameter, and of strong and weak directions; how many toys were used, and how many
    failed."""

    toys: int
    failed: int
    rows: tuple[Covered, ...]


@dataclass(frozen=True, slots=True)
class ToyFits:
    """What is fitted: a fit to data, the start of its mass fits, and the rules of its extraction, without errors of the
    template."""

    derived: Derived
    options: FitOptions
    rules: Rules

    def extract(self, cells: Cells, fits: CellFits) -> Extraction:
        """The same parameters from other fits of the cells; errors of the entries alone."""
        before = self.derived.extraction
        return extract(cells, fits, before.eta_edges, before.layout.fitted, self.rules)


@dataclass(frozen=True, slots=True)
class _Task:
    fits: ToyFits
    numbers: range

    def run(self) -> list[FloatArray | None]:
        """Values (p,) of every toy; None where nothing could be extracted."""
        return [fit_toy(self.fits, number) for number in self.numbers]


def run_task(task: _Task) -> list[FloatArray | None]:
    """The toys of one task; module-level, so that it can travel to another process."""
    return task.run()


def fit_toy(fits: ToyFits, number: int) -> FloatArray | None:
    """Values (p,) of toy `number`."""
    derived = fits.derived
    total = derived.data.counts.sum(axis=1, keepdims=True)
    expected = np.where(derived.fits.good[:, None], np.maximum(total * derived.fits.shares, 0), 0)
    counts = random.stream(SEED, number).poisson(expected).astype(float)
    cells = replace(derived.cells, entries=counts.sum(axis=1) * derived.fits.good)
    found = massfit.fit_cells(replace(derived.data, counts=counts), fits.options)
    try:
        return fits.extract(cells, found).vector
    except ValueError:
        return None


def coverage(fits: ToyFits, toys: int, run: Map = map) -> Coverage | None:
    """Compare spread and errors in `toys` toys, with `run` in place of `map`. None if fewer than two were fitted."""
    tasks = [_Task(fits, range(first, min(first + AT_ONCE, toys))) for first in range(0, toys, AT_ONCE)]
    found = [toy for part in run(run_task, tasks) for toy in part if toy is not None]
    if len(found) < 2:
        return None
    reported = fits.extract(fits.derived.cells, fits.derived.fits)
    rows = compared(np.array(found), reported.covariance, reported.layout.fitted)
    return Coverage(len(found), toys - len(found), rows)


def compared(vectors: FloatArray, reported: FloatArray, letters: tuple[str, ...]) -> tuple[Covered, ...]:
    """Values (toys, p) against the reported covariance (p, p), parameter by parameter: `letters` are their names."""
    free = np.diagonal(reported) > 0
    scale = np.sqrt(np.where(free, np.diagonal(reported), 1))
    pulls = (vectors - vectors.mean(axis=0)) / scale
    each = zip(letters, np.split(np.arange(len(scale)), len(letters)), strict=True)
    rows = [covered(name, pulls[:, part[free[part]]]) for name, part in each]
    values, directions = np.linalg.eigh(correlation(reported[np.ix_(free, free)]))
    along = pulls[:, free] @ directions / np.sqrt(values)
    third = max(len(values) // 3, 1)
    return (*rows, covered("strong directions", along[:, :third]), covered("weak directions", along[:, -third:]))


def covered(name: str, pulls: FloatArray) -> Covered:
    """The width of pulls (toys, parameters) around their means; 1 without parameters."""
    toys, number = pulls.shape
    if number == 0:
        return Covered(name, 1.0, 0.0)
    squares = (pulls**2).sum(axis=0) / (toys - 1)
    correlated = np.corrcoef(pulls.T).reshape(number, number)
    independent = number**2 / float((correlated**2).sum())
    return Covered(name, float(np.sqrt(squares.mean())), float(1 / np.sqrt(2 * (toys - 1) * independent)))
