"""ACTS' Fatras simulation and Kalman filter in a telescope of silicon planes across x, in a constant field along z.

Arrays in and out in the units of this package (cm, GeV, tesla, rad). Bound parameters are on planes across x with the
local axes y and z. The start is the plane x = 0, before all planes. A state at a plane is before its matter, which is
silicon with X0 = 9.37 cm in the plane itself; between the planes is nothing.

Matter in Fatras 48.1, as measured: the angle in space is sqrt(2) theta_0 times a normal number, at a uniform azimuth,
with Highland's theta_0. So a projected angle has the rms of Highland, but not the shape of a Gaussian: its kurtosis is
4.5. Losses are Landau's around the most probable one, without density effect below beta gamma = 10."""

import csv
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tests.oracles import acts_objects as objects
from tests.oracles.acts_objects import MM, Floats

Y_Z = np.array([[0.0, 1.0, 0, 0, 0], [-1.0, 0, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1]])
MUON_MASS = 0.1056583755  # GeV


@dataclass(frozen=True)
class Telescope:
    """Planes at x [cm], silicon of `thickness` [cm], half width [cm], field along z [T]."""

    x: tuple[float, ...] = tuple(5.0 * (k + 1) for k in range(12))
    thickness: float = 0.032
    half_width: float = 25.0
    Bz: float = 1.0
    X0: float = field(default=9.37, init=False)


class Simulated(NamedTuple):
    """True hits of n tracks on m planes; NaN where a track misses the plane.

    position (n, m, 3); direction (n, m, 3) and p (n, m) before the matter of the plane; p_after (n, m)."""

    position: Floats
    direction: Floats
    p: Floats
    p_after: Floats


class Fitted(NamedTuple):
    """At x = 0: bound (n, 5), cov (n, 5, 5); at the first plane, before its matter: first (n, 5), first_cov (n, 5, 5).

    chi2 of the filter, ndf (measured numbers less five) and n_hits (n,). NaN and zero where ACTS gives no track.
    `seconds` of the fitter alone, in C++."""

    bound: Floats
    cov: Floats
    first: Floats
    first_cov: Floats
    chi2: Floats
    ndf: npt.NDArray[np.int64]
    n_hits: npt.NDArray[np.int64]
    seconds: float


def simulate(bound: Floats, telescope: Telescope, seed: int = 1, matter: bool = True) -> Simulated:
    """Muons from the plane x = 0 with `bound` (n, 5) through the telescope, by Fatras.

    Scattering, ionisation and radiation if `matter`."""
    import acts.examples

    detector = _detector(telescope)
    geometry, found = detector.trackingGeometry(), []
    fatras = acts.examples.FatrasSimulation(
        level=acts.logging.ERROR,
        inputParticles="start",
        outputParticles="end",
        outputSimHits="hits",
        randomNumbers=acts.examples.RandomNumbers(seed=seed),
        trackingGeometry=geometry,
        magneticField=_field(telescope),
        generateHitsOnSensitive=True,
        emScattering=matter,
        emEnergyLossIonisation=matter,
        emEnergyLossRadiation=matter,
        emPhotonConversion=False,
        pMin=0.01,
    )
    give = _giver({"start": _particles(bound)})
    take = _taker(acts.examples.SimHitContainer, "hits", lambda hits: found.append(_hits(hits, len(bound), telescope)))
    _sequence([give, fatras, take])
    return found[0]


def measure(simulated: Simulated, sigma: tuple[float, float] = (15e-4, 25e-4), seed: int = 1) -> Floats:
    """Hits (n, m, 2) in y and z [cm], smeared with `sigma`."""
    rng = np.random.default_rng(seed)
    true = simulated.position[..., 1:]
    return np.asarray(true + rng.normal(size=true.shape) * sigma)


def fit(
    measured: Floats,
    start: Floats,
    start_cov: Floats,
    telescope: Telescope,
    sigma: tuple[float, float] = (15e-4, 25e-4),
    matter: bool = True,
) -> Fitted:
    """ACTS' Kalman filter and smoother on hits (n, m, 2) with `start` (n, 5) and `start_cov` (n, 5, 5) at x = 0.

    The start counts as knowledge: its covariance should be wide. NaN hits are left out. Mean losses and Highland's
    scattering if `matter`."""
    import acts.examples

    detector = _detector(telescope)
    geometry, found = detector.trackingGeometry(), []
    give = _giver(_inputs(geometry, measured, start, start_cov, sigma))
    take = _taker(acts.examples.ConstTrackContainer, "fitted", lambda tracks: found.append(_tracks(tracks, len(start))))
    starts = acts.examples.TracksToParameters(
        level=acts.logging.ERROR, inputTracks="starts", outputTrackParameters="parameters"
    )
    seconds = _sequence([give, starts, _fitter(geometry, telescope, matter), take])
    fitted: Fitted = found[0]
    return fitted._replace(seconds=seconds["TrackFittingAlgorithm"])


