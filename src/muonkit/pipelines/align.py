"""Tables of hits -> corrections of every module, with weak modes, errors, and a page. A killed run goes on.

Every iteration fits the hits with the detector as it is corrected so far, adds up the equations of all tracks and
masses piece by piece, and solves for the whole correction."""

from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain
from pathlib import Path

import numpy as np

from muonkit.alignment.apply import corrected
from muonkit.alignment.files import write_corrections
from muonkit.alignment.harmonics import Harmonics
from muonkit.alignment.iteration import around
from muonkit.alignment.mille import steering
from muonkit.alignment.packed import unpacked
from muonkit.alignment.parameters import SIZE, label
from muonkit.alignment.solve import Corrections, solve
from muonkit.alignment.system import NormalSystem
from muonkit.core.arrays import IntArray
from muonkit.core.config import load, read_text
from muonkit.core.errors import InputError
from muonkit.core.files import atomic, check_folder, check_outputs, make_folder, write_json, write_text
from muonkit.core.plain import plain
from muonkit.core.provenance import describe, state_of
from muonkit.detector.detector import Detector
from muonkit.io.track_hits import HitsFile, Rows, open_hits, read_hits
from muonkit.pipelines.align_config import AlignConfig, kinds_of
from muonkit.pipelines.align_inputs import asked_of, mass_job
from muonkit.pipelines.align_piece import AlignJob, AlignPiece, MassJob, align_piece
from muonkit.pipelines.align_result import CORRECTIONS, LABELS, MILLE, MODES, PAGE, RESULT, STEERING, AlignResult, Pass
from muonkit.pipelines.pieces import ChosenDetector, detector_of
from muonkit.pipelines.refit import require_hits
from muonkit.report.align import page
from muonkit.run.checkpoint import remembered, unfinished
from muonkit.run.runner import Runner
from muonkit.tracking.refit import prepared


@dataclass(frozen=True)
class Plan:
    """A configuration with what it names: detector, open table of hits, pieces of it that are used, tracks of each (all
    if None), what the mass should be, parameters whose errors are wanted."""

    text: str
    config: AlignConfig
    chosen: ChosenDetector
    table: HitsFile
    pieces: tuple[Rows, ...]
    of_each: int | None
    inputs: tuple[Path, ...]
    mass: MassJob | None
    asked: IntArray

    @classmethod
    def of(cls, config_path: Path) -> "Plan":
        """Raises InputError for a configuration or files that cannot be used."""
        config, base = load(config_path, AlignConfig), config_path.parent
        chosen = detector_of(config.detector, base)
        table = open_hits(base / config.input.hits, chosen.detector.sensors, config.input.chunk_size)
        require_hits(table)
        kinds = kinds_of(config.alignment)
        mass = None if config.mass is None else mass_job(config.mass, kinds, base, chosen.detector)
        asked = asked_of(config, chosen.detector)
        names = [config.input.hits, *([config.mass.simulation] if config.mass and config.mass.simulation else [])]
        inputs = (*(base / name for name in names), *chosen.files)
        return cls(read_text(config_path), config, chosen, table, *limited(table, config.tracks), inputs, mass, asked)

    @property
    def files(self) -> tuple[str, ...]:
        """All that is written into OUT/."""
        more = ((MODES,) if self.config.modes else ()) + ((MILLE, LABELS, STEERING) if self.config.mille else ())
        return CORRECTIONS, RESULT, PAGE, *more

    def job(self, detector: Detector, mille: bool) -> AlignJob:
        """What processes need to fit with this detector."""
        config, ready, surfaces = self.config, prepared(detector), len(detector.layers)
        what = kinds_of(config.alignment), self.harmonics, self.mass, mille
        return AlignJob(self.table, ready, surfaces, config.fit, self.of_each, config.max_chi2, *what)

    @cached_property
    def harmonics(self) -> Harmonics | None:
        """The terms of a correction of the field."""
        return self.config.alignment.harmonics(self.chosen.detector)


