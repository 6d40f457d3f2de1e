"""The benchmark of muon identification as it comes with muonkit. Nobody configures it: it is the same for all."""

from importlib.resources import files
from itertools import pairwise
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from muonkit.core.config import MOST_EVENTS, Edges, Range, Section, Seed, parse
from muonkit.core.errors import InputError
from muonkit.core.provenance import digest
from muonkit.muid.swim.config import Species

Engine = Literal["fast", "geant4"]
FILE = "muid.toml"


class BenchmarkSample(Section):
    """events: one particle each, mixed within chunks of chunk_size; seed: of the first species, the others follow;
    p [GeV], theta [rad]: of the gun, spread evenly in p and cos theta; shares of the species."""

    events: int = Field(ge=1, le=MOST_EVENTS)
    chunk_size: int = Field(ge=1)
    seed: Seed
    p: Range
    theta: Range
    shares: dict[Species, Annotated[float, Field(gt=0, le=1)]]

    @model_validator(mode="after")
    def _shares_are_all(self) -> Self:
        if abs(sum(self.shares.values()) - 1) > 1e-9:
            raise ValueError("shares: must sum to 1")
        return self

    def of_species(self, n: int) -> dict[Species, int]:
        """How many of n particles are of every species."""
        edges = np.rint(np.cumsum([0.0, *self.shares.values()]) * n).astype(int).tolist()
        return {name: high - low for name, (low, high) in zip(self.shares, pairwise(edges), strict=True)}


class BenchmarkScoring(Section):
    """p [GeV] (true) of the tracks that count, bins of it, efficiencies of muons at which fake rates are compared."""

    p: Range
    p_edges: Edges
    efficiencies: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(min_length=1)


class Benchmark(Section):
    """All of the benchmark."""

    name: str
    version: int
    detector: str
    sample: BenchmarkSample
    scoring: BenchmarkScoring

    @property
    def title(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}"

    def recipe(self, engine: Engine, checksum: str) -> str:
        """Digest of how the sample is made, whatever its size; checksum: that of the detector."""
        sample = self.sample.model_dump_json(exclude={"events"})
        return digest("\n".join((self.title, sample, engine, checksum)))


def benchmark(events: int | None = None) -> Benchmark:
    """The benchmark, with fewer or more events if `events` says so. Raises InputError for a number below 1."""
    text = files("muonkit.pipelines.benchmark").joinpath(FILE).read_text(encoding="utf-8")
    found = parse(text, Benchmark, FILE)
    if events is None:
        return found
    if not 1 <= events <= MOST_EVENTS:
        raise InputError(f"--events {events}: must be 1 to {MOST_EVENTS}")
    return found.model_copy(update={"sample": found.sample.model_copy(update={"events": events})})
