"""The normal system with priors, solved: (S N S + 1) x = S b, parameters p = S x, with S the widths of the priors.

Direct: CHOLMOD, where scikit-sparse is installed, SuperLU otherwise. Iterative: conjugate gradients with the inverse of
the diagonal blocks in front. The detector as a whole is held where it is by a projection on what is orthogonal to its
six motions. Errors need a column of the inverse each, so they are made for what is asked."""

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, cg, splu

from muonkit.alignment.config import AlignmentSettings
from muonkit.alignment.modes import Modes, Scaled, weak_modes
from muonkit.alignment.parameters import NAMES, SIZE, UNITS, label
from muonkit.alignment.system import NormalSystem
from muonkit.alignment.templates import basis, rigid
from muonkit.core.arrays import AnyArray, BoolArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.limits import shown
from muonkit.core.result import Result
from muonkit.detector.detector import Detector

DIRECT = 4000  # parameters
SINGULAR = 1e-11  # smallest eigenvalue of the matrix with ones on its diagonal: ten times what rounding makes of 0
LINES = 20  # of parameters in a message or a report
Solve = Callable[[FloatArray], FloatArray]


class Solver:
    """Applies the inverse of the scaled matrix, in the space that is left to the parameters.

    scale (8 n,): S, 0 where a parameter is fixed. Raises InputError, with the parameters, if the matrix is singular."""

    def __init__(self, system: NormalSystem, detector: Detector, settings: AlignmentSettings = AlignmentSettings()):
        n = len(system.met)
        if n != len(detector.layers):
            raise InputError(
                f"alignment: sums over {n} surfaces, but {detector.name} has {len(detector.layers)}; give the detector "
                "of the fit"
            )
        if system.tracks == 0:
            raise InputError("alignment: no track was added; there is nothing to solve")
        self.system, self.detector, self.settings = system, detector, settings
        prior = np.tile(settings.has_prior(), n)
        self.scale = np.where(_matching(detector, settings.reference)[:, None], 0.0, settings.widths()).reshape(-1)
        unseen = np.einsum("nii->ni", system.diagonal()).reshape(-1) == 0
        self.unseen = unseen & (self.scale > 0)
        self.scale[unseen] = 0.0
        self.shift = np.where(self.scale > 0, prior, 1.0)
        held = settings.rigid == "fixed" and not settings.reference
        self.fixed = basis(rigid(detector) if held else [], self.scale)
        self._apply = self._chosen()

    def __call__(self, vector: FloatArray) -> FloatArray:
        """The solution x (8 n,) of (S N S + 1) x = vector."""
        return self._apply(vector)

    def scaled(self) -> Scaled:
        """What the search for weak modes needs."""
        return Scaled(self.system.matrix(self.scale), self, self.scale, self.fixed)

    def _chosen(self) -> Solve:
        method = self.settings.method
        if method == "auto":
            method = "direct" if (self.scale > 0).sum() <= DIRECT else "iterative"
        return self._direct() if method == "direct" else self._iterative()

    def _direct(self) -> Solve:
        """With constraints as further equations of a bordered matrix."""
        free = np.flatnonzero(self.scale > 0)
        matrix = self.system.matrix(self.scale).tocsr()[free][:, free] + sparse.diags_array(self.shift[free])
        border = sparse.csr_array(self.fixed[free])
        count = border.shape[1]
        whole = sparse.block_array([[matrix, border], [border.T, None]]) if count else matrix
        size = 1 / np.sqrt(np.concatenate((matrix.diagonal(), np.ones(count))))
        inverse = _factor(sparse.csc_array(whole * size[:, None] * size[None, :]), definite=count == 0)
        if inverse is None or self.settings.free:
            self._check(inverse, size, free)
        assert inverse is not None

        def apply(vector: FloatArray) -> FloatArray:
            right = np.concatenate((vector[free], np.zeros(count))) * size
            out = np.zeros(len(vector))
            out[free] = (inverse(right) * size)[: len(free)]
            return out

        return apply

    def _check(self, inverse: Solve | None, size: FloatArray, free: IntArray) -> None:
        """Raises InputError if the matrix is singular: repeated solutions find its weakest direction."""
        if inverse is None:
            raise InputError(f"alignment: the system is singular; {_way_out(self.settings)}")
        vector = np.random.default_rng(1).normal(size=len(size))
        weakest = 1.0
        for _ in range(5):
            vector[len(free) :] = 0.0
            vector /= np.linalg.norm(vector)
            vector = inverse(vector)
            weakest = 1 / float(np.linalg.norm(vector))
        if weakest > SINGULAR:
            return
        largest = np.argsort(-np.abs(vector[: len(free)]))
        worst = [index for index in largest[:6] if abs(vector[index]) > 0.1 * abs(vector[largest[0]])]
        names = ", ".join(label(int(free[index]), self.detector.layers) for index in worst)
        raise InputError(f"alignment: the system is singular: the tracks do not fix {names}; {_way_out(self.settings)}")

    def _iterative(self) -> Solve:
        matrix, Q, settings = self.system.matrix(self.scale), self.fixed, self.settings
        blocks = self.system.diagonal() * self.scale.reshape(-1, SIZE, 1) * self.scale.reshape(-1, 1, SIZE)
        floor = SINGULAR * np.einsum("nii->ni", blocks)
        blocks[:, range(SIZE), range(SIZE)] += np.maximum(self.shift.reshape(-1, SIZE), floor)
        front = np.linalg.inv(blocks)

        def project(x: FloatArray) -> FloatArray:
            return x - Q @ (Q.T @ x)

        def times(x: FloatArray) -> FloatArray:
            inner = project(x.reshape(-1))
            return project(matrix @ inner + self.shift * inner) + Q @ (Q.T @ x.reshape(-1))

        def precondition(x: FloatArray) -> FloatArray:
            inner = project(x.reshape(-1)).reshape(-1, SIZE)
            return project((front @ inner[:, :, None])[:, :, 0].reshape(-1)) + Q @ (Q.T @ x.reshape(-1))

        size = len(self.scale)
        A, M = (LinearOperator((size, size), matvec=f, dtype=np.float64) for f in (times, precondition))

        def apply(vector: FloatArray) -> FloatArray:
            x, failed = cg(A, project(vector), rtol=settings.tolerance, maxiter=settings.max_iterations, M=M)
            if failed:
                raise InputError(
                    f"alignment: no solution after {settings.max_iterations} iterations; {_way_out(settings)}, or "
                    "raise alignment.max_iterations"
                )
            return project(x)

        return apply


