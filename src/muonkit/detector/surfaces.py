"""Planes, cylinders and discs: local frames, crossings with straight lines, derivatives by displacements.

A surface has a centre c and an orthonormal right-handed frame (u, v, w), the rows of `axes`. Local coordinates of x:

    plane, disc   ((x - c).u, (x - c).v)                        w is the normal; so for a trapezoid
    cylinder      (R phi, (x - c).w), phi = atan2(.v, .u)       w is the axis, the normal points outwards

A disc differs from a plane only in its bounds, which are radii, and may have a dead cross; its local coordinates stay
Cartesian, so that no derivative is singular in its middle. It may be one quadrant, where both are positive. A trapezoid
is a plane that grows wider along v. Lengths cm.
All functions work on rows: `ids[i]` is the surface of row i."""

from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray, IntArray

PLANE, CYLINDER, DISC, TRAPEZOID = 0, 1, 2, 3
KINDS = ("plane", "cylinder", "disc", "trapezoid")
WHOLE, QUADRANT = 0.0, 1.0  # last of the bounds of a disc


class SurfaceArrays(NamedTuple):
    """One row per surface.

    kind, material, n_measured (n,); center (n, 3) [cm]; axes (n, 3, 3); radius (n,) of cylinders [cm], else 0; bounds
    (n, 4) [cm]: (loc0_min, loc0_max, loc1_min, loc1_max), for discs (r_min, r_max, cross, WHOLE or QUADRANT) with
    nothing where |loc0| or |loc1| < cross, in a QUADRANT where loc0 or loc1 < cross, for trapezoids (half width at loc1
    = 0, its growth per cm of loc1, loc1_min, loc1_max); thickness (n,) [cm] of `material` at normal incidence;
    n_measured: 0, 1 or 2 coordinates; projection (n, 2, 2): its rows are the measured directions in (loc0, loc1); sigma
    (n, 2) [cm]: their resolutions. What is not measured is 0."""

    kind: IntArray
    center: FloatArray
    axes: FloatArray
    radius: FloatArray
    bounds: FloatArray
    material: IntArray
    thickness: FloatArray
    n_measured: IntArray
    projection: FloatArray
    sigma: FloatArray


def in_frame(surfaces: SurfaceArrays, ids: IntArray, points: FloatArray) -> FloatArray:
    """Components (n, 3) [cm] of points (n, 3) minus centre along u, v, w."""
    return np.einsum("nij,nj->ni", surfaces.axes[ids], points - surfaces.center[ids])


def to_local(surfaces: SurfaceArrays, ids: IntArray, points: FloatArray) -> FloatArray:
    """Local coordinates (n, 2) [cm] of global points (n, 3) [cm]. A point off the surface is projected along the
    normal."""
    framed = in_frame(surfaces, ids, points)
    arc = surfaces.radius[ids] * np.arctan2(framed[:, 1], framed[:, 0])
    rolled = np.stack((arc, framed[:, 2]), axis=1)
    return np.where(_curved(surfaces, ids)[:, None], rolled, framed[:, :2])


def to_global(surfaces: SurfaceArrays, ids: IntArray, local: FloatArray) -> FloatArray:
    """Global points (n, 3) [cm] of local coordinates (n, 2) [cm]."""
    curved, radius = _curved(surfaces, ids), surfaces.radius[ids]
    phi = local[:, 0] / np.where(curved, radius, 1.0)
    rolled = np.stack((radius * np.cos(phi), radius * np.sin(phi), local[:, 1]), axis=1)
    flat = np.stack((local[:, 0], local[:, 1], np.zeros(len(local))), axis=1)
    framed = np.where(curved[:, None], rolled, flat)
    return surfaces.center[ids] + np.einsum("nij,ni->nj", surfaces.axes[ids], framed)


def normal(surfaces: SurfaceArrays, ids: IntArray, points: FloatArray) -> FloatArray:
    """Unit normals (n, 3) at points (n, 3) [cm]: w for planes and discs, away from the axis for cylinders, NaN on
    it."""
    axes, framed = surfaces.axes[ids], in_frame(surfaces, ids, points)
    curved = _curved(surfaces, ids)
    rho = np.hypot(framed[:, 0], framed[:, 1])
    outwards = framed[:, :1] * axes[:, 0] + framed[:, 1:2] * axes[:, 1]
    outwards /= np.where(rho == 0, np.nan, rho)[:, None]
    return np.where(curved[:, None], outwards, axes[:, 2])


def distance(surfaces: SurfaceArrays, ids: IntArray, points: FloatArray) -> FloatArray:
    """Signed distance (n,) [cm] of points (n, 3) from their surfaces, positive along the normal."""
    framed = in_frame(surfaces, ids, points)
    rho = np.hypot(framed[:, 0], framed[:, 1])
    return np.where(_curved(surfaces, ids), rho - surfaces.radius[ids], framed[:, 2])


def intersect_line(
    surfaces: SurfaceArrays, ids: IntArray, points: FloatArray, directions: FloatArray, minimum: float = 0.0
) -> FloatArray:
    """Path (n,) [cm] from points (n, 3) along unit directions (n, 3) to the first crossing at `minimum` [cm] or more;
    inf if there is none.

    Bounds are ignored: see `inside`."""
    x = in_frame(surfaces, ids, points)
    t = np.einsum("nij,nj->ni", surfaces.axes[ids], directions)
    first, second = roll_crossings(x[:, :2], t[:, :2], surfaces.radius[ids])
    flat = flat_crossing(x[:, 2], t[:, 2])
    rolled = np.where(first >= minimum, first, np.where(second >= minimum, second, np.inf))
    return np.where(_curved(surfaces, ids), rolled, np.where(flat >= minimum, flat, np.inf))


