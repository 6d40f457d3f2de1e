"""The benchmark's sample: all species mixed, piece by piece; a killed run goes on where it stopped.

Events are numbered anew within a piece, in random order, so that no number tells a species."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from muonkit.core.arrays import AnyArray, BoolArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.files import check_folder, write_text
from muonkit.core.plain import plain_fields
from muonkit.core.provenance import state_of
from muonkit.core.random import stream
from muonkit.core.result import Result
from muonkit.detector.detector import load_detector
from muonkit.io.klm import table_of, truth_table, worded
from muonkit.io.origin import origin_of
from muonkit.io.tables import write_tables
from muonkit.muid.swim.config import Species
from muonkit.muid.swim.extrapolate import extrapolate
from muonkit.muid.swim.yoke import Yoke, build_yoke
from muonkit.pipelines.benchmark.config import Benchmark, Engine, benchmark
from muonkit.pipelines.benchmark.files import (
    BenchmarkFiles,
    Manifest,
    benchmark_files,
    check,
    notes_on,
    read_manifest,
)
from muonkit.report.benchmark import readme
from muonkit.run.checkpoint import remembered, unfinished
from muonkit.run.runner import Runner
from muonkit.simulation.gun import Gun
from muonkit.simulation.klm.config import GenerateKLM, SimulateKLM
from muonkit.simulation.klm.interactions import about, stored
from muonkit.simulation.klm.simulate import SimulatedEvents, simulate_piece

Columns = dict[str, AnyArray]
MADE_BY = ("muonkit", "numpy", "numba", "pyarrow")


@dataclass(frozen=True, slots=True)
class BenchmarkSampleResult(Result):
    """The sample of a benchmark: its folder and its manifest; made: False if it was there already."""

    folder: Path
    manifest: Manifest
    made: bool

    def report(self) -> str:
        """What is there."""
        one = self.manifest
        line = f"{self.folder}: benchmark {one.benchmark}, engine {one.engine}, detector {one.detector['name']}"
        numbers = f"{one.events} events, {one.tracks} tracks, {one.hits} hits; sample {one.sample}"
        return f"{line}: {numbers}" + ("" if self.made else "; was there already")

    def to_json(self) -> dict[str, Any]:
        """The manifest, and the text."""
        return {"folder": str(self.folder), "made": self.made, "text": str(self)} | plain_fields(self.manifest)


@dataclass(frozen=True, slots=True)
class MixedPiece:
    """The tables of a piece, columns by name; origin: a digest of them; stand_in: Geant4 had stand-in data."""

    tracks: Columns
    hits: Columns
    truth: Columns
    origin: str
    stand_in: bool


class MadeTables(NamedTuple):
    """Name of the sample, rows of tracks and hits, whether Geant4 had stand-in data."""

    origin: str
    tracks: int
    hits: int
    stand_in: bool


@dataclass(frozen=True, slots=True)
class Making:
    """What a process needs to make a piece; data: Geant4's data sets."""

    choice: Benchmark
    engine: Engine
    yoke: Yoke
    data: Path | None

    def config_of(self, species: Species) -> SimulateKLM:
        """The configuration of one species."""
        sample = self.choice.sample
        seed = sample.seed + list(sample.shares).index(species)
        generate = GenerateKLM(events=sample.events, seed=seed, engine=self.engine, chunk_size=sample.chunk_size)
        gun = Gun(particle=species, p=sample.p, theta=sample.theta)
        return SimulateKLM(generate=generate, gun=gun, detector=self.choice.detector)


def make_benchmark(
    out: Path, runner: Runner, engine: Engine = "fast", events: int | None = None, data: Path | None = None
) -> BenchmarkSampleResult:
    """Write the sample to the folder `out`; events: of a smaller one; data: Geant4's data sets, if the environment does
    not name them. Raises InputError if `out` holds another benchmark, and for an engine that cannot run."""
    choice, files = benchmark(events), benchmark_files(out)
    detector = load_detector(choice.detector)
    recipe = choice.recipe(engine, detector.checksum)
    check_folder(out)
    there = finished(out, recipe, choice.sample.events)
    if there is not None:
        return BenchmarkSampleResult(out, there, made=False)
    making = Making(choice, engine, build_yoke(detector), data)
    with unfinished(files.manifest, state_of(recipe, (), str(choice.sample.events))) as parts:
        made = made_tables(making, files, parts, runner)
        manifest = Manifest(
            benchmark=choice.title, recipe=recipe, sample=made.origin, engine=engine, seed=choice.sample.seed,
            events=choice.sample.events, tracks=made.tracks, hits=made.hits,
            detector={"name": detector.name, "checksum": detector.checksum},
            versions={name: version(name) for name in MADE_BY}, making=standing_on(engine, made.stand_in), files={},
        )  # fmt: skip
        return BenchmarkSampleResult(out, described(files, manifest, choice), made=True)


