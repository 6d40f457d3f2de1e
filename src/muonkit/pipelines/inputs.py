"""What a calibration or validation reads: pieces of data and template, and the settings of the count."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from muonkit.calibration.accumulate import CountSettings, selected
from muonkit.calibration.binning import Binning, MuonBins
from muonkit.calibration.config import Sample
from muonkit.core.errors import InputError, UnreadableError
from muonkit.core.kinematics import MuonArrays, mass
from muonkit.core.particles import ResonanceName, resonance
from muonkit.data.dimuons import Dimuons, concatenate
from muonkit.io import source
from muonkit.pipelines.counting import DimuonPiece, load
from muonkit.simulation.dimuons.config import Generate, GenerateCuts, SimulateDimuons, Spectrum
from muonkit.simulation.dimuons.generate import TRIED, EventBlock, make_block, require_acceptance

ENOUGH_ACCEPTED = 100  # generated pairs: their share is known to a tenth
ENOUGH = 200_000  # selected pairs: quantiles are known to 1e-3
Map = Callable[[Callable[[DimuonPiece], Dimuons | None], Iterable[DimuonPiece]], Iterable[Dimuons | None]]


@dataclass(frozen=True, slots=True)
class Pieces:
    """Chunks of data; chunks of the simulation, or blocks of the built-in generator; one line for every file that was
    left out or is read once only."""

    data: list[source.Chunk]
    template: list[DimuonPiece]
    notes: tuple[str, ...]


def pieces(config: Sample, base: Path) -> Pieces:
    """The pieces of data and of the template. Raises InputError with the faults of all files."""
    faults: list[str] = []
    data, template = source.Opened([]), Pieces([], [], ())
    try:
        data = source.open_dimuons(config.input.data, config.input, simulation=False, base=base)
    except InputError as error:
        faults += error.faults
    try:
        template = template_pieces(config, base)
    except InputError as error:
        faults += error.faults
    if faults:
        raise InputError(faults)
    return Pieces(data.chunks, template.template, (*data.notes, *template.notes))


def template_pieces(config: Sample, base: Path) -> Pieces:
    """The pieces of the template alone; data need not be there. Raises InputError with the faults of all files."""
    if not config.input.simulation:
        return Pieces([], _blocks(config), ())
    simulation = source.open_dimuons(config.input.simulation, config.input, simulation=True, base=base)
    return Pieces([], list(simulation.chunks), simulation.notes)


def _blocks(config: Sample) -> list[DimuonPiece]:
    """Blocks of every resonance in the window, in proportion to the yields."""
    yields = config.resonance.yields
    share = {name: number / sum(yields.values()) for name, number in yields.items()}
    return [block for name in yields for block in _blocks_of(config, name, share[name])]


def _blocks_of(config: Sample, name: ResonanceName, share: float) -> list[DimuonPiece]:
    """As many blocks as give about share x template.events accepted pairs, judged by the first one, or more if it has
    few."""
    generator = generator_config(config, name)
    accepted, tried = 0, 0
    while accepted < ENOUGH_ACCEPTED and tried * generator.generate.block < TRIED:
        accepted, tried = accepted + len(make_block(EventBlock(generator, tried))), tried + 1
    require_acceptance(generator, accepted, tried * generator.generate.block)
    return [
        EventBlock(generator, number) for number in range(math.ceil(config.template.events * share * tried / accepted))
    ]


def files(data: list[source.Chunk], template: list[DimuonPiece], *more: Path) -> list[Path]:
    """The files of this machine that are read, each once, for provenance and for the state of a resumed run."""
    places = {piece.path for piece in [*data, *template] if isinstance(piece, source.Chunk)}
    return sorted({place for place in places if isinstance(place, Path)} | set(more))


def generator_config(config: Sample, name: ResonanceName) -> SimulateDimuons:
    """The built-in generator of one resonance as configured in [template], in the acceptance of the calibration."""
    template, edges, names = config.template, config.binning.eta_edges, list(config.resonance.yields)
    mass = resonance(name).mass
    cut = config.selection.scaled_pt_min * (mass / resonance(config.resonance.name).mass)
    spectrum = template.spectrum
    if "pt_min" not in spectrum.model_fields_set:
        spectrum = _above(spectrum, _least_parent_pt(cut, mass))
    return SimulateDimuons(
        generate=Generate(
            events=template.events,
            seed=template.seed + names.index(name),
            resonance=name,
            sqrt_s=template.sqrt_s,
            mass_window=config.resonance.mass_window,
        ),
        spectrum=spectrum,
        resolution=template.resolution,
        selection=GenerateCuts(eta_max=max(abs(edges[0]), abs(edges[-1])), scaled_pt_min=0.9 * cut),
    )


def _above(spectrum: Spectrum, pt_min: float) -> Spectrum:
    try:
        return Spectrum.model_validate(spectrum.model_dump() | {"pt_min": pt_min})
    except ValidationError:
        raise InputError(
            f"template.spectrum: holds no parents above {pt_min:.3g} GeV, which selection.scaled_pt_min needs; "
            "raise pt_max, lower pt_power, or lower the cut"
        ) from None


def _least_parent_pt(cut: float, pole: float) -> float:
    """Below this pT [GeV] no parent has both muons above the cut: pT^2 >= 4 c^2 - m^2, with room for radiation."""
    return float(0.8 * np.sqrt(max(4 * cut**2 - pole**2, 0.0)))


def settings(config: Sample, data: Sequence[DimuonPiece], run: Map) -> CountSettings:
    """What is counted; cell edges that are not configured come from the data, as many pieces as it takes. `run` is a
    map over pieces."""
    window, pole = config.resonance.mass_window, resonance(config.resonance.name).mass
    cuts = (config.selection.scaled_pt_min, config.selection.scaled_pt_max)
    muons = MuonBins.of_edges(config.binning.eta_edges, config.binning.phi_edges)
    empty = Binning(muons, np.array([-1.0, 1.0]), np.array([-1.0, 1.0]))
    draft = CountSettings(empty, window, config.binning.mass_bins, pole, cuts)
    given = config.binning.log_pt_ratio_edges is not None and config.binning.cos_dphi_edges is not None
    plus, minus = _muons([]) if given else _muons(_enough(data, draft, run))
    return replace(draft, binning=Binning.from_choice(config.binning, plus, minus))


def _enough(data: Sequence[DimuonPiece], draft: CountSettings, run: Map) -> list[Dimuons]:
    """The selected pairs of the first piece, and of others that are spread over all files, until they are ENOUGH.

    Pieces are read in rounds of 1, 1, 2, 4, ... so that the choice does not depend on the number of processes."""
    order = spread(len(data))
    found: list[Dimuons] = []
    done, step = 0, 1
    while done < len(order) and sum(len(table) for table in found) < ENOUGH:
        tables = run(partial(selected_pairs, settings=draft), [data[i] for i in order[done : done + step]])
        found += [table for table in tables if table is not None]
        done, step = done + step, max(done, 1)
    return found


def spread(n: int) -> list[int]:
    """0 ... n - 1 in the order 0, 1/2, 1/4, 3/4, 1/8 ... (van der Corput): any beginning of it is spread over all."""
    bits = max(n - 1, 0).bit_length()
    places = (int(f"{i:0{bits}b}"[::-1], 2) if bits else 0 for i in range(1 << bits))
    return [place for place in places if place < n]


def selected_pairs(piece: DimuonPiece, settings: CountSettings) -> Dimuons | None:
    """The pairs of a piece that pass the cuts in the mass window; None if it cannot be read: the count tells it."""
    try:
        table, _ = load(piece)
    except UnreadableError:
        return None
    masses = mass(table.plus, table.minus)
    window = (masses >= settings.window[0]) & (masses < settings.window[1])
    kept = table[window & selected(table, masses, settings)]
    return Dimuons(kept.plus, kept.minus, kept.weight)


def _muons(tables: Sequence[Dimuons]) -> tuple[MuonArrays, MuonArrays]:
    if not tables:
        return MuonArrays(*np.zeros((3, 0))), MuonArrays(*np.zeros((3, 0)))
    whole = concatenate(tables)
    return whole.plus, whole.minus