def _factor(matrix: sparse.csc_array, definite: bool) -> Solve | None:
    """Solve with a factorised matrix; None if it is singular to the last bit."""
    try:
        from sksparse.cholmod import CholmodError, cholesky
    except ImportError:
        definite = False
    try:
        return cholesky(matrix) if definite else splu(matrix, permc_spec="MMD_AT_PLUS_A").solve
    except RuntimeError:
        return None
    except Exception as error:
        if definite and isinstance(error, CholmodError):
            return None
        raise


def _matching(detector: Detector, patterns: tuple[str, ...]) -> BoolArray:
    """Which surfaces (n,) have a name that fits one of the patterns. Raises InputError if a pattern fits none."""
    fits = [np.array([fnmatchcase(name, pattern) for name in detector.layers]) for pattern in patterns]
    lost = [pattern for pattern, fit in zip(patterns, fits, strict=True) if not fit.any()]
    if lost:
        raise InputError(
            f"alignment.reference: no surface of {detector.name} fits '{shown(lost[0])}'; names are like "
            f"{shown(', '.join(detector.layers[:3]))}"
        )
    return np.any(fits, axis=0) if fits else np.zeros(len(detector.layers), dtype=np.bool_)


def _way_out(settings: AlignmentSettings) -> str:
    free = f"take {', '.join(settings.free)} out of alignment.free" if settings.free else "make the priors narrower"
    return f"{free}, or add tracks of another kind"


