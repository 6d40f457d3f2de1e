"""One fit of the parameters as a record: what it found, how well, and from how many cells and pairs.

The records are plain numbers, so that they can be written to calibration.json and read from it. Parameters are those of
`bias` (A, e, M) and of `resolution` (a, c, g, d)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any, Self, TypeVar

import numpy as np
from scipy.stats import chi2 as chi2_distribution

from muonkit.calibration.accumulate import CellMasses, residual_correlations
from muonkit.calibration.binning import MuonBins
from muonkit.calibration.cells import Cells
from muonkit.calibration.closure import ScaleOff, ZeroTest, against_zero, scale_off
from muonkit.calibration.derive import Derived
from muonkit.calibration.diagnostics import Diagnostics, correlation, diagnose
from muonkit.calibration.extract import Extraction, Goodness
from muonkit.core.arrays import FloatArray
from muonkit.core.plain import plain_fields, rebuilt_fields


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FitSummary:
    """Values and errors of every fitted parameter per bin of muons, by its letter: each (bins,), in the units of `bias`
    and `resolution`. `covariance`: of all values in the order of `parameter_names`, such as A_0 ... A_11 e_0 ...;
    `eta_edges`, `phi_edges`: of the bins of muons, see `MuonBins`; chi2, ndf and p-value: the cells against the
    parameters; no p-value if ndf is 0; `widths`: the part that sigma^2 has, where it was fitted to cells."""

    eta_edges: FloatArray
    values: Mapping[str, FloatArray]
    errors: Mapping[str, FloatArray]
    parameter_names: tuple[str, ...]
    covariance: FloatArray
    chi2: float
    ndf: int
    p_value: float | None
    phi_edges: FloatArray | None = None
    widths: Goodness | None = None

    def __post_init__(self) -> None:
        """Raises ValueError if the arrays are not those of the bins."""
        self.bins.require(**self.values)
        self.bins.require(**self.errors)
        size = len(self.values) * self.bins.count
        if self.covariance.shape != (size, size) or len(self.parameter_names) != size:
            raise ValueError(f"covariance and parameter_names are not those of {size} parameters")

    @classmethod
    def of(cls, extraction: Extraction, **more: Any) -> Self:
        """The summary of a fit; `more`: the other fields of the class."""
        layout, errors = extraction.layout, extraction.errors
        return cls(
            **extraction.bins.edges,
            values={name: layout.of(extraction.vector, name) for name in layout.fitted},
            errors={name: layout.of(errors, name) for name in layout.fitted},
            parameter_names=tuple(layout.names),
            covariance=extraction.covariance,
            chi2=extraction.chi2,
            ndf=extraction.ndf,
            p_value=float(chi2_distribution.sf(extraction.chi2, extraction.ndf)) if extraction.ndf > 0 else None,
            widths=extraction.widths,
            **more,
        )

    @property
    def correlation(self) -> FloatArray:
        """Correlation matrix; a parameter at a limit has zeros, and one on the diagonal."""
        matrix = correlation(self.covariance)
        np.fill_diagonal(matrix, 1.0)
        return matrix

    @property
    def scales(self) -> Goodness | None:
        """The part of chi2 and ndf that mu has, where sigma^2 has another."""
        return None if self.widths is None else Goodness(self.chi2 - self.widths.chi2, self.ndf - self.widths.ndf)

    @property
    def bins(self) -> MuonBins:
        """The bins of muons."""
        return MuonBins.of_edges(self.eta_edges, self.phi_edges)

    def value(self, name: str) -> FloatArray:
        """One parameter per bin of muons; NaN where it was not fitted."""
        return self.values.get(name, np.full(self.bins.count, np.nan))

    def to_json(self) -> dict[str, Any]:
        """The fields as content of JSON; values stand beside them by their letters."""
        content: dict[str, Any] = {}
        for name, value in plain_fields(self).items():
            content |= value if name == "values" else {name: value}
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The record that `to_json` made `content` of. Raises KeyError with the names of missing fields."""
        return cls(**rebuilt_fields(cls, with_values(content)))


