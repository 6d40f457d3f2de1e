"""Samples for the calibration tests: made by the generator, counted and fitted as the pipeline does."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from muonkit.calibration.accumulate import CellMasses, CountSettings, GenMasses, accumulate
from muonkit.calibration.binning import Binning
from muonkit.calibration.config import BinningChoice, Fit
from muonkit.calibration.derive import Derived, FitPlan, derive, plan_cells
from muonkit.calibration.reference import difference
from muonkit.calibration.response import Truth, accumulate_truth
from muonkit.core.particles import WINDOW, resonance
from muonkit.data.dimuons import Dimuons
from muonkit.simulation.dimuons.config import SimulateDimuons
from muonkit.simulation.dimuons.generate import generate

SPECTRUM = {"pt_min": 6.0, "pt_power": 2.8}


def sample(events: int, seed: int, **sections: Any) -> SimulateDimuons:
    """The configuration of a J/psi sample; `sections` add to or replace the defaults."""
    content: dict[str, Any] = {"generate": {"events": events, "seed": seed}, "spectrum": SPECTRUM} | sections
    return SimulateDimuons.model_validate(content)


@dataclass(frozen=True)
class Counts:
    """Data and template, counted."""

    settings: CountSettings
    data: CellMasses
    simulation: CellMasses
    truth: Truth

    @property
    def generator(self) -> GenMasses:
        return self.truth.masses


def settings_for(
    tables: Dimuons, eta_edges: tuple[float, ...], name: str = "jpsi", scaled_pt: float = 4.0
) -> CountSettings:
    binning = Binning.from_choice(BinningChoice(eta_edges=eta_edges), tables.plus, tables.minus)
    return CountSettings(binning, WINDOW[name], 100, resonance(name).mass, (scaled_pt, 1e9))


def count(
    data: SimulateDimuons,
    simulation: SimulateDimuons,
    eta_edges: tuple[float, ...],
    change: Callable[[Dimuons], Dimuons] = lambda table: table,
    settings: CountSettings | None = None,
    change_simulation: Callable[[Dimuons], Dimuons] = lambda table: table,
) -> Counts:
    """Count both samples; `change` and `change_simulation` act on their tables."""
    tables = generate(data)
    first = next(tables)
    settings = settings or settings_for(first, eta_edges)

    def counted(table: Dimuons) -> CellMasses:
        return accumulate(change(table), settings)

    simulated: Iterator[tuple[CellMasses, Truth]] = (
        (accumulate(table, settings), accumulate_truth(table, settings))
        for table in map(change_simulation, generate(simulation))
    )
    reco, known = zip(*simulated, strict=True)
    return Counts(settings, reduce(add, map(counted, tables), counted(first)), reduce(add, reco), reduce(add, known))


def plan(counts: Counts, parameters: tuple[str, ...] = ("A", "e", "M"), **options: Any) -> FitPlan:
    """The cells and how they are fitted."""
    choice = Fit.model_validate({"parameters": parameters} | options)
    merging = plan_cells(counts.data, counts.generator, counts.settings, choice.min_entries)
    return FitPlan(counts.settings, choice, counts.truth, merging, counts.simulation)


def fit(counts: Counts, parameters: tuple[str, ...] = ("A", "e", "M"), **options: Any) -> Derived:
    """Merge, fit and extract."""
    return derive(plan(counts, parameters, **options), counts.data)


def fit_both(
    counts: Counts, parameters: tuple[str, ...] = ("A", "e", "M"), **options: Any
) -> tuple[Derived, Derived, Derived]:
    """The fits to data and to simulation in the same cells, and their difference."""
    chosen = plan(counts, parameters, **options)
    data, own = derive(chosen, counts.data), derive(chosen, counts.simulation, template_errors=False)
    return data, own, *difference([data], [own], chosen.rules())


def fit_simulation(counts: Counts, parameters: tuple[str, ...] = ("A", "e", "M"), **options: Any) -> Derived:
    """The simulation's own fit: its cells are its template."""
    choice = Fit.model_validate({"parameters": parameters} | options)
    merging = plan_cells(counts.simulation, counts.generator, counts.settings, choice.min_entries)
    plan = FitPlan(counts.settings, choice, counts.truth, merging, counts.simulation)
    return derive(plan, counts.simulation, template_errors=False)


def truth(config: SimulateDimuons, parameters: tuple[str, ...], bins: int) -> np.ndarray:
    """The injected values in the order of the extraction."""
    everything = config.bias.model_dump() | config.resolution.model_dump()
    return np.concatenate([np.broadcast_to(everything[name], (bins,)) for name in parameters])


def shifted(settings: CountSettings, **changes: Any) -> CountSettings:
    return replace(settings, **changes)
