"""The result of a forecast: a record that prints itself; the keys of its JSON are described in docs/formats.md."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from muonkit.calibration import key
from muonkit.calibration.binning import MuonBins
from muonkit.calibration.cells import Cells
from muonkit.calibration.closure import scale_off
from muonkit.calibration.diagnostics import Diagnostics, correlation, diagnose
from muonkit.calibration.extract import Extraction
from muonkit.calibration.forecast import W_ETA, W_MASS, W_PT, ExpectedSample, w_mass_error, w_weights
from muonkit.calibration.massfit import CellFits
from muonkit.calibration.quantities import QUANTITIES
from muonkit.calibration.records import Peak
from muonkit.core.arrays import FloatArray
from muonkit.core.plain import plain_fields
from muonkit.core.result import Result


@dataclass(frozen=True, slots=True)
class ExpectedError:
    """Error of the scale, averaged over the bins as data would be, at one pT [GeV]: `error`, and its part without the
    statistics of the template."""

    pt: float
    error: float
    error_of_data: float


@dataclass(frozen=True, slots=True)
class WMass:
    """Error of the W mass [MeV] by the scale of its muons, and its part without the statistics of the template; for
    W of this mass [GeV], whose muons have the curvature 1/`pt` [GeV] and lie flat in `eta`."""

    error: float
    error_of_data: float
    mass: float
    pt: float
    eta: tuple[float, float]

    @classmethod
    def of(cls, both: Extraction, alone: Extraction) -> Self | None:
        """None if no bin holds muons of W."""
        edges = np.clip(both.bins.eta_edges, -W_ETA, W_ETA)
        if not w_weights(both.bins).any():
            return None
        eta = float(edges[0]), float(edges[-1])
        return cls(1e3 * w_mass_error(both), 1e3 * w_mass_error(alone), W_MASS, W_PT, eta)


@dataclass(frozen=True, slots=True)
class ForecastSample:
    """One sample: its name and resonance; pairs that are expected and that were simulated, both selected; cells with a
    good mass fit and with a failed one; share of the expected pairs in the good ones, as thin cells are dropped; share
    that is background."""

    name: str
    resonance: Peak
    pairs: float
    simulated: float
    cells: int
    failed: int
    share_in_cells: float
    background: float

    @classmethod
    def of(cls, name: str, peak: Peak, sample: ExpectedSample, cells: Cells, fits: CellFits) -> Self:
        """From the fit of its expected counts."""
        used = fits.good & (cells.entries > 0)
        return cls(
            name,
            peak,
            sample.pairs,
            float(sample.simulation.pairs[1]),
            int(used.sum()),
            int((~used).sum()),
            float(cells.entries[used].sum() / sample.pairs),
            sample.background,
        )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ForecastResult(Result):
    """Expected errors of every parameter per bin of muons, by its letter, each (bins,), in the units of `bias` and
    `resolution`; covariance (p, p) in the order of `parameter_names`; correlation of A and e in every bin (bins,),
    None if e is not fitted; what they mean for the scale and for the W mass; what the cells cannot tell."""

    eta_edges: FloatArray
    samples: tuple[ForecastSample, ...]
    errors: Mapping[str, FloatArray]
    correlation_A_e: FloatArray | None
    parameter_names: tuple[str, ...]
    covariance: FloatArray
    scale: tuple[ExpectedError, ...]
    w_mass: WMass | None
    diagnostics: Diagnostics
    notes: tuple[str, ...]
    phi_edges: FloatArray | None = None

    @classmethod
    def of(
        cls,
        samples: tuple[ForecastSample, ...],
        both: Extraction,
        alone: Extraction,
        fitted: Sequence[tuple[Cells, CellFits]],
        notes: tuple[str, ...],
    ) -> Self:
        """From the two extractions of `forecast.expected_errors`."""
        cells = Cells.joined([each[fits.good] for each, fits in fitted])
        layout, pairs = both.layout, zip(scale_off(both), scale_off(alone), strict=True)
        return cls(
            samples=samples,
            errors={name: layout.of(both.errors, name) for name in layout.fitted},
            correlation_A_e=_between(both, "A", "e"),
            parameter_names=tuple(layout.names),
            covariance=both.covariance,
            scale=tuple(ExpectedError(one.pt, one.error, other.error) for one, other in pairs),
            w_mass=WMass.of(both, alone),
            diagnostics=diagnose(both, cells, {}, {}),
            notes=notes,
            **both.bins.edges,
        )

    @property
    def bins(self) -> MuonBins:
        """The bins of muons."""
        return MuonBins.of_edges(self.eta_edges, self.phi_edges)

    @property
    def message(self) -> str:
        return "\n".join(f"Note: {note}" for note in (*self._of_parameters, *self._of_template, *self.notes))

    @property
    def _of_parameters(self) -> list[str]:
        found, notes = self.diagnostics, list(self.diagnostics.unknown)
        if found.at_limit:
            notes.append(f"at a limit, without an error: {', '.join(found.at_limit)}")
        if "e" not in self.errors:
            notes.append("e is not fitted: the errors at other momenta hold if the energy loss is known")
        return notes

    @property
    def _of_template(self) -> list[str]:
        """A sentence where more simulation helps more than more data."""
        first = self.scale[0]
        if first.error**2 < 2 * first.error_of_data**2:
            return []
        return [
            f"at {first.pt:g} GeV the statistics of the template makes more of the error than the data: "
            "simulate more pairs"
        ]

    def report(self) -> str:
        pairs = ", ".join(f"{each.pairs:.4g} {each.name}" for each in self.samples)
        head = f"{self.status}: forecast of {', '.join(self.errors)} in {self.bins.number} from {pairs}"
        return "\n".join([head, "", *self._parameter_lines, "", *key.aligned(self._rows)])

    @property
    def _parameter_lines(self) -> list[str]:
        """One line per bin: errors of all parameters, and how A and e are correlated."""
        columns = [key.error_column(name, self.errors[name]) for name in QUANTITIES if name in self.errors]
        if self.correlation_A_e is not None:
            columns.append(["corr(A, e)", *(f"{each:+.3f}" for each in self.correlation_A_e.tolist())])
        return key.table(self.bins, columns)

    @property
    def _rows(self) -> key.Rows:
        rows = [row for each in self.samples for row in self._sample_rows(each)]
        for each in self.scale:
            name = f"Error of the scale at {each.pt:g} GeV"
            rows.append((name, _parts(1e5 * each.error, "· 10⁻⁵", 1e5 * each.error_of_data)))
        if self.w_mass is not None:
            low, high = self.w_mass.eta
            size = _parts(self.w_mass.error, "MeV", self.w_mass.error_of_data)
            rows.append(("Error of the W mass", f"{size}; muons of {self.w_mass.pt:g} GeV, η from {low:g} to {high:g}"))
        found = self.diagnostics
        conditions = f"{found.condition_number:.3g}, {found.condition_number_at_mean_k:.3g}"
        return [*rows, ("Condition number, with A - e⟨k⟩ for A", conditions), *self._weakest]

    def _sample_rows(self, sample: ForecastSample) -> key.Rows:
        where = f", {sample.name}" if len(self.samples) > 1 else ""
        share = f"{sample.background:.1%} of the pairs" if sample.background else "none"
        return [
            (f"Pairs expected, simulated{where}", key.spaced(round(sample.pairs), round(sample.simulated))),
            (
                f"Cells fitted, failed, pairs in them{where}",
                f"{sample.cells}, {sample.failed}, {sample.share_in_cells:.1%}",
            ),
            (f"Background expected{where}", share),
        ]

    @property
    def _weakest(self) -> key.Rows:
        """The combination of parameters that is known worst."""
        directions = self.diagnostics.weak_directions[:1]
        return [
            ("Weakest direction", " ".join(f"{value:+.2f} {name}" for name, value in each.parameters.items()))
            for each in directions
        ]

    def to_json(self) -> dict[str, Any]:
        return {"status": self.status, "message": self.message} | plain_fields(self)


def _parts(error: float, unit: str, of_data: float) -> str:
    return f"{error:.3g} {unit} (data alone {of_data:.3g})"


def _between(extraction: Extraction, first: str, second: str) -> FloatArray | None:
    """Correlation (bins,) of two parameters in every bin."""
    layout = extraction.layout
    if second not in layout.fitted:
        return None
    i, j = (layout.fitted.index(name) * layout.bins + np.arange(layout.bins) for name in (first, second))
    matrix: FloatArray = correlation(extraction.covariance)[i, j]
    return matrix