def flat_crossing(height: FloatArray, slope: FloatArray) -> FloatArray:
    """Path (...,) of a line to height 0, for height (...,) [cm] and slope (...,); inf for a line that runs parallel."""
    parallel = slope == 0
    return np.where(parallel, np.inf, -height / np.where(parallel, 1.0, slope))


def roll_crossings(x: FloatArray, t: FloatArray, radius: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The two paths (...,), the smaller first, of lines x + path t (..., 2) to the circle of `radius` [cm] around 0;
    inf for a miss."""
    along = np.sum(t * t, axis=-1)
    half = np.sum(x * t, axis=-1)
    # R^2 t^2 - (x cross t)^2 instead of b^2 - ac, which loses the tangent line to cancellation
    squared = along * radius**2 - (x[..., 0] * t[..., 1] - x[..., 1] * t[..., 0]) ** 2
    misses = (squared < 0) | (along == 0)
    outer = -(half + np.copysign(np.sqrt(np.where(misses, 0.0, squared)), half))
    far = outer / np.where(along == 0, 1.0, along)
    rho = np.hypot(x[..., 0], x[..., 1])
    near = np.where(outer == 0, far, (rho - radius) * (rho + radius) / np.where(outer == 0, 1.0, outer))
    return np.where(misses, np.inf, np.minimum(far, near)), np.where(misses, np.inf, np.maximum(far, near))


def inside(surfaces: SurfaceArrays, ids: IntArray, local: FloatArray, margin: float = 0.0) -> BoolArray:
    """Which local points (n, 2) [cm] lie within the bounds, (n,). `margin` [cm] widens the bounds; a negative one
    narrows them."""
    bounds = edges_at(surfaces, ids, local[:, 1])
    radial = surfaces.kind[ids] == DISC
    first = np.where(radial, np.hypot(local[:, 0], local[:, 1]), local[:, 0])
    whole = radial & (bounds[:, 3] == WHOLE)
    second = np.where(radial, np.where(whole[:, None], np.abs(local), local).min(axis=1), local[:, 1])
    lowest = np.where(whole & (bounds[:, 2] == 0), -np.inf, bounds[:, 2] - margin)  # without a cross
    highest = np.where(radial, np.inf, bounds[:, 3] + margin)
    return (
        (first >= bounds[:, 0] - margin) & (first <= bounds[:, 1] + margin) & (second >= lowest) & (second <= highest)
    )


def edges_at(surfaces: SurfaceArrays, ids: IntArray, loc1: FloatArray) -> FloatArray:
    """Bounds (n, 4) [cm] as those of a rectangle that is as wide as the surface at loc1 (n,) [cm]."""
    bounds = surfaces.bounds[ids]
    half = bounds[:, 0] + bounds[:, 1] * loc1
    tapered = np.column_stack((-half, half, bounds[:, 2:]))
    return np.where((surfaces.kind[ids] == TRAPEZOID)[:, None], tapered, bounds)


def measured_spans(surfaces: SurfaceArrays) -> FloatArray:
    """Lowest and highest value (n, 2, 2) [cm] of either measured coordinate on each surface; 0 where none is
    measured."""
    ids = np.arange(len(surfaces.kind))
    corners = []
    for end in (2, 3):
        bounds = edges_at(surfaces, ids, surfaces.bounds[:, end])
        corners += [np.stack((bounds[:, side], bounds[:, end]), axis=1) for side in (0, 1)]
    values = np.einsum("nij,cnj->cni", surfaces.projection, np.stack(corners))
    around = np.linalg.norm(surfaces.projection, axis=2) * surfaces.bounds[:, 1:2]  # of a disc
    radial = (surfaces.kind == DISC)[:, None]
    whole = radial & (surfaces.bounds[:, 3:] == WHOLE)
    low = np.where(radial, np.where(whole, -around, 0.0), values.min(axis=0))
    high = np.where(radial, around, values.max(axis=0))
    return np.stack((low, high), axis=1)


def by_displacement(surfaces: SurfaceArrays, ids: IntArray, local: FloatArray, directions: FloatArray) -> FloatArray:
    """Derivatives (n, 2, 6) of the point where a track crosses a plane, in the frame of the plane, by displacements of
    the plane: translation along u, v, w [cm/cm] and rotation around them [cm/rad], as `distort.Misalign` makes them.

    local (n, 2) [cm]: the point; directions (n, 3): of the track, global. For what measures along P, multiply by P.
    Not for cylinders. Karimaki et al., CMS CR-2003/022, eq. 4."""
    t = np.einsum("nij,nj->ni", surfaces.axes[ids], directions)
    slope, zero, one = t[:, :2] / t[:, 2:], np.zeros(len(local)), np.ones(len(local))
    u, v = local.T
    # a displaced plane: c -> c + A^T (shift + turn x point), and its axes turn along
    in_plane = np.stack((np.column_stack((-one, zero)), np.column_stack((zero, -one))), axis=2)
    about_w = np.column_stack((v, -u))[:, :, None]
    height = np.column_stack((one, v, -u))[:, None, :]  # of the plane at the point: by w, by turns around u and v
    by_height = slope[:, :, None] * height
    return np.concatenate((in_plane, by_height, about_w), axis=2)


def _curved(surfaces: SurfaceArrays, ids: IntArray) -> BoolArray:
    return surfaces.kind[ids] == CYLINDER
