"""`muonkit classifier train|evaluate`: their configuration."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from muonkit.core.config import Edges, Range, Section, Seed
from muonkit.muid.swim.config import MuidSettings, Species


class ClassifierInput(Section):
    """Samples of `muonkit simulate klm`, files or globs; tracks per chunk; at most so many tracks of every species are
    kept in memory."""

    samples: tuple[str, ...] = Field(min_length=1)
    chunk_size: int = Field(20_000, ge=1)
    most: int = Field(400_000, ge=100)


class Training(Section):
    """signal, background: species; p [GeV]: measured momenta of the tracks that are used; trees: of the boosting, with
    so many leaves, each at the learning rate; hidden: layers of the network, trained for so many epochs; seed."""

    model: Literal["trees", "network"] = "trees"
    signal: Species = "mu"
    background: Species = "pi"
    p: Range = (0.5, 6.0)
    trees: int = Field(500, ge=1, le=100_000)
    leaves: int = Field(63, ge=2, le=100_000)
    learning_rate: float = Field(0.06, gt=0, le=10)
    hidden: tuple[Annotated[int, Field(ge=1, le=10_000)], ...] = Field((64, 32), max_length=20)
    epochs: int = Field(25, ge=1, le=100_000)
    seed: int = Field(1, ge=0, lt=2**32)  # of scikit-learn

    @model_validator(mode="after")
    def _two_species(self) -> Self:
        if self.signal == self.background:
            raise ValueError(f"background: is '{self.signal}' too; name another species")
        return self


class TrainClassifier(Section):
    """All of `train`. Tracks are dealt out by their event number: six tenths to the training, two tenths to the
    calibration, two tenths to neither."""

    input: ClassifierInput
    detector: str = "belle2"
    muid: MuidSettings = MuidSettings()
    training: Training = Training()


class Evaluation(Section):
    """p [GeV] (true), bins of it; efficiency of the signal at which fake rates are compared; bootstrap samples; seed;
    unseen: only the two tenths of the tracks that a training on the same files does not use."""

    p: Range = (0.7, 5.0)
    p_edges: Edges = (0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0)
    efficiency: float = Field(0.9, gt=0, lt=1)
    toys: int = Field(200, ge=2, le=100_000)
    seed: Seed = 1
    unseen: bool = True


class EvaluateClassifier(Section):
    """All of `evaluate`."""

    input: ClassifierInput
    detector: str = "belle2"
    muid: MuidSettings = MuidSettings()
    payload: str = "default"
    evaluation: Evaluation = Evaluation()
