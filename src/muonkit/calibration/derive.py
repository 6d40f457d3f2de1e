"""From sums to corrections in one go: merge cells, fit masses, extract parameters."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from muonkit.calibration import massfit, pooling, unbinned, yields
from muonkit.calibration.accumulate import CellMasses, CountSettings, GenMasses
from muonkit.calibration.binning import Merging, merge
from muonkit.calibration.cells import Cells
from muonkit.calibration.config import Fit
from muonkit.calibration.extract import Extraction, Rules, extract_jointly, rough_resolution
from muonkit.calibration.massfit import CellData, CellFits, FitOptions
from muonkit.calibration.resolution import Resolution
from muonkit.calibration.response import Truth, shapes_of
from muonkit.calibration.weights import additive_entries, notes
from muonkit.core.arrays import sums
from muonkit.core.errors import InputError

Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class Effects:
    """What a fit takes into account: radiation in the template, the growth of the kernel's width with the mass,
    migration between cells, the statistics of the template in the errors."""

    radiation: bool = True
    growth: bool = True
    migration: bool = True
    template_errors: bool = True


@dataclass(frozen=True, slots=True)
class FitPlan:
    """What the fits of one study have in common: how pairs were counted, what the configuration chooses, what the
    simulation knows of generated muons, the cells that are fitted, the simulation, which gives the share of the
    angles in the resolution, the masses [GeV] of resonances whose yields are fitted, and the threads of an unbinned
    fit."""

    counting: CountSettings
    choice: Fit
    truth: Truth
    merging: Merging
    simulation: CellMasses | None = None
    free: tuple[float, ...] = ()
    effects: Effects = Effects()
    threads: int = 1

    @property
    def options(self) -> FitOptions:
        """How masses are fitted."""
        return FitOptions(self.choice.kernel, self.choice.background)

    def rules(self, template_errors: bool = True) -> Rules:
        """How parameters are extracted; `template_errors`: whether those of the template may count."""
        priors = {str(name): value for name, value in self.choice.priors.items()}
        return Rules(priors, template_errors and self.effects.template_errors, self.effects.migration)


@dataclass(frozen=True, slots=True)
class Derived:
    """The fitted cells of one sample, and what was extracted from them and from those of the other samples."""

    cells: Cells
    data: CellData
    fits: CellFits
    extraction: Extraction
    merging: Merging


def plan_cells(data: CellMasses, generator: GenMasses, settings: CountSettings, minimum: float) -> Merging:
    """Merge fine cells until data and template hold `minimum` effective entries each.

    Raises InputError if no cell is left."""
    size = settings.binning.size
    effective = additive_entries(data.entries, data.weight2, data.signed)
    weight2 = sums(generator.key // generator.nodes, generator.weight2, size)
    template = np.where(data.weight2 > 0, additive_entries(generator.entries(size), weight2, generator.signed), 0)
    merging = merge(np.minimum(effective, template), settings.binning.shape, minimum)
    if merging.count == 0:
        raise InputError(_nothing_to_fit(data, generator, settings, minimum))
    return merging


def _nothing_to_fit(data: CellMasses, generator: GenMasses, settings: CountSettings, minimum: float) -> str:
    if data.pairs[1] == 0:
        low, high = settings.window
        return (
            f"[input.data]: none of {data.pairs[0]:.0f} pairs passes the selection in the mass window "
            f"{low:g}-{high:g} GeV. "
            "Check resonance.name, resonance.window, selection.scaled_pt_min and the units."
        )
    if len(generator.key) == 0:
        return (
            "[input.simulation]: no simulated pair falls in a cell that has data. "
            "Simulate the same resonance in the same range."
        )
    for sample, weight in (("data", data.entries.sum()), ("simulation", generator.weight.sum())):
        if weight <= 0:
            return f"[input.{sample}]: the weights of the pairs add up to {weight:g}. Correct them, or leave them out."
    signed = [*notes("data", data), *(["some simulated pairs have weights below 0"] if generator.signed else [])]
    return (
        f"no cell holds {minimum:g} entries in data and simulation ({data.entries.sum():.0f} pairs in the window"
        f"{''.join(f'; {note}' for note in signed)}). Use wider binning.eta_edges, or lower fit.min_entries."
    )


def derive(
    plan: FitPlan, data: CellMasses, run: Map = map, fitted: tuple[str, ...] | None = None, template_errors: bool = True
) -> Derived:
    """Fit all cells of the plan to the masses `data` and extract `fitted` (the plan's parameters if not given).

    `template_errors` is off where the entries are those of the template itself. Raises InputError, see `extract`."""
    return derive_jointly([plan], [data], run, fitted, template_errors)[0]


def derive_jointly(
    plans: Sequence[FitPlan],
    data: Sequence[CellMasses],
    run: Map = map,
    fitted: tuple[str, ...] | None = None,
    template_errors: bool = True,
) -> tuple[Derived, ...]:
    """The same for several samples: the cells of each, and one extraction from all. Choice, effects and bins of
    muons of the plans are the same."""
    plan = plans[0]
    parts = [fit_sample(each, masses, run) for each, masses in zip(plans, data, strict=True)]
    samples = [(cells, fits) for cells, _, fits in parts]
    bins, names = plan.counting.binning.muons, fitted or plan.choice.parameters
    found = extract_jointly(samples, bins, names, plan.rules(template_errors))
    if plan.choice.method == "unbinned":
        options = unbinned.Options(plan.rules(template_errors), plan.choice.background, plan.threads)
        start = unbinned.BinnedFit(*parts[0], found[0])
        found = [unbinned.extract(start, data[0].kept, plan.merging, options)]
    return tuple(
        Derived(*part, extraction, each.merging) for part, extraction, each in zip(parts, found, plans, strict=True)
    )


def fit_sample(plan: FitPlan, data: CellMasses, run: Map = map) -> tuple[Cells, CellData, CellFits]:
    """Fit the masses of all cells of one sample."""
    counting = plan.counting
    cells = Cells.from_sums(data, counting.binning, plan.merging, plan.simulation)
    shapes = shapes_of(cells.in_eta(counting.binning.muons), plan.truth.responses, plan.choice.kernel)
    shapes = shapes if plan.effects.growth else replace(shapes, growth=np.zeros(len(cells)))
    generated = plan.truth.masses if plan.effects.radiation else plan.truth.masses.at_one_mass(counting.pole)
    cell_data = massfit.merge_cells(data, generated, plan.merging, counting.mass_edges, shapes)
    if not plan.free:
        place = plan.merging.first() % int(np.prod(counting.binning.shape[2:]))
        cell_data, shared = pooling.pooled(cell_data, plan.options, place)
        cells = replace(cells, shared=shared)
    return cells, *fit_masses(plan, cell_data, run)


def fit_masses(plan: FitPlan, cell_data: CellData, run: Map = map) -> tuple[CellData, CellFits]:
    """Fit the masses of cells: their data, with the yields that were fitted, and the fits."""
    if plan.free:
        return yields.fit_all(cell_data, plan.options, plan.free, run)
    return cell_data, massfit.fit_all(cell_data, plan.options, run)


def resolution(samples: Sequence[Derived], terms: tuple[str, ...]) -> Resolution:
    """The fitted resolution, or a rough one with the terms a and c, as far as in `terms`, where none was fitted."""
    extraction = samples[0].extraction
    if extraction.layout.fits_resolution:
        return extraction.values.resolution
    cells = Cells.joined([each.cells[each.fits.good] for each in samples])
    fits = CellFits.joined([each.fits[each.fits.good] for each in samples])
    return rough_resolution(cells, fits, extraction.layout.bins, terms)
