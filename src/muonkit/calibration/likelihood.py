"""The likelihood of a calibration, for those who fit further: likelihood.npz.

    -ln L(x) = 1/2 |r + J (x - x0)|^2 = -ln L(x0) + g (x - x0) + 1/2 (x - x0) H (x - x0),   g = J^T r,  H = J^T J

x are the fitted parameters, x0 their values; r are the residuals in standard deviations of the cells (ln mu of all,
then sigma^2 of all where the resolution was fitted) and of the priors, and J their derivatives, sparse. Biases are
small, so that the linear form is the likelihood. g is 0 but for parameters at a limit, which have no covariance. Of
data minus simulation, and of a fit to pairs, r is 0 and J the inverse root of the covariance: no residuals of cells are
behind it. Otherwise the covariance is the inverse of H, plus the chance in spectra that cells share, see `pooling`."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np
from scipy.sparse import csr_array

from muonkit.calibration.extract import Extraction
from muonkit.core import limits
from muonkit.core.arrays import AnyArray, BoolArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.files import atomic
from muonkit.core.limits import reading

SCHEMA = "MuonLikelihood/1"
WHAT = "likelihood of a calibration"
KINDS = ("ln_mu", "sigma2", "prior")
OF_PARAMETER = "parameter"  # what a residual of a parabola is


@dataclass(frozen=True, slots=True, eq=False)
class Likelihood:
    """names (p,), values (p,), gradient (p,), hessian and covariance (p, p) of the parameters; minimum: -ln L at the
    values; edges (bins + 1,) of eta and, if there are several bins, of phi. residuals (m,) and their derivatives
    `jacobian` (m, p); of every residual: what it is (KINDS, OF_PARAMETER), and its row in cells.parquet, -1 where it
    has none (m,)."""

    names: AnyArray
    values: FloatArray
    gradient: FloatArray
    hessian: FloatArray
    covariance: FloatArray
    minimum: FloatArray
    eta_edges: FloatArray
    residuals: FloatArray
    kinds: AnyArray
    cells: IntArray
    jacobian: csr_array
    phi_edges: FloatArray | None = None

    @classmethod
    def of(cls, parts: Sequence[Extraction]) -> Self:
        """Of a fit, whose `parts` are those of its samples."""
        extraction = parts[0]
        if extraction.unbinned:
            return cls.of_covariance(extraction)
        residuals, jacobian = extraction.residuals, extraction.jacobian
        kinds, cells = _places(extraction, np.concatenate([part.used for part in parts]))
        return cls(
            np.array(extraction.layout.names),
            extraction.vector,
            gradient=jacobian.T @ residuals,
            hessian=(jacobian.T @ jacobian).toarray(),
            covariance=extraction.covariance,
            minimum=np.array(residuals @ residuals / 2),
            **extraction.bins.edges,
            residuals=residuals,
            kinds=kinds,
            cells=cells,
            jacobian=jacobian,
        )

    @classmethod
    def of_covariance(cls, extraction: Extraction) -> Self:
        """Of data minus simulation, or of pairs: the parabola of the covariance. The residuals are combinations of the
        parameters that are not at a limit."""
        free = np.flatnonzero(extraction.errors)
        errors, p = extraction.errors[free], len(extraction.vector)
        correlation = extraction.covariance[np.ix_(free, free)] / np.outer(errors, errors)
        jacobian = np.zeros((len(free), p))
        jacobian[:, free] = np.linalg.inv(np.linalg.cholesky(correlation)) / errors
        return cls(
            np.array(extraction.layout.names),
            extraction.vector,
            gradient=np.zeros(p),
            hessian=jacobian.T @ jacobian,
            covariance=extraction.covariance,
            minimum=np.zeros(()),
            **extraction.bins.edges,
            residuals=np.zeros(len(free)),
            kinds=np.full(len(free), OF_PARAMETER),
            cells=np.full(len(free), -1),
            jacobian=csr_array(jacobian),
        )

    def __call__(self, vector: FloatArray) -> float:
        """-ln L at the parameters (p,)."""
        residuals = self.residuals + self.jacobian @ (vector - self.values)
        return float(residuals @ residuals / 2)

    def write(self, path: Path) -> None:
        """Write an npz file, atomically. Raises OSError if the folder cannot be written."""
        found = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "jacobian"}
        plain = {name: value for name, value in found.items() if value is not None}
        sparse = {f"jacobian_{name}": getattr(self.jacobian, name) for name in ("data", "indices", "indptr")}
        with atomic(path) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, allow_pickle=False, schema=np.array(SCHEMA), **plain, **sparse)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file. Raises InputError if it is not the likelihood of a calibration."""
        return cls.from_bytes(limits.read_bytes(path, what=WHAT), str(path))

    @classmethod
    def from_bytes(cls, content: bytes, name: str) -> Self:
        """The likelihood in the content of a file called `name`. Raises InputError if it is none."""
        arrays = limits.load_npz(content, name)
        with reading(name, WHAT):
            if str(arrays.pop("schema")) != SCHEMA:
                raise ValueError(f"not {SCHEMA}")
            sparse = tuple(arrays.pop(f"jacobian_{part}") for part in ("data", "indices", "indptr"))
            found = cls(**arrays, jacobian=csr_array(sparse, (len(arrays["residuals"]), len(arrays["names"]))))
        if faults := found._faults():
            raise InputError(f"{name}: is not a {WHAT}: {fault}; make it again" for fault in faults)
        return found

    def _faults(self) -> list[str]:
        """One line for every array of a shape that does not fit, or with NaN."""
        p, m = len(self.names), len(self.residuals)
        shapes = {"values": (p,), "gradient": (p,), "hessian": (p, p), "covariance": (p, p), "minimum": ()}
        shapes |= {"residuals": (m,), "kinds": (m,), "cells": (m,)}
        wrong = [name for name, shape in shapes.items() if getattr(self, name).shape != shape]
        numbers = ["values", "gradient", "hessian", "covariance", "minimum", "eta_edges", "residuals"]
        numbers += [] if self.phi_edges is None else ["phi_edges"]
        bad = [name for name in numbers if getattr(self, name).dtype.kind != "f"]
        bad += [name for name in numbers if name not in bad and not np.all(np.isfinite(getattr(self, name)))]
        return [*(f"{name} has a wrong shape" for name in wrong), *(f"{name} is not finite" for name in bad)]


def _places(extraction: Extraction, used: BoolArray) -> tuple[AnyArray, IntArray]:
    """What every residual is, and the row of its cell in cells.parquet, where the cells of the samples follow each
    other; `used`: which were used (cells,)."""
    rows = np.flatnonzero(used)
    blocks = KINDS[:2] if extraction.layout.fits_resolution else KINDS[:1]
    priors = len(extraction.residuals) - len(blocks) * len(rows)
    kinds = np.repeat([*blocks, KINDS[2]], [*(len(rows) for _ in blocks), priors])
    return kinds, np.concatenate([*(rows for _ in blocks), np.full(priors, -1)])
