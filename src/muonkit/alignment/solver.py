"""The inverse of the normal matrix with priors, applied to vectors: (S N S + 1) x = y, S the widths of the priors.

Direct: CHOLMOD, where scikit-sparse is installed and no motion is held, SuperLU otherwise. Iterative: conjugate
gradients with the inverse of the diagonal blocks in front. The detector as a whole is held where it is: by further
equations, or by a projection on what is orthogonal to its six motions."""

from collections.abc import Callable
from fnmatch import fnmatchcase

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, cg, splu

from muonkit.alignment.compact import compact
from muonkit.alignment.config import AlignmentSettings
from muonkit.alignment.harmonics import names
from muonkit.alignment.modes import Scaled
from muonkit.alignment.parameters import FIELD, SIZE, label
from muonkit.alignment.system import NormalSystem
from muonkit.alignment.templates import basis, rigid
from muonkit.alignment.ties import ties
from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.limits import shown
from muonkit.detector.detector import Detector

DIRECT = 4000  # parameters
SINGULAR = 1e-11  # smallest eigenvalue of the matrix with ones on its diagonal: ten times what rounding makes of 0
NAMED = 6  # parameters in a message
Solve = Callable[[FloatArray], FloatArray]


class Solver:
    """Applies the inverse of the scaled matrix, in the space that is left to the parameters.

    scale (8 n,): S, 0 where a parameter is fixed, or tied to another one; coefficients of the field follow those of the
    surfaces. Raises InputError, with the parameters, if the matrix is singular."""

    def __init__(self, system: NormalSystem, detector: Detector, settings: AlignmentSettings = AlignmentSettings()):
        n = len(system.met)
        if n != len(detector.layers):
            raise InputError(
                f"alignment: sums over {n} surfaces, but {detector.name} has {len(detector.layers)}; give the detector "
                "of the fit"
            )
        if system.tracks == 0:
            raise InputError("alignment: no track was added; there is nothing to solve")
        self.detector, self.settings = detector, settings
        stays = _matching(detector, settings.reference)
        self.ties = ties(detector, settings.groups, stays, len(system) - SIZE * n)
        self.system = system = system.tied(self.ties)
        self.width = _widths(system, settings, stays)
        prior = np.tile(settings.has_prior(), len(system.rhs))
        prior[SIZE * n :] = settings.has_prior()[FIELD]
        self.scale = np.where(self.ties.first == np.arange(len(system)), self.width, 0.0)
        unseen = np.einsum("nii->ni", system.diagonal()).reshape(-1) == 0
        self.unseen = unseen & (self.scale > 0)
        self.scale[unseen] = 0.0
        self.shift = np.where(self.scale > 0, prior, 1.0)
        held = settings.rigid == "fixed" and not settings.reference
        self.fixed = basis(self.ties.back(rigid(detector)) if held else [], self.scale)
        if not (self.scale > 0).any():
            raise InputError(
                "alignment: nothing is left to fit: widths of 0, references and surfaces without tracks fix every "
                "parameter"
            )
        self._apply = self._chosen()

    def __call__(self, vector: FloatArray) -> FloatArray:
        """The solution x (8 n,) of (S N S + 1) x = vector, 0 where a parameter is fixed."""
        return self._apply(np.where(self.scale > 0, vector, 0.0))

    def scaled(self) -> Scaled:
        """What the search for weak modes needs."""
        return Scaled(self.system.matrix(self.scale), self, self.scale, self.fixed, self.ties)

    def named(self, index: int) -> str:
        """A parameter in words."""
        return label(index, self.detector.layers, self.system.terms, self.settings.groups.levels())

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
        if inverse is None:
            raise InputError(f"alignment: the system is singular; {self._way_out()}")
        if self.settings.free:
            self._check(inverse, size, free)

        def apply(vector: FloatArray) -> FloatArray:
            right = np.concatenate((vector[free], np.zeros(count))) * size
            out = np.zeros(len(vector))
            out[free] = (inverse(right) * size)[: len(free)]
            return out

        return apply

    def _check(self, inverse: Solve, size: FloatArray, free: IntArray) -> None:
        """Raises InputError if the matrix is singular: repeated solutions find its weakest direction."""
        vector = np.random.default_rng(1).normal(size=len(size))
        weakest = 1.0
        for _ in range(5):
            vector[len(free) :] = 0.0
            vector = inverse(vector / np.linalg.norm(vector))
            weakest = 1 / float(np.linalg.norm(vector))
        if weakest < SINGULAR:
            full = np.zeros(len(self.scale))
            full[free] = vector[: len(free)]
            raise InputError(
                f"alignment: the system is singular: the tracks do not fix {self._largest(full)}; {self._way_out()}"
            )

    def _largest(self, vector: FloatArray) -> str:
        """Names of the parameters in which a vector (8 n,) is largest."""
        size = np.abs(vector)
        order = np.argsort(-size)[:NAMED]
        return ", ".join(self.named(int(index)) for index in order if size[index] > 0.1 * size.max())

    def _way_out(self) -> str:
        kinds = self.settings.free
        first = f"take {', '.join(kinds)} out of alignment.free" if kinds else "make the priors narrower"
        return f"{first}, or add tracks of another kind"

    def _iterative(self) -> Solve:
        matrix, Q, settings = compact(self.system.matrix(self.scale)), self.fixed, self.settings
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
                    f"alignment: no solution after {settings.max_iterations} iterations: the tracks hardly fix "
                    f"{self._largest(x)}; {self._way_out()}, or raise alignment.max_iterations"
                )
            return project(x)

        if settings.free:  # a singular matrix has no solution for most vectors
            apply(np.where(self.scale > 0, np.random.default_rng(1).normal(size=size), 0.0))
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


def _widths(system: NormalSystem, settings: AlignmentSettings, stays: BoolArray) -> FloatArray:
    """Widths (8 n,) of the priors, 0 where a parameter is fixed: a field is a correction of the map, or one per way.
    Raises InputError if the sums do not have the coefficients that are asked for."""
    whole = np.zeros(len(system))
    surfaces = np.where(stays[:, None], 0.0, settings.widths())
    if settings.field_order is not None:
        wanted = names(settings.field_order, settings.field_azimuth)
        if not set(wanted) <= set(system.terms):
            raise InputError(
                f"alignment.field_order: asks for {len(wanted)} coefficients of the field, but the sums have "
                f"{len(system.terms)}; make the sums with the same settings"
            )
        surfaces[:, FIELD] = 0.0
        last = SIZE * len(stays)
        whole[last : last + len(system.terms)] = settings.field * np.isin(system.terms, wanted)
    whole[: surfaces.size] = surfaces.reshape(-1)
    return whole


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
