"""The bias budget of a calibration: how far the scale moves if one effect is switched off or varied.

The same pairs are fitted again each time, so that a shift is that of the effect. It is A - e k, averaged over eta bins
with the covariance of the nominal fit."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from muonkit.calibration.binning import Merging
from muonkit.calibration.closure import scale_off
from muonkit.calibration.derive import FitPlan
from muonkit.calibration.extract import Extraction
from muonkit.core.errors import InputError
from muonkit.core.particles import relative_mass_error

OTHER_KERNELS = {"response": "the simulated response", "curvature": "Gaussian in curvature", "mass": "Gaussian in mass"}
Plans = tuple[FitPlan, ...]  # one per sample
Refit = Callable[[str, Plans], Extraction]


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """An effect, what was changed, and the shift of the scale at the momenta of `closure.SCALE_PT`; None, with the
    reason in `change`, where the varied fit is not possible."""

    effect: str
    change: str
    shift: tuple[float, ...] | None


def budget(plans: Plans, nominal: Extraction, narrow: Extraction, refit: Refit) -> tuple[BudgetLine, ...]:
    """The lines of the budget. `narrow`: the fit in a narrower window; `refit`: fits the same pairs by other plans, its
    first argument says what is changed."""
    lines = [
        _line(effect, change, nominal, refit, tuple(map(varied, plans))) for effect, change, varied in variations(plans)
    ]
    lines.append(BudgetLine("window", "narrower by a tenth on either side", moved(nominal, narrow)))
    without = refit("template statistics", tuple(with_effects(plan, template_errors=False) for plan in plans))
    return (*lines, BudgetLine("template statistics", "part of the error", _part_of_error(nominal, without)))


def variations(plans: Plans) -> Iterator[tuple[str, str, Callable[[FitPlan], FitPlan]]]:
    """Effect, change, and the change of every plan."""
    choice = plans[0].choice
    for kernel, words in OTHER_KERNELS.items():
        if kernel != choice.kernel and (kernel, choice.method) != ("mass", "unbinned"):
            yield "kernel", words, partial(with_choice, kernel=kernel)
    if choice.kernel == "response":
        yield "width of the kernel", "the same at all masses", partial(with_effects, growth=False)
    yield "radiation", "none: all pairs at the pole", partial(with_effects, radiation=False)
    yield "migration", "not corrected", partial(with_effects, migration=False)
    if choice.background:
        yield "background", "none", partial(with_choice, background=False)
    yield "selection", "inner half of log(pT+/pT-); contains the chance of fewer pairs", inner
    yield "resonance mass", "of all samples, + one standard deviation (PDG)", heavier


def with_choice(plan: FitPlan, **change: Any) -> FitPlan:
    """The plan with other choices of the configuration."""
    return replace(plan, choice=plan.choice.model_copy(update=change))


def with_effects(plan: FitPlan, **change: bool) -> FitPlan:
    """The plan with effects switched."""
    return replace(plan, effects=replace(plan.effects, **change))


def heavier(plan: FitPlan) -> FitPlan:
    """The plan with a template whose masses are larger by the error of the pole mass."""
    share = relative_mass_error(plan.counting.pole)
    return replace(plan, truth=replace(plan.truth, masses=plan.truth.masses.scaled(1 + share)))


def inner(plan: FitPlan) -> FitPlan:
    """The plan with those fitted cells alone that lie mostly in the inner half of the bins of log(pT+/pT-)."""
    shape, merging = plan.counting.binning.shape, plan.merging
    ratio = np.unravel_index(np.arange(len(merging.group)), shape)[2]
    off = np.abs(ratio - (shape[2] - 1) / 2) > shape[2] / 4
    kept = np.flatnonzero(merging.sum(np.where(off, 1.0, -1.0)) < 0)
    number = np.full(merging.count + 1, -1)
    number[kept] = np.arange(len(kept))
    return replace(plan, merging=Merging(number[merging.group], len(kept)))


def moved(nominal: Extraction, varied: Extraction) -> tuple[float, ...]:
    """Shift of the scale at the momenta of SCALE_PT."""
    change = replace(nominal, vector=varied.vector - nominal.vector)
    return tuple(off.value for off in scale_off(change))


def _line(effect: str, change: str, nominal: Extraction, refit: Refit, plans: Plans) -> BudgetLine:
    try:
        return BudgetLine(effect, change, moved(nominal, refit(f"{effect}, {change}", plans)))
    except InputError as error:
        return BudgetLine(effect, f"{change}: not possible ({str(error).splitlines()[0]})", None)


def _part_of_error(nominal: Extraction, without: Extraction) -> tuple[float, ...]:
    pairs = zip(scale_off(nominal), scale_off(without), strict=True)
    return tuple(float(np.sqrt(max(a.error**2 - b.error**2, 0.0))) for a, b in pairs)
