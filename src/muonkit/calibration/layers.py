"""The bias model layer by layer, for biases that change along the trajectory:

    k_c/k = 1 + q M/k + sum_l (A_l - e_l k + q M_l/k)/(1 + d_l^2 k^2)

d_l follows from the weights of the track fit (`alignment.gains`). A_l, e_l, M_l and M are linear: they are fitted to
ratios k_true/k_reco against k and charge, with Gaussian priors around 0."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field

from muonkit.core.arrays import FloatArray, IntArray
from muonkit.core.config import Section
from muonkit.core.errors import InputError
from muonkit.core.result import Result

TERMS = ("A", "e", "M")
UNITS = ("", "GeV", "1/GeV")


class LayerPriors(Section):
    """Widths around 0 of every A_l, e_l [GeV], M_l and of M [1/GeV]; M is the shift that scattering does not reduce."""

    A: float = Field(1e-2, gt=0, le=1)
    e: float = Field(1e-2, gt=0, le=1)
    M_layer: float = Field(1e-3, gt=0, le=1)
    M: float = Field(1e-3, gt=0, le=1)


@dataclass(frozen=True)
class LayerBias(Result):
    """Fitted values (l, 3): A_l, e_l [GeV], M_l [1/GeV]; M [1/GeV]; d (l,) [GeV]; covariance (3 l + 1, 3 l + 1) in the
    order A of all layers, e, M_l, M; chi2 of the ratios; ndf: ratios less parameters, which priors hold."""

    layers: tuple[str, ...]
    d: FloatArray
    values: FloatArray
    M: float
    covariance: FloatArray
    chi2: float
    ndf: int

    @property
    def errors(self) -> FloatArray:
        """Standard deviations (l, 3)."""
        return np.sqrt(np.diag(self.covariance)[:-1]).reshape(3, -1).T

    def scale(self, k: FloatArray, q: IntArray) -> FloatArray:
        """k_c/k (n,) for curvature k [1/GeV] and charge q (n,)."""
        return 1 + design(k, q, self.d) @ np.append(self.values.T.reshape(-1), self.M)

    def report(self) -> str:
        """One line per layer."""
        lines = [f"chi2                 {self.chi2:.1f} of {self.ndf + self.covariance.shape[0]} ratios"]
        lines.append(f"M                    {self.M:.3g} +- {np.sqrt(self.covariance[-1, -1]):.2g} /GeV")
        lines.append(f"{'layer':<21}{'d [GeV]':>9}" + "".join(f"{name:>24}" for name in TERMS))
        for name, d, values, errors in zip(self.layers, self.d, self.values, self.errors, strict=True):
            numbers = "".join(f"{f'{v:.3g} +- {s:.2g}':>24}" for v, s in zip(values, errors, strict=True))
            lines.append(f"{name:<21}{d:9.3g}{numbers}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Everything."""
        return {
            "layers": list(self.layers),
            "d": self.d.tolist(),
            **{name: self.values[:, place].tolist() for place, name in enumerate(TERMS)},
            "M_everywhere": self.M,
            "covariance": self.covariance.tolist(),
            "chi2": self.chi2,
            "ndf": self.ndf,
        }


def design(k: FloatArray, q: IntArray, d: FloatArray) -> FloatArray:
    """Derivatives (n, 3 l + 1) of k_c/k by A of every layer, e, M_l, and by M."""
    fall = 1 / (1 + np.square(np.multiply.outer(k, d)))
    return np.concatenate((fall, -k[:, None] * fall, (q / k)[:, None] * fall, (q / k)[:, None]), axis=1)


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
    width = np.repeat([priors.A, priors.e, priors.M_layer, priors.M], [number, number, number, 1])
    slope = design(k, q, d) * width / error[:, None]
    inverse = np.linalg.inv(slope.T @ slope + np.eye(len(width)))
    y = inverse @ (slope.T @ ((ratio - 1) / error))
    chi2 = float((((ratio - 1) / error - slope @ y) ** 2).sum())
    values, covariance = width * y, inverse * np.outer(width, width)
    terms = values[:-1].reshape(3, number).T
    return LayerBias(tuple(layers), d, terms, float(values[-1]), covariance, chi2, len(k) - len(width))


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
