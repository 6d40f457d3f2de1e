"""Do the errors cover? Toys are drawn from the fitted curves of all cells, fitted and extracted as the data are, and
their spread is compared with the errors that they report.

The resolution is compared in a^2 and c^2. The variance is linear in them, so they are what is Gaussian: c^2 with the
error s is c with the error s/(2 c). Near 0 the root is far from Gaussian, and a limit would cut the spread; so squares
of toys may be below 0.

Strong and weak directions are eigenvectors of the correlation matrix: the third with the smallest eigenvalues, and the
third with the largest. The template is that of the data in every toy, so its statistics do not count."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from muonkit.calibration import massfit
from muonkit.calibration.derive import Derived
from muonkit.calibration.diagnostics import correlation
from muonkit.calibration.extract import Extraction, Rules, extract, step_in_squares
from muonkit.calibration.massfit import FitOptions
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

    def reported(self) -> Extraction:
        """The fit to data, with errors of the entries alone."""
        found = self.derived.extraction
        return extract(self.derived.cells, self.derived.fits, found.bins, found.layout.fitted, self.rules)


@dataclass(frozen=True, slots=True)
class _Task:
    fits: ToyFits
    reported: Extraction
    numbers: range

    def run(self) -> list[FloatArray | None]:
        """Values (p,) of every toy; None where nothing could be extracted."""
        return [fit_toy(self.fits, self.reported, number) for number in self.numbers]


def run_task(task: _Task) -> list[FloatArray | None]:
    """The toys of one task; module-level, so that it can travel to another process."""
    return task.run()


def fit_toy(fits: ToyFits, reported: Extraction, number: int) -> FloatArray | None:
    """Values (p,) of toy `number`, with a^2 and c^2 in place of a and c."""
    derived = fits.derived
    total = derived.data.counts.sum(axis=1, keepdims=True)
    expected = np.where(derived.fits.good[:, None], np.maximum(total * derived.fits.shares, 0), 0)
    counts = random.stream(SEED, number).poisson(expected).astype(float)
    cells = replace(derived.cells, entries=counts.sum(axis=1) * derived.fits.good)
    found = massfit.fit_cells(replace(derived.data, counts=counts), fits.options)
    try:
        return step_in_squares(cells, found, reported, fits.rules)
    except ValueError:
        return None


def coverage(fits: ToyFits, toys: int, run: Map = map) -> Coverage | None:
    """Compare spread and errors in `toys` toys, with `run` in place of `map`. None if fewer than two were fitted."""
    reported = fits.reported()
    numbers = [range(first, min(first + AT_ONCE, toys)) for first in range(0, toys, AT_ONCE)]
    tasks = [_Task(fits, reported, each) for each in numbers]
    found = [toy for part in run(run_task, tasks) for toy in part if toy is not None]
    if len(found) < 2:
        return None
    factor = reported.layout.squares_dvector(reported.vector)
    rows = compared(np.array(found), reported.covariance * np.outer(factor, factor), reported.layout.fitted)
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