def with_values(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a fit with its values in one place, as the fields of `FitSummary` want them."""
    return {**content, "values": {name: content[name] for name in content.get("errors", ())}}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ClosureFit(FitSummary):
    """A fit that should find no bias, of corrected muons or of simulation: its scale parameters against 0, and how far
    the scale is off."""

    test: ZeroTest
    scale: tuple[ScaleOff, ...]

    @classmethod
    def against(cls, extraction: Extraction, applied: Extraction | None = None) -> Self:
        """`applied`: corrections from other muons, whose errors count too."""
        extra = None if applied is None else applied.covariance
        return cls.of(extraction, test=against_zero(extraction, extra), scale=scale_off(extraction, extra))


@dataclass(frozen=True, slots=True)
class CellCounts:
    """Cells: with a good mass fit, with a failed one, dropped because thin; fine cells, and those with entries."""

    fitted: int
    failed: int
    skipped: int
    fine: int
    populated: int

    @property
    def failed_share(self) -> float:
        """Failed fits among all fits."""
        return float(self.failed / max(self.fitted + self.failed, 1))


@dataclass(frozen=True, slots=True)
class PairCounts:
    """Pairs without a fault, and those selected; of the others, those outside the mass window, then those outside the
    cuts, then those outside the eta range; of those selected, those with a weight below 0."""

    read: int
    selected: int
    outside_window: int
    outside_cuts: int
    outside_eta: int
    negative: int


@dataclass(frozen=True, slots=True)
class RowCounts:
    """Rows of the files (muons for NanoAOD), and what was found in them: bad rows, and pairs that are same-sign or
    without a generator muon, all three left out; pairs that stand in the files before, which are counted again.
    Muons with the standard columns in place of the chosen ones: `fell_back`; pairs with one such muon: `mixed`."""

    read: int
    bad: int
    same_sign: int
    unmatched: int
    repeated: int
    fell_back: int = 0
    mixed: int = 0


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SampleFit(FitSummary):
    """A fit to a sample with what its cells and pairs were."""

    cells: CellCounts
    pairs: PairCounts
    diagnostics: Diagnostics

    @classmethod
    def of_samples(cls, samples: Sequence["FittedSample"], /, **more: Any) -> Self:
        """The fit to all `samples` together."""
        extraction = samples[0].derived.extraction
        before, after = (_named(samples, which) for which in ("before", "after"))
        return cls.of(
            extraction,
            cells=added(each.cells for each in samples),
            pairs=added(each.pairs for each in samples),
            diagnostics=diagnose(extraction, Cells.joined([each.derived.cells for each in samples]), before, after),
            **more,
        )


@dataclass(frozen=True, slots=True)
class FittedSample:
    """One sample of a fit: its name, its cells, the sums they are of; `before`, `after`: the same pairs before and
    after their correction."""

    name: str
    derived: Derived
    sums: CellMasses
    before: CellMasses
    after: CellMasses

    @property
    def cells(self) -> CellCounts:
        """What became of the cells."""
        return _cells(self.derived, self.sums)

    @property
    def pairs(self) -> PairCounts:
        """What became of the pairs."""
        return PairCounts(*(int(number) for number in self.sums.pairs))


def _named(samples: Sequence[FittedSample], which: str) -> dict[str, float]:
    """Correlations of the binning variables with the mass residual; of several samples, with their names."""
    found = {each.name: residual_correlations(getattr(each, which)) for each in samples}
    if len(found) == 1:
        return found[samples[0].name]
    return {f"{name}.{axis}": value for name, values in found.items() for axis, value in values.items()}


Counts = TypeVar("Counts", "CellCounts", "PairCounts", "RowCounts")


def added(counts: Iterable[Counts]) -> Counts:
    """The sum of records of numbers."""
    records = list(counts)
    return type(records[0])(*(sum(numbers) for numbers in zip(*map(astuple, records), strict=True)))


def _cells(derived: Derived, sums: CellMasses) -> CellCounts:
    good, populated = int(derived.fits.good.sum()), sums.entries > 0
    kept = int((derived.merging.group[populated] >= 0).sum())
    return CellCounts(
        good, len(derived.fits) - good, int(populated.sum()) - kept, len(derived.merging.group), int(populated.sum())
    )