def made_tables(making: Making, files: BenchmarkFiles, parts: Path, runner: Runner) -> MadeTables:
    """Make all pieces, kept in the folder `parts`, then write them table by table: only one piece is in memory."""
    sample = making.choice.sample
    work, pieces = partial(run_piece, making), range(-(-sample.events // sample.chunk_size))
    run = remembered(runner.map("benchmark"), parts, "piece", MixedPiece)
    made = [(piece.origin, piece.stand_in) for piece in run(work, pieces)]
    origin = origin_of([{"pieces": np.array([of_piece for of_piece, _ in made])}])
    again = remembered(in_order, parts, "piece", MixedPiece)
    tracks, hits, _ = (
        write_tables(getattr(files, part), (worded(getattr(piece, part)) for piece in again(work, pieces)), origin)
        for part in ("tracks", "hits", "truth")
    )
    return MadeTables(origin, tracks, hits, any(stand_in for _, stand_in in made))


def in_order(function: Callable[[int], MixedPiece], items: Iterable[int]) -> Iterator[MixedPiece]:
    """A map in this process that says nothing: what is kept is read again."""
    return map(function, items)


def finished(out: Path, recipe: str, events: int) -> Manifest | None:
    """The manifest of the same benchmark, if it is whole in `out` already: what was changed or lost is made again.
    Raises InputError if another one is there."""
    if not benchmark_files(out).manifest.is_file():
        return None
    there = read_manifest(out)
    if (there.recipe, there.events) != (recipe, events):
        raise InputError(
            f"{out}: holds another benchmark ({there.benchmark}, engine {there.engine}, {there.events} events); give "
            "another folder"
        )
    try:
        return None if check(out, there) else there
    except InputError:
        return None


def described(files: BenchmarkFiles, manifest: Manifest, choice: Benchmark) -> Manifest:
    """Write README and manifest, which knows the checksums of all other files."""
    scoring = choice.scoring
    write_text(files.readme, readme(manifest, choice.sample.shares, scoring.p, scoring.efficiencies))
    whole = replace(manifest, files=notes_on(files))
    whole.save(files.manifest)
    return whole


def standing_on(engine: Engine, stand_in: bool) -> dict[str, Any]:
    """What the engine stands on."""
    if engine == "fast":
        return {"interactions": about(stored())}
    return {"data sets": "stand-in, made from formulas, not official" if stand_in else "official"}


def run_piece(making: Making, number: int) -> MixedPiece:
    """Piece `number` of the sample; module-level, so that it can travel to another process."""
    sample = making.choice.sample
    first = number * sample.chunk_size
    n = min(sample.chunk_size, sample.events - first)
    counts = {name: count for name, count in sample.of_species(n).items() if count}
    made = [
        simulate_piece(making.config_of(name), making.choice.detector, making.data, count, first)
        for name, count in counts.items()
    ]
    tables = [of_species(events, making.yoke) for events in made]
    place = first + stream(sample.seed, number).permutation(n)
    renumbered = [
        [table | {"event": place[before + table["event"] - first]} for table in three]
        for three, before in zip(tables, _before(list(counts.values())), strict=True)
    ]
    tracks, hits, truth = (mixed(parts) for parts in zip(*renumbered, strict=True))
    origin = origin_of([tracks], [hits], [truth])
    return MixedPiece(tracks, hits, truth, origin, any(events.stand_in for events in made))


def _before(counts: Sequence[int]) -> Iterator[int]:
    """How many particles stand before those of every species."""
    return iter((np.cumsum(counts) - np.array(counts)).tolist())


def of_species(events: SimulatedEvents, yoke: Yoke) -> tuple[Columns, Columns, Columns]:
    """The three tables of one species, the truth with `reached`: whether the track crosses a layer."""
    reached: BoolArray = extrapolate(events.tracks, events.hits, yoke).tracks.outcome > 0
    tracks, hits = table_of(events.tracks, events.hits)
    return tracks, hits, truth_table(events.truth) | {"reached": reached.astype(np.int8)}


def mixed(parts: Sequence[Mapping[str, AnyArray]]) -> Columns:
    """One table of several, in the order of the events."""
    together = {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in parts[0]}
    order: IntArray = np.argsort(together["event"], kind="stable")
    return {name: values[order] for name, values in together.items()}