def rate(telescope: Telescope, n: int = 2000, p: float = 5.0) -> float:
    """Tracks/s of the fit on one thread (C++ only), from runs of n and 2n tracks."""
    seconds = []
    for size in (n, 2 * n):
        start = gun(size, p)
        cov = np.tile(np.diag([0.1, 0.1, 0.01, 0.01, 0.2 / p]) ** 2, (size, 1, 1))
        measured = measure(simulate(start, telescope))
        seconds.append(min(fit(measured, start, cov, telescope).seconds for _ in range(3)))
    return n / (seconds[1] - seconds[0])


def silicon(telescope: Telescope) -> tuple[float, float]:
    """X0 and thickness [cm] of a plane as ACTS says them."""
    detector = _detector(telescope)
    said = _surfaces(detector.trackingGeometry())[0].surfaceMaterial.toString()
    X0, thickness = (float(re.findall(rf"\b{name}=([0-9.e+-]+)", said)[0]) for name in ("x0", "t"))
    return X0 / MM, thickness / MM


def gun(n: int, p: float, seed: int = 1, charge: float = -1.0) -> Floats:
    """(n, 5) at x = 0: muons of p [GeV] within 0.05 rad of the x axis, from a spot of 1 mm."""
    rng = np.random.default_rng(seed)
    angles = np.array([0.0, np.pi / 2]) + rng.uniform(-0.05, 0.05, (n, 2))
    return np.column_stack((rng.normal(0, 0.1, (n, 2)), angles, np.full(n, charge / p)))


def _detector(telescope: Telescope) -> Any:
    import acts.examples

    size = telescope.half_width * MM
    return acts.examples.TelescopeDetector(
        positions=[x * MM for x in telescope.x],
        stereos=[0.0] * len(telescope.x),
        offsets=(0.0, 0.0),
        bounds=(size, size),
        thickness=telescope.thickness * MM,
        surfaceType=0,
        rotDirection=0,
    )


def _field(telescope: Telescope) -> Any:
    import acts

    return acts.ConstantBField(acts.Vector3(0, 0, telescope.Bz * acts.UnitConstants.T))


def _surfaces(geometry: Any) -> list[Any]:
    """The planes of the telescope in the order of x."""
    import acts

    context = acts.GeometryContext.dangerouslyDefaultConstruct()
    surfaces: list[Any] = []
    geometry.visitSurfaces(surfaces.append)
    return sorted(surfaces, key=lambda surface: surface.center(context)[0])


def _particles(bound: Floats) -> Any:
    import acts.examples
    import acts.fatras

    particles = acts.examples.SimParticleContainer()
    for i, (y, z, phi, theta, qop) in enumerate(bound):
        code = acts.fatras.Barcode()
        code.vertexPrimary, code.particle = 1, i + 1
        pdg = acts.PdgParticle.eMuon if qop < 0 else acts.PdgParticle.eAntiMuon
        particle = acts.examples.SimParticle(code, pdg, float(np.sign(qop)), MUON_MASS)
        particle.fourPosition = acts.Vector4(0, y * MM, z * MM, 0)
        sin = np.sin(theta)
        particle.direction = acts.Vector3(sin * np.cos(phi), sin * np.sin(phi), np.cos(theta))
        particle.absoluteMomentum = 1 / abs(qop)
        particles.insert(particle)
    return particles


def _hits(hits: Any, n: int, telescope: Telescope) -> Simulated:
    planes, m = np.asarray(telescope.x), len(telescope.x)
    rows = np.full((n, m, 8), np.nan)
    for hit in hits:
        where, before, after = hit.fourPosition, hit.momentum4Before, hit.momentum4After
        plane = int(np.argmin(np.abs(planes - where[0] / MM)))
        momentum = np.array([before[k] for k in range(3)])
        p, left = np.linalg.norm(momentum), np.linalg.norm([after[k] for k in range(3)])
        if hit.particleId.subParticle == 0 and hit.particleId.generation == 0:
            rows[hit.particleId.particle - 1, plane] = *(where[k] / MM for k in range(3)), *(momentum / p), p, left
    return Simulated(rows[..., :3], rows[..., 3:6], rows[..., 6], rows[..., 7])