def limited(table: HitsFile, tracks: int | None) -> tuple[tuple[Rows, ...], int | None]:
    """Pieces of a table, evenly, with about so many tracks together, and the tracks of each; all if None."""
    if tracks is None:
        return table.pieces, None
    in_first, there = len(read_hits(table, table.pieces[0])), len(table.pieces)
    number = min(-(-tracks // in_first), there)
    chosen = np.round(np.linspace(0, there - 1, number)).astype(int).tolist()
    return tuple(table.pieces[i] for i in chosen), -(-tracks // number)


def align(config_path: Path, out: Path, runner: Runner) -> AlignResult:
    """Write corrections, and all that shows them, into the folder `out`. Raises InputError for inputs that cannot be
    used, and for a system that is singular; then nothing is written."""
    plan = Plan.of(config_path)
    check_folder(out)
    check_outputs([out / name for name in plan.files], [config_path, *plan.inputs])
    make_folder(out)
    with unfinished(out / CORRECTIONS, state_of(plan.text, plan.inputs)) as parts:
        passes, corrections = solved(plan, parts, runner)
        if plan.config.mille:
            write_for_millepede(plan, out, parts)
        return written(plan, out, passes, corrections)


def solved(plan: Plan, parts: Path, runner: Runner) -> tuple[list[Pass], Corrections]:
    """Every fit of the hits, and the corrections after the last one."""
    described, config = plan.chosen.detector, plan.config
    found, system = summed(plan, 0, described, parts, runner)
    passes = [found]
    for number in range(1, config.iterations):
        corrections = solve(system, described, config.alignment)
        found, system = summed(plan, number, corrected(described, corrections), parts, runner)
        around(system, corrections)
        passes.append(found)
    corrections = solve(system, described, config.alignment, plan.asked, config.modes)
    return passes, corrections


def summed(plan: Plan, number: int, detector: Detector, parts: Path, runner: Runner) -> tuple[Pass, NormalSystem]:
    """The sums of all pieces, in their order."""
    found, system = Pass(), NormalSystem(len(detector.layers), plan.harmonics)
    run = remembered(runner.map(f"align: fit {number + 1}"), parts, part(number), AlignPiece)
    for piece in run(partial(align_piece, plan.job(detector, plan.config.mille and number == 0)), plan.pieces):
        found.add(piece)
        system.merge(unpacked(piece.sums, plan.harmonics))
    if system.tracks == 0:
        raise InputError(f"{plan.table.name}: no track can be used; look at the hits, at [fit] and at max_chi2")
    return found, system


def part(number: int) -> str:
    """The name of the pieces of a fit."""
    return f"fit-{number}"


def write_for_millepede(plan: Plan, out: Path, parts: Path) -> None:
    """The equations of the first fit, the names of their labels, and the steering file of `pede`."""
    described = plan.chosen.detector
    kept = remembered(map, parts, part(0), AlignPiece)  # all are there now
    with atomic(out / MILLE) as temporary, temporary.open("wb") as stream:
        for piece in kept(partial(align_piece, plan.job(described, True)), plan.pieces):
            stream.write(piece.mille.tobytes())
    names = (f"{index + 1} {label(index, described.layers)}" for index in range(SIZE * len(described.layers)))
    write_text(out / LABELS, "\n".join(chain(names, [""])))
    write_text(out / STEERING, steering(Path(MILLE), len(described.layers), plan.config.alignment))


def written(plan: Plan, out: Path, passes: list[Pass], corrections: Corrections) -> AlignResult:
    """The result; writes its files."""
    described, share = plan.chosen.detector, plan.config.input.max_failed_share
    reference = None if plan.mass is None else plan.mass.reference
    result = AlignResult(out, plan.files, tuple(passes), corrections, reference, share, plan.table.notes)
    write_corrections(out / CORRECTIONS, corrections, described, describe(plan.text, plan.inputs))
    if corrections.modes is not None:
        modes = corrections.modes
        rows = zip(modes.names, modes.information.tolist(), modes.share.tolist(), strict=True)
        found = [{"name": name, "information": size, "share": share} for name, size, share in rows]
        write_json(out / MODES, {"modes": found, "books": plain(modes.books)})
    write_json(out / RESULT, result.to_json())
    write_text(out / PAGE, page(corrections, described, str(result)))
    return result
