"""What a calibration or validation reads: pieces of data and template, and the settings of the count."""

from pathlib import Path

import numpy as np

from muonkit.calibration.accumulate import CountSettings, selected
from muonkit.calibration.binning import Binning
from muonkit.calibration.config import Calibrate
from muonkit.core.errors import InputError
from muonkit.core.kinematics import mass
from muonkit.core.particles import resonance
from muonkit.data.dimuons import Dimuons
from muonkit.io import source
from muonkit.pipelines.counting import DimuonPiece, load
from muonkit.simulation.dimuons.config import Generate, GenerateCuts, SimulateDimuons
from muonkit.simulation.dimuons.generate import Block, make_block

EDGE = 0.01  # relative width in which a cut on reconstructed pT shows as a cliff


def pieces(config: Calibrate, base: Path) -> tuple[list[source.Chunk], list[DimuonPiece]]:
    """The chunks of data, and those of the simulation or the blocks of the built-in generator where there is none.

    Raises InputError with the faults of all files."""
    faults: list[str] = []

    def opened(patterns: tuple[str, ...], simulation: bool) -> list[source.Chunk]:
        try:
            return source.open_dimuons(patterns, config.input, simulation=simulation, base=base).chunks
        except InputError as error:
            faults.extend(error.faults)
            return []

    data = opened(config.input.data, False)
    template: list[DimuonPiece] = (
        list(opened(config.input.simulation, True)) if config.input.simulation else _blocks(config)
    )
    if faults:
        raise InputError(faults)
    return data, template


def _blocks(config: Calibrate) -> list[DimuonPiece]:
    """As many blocks as give about template.events accepted pairs, judged by the first one."""
    generator = generator_config(config)
    accepted = max(len(make_block(Block(generator, 0))), 1)
    return [Block(generator, number) for number in range(-(-config.template.events // accepted))]


def files(data: list[source.Chunk], template: list[DimuonPiece], *more: Path) -> list[Path]:
    """The files that are read, each once, for provenance and for the state of a resumed run."""
    return sorted({piece.path for piece in [*data, *template] if isinstance(piece, source.Chunk)} | set(more))


def generator_config(config: Calibrate) -> SimulateDimuons:
    """The built-in generator as configured in [template], in the acceptance of the calibration."""
    template, edges = config.template, config.binning.eta_edges
    spectrum = template.spectrum
    if "pt_min" not in spectrum.model_fields_set:
        spectrum = spectrum.model_copy(update={"pt_min": _least_parent_pt(config)})
    return SimulateDimuons(
        generate=Generate(
            events=template.events,
            seed=template.seed,
            resonance=config.resonance.name,
            mass_window=config.resonance.mass_window,
        ),
        spectrum=spectrum,
        resolution=template.resolution,
        selection=GenerateCuts(
            eta_max=max(abs(edges[0]), abs(edges[-1])), scaled_pt_min=0.9 * config.selection.scaled_pt_min
        ),
    )


def _least_parent_pt(config: Calibrate) -> float:
    """Below this pT [GeV] no parent has both muons above the cut: pT^2 >= 4 c^2 - m^2, with room for radiation."""
    cut, pole = config.selection.scaled_pt_min, resonance(config.resonance.name).mass
    return float(0.8 * np.sqrt(max(4 * cut**2 - pole**2, 0.0)))


def settings(config: Calibrate, first: DimuonPiece) -> CountSettings:
    """What is counted; cell edges that are not configured come from the first chunk of data."""
    table, _ = load(first)
    window, pole = config.resonance.mass_window, resonance(config.resonance.name).mass
    cuts = (config.selection.scaled_pt_min, config.selection.scaled_pt_max)
    empty = Binning(np.array(config.binning.eta_edges), np.array([-1.0, 1.0]), np.array([-1.0, 1.0]))
    draft = CountSettings(empty, window, config.binning.mass_bins, pole, cuts)
    masses = mass(table.plus, table.minus)
    chosen = (masses >= window[0]) & (masses < window[1]) & selected(table, masses, draft)
    kept = table[chosen]
    binning = Binning.from_choice(config.binning, kept.plus, kept.minus)
    return CountSettings(binning, window, config.binning.mass_bins, pole, cuts)


def reconstructed_cut(table: Dimuons, chosen: CountSettings) -> str | None:
    """A warning if the pairs were cut in reconstructed pT above the dilation-invariant cut.

    Such a cut biases the scale by 2e-4 at 1 % resolution. A sample that was not cut has muons below
    scaled_pt_min x (window's low end)/m_resonance, and no cliff at its smallest pT."""
    smaller = np.minimum(table.plus.pt, table.minus.pt)
    masses = mass(table.plus, table.minus)
    window = (masses >= chosen.window[0]) & (masses < chosen.window[1])
    if window.sum() < 1000:
        return None
    lowest = float(smaller[window].min())
    if lowest <= chosen.scaled_pt[0] * chosen.window[0] / chosen.pole:
        return None
    scaled = smaller[window] * chosen.pole / masses[window]
    near, near_scaled = (int((pt < pt.min() * (1 + EDGE)).sum()) for pt in (smaller[window], scaled))
    if near < 5 or near_scaled > near:  # the cliff is in pT/m: a cut that does no harm
        return None
    needed = lowest * chosen.pole / chosen.window[0]
    return (
        f"the pairs seem to be cut at reconstructed pT = {lowest:.3g} GeV, which biases the scale by about 2e-4; "
        f"use selection.scaled_pt_min of at least {needed:.3g} GeV"
    )
