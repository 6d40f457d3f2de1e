"""Propagation by ACTS (pyacts) to a cylinder, with covariance.

Arrays in and out in the units of this package (cm, GeV, tesla, rad). Eigen stepper, void navigator, no material. The
bindings cannot set the tolerance of a step, which is ACTS' default of 1e-4 mm; `legs` make the steps shorter. Over
1.1 m in a constant field of 3.8 T the ends are good to 1e-6 cm. ACTS' Jacobian leaves out the gradient of the field."""

import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tests.oracles import acts_objects as objects
from tests.oracles.acts_objects import MM, Floats

START_COVARIANCE = np.diag([0.01, 0.01, 1.0, 1.0, 1.0])  # ACTS' unit matrix in cm
OK, FAILED = 0, 1
SURFACE_TOLERANCE = 1e-7  # mm; ACTS' default of 1e-4 costs 1e-5 cm on every surface


def constant(Bz: float = 3.8) -> Any:
    """A constant field along z [T]."""
    import acts

    return acts.ConstantBField(acts.Vector3(0, 0, Bz * acts.UnitConstants.T))


def field_map(r: Floats, z: Floats, Br: Floats, Bz: Floats) -> Any:
    """A map on even nodes r, z [cm] with Br, Bz (nr, nz) [T], between which ACTS is linear.

    The solenoid that ACTS offers for tests is no use: its Br does not vanish on the axis (1 T at z = 1.9 m)."""
    import acts

    rows = np.column_stack((np.tile(r, len(z)), np.repeat(z, len(r)), Br.T.ravel(), Bz.T.ravel()))  # r runs first
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "field.txt"
        np.savetxt(path, rows, fmt="%.17g")
        return acts.MagneticFieldMapRz(str(path), lengthUnit=MM, bFieldUnit=acts.UnitConstants.T)


def stale(provider: Any, points: Floats) -> float:
    """Largest difference [T] between lookups at points (n, 3) [cm] with one cache and with a fresh one each."""
    import acts

    context = acts.MagneticFieldContext()
    cache, worst = provider.makeCache(context), 0.0
    for x, y, z in points * MM:
        kept = provider.getField(acts.Vector3(x, y, z), cache)
        fresh = provider.getField(acts.Vector3(x, y, z), provider.makeCache(context))
        worst = max(worst, *(abs(kept[k] - fresh[k]) for k in range(3)))
    return worst / float(acts.UnitConstants.T)


class Run(NamedTuple):
    """end (n, 5) in (r phi, z, phi, theta, q/p), NaN where ACTS fails; cov (n, 5, 5); status (n,): OK or FAILED.

    seconds of the processor: for all calls, and for as many calls that propagate over 0.1 mm only."""

    end: Floats
    cov: Floats
    status: Any
    seconds: float
    seconds_of_calls: float


def propagate(
    position: Floats, angles: Floats, qop: Floats, provider: Any, radius: float = 110.0, legs: int = 1
) -> Run:
    """Tracks from points (n, 3) with phi, theta (n, 2) and q/p (n,) to the cylinder r = `radius`.

    They start on their curvilinear planes with ACTS' unit matrix, which is `START_COVARIANCE`: the end covariance is
    J J^T in mm. `legs`: the way is cut by so many cylinders, which keeps ACTS' steps short: in a solenoid its own ones
    are good to 4e-4 cm only."""
    import acts

    starts = [_start(acts, x, a, k) for x, a, k in zip(position, angles, qop, strict=True)]
    near = float(np.hypot(position[:, 0], position[:, 1]).max()) + 0.01
    return _run(starts, provider, [radius * leg / legs for leg in range(1, legs + 1)], near)


def propagate_bound(bound: Floats, cov: Floats | None, provider: Any, radius: float = 110.0, legs: int = 1) -> Run:
    """Tracks on the plane x = 0 (local axes y, z) with `bound` (n, 5) and `cov` (n, 5, 5) to the cylinder r = `radius`.

    `cov` None is `START_COVARIANCE`. `legs` as in `propagate`, from the outermost start outwards."""
    container = objects.tracks(objects.plane(0.0), bound, cov)
    starts = [track.createParametersAtReference for track in container]
    near = float(np.abs(bound[:, 0]).max()) + 0.01
    return _run(starts, provider, list(np.linspace(near, radius, legs + 1)[1:]), near)


def rate(n: int, provider: Any, seed: int = 1) -> tuple[float, float]:
    """Tracks/s over 1.1 m with covariance on one thread, from runs of n and 2n muons: with and without the fixed cost.

    The second rate leaves out the cost of a call that propagates over 0.1 mm; that has Python's part of a call, and the
    changes to and from the bound frames too."""
    seconds = np.array([_best(sample(size, seed), provider) for size in (n, 2 * n)])
    spent, calls = seconds[1] - seconds[0]
    return n / spent, n / (spent - calls)


def sample(n: int, seed: int = 1) -> Floats:
    """(n, 5) on the plane x = 0: muons of 1 to 100 GeV, even in ln p and in eta within 1, which fly to larger x."""
    rng = np.random.default_rng(seed)
    theta = 2 * np.arctan(np.exp(-rng.uniform(-1, 1, n)))
    qop = rng.choice([-1.0, 1.0], n) * np.exp(-rng.uniform(0, np.log(100), n))
    return np.column_stack((rng.normal(0, 0.1, (n, 2)), rng.uniform(-1, 1, n), theta, qop))


def _best(bound: Floats, provider: Any, times: int = 3) -> tuple[float, float]:
    runs = [propagate_bound(bound, None, provider) for _ in range(times)]
    return min(run.seconds for run in runs), min(run.seconds_of_calls for run in runs)


def _run(starts: list[Any], provider: Any, radii: list[float], near: float) -> Run:
    import acts

    propagator = acts.EigenVoidPropagator(acts.EigenStepper(provider), acts.VoidNavigator(), acts.logging.MAX)
    context = acts.GeometryContext.dangerouslyDefaultConstruct()
    options = acts.PropagatorPlainOptions(context, acts.MagneticFieldContext())
    options.surfaceTolerance = SURFACE_TOLERANCE
    ends, seconds = starts, 0.0
    for radius in radii:
        ends, spent = _timed(propagator, ends, objects.cylinder(radius), options)
        seconds += spent
    _, calls = _timed(propagator, starts, objects.cylinder(near), options)
    end, cov = _read(ends)
    return Run(end, cov, np.where(np.isnan(end).any(axis=1), FAILED, OK), seconds, calls)


def _timed(propagator: Any, starts: list[Any], target: Any, options: Any) -> tuple[list[Any], float]:
    ends = []
    begin = time.process_time()
    for start in starts:
        try:
            ends.append(start and propagator.propagateToSurface(start, target, options))
        except RuntimeError:
            ends.append(None)
    return ends, time.process_time() - begin


def _start(acts: Any, position: Floats, angles: Floats, qop: float) -> Any:
    where = acts.Vector4(*(position * MM), 0)
    unit, muon = acts.BoundMatrix.Identity(), acts.ParticleHypothesis.muon
    return acts.BoundTrackParameters.createCurvilinear(where, angles[0], angles[1], qop, unit, muon)


def _read(ends: list[Any]) -> tuple[Floats, Floats]:
    end, cov = np.full((len(ends), 5), np.nan), np.full((len(ends), 5, 5), np.nan)
    for i, parameters in enumerate(ends):
        if parameters is not None:
            end[i] = objects.parameters_of(parameters.parameters)
            cov[i] = objects.covariance_of(parameters.covariance)
    return end, cov
