"""The bias budget of a calibration: how far the scale moves if one effect is switched off or varied.

The same pairs are fitted again each time, so that a shift is that of the effect. It is A - e k, averaged over eta bins
with the covariance of the nominal fit."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from muonkit.calibration.binning import Merging
from muonkit.calibration.closure import SCALE_PT, scale_off
from muonkit.calibration.derive import FitPlan
from muonkit.calibration.extract import Extraction
from muonkit.core.errors import InputError
from muonkit.core.particles import mass_error, resonance

OTHER_KERNELS = {"response": "the simulated response", "curvature": "Gaussian in curvature", "mass": "Gaussian in mass"}
Refit = Callable[[str, FitPlan], Extraction]


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """An effect, what was changed, and the shift of the scale at the momenta of `closure.SCALE_PT`; None, with the
    reason in `change`, where the varied fit is not possible."""

    effect: str
    change: str
    shift: tuple[float, ...] | None


def budget(plan: FitPlan, nominal: Extraction, narrow: Extraction, name: str, refit: Refit) -> tuple[BudgetLine, ...]:
    """The lines of the budget. `narrow`: the fit in a narrower window; `name`: of the resonance; `refit`: fits the same
    pairs by another plan, its first argument says what is changed."""
    lines = [_line(effect, change, nominal, refit, varied) for effect, change, varied in variations(plan)]
    lines.append(BudgetLine("window", "narrower by a tenth on either side", moved(nominal, narrow)))
    without = refit("template statistics", replace(plan, effects=replace(plan.effects, template_errors=False)))
    lines.append(BudgetLine("template statistics", "part of the error", _part_of_error(nominal, without)))
    share = mass_error(name) / resonance(name).mass
    lines.append(BudgetLine("resonance mass", "one standard deviation (PDG)", (share,) * len(SCALE_PT)))
    return tuple(lines)


def variations(plan: FitPlan) -> Iterator[tuple[str, str, FitPlan]]:
    """Effect, change, and the plan with it."""
    choice, effects = plan.choice, plan.effects
    for kernel, words in OTHER_KERNELS.items():
        if kernel != choice.kernel:
            yield "kernel", words, replace(plan, choice=choice.model_copy(update={"kernel": kernel}))
    if choice.kernel == "response":
        yield "width of the kernel", "the same at all masses", replace(plan, effects=replace(effects, growth=False))
    yield "radiation", "none: all pairs at the pole", replace(plan, effects=replace(effects, radiation=False))
    yield "migration", "not corrected", replace(plan, effects=replace(effects, migration=False))
    if choice.background:
        yield "background", "none", replace(plan, choice=choice.model_copy(update={"background": False}))
    yield "selection", "inner half of log(pT+/pT-)", replace(plan, merging=inner(plan))


def inner(plan: FitPlan) -> Merging:
    """The fitted cells of which most lies in the inner half of the bins of log(pT+/pT-)."""
    shape, merging = plan.counting.binning.shape, plan.merging
    ratio = np.unravel_index(np.arange(len(merging.group)), shape)[2]
    off = np.abs(ratio - (shape[2] - 1) / 2) > shape[2] / 4
    kept = np.flatnonzero(merging.sum(np.where(off, 1.0, -1.0)) < 0)
    number = np.full(merging.count + 1, -1)
    number[kept] = np.arange(len(kept))
    return Merging(number[merging.group], len(kept))


def moved(nominal: Extraction, varied: Extraction) -> tuple[float, ...]:
    """Shift of the scale at the momenta of SCALE_PT."""
    change = replace(nominal, vector=varied.vector - nominal.vector)
    return tuple(off.value for off in scale_off(change))


def _line(effect: str, change: str, nominal: Extraction, refit: Refit, plan: FitPlan) -> BudgetLine:
    try:
        return BudgetLine(effect, change, moved(nominal, refit(f"{effect}, {change}", plan)))
    except InputError as error:
        return BudgetLine(effect, f"{change}: not possible ({str(error).splitlines()[0]})", None)


def _part_of_error(nominal: Extraction, without: Extraction) -> tuple[float, ...]:
    pairs = zip(scale_off(nominal), scale_off(without), strict=True)
    return tuple(float(np.sqrt(max(a.error**2 - b.error**2, 0.0))) for a, b in pairs)
