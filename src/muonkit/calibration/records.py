"""What stands in a result beside the fit: the resonance, where the numbers come from, the samples, closure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from muonkit.calibration.derive import Derived
from muonkit.calibration.summary import CellCounts, ClosureFit, FittedSample, PairCounts, RowCounts


@dataclass(frozen=True, slots=True)
class Peak:
    """The resonance: name, mass [GeV] and the mass window [GeV]."""

    name: str
    mass: float
    window: tuple[float, float]


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that was read: its name without folder, and its size."""

    file: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Provenance:
    """What is needed to make a result again; `sample`: the label of the figures; `state`: names configuration and input
    files as they were."""

    muonkit: str
    python: str
    platform: str
    created: str
    config_sha256: str
    inputs: tuple[InputFile, ...]
    packages: Mapping[str, str]
    sample: str | None
    state: str


@dataclass(frozen=True, slots=True)
class SampleOutcome:
    """One sample of a calibration: its name and resonance, its cells, pairs and rows; chi2 of its cells against the
    parameters of the joint fit, in data, in simulation and in corrected data, each with the number of measurements."""

    name: str
    resonance: Peak
    cells: CellCounts
    pairs: PairCounts
    rows_read: RowCounts
    chi2: float
    measurements: int
    chi2_simulation: float
    measurements_simulation: int
    chi2_corrected: float

    @classmethod
    def of(cls, peak: Peak, sample: FittedSample, rows: RowCounts, simulated: Derived, corrected: Derived) -> Self:
        """From the fits of the sample to data, to simulation and to corrected data."""
        data = sample.derived.extraction
        return cls(
            sample.name,
            peak,
            sample.cells,
            sample.pairs,
            rows,
            float(data.cell_chi2.sum()),
            data.measurements,
            float(simulated.extraction.cell_chi2.sum()),
            simulated.extraction.measurements,
            float(corrected.extraction.cell_chi2.sum()),
        )


@dataclass(frozen=True, slots=True)
class Closure:
    """Corrected muons fitted again: those that made the corrections; and one half, corrected by the other half."""

    same: ClosureFit
    split: ClosureFit