@dataclass(frozen=True)
class Corrections(Result):
    """How the real detector differs from its description: values (n, 8), see `parameters`; asked (k,): parameters whose
    covariance (k, k) is known; met (n,): tracks that met each surface; fixed (n, 8): not fitted; chi2, ndf of the
    tracks before, gain: by how much chi2 falls, priors included."""

    layers: tuple[str, ...]
    values: FloatArray
    asked: IntArray
    covariance: FloatArray
    met: IntArray
    fixed: AnyArray
    tracks: int
    chi2: float
    ndf: int
    gain: float
    modes: Modes | None = None

    @property
    def errors(self) -> FloatArray:
        """Standard deviations (k,) of what was asked."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def message(self) -> str:
        unmet = [name for name, met in zip(self.layers, self.met, strict=True) if met == 0]
        if not unmet:
            return ""
        names = ", ".join(unmet[:LINES]) + (", ..." if len(unmet) > LINES else "")
        return f"No track met {len(unmet)} of {len(self.layers)} surfaces, which stay as described: {names}"

    def report(self) -> str:
        """The largest corrections among those with errors."""
        lines = [
            f"Tracks               {self.tracks}",
            f"chi2/ndf             {self.chi2:.1f}/{self.ndf}, falls by {self.gain:.1f}",
        ]
        values, errors = self.values.reshape(-1)[self.asked], self.errors
        order = np.argsort(-np.abs(values) / np.where(errors > 0, errors, np.inf))
        for place in order[:LINES]:
            unit = UNITS[self.asked[place] % SIZE]
            name = label(int(self.asked[place]), self.layers)
            lines.append(f"  {name:<30}{values[place]:12.3g} +- {errors[place]:.2g} {unit}".rstrip())
        if self.modes is not None:
            lines.append(str(self.modes))
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Everything but the covariance between what was asked."""
        return {
            "parameters": list(NAMES),
            "values": {name: row.tolist() for name, row in zip(self.layers, self.values, strict=True)},
            "errors": {
                label(int(index), self.layers): float(error)
                for index, error in zip(self.asked, self.errors, strict=True)
            },
            "tracks": {name: int(met) for name, met in zip(self.layers, self.met, strict=True)},
            "chi2": self.chi2,
            "ndf": self.ndf,
            "gain": self.gain,
        }


def solve(
    system: NormalSystem,
    detector: Detector,
    settings: AlignmentSettings = AlignmentSettings(),
    asked: IntArray | Literal["all", "none"] = "none",
    modes: int = 0,
) -> Corrections:
    """Corrections from the sums of all tracks, with the covariance of the parameters that are `asked` for, indices of
    `parameters`, and so many weak modes.

    Raises InputError for sums of another detector, without tracks, an index that does not exist, and, with the names of
    parameters, a singular system."""
    solver = Solver(system, detector, settings)
    wanted = _wanted(asked, solver)
    right = solver.scale * system.rhs.reshape(-1)
    x = solver(right)
    columns = np.zeros((len(wanted), len(wanted)))
    for place, index in enumerate(wanted):
        unit = np.zeros(len(right))
        unit[index] = 1.0
        columns[place] = solver(unit)[wanted] * solver.scale[wanted] * solver.scale[index]
        if solver.unseen[index]:
            columns[place, place] = settings.widths()[index % SIZE] ** 2
    return Corrections(
        detector.layers,
        (solver.scale * x).reshape(-1, SIZE),
        wanted,
        (columns + columns.T) / 2,
        system.met,
        (solver.scale == 0).reshape(-1, SIZE),
        system.tracks,
        system.chi2,
        system.ndf,
        float(right @ x),
        weak_modes(solver.scaled(), detector, modes) if modes else None,
    )


def _wanted(asked: IntArray | Literal["all", "none"], solver: Solver) -> IntArray:
    if isinstance(asked, str):
        return np.flatnonzero(solver.scale > 0) if asked == "all" else np.zeros(0, dtype=np.int64)
    wanted = np.asarray(asked, dtype=np.int64).reshape(-1)
    if ((wanted < 0) | (wanted >= len(solver.scale))).any():
        raise InputError(f"alignment: asked: parameters are numbered from 0 to {len(solver.scale) - 1}")
    return wanted
