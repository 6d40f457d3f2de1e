"""The bias model layer by layer, for biases that change along the trajectory:

    k_c/k = 1 + A - e k + q M/k + sum_l (A_l - e_l k + q M_l/k)/(1 + d_l^2 k^2)

d_l follows from the weights of the track fit (`alignment.gains`). A_l, e_l, M_l and what scattering does not reduce (A,
e, M) are linear: they are fitted to ratios k_true/k_reco against k and charge, with Gaussian priors around 0. The
formula of the slides has no A and e outside of the sum. The weights of the fit ask for them: a field of one layer moves
the curvature of soft tracks, too."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field

from muonkit.core.arrays import FloatArray, IntArray
from muonkit.core.config import Section
from muonkit.core.errors import InputError
from muonkit.core.result import Result

TERMS = ("A", "e", "M")


class LayerPriors(Section):
    """Widths around 0 of every A_l, e_l [GeV], M_l [1/GeV]; and of A, e and M, which hold everywhere. 0 leaves a term
    out; so does the formula of the slides with A and e."""

    A_layer: float = Field(1e-2, ge=0, le=1)
    e_layer: float = Field(1e-2, ge=0, le=1)
    M_layer: float = Field(1e-3, ge=0, le=1)
    A: float = Field(0.0, ge=0, le=1)
    e: float = Field(0.0, ge=0, le=1)
    M: float = Field(1e-3, ge=0, le=1)

    def widths(self, layers: int) -> FloatArray:
        """In the order of `design`, for so many layers."""
        each = np.repeat([self.A_layer, self.e_layer, self.M_layer], layers)
        return np.concatenate((each, [self.A, self.e, self.M]))


@dataclass(frozen=True)
class LayerBias(Result):
    """Fitted values (l, 3): A_l, e_l [GeV], M_l [1/GeV]; everywhere (3,): A, e, M; d (l,) [GeV]; covariance (3 l + 3,
    3 l + 3) in the order of `design`; chi2 of the ratios; ndf: ratios less parameters, some of which priors hold."""

    layers: tuple[str, ...]
    d: FloatArray
    values: FloatArray
    everywhere: FloatArray
    covariance: FloatArray
    chi2: float
    ndf: int

    @property
    def errors(self) -> FloatArray:
        """Standard deviations (l, 3)."""
        return np.sqrt(np.diag(self.covariance)[:-3]).reshape(3, -1).T

    @property
    def everywhere_errors(self) -> FloatArray:
        """Standard deviations (3,) of A, e and M."""
        return np.sqrt(np.diag(self.covariance)[-3:])

    def scale(self, k: FloatArray, q: IntArray) -> FloatArray:
        """k_c/k (n,) for curvature k [1/GeV] and charge q (n,)."""
        return 1 + design(k, q, self.d) @ np.concatenate((self.values.T.reshape(-1), self.everywhere))

    def report(self) -> str:
        """One line per layer."""
        lines = [f"chi2/ndf             {self.chi2:.1f}/{self.ndf}"]
        lines.append(f"{'layer':<21}{'d [GeV]':>9}" + "".join(f"{name:>24}" for name in TERMS))
        rows = zip((*self.layers, "everywhere"), (*self.d, 0.0), self._pairs(), strict=True)
        for name, d, pairs in rows:
            numbers = "".join(f"{f'{value:.3g} +- {error:.2g}':>24}" for value, error in pairs)
            lines.append(f"{name:<21}{d:9.3g}{numbers}")
        return "\n".join(lines)

    def _pairs(self) -> list[list[tuple[float, float]]]:
        """Value and error of every term, per layer and everywhere."""
        values, errors = np.vstack((self.values, self.everywhere)), np.vstack((self.errors, self.everywhere_errors))
        return [list(zip(*row, strict=True)) for row in zip(values.tolist(), errors.tolist(), strict=True)]

    def to_json(self) -> dict[str, Any]:
        """Everything."""
        return {
            "layers": list(self.layers),
            "d": self.d.tolist(),
            **{name: self.values[:, place].tolist() for place, name in enumerate(TERMS)},
            "everywhere": dict(zip(TERMS, self.everywhere.tolist(), strict=True)),
            "covariance": self.covariance.tolist(),
            "chi2": self.chi2,
            "ndf": self.ndf,
        }


def design(k: FloatArray, q: IntArray, d: FloatArray) -> FloatArray:
    """Derivatives (n, 3 l + 3) of k_c/k by A of every layer, e of every layer, M of every layer, and by A, e, M."""
    fall = np.column_stack((1 / (1 + np.square(np.multiply.outer(k, d))), np.ones(len(k))))
    terms = fall, -k[:, None] * fall, (q / k)[:, None] * fall
    return np.concatenate([term[:, :-1] for term in terms] + [term[:, -1:] for term in terms], axis=1)


def fit_layers(
    ratio: FloatArray,
    error: FloatArray,
    k: FloatArray,
    q: IntArray,
    d: FloatArray,
    layers: tuple[str, ...],
    priors: LayerPriors = LayerPriors(),
) -> LayerBias:
    """Fit ratios k_true/k_reco (n,) with errors (n,) at curvature k (n,) [1/GeV] and charge q (n,).

    Raises InputError if arrays do not fit together, and for a k, d or error that is not finite and above 0."""
    _check({"ratio": ratio, "error": error, "k": k, "q": q}, d, layers)
    number = len(d)
    width = priors.widths(number)
    slope = design(k, q, d) * width / error[:, None]
    inverse = np.linalg.inv(slope.T @ slope + np.eye(len(width)))
    y = inverse @ (slope.T @ ((ratio - 1) / error))
    chi2 = float((((ratio - 1) / error - slope @ y) ** 2).sum())
    values, covariance = width * y, inverse * np.outer(width, width)
    terms = values[:-3].reshape(3, number).T
    return LayerBias(tuple(layers), d, terms, values[-3:], covariance, chi2, len(k) - int((width > 0).sum()))


def _check(columns: dict[str, Any], d: FloatArray, layers: tuple[str, ...]) -> None:
    n = len(columns["ratio"])
    faults = [
        f"layers: {name}: must have the shape ({n},), not {column.shape}"
        for name, column in columns.items()
        if column.shape != (n,)
    ]
    if d.shape != (len(layers),):
        faults.append(f"layers: d: must have one value for each of {len(layers)} layers, not {d.shape}")
    for name, column in (*columns.items(), ("d", d)):
        above = np.ones(column.shape, np.bool_) if name in ("ratio", "q") else column > 0
        if not (np.isfinite(column) & above).all():
            faults.append(f"layers: {name}: has values that are not finite{'' if name == 'ratio' else ' and above 0'}")
    if faults:
        raise InputError(faults)