def _inputs(geometry: Any, measured: Floats, start: Floats, cov: Floats, sigma: tuple[float, float]) -> dict[str, Any]:
    import acts.examples

    measurements, candidates = acts.examples.MeasurementContainer(), acts.examples.ProtoTrackContainer()
    ids = [surface.geometryId for surface in _surfaces(geometry)]
    variances = [(sigma[1] * MM) ** 2, (sigma[0] * MM) ** 2]
    for track in measured:
        first = len(measurements)
        for name, (y, z) in zip(ids, track, strict=True):
            if np.isfinite(y):  # ACTS' local axes are -z and y
                measurements.emplaceMeasurement(name, [0, 1], [-z * MM, y * MM], variances)
        candidates.append(acts.examples.ProtoTrack(range(first, len(measurements))))
    starts = objects.tracks(objects.plane(0.0), start, cov).makeConst()
    return {"measurements": measurements, "candidates": candidates, "starts": starts}


def _fitter(geometry: Any, telescope: Telescope, matter: bool) -> Any:
    import acts.examples

    kalman = acts.examples.makeKalmanFitterFunction(
        trackingGeometry=geometry,
        magneticField=_field(telescope),
        multipleScattering=matter,
        energyLoss=matter,
        reverseFilteringMomThreshold=0.0,
        reverseFilteringCovarianceScaling=100.0,
        freeToBoundCorrection=acts.examples.FreeToBoundCorrection(False),
        chi2Cut=float("inf"),
        useJosephFormulation=False,
        level=acts.logging.ERROR,
    )
    return acts.examples.TrackFittingAlgorithm(
        level=acts.logging.ERROR,
        inputMeasurements="measurements",
        inputProtoTracks="candidates",
        inputInitialTrackParameters="parameters",
        inputClusters="",
        outputTracks="fitted",
        pickTrack=-1,
        referenceSurface=objects.plane(0.0),
        fit=kalman,
        calibrator=acts.examples.makePassThroughCalibrator(),
    )


def _tracks(tracks: Any, n: int) -> Fitted:
    bound, cov = np.full((2, n, 5), np.nan), np.full((2, n, 5, 5), np.nan)
    chi2, counts = np.full(n, np.nan), np.zeros((2, n), dtype=np.int64)
    for i, track in enumerate(tracks):
        bound[0, i], cov[0, i] = objects.parameters_of(track.parameters), objects.covariance_of(track.covariance)
        state = track.innermostTrackState
        bound[1, i] = Y_Z @ objects.parameters_of(state.smoothed)
        cov[1, i] = Y_Z @ objects.covariance_of(state.smoothedCovariance) @ Y_Z.T
        chi2[i], counts[:, i] = track.chi2, (track.nDoF - 5, track.nMeasurements)
    return Fitted(bound[0], cov[0], bound[1], cov[1], chi2, counts[0], counts[1], np.nan)


def _giver(things: dict[str, Any]) -> Any:
    """An algorithm that hands these objects to the others under their names."""
    import acts.examples

    class Giver(acts.examples.IAlgorithm):  # type: ignore[misc]
        def __init__(self) -> None:
            acts.examples.IAlgorithm.__init__(self, "Giver", acts.logging.ERROR)
            kinds = {name: type(thing) for name, thing in things.items()}
            self.handles = {name: acts.examples.WriteDataHandle(self, kind, name) for name, kind in kinds.items()}
            for name, handle in self.handles.items():
                handle.initialize(name)

        def execute(self, context: Any) -> Any:
            for name, handle in self.handles.items():
                handle(context, things[name])
            return acts.examples.ProcessCode.SUCCESS

    return Giver()


def _taker(kind: Any, name: str, use: Callable[[Any], None]) -> Any:
    """An algorithm that calls `use` with the object of this kind and name."""
    import acts.examples

    class Taker(acts.examples.IAlgorithm):  # type: ignore[misc]
        def __init__(self) -> None:
            acts.examples.IAlgorithm.__init__(self, "Taker", acts.logging.ERROR)
            self.handle = acts.examples.ReadDataHandle(self, kind, name)
            self.handle.initialize(name)

        def execute(self, context: Any) -> Any:
            use(self.handle(context.eventStore))
            return acts.examples.ProcessCode.SUCCESS

    return Taker()


def _sequence(algorithms: list[Any]) -> dict[str, float]:
    """One event on one thread; the seconds of every algorithm, as ACTS counts them."""
    import acts.examples

    with tempfile.TemporaryDirectory() as folder:
        sequencer = acts.examples.Sequencer(
            events=1, numThreads=1, logLevel=acts.logging.ERROR, outputDir=folder, trackFpes=False
        )
        for algorithm in algorithms:
            sequencer.addAlgorithm(algorithm)
        sequencer.run()
        with (Path(folder) / "timing.csv").open() as table:
            rows = list(csv.DictReader(table))
    return {row["identifier"].split(":")[-1]: float(row["time_perevent_s"]) for row in rows}
