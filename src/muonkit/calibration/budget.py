"""The bias budget of a calibration: how far the scale moves if one effect is switched off or varied.

The same pairs are fitted again each time, so that a shift is that of the effect. It is A - e k, averaged over eta bins
with the covariance of the nominal fit. The shifts of all parameters become variations of the corrections, syst_NAME."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from muonkit.calibration.binning import Merging
from muonkit.calibration.closure import scale_off
from muonkit.calibration.derive import FitPlan
from muonkit.calibration.extract import Extraction
from muonkit.core.arrays import FloatArray
from muonkit.core.errors import InputError
from muonkit.core.particles import relative_mass_error

OTHER_KERNELS = {"response": "the simulated response", "curvature": "Gaussian in curvature", "mass": "Gaussian in mass"}
STATISTICS = {"truth": "template statistics", "simulation": "statistics of the simulation"}
MASS = "resonance_mass"  # it moves the truth of data, and not the simulation
ROUNDING = 1e-6  # of an error: smaller shifts are rounding
Plans = tuple[FitPlan, ...]  # one per sample
Refit = Callable[[str, Plans, bool], Extraction]


@dataclass(frozen=True, slots=True)
class Change:
    """One effect: its name as a variation, what it is called, what is changed in words, and the change of a plan."""

    name: str
    effect: str
    words: str
    varied: Callable[[FitPlan], FitPlan]


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """An effect, what was changed, and the shift of the scale at the momenta of `closure.SCALE_PT`; None, with the
    reason in `change`, where the varied fit is not possible."""

    effect: str
    change: str
    shift: tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class Budget:
    """The lines of the page, and the shifts (p,) of all parameters by the names of the effects that were evaluated."""

    lines: tuple[BudgetLine, ...]
    shifts: Mapping[str, FloatArray]


def budget(plans: Plans, nominal: Extraction, narrow: Extraction, entries: Extraction, refit: Refit) -> Budget:
    """The budget. `narrow`: the fit in a narrower window; `entries`: with the errors of the data alone; `refit`: fits
    the same pairs by other plans, its first argument says what is changed, its last whether the simulation changes,
    too, where it is subtracted."""
    lines, shifts = list[BudgetLine](), {"window": narrow.vector - nominal.vector}
    for change in changes(plans):
        line, shift = _evaluated(change, nominal, refit, tuple(map(change.varied, plans)))
        lines.append(line)
        shifts |= {} if shift is None else {change.name: shift}
    lines.append(BudgetLine("window", "narrower by a tenth on either side", moved(nominal, narrow)))
    chance = STATISTICS[plans[0].choice.reference]
    lines.append(BudgetLine(chance, "part of the error", _part_of_error(nominal, entries)))
    return Budget(tuple(lines), {name: shift for name, shift in shifts.items() if _is_real(shift, nominal.errors)})


def _is_real(shift: FloatArray, errors: FloatArray) -> bool:
    """Whether the effect shifts anything: a change that changes nothing gives the same fit again."""
    return bool(np.any(np.abs(shift) > ROUNDING * errors))


def changes(plans: Plans) -> Iterator[Change]:
    """What is switched off or varied."""
    choice = plans[0].choice
    for kernel, words in OTHER_KERNELS.items():
        if kernel != choice.kernel and (kernel, choice.method) != ("mass", "unbinned"):
            yield Change(f"kernel_{kernel}", "kernel", words, partial(with_choice, kernel=kernel))
    if choice.kernel == "response":
        yield Change(
            "kernel_width", "width of the kernel", "the same at all masses", partial(with_effects, growth=False)
        )
    yield Change("radiation", "radiation", "none: all pairs at the pole", partial(with_effects, radiation=False))
    yield Change("migration", "migration", "not corrected", partial(with_effects, migration=False))
    if choice.background:
        yield Change("background", "background", "none", partial(with_choice, background=False))
    yield Change("selection", "selection", "inner half of log(pT+/pT-); contains the chance of fewer pairs", inner)
    yield Change(MASS, "resonance mass", "of all samples, + one standard deviation (PDG)", heavier)


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


def _evaluated(change: Change, nominal: Extraction, refit: Refit, plans: Plans) -> tuple[BudgetLine, FloatArray | None]:
    """The line of the page, and the shift (p,); None if the varied fit is not possible."""
    try:
        varied = refit(f"{change.effect}, {change.words}", plans, change.name != MASS)
    except InputError as error:
        reason = str(error).splitlines()[0]
        return BudgetLine(change.effect, f"{change.words}: not possible ({reason})", None), None
    return BudgetLine(change.effect, change.words, moved(nominal, varied)), varied.vector - nominal.vector


def _part_of_error(nominal: Extraction, without: Extraction) -> tuple[float, ...]:
    pairs = zip(scale_off(nominal), scale_off(without), strict=True)
    return tuple(float(np.sqrt(max(a.error**2 - b.error**2, 0.0))) for a, b in pairs)
