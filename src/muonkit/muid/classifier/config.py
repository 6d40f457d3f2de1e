"""`muonkit classifier train|evaluate`: their configuration."""

from typing import Literal

from pydantic import Field

from muonkit.core.config import Edges, Range, Section, Seed
from muonkit.muid.swim.config import MuidSettings


class ClassifierInput(Section):
    """Samples of `muonkit simulate klm`, files or globs; tracks per chunk; at most so many tracks of every species are
    kept in memory."""

    samples: tuple[str, ...] = Field(min_length=1)
    chunk_size: int = Field(20_000, ge=1)
    most: int = Field(400_000, ge=100)


class Training(Section):
    """p [GeV]: measured momenta of the tracks that are used; width: numbers of a layer; blocks that let layers see
    their neighbours; hidden: nodes behind them; members: networks whose mean is used; epochs: how often each sees the
    tracks, in batches; largest learning rate; seed."""

    p: Range = (0.5, 6.0)
    width: int = Field(32, ge=1, le=1000)
    blocks: int = Field(2, ge=0, le=20)
    hidden: int = Field(64, ge=1, le=10_000)
    members: int = Field(1, ge=1, le=20)
    epochs: int = Field(6, ge=1, le=100_000)
    batch: int = Field(1024, ge=1)
    learning_rate: float = Field(3e-3, gt=0, le=10)
    seed: Seed = 1


class TrainClassifier(Section):
    """All of `train`. Tracks are dealt out by their event number: eight tenths to the training, one to the
    calibration, one to neither."""

    input: ClassifierInput
    detector: str = "belle2"
    muid: MuidSettings = MuidSettings()
    training: Training = Training()


class Evaluation(Section):
    """background: the species to separate from muons; p [GeV] (true), bins of it; efficiency of the muons at which fake
    rates are compared; bootstrap samples; seed; unseen: only the tenth of the tracks that a training on the same
    files does not use; halves: whether the classifier may use the comparison of the halves of the tracks."""

    background: Literal["e", "pi", "K", "p", "d"] = "pi"
    p: Range = (0.7, 5.0)
    p_edges: Edges = (0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0)
    efficiency: float = Field(0.9, gt=0, lt=1)
    toys: int = Field(200, ge=2, le=100_000)
    seed: Seed = 1
    unseen: bool = True
    halves: bool = True


class EvaluateClassifier(Section):
    """All of `evaluate`."""

    input: ClassifierInput
    detector: str = "belle2"
    muid: MuidSettings = MuidSettings()
    payload: str = "default"
    evaluation: Evaluation = Evaluation()
