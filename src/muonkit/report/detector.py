"""Pictures of a detector: along the beam, across it, and its material against eta. Lengths cm."""

from collections.abc import Iterable, Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Polygon, Rectangle
from matplotlib.path import Path

from muonkit.core.arrays import FloatArray
from muonkit.detector.coverage import cylindrical
from muonkit.detector.detector import Detector
from muonkit.detector.modules import corners
from muonkit.detector.surfaces import CYLINDER, DISC, PLANE
from muonkit.detector.volumes import CONES, RHO, ROUND, VolumeArrays, edges_of, materials_of, sides_of, walls
from muonkit.report.style import BLUE, GREY, INK, ORANGE, WIDTH, blank, head, styled

COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#F0E442", "#0072B2", "#D55E00", "#9C755F", "#B9C4CE", "#7A5195")
PALE = (
    "#F3CF9B",
    "#DDE8C8",
    "#CFE0F0",
    "#F4E8A8",
    "#E6D6EC",
    "#F4D3CB",
    "#CDE8E0",
    "#E4DACF",
    "#C9B8DC",
    "#9FC3B4",
    "#E8A49C",
    "#9DB7D6",
)  # sensors stand out on it
PLAIN = {"iron": "#B4B8BF", "air": "white", "vacuum": "white"}
LOOKS = {True: (BLUE, "sensors"), False: (ORANGE, "passive")}
ETAS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
SMOOTH = 180  # corners of what is drawn as a circle
Segment = FloatArray


@styled
def longitudinal(detector: Detector) -> Figure:
    """r against z: volumes by material, surfaces with sensors and without, rays of equal eta."""
    figure, axes = _wide()
    _, z_min, z_max = detector.envelope
    r_max = reach(detector)
    for block in range(len(detector.blocks)):
        longitudinal_block(axes, detector, block)
    surfaces = detector.surfaces
    lines = [_in_rz(detector, i) for i in range(len(detector.layers))]
    _draw(axes, lines, surfaces.n_measured > 0)
    _rays(axes, (z_min, z_max), r_max)
    _without_field(axes, detector)
    axes.set_xlim(z_min, z_max)
    axes.set_ylim(0, r_max)
    axes.set_xlabel("z [cm]")
    axes.set_ylabel("r [cm]")
    head(axes, detector.title, r"along the beam, with rays of equal $\eta$")
    legend(axes, detector)
    return figure


def _without_field(axes: Axes, detector: Detector) -> None:
    """Hatches where a field map leaves the envelope without field, at any azimuth."""
    r_max, z_min, z_max = detector.envelope
    r, phi, z = np.linspace(0, r_max, 101), np.arange(16.0) * np.pi / 8, np.linspace(z_min, z_max, 201)
    missing = np.zeros((len(r), len(z)), np.bool_)
    for placed in detector.maps:
        missing |= placed.missing(cylindrical(r, phi, z)).reshape(len(r), len(phi), len(z)).any(axis=1)
    if missing.any():
        axes.contourf(z, r, missing.astype(np.float64), [0.5, 1.5], colors="none", hatches=["///"])
        axes.add_patch(
            Rectangle((0, 0), 0, 0, facecolor="none", edgecolor=INK, hatch="///", lw=0.2, label="no field map")
        )


@styled
def transverse(detector: Detector, z: float) -> Figure:
    """y against x of what there is at z [cm]."""
    figure = Figure(figsize=(6.2, 6.4), layout="constrained")
    axes = figure.add_subplot(aspect="equal")
    r_max = reach(detector)
    for block in range(len(detector.blocks)):
        transverse_block(axes, detector, block, z)
    spans = [span(detector, i) for i in range(len(detector.layers))]
    chosen = [i for i, (low, high) in enumerate(spans) if low <= z <= high]
    _draw(axes, [_in_xy(detector, i) for i in chosen], detector.surfaces.n_measured[chosen] > 0)
    _draw_petals(axes, detector, z)
    axes.set_xlim(-r_max, r_max)
    axes.set_ylim(-r_max, r_max)
    axes.set_xlabel("x [cm]")
    axes.set_ylabel("y [cm]")
    head(axes, detector.title, f"across the beam, z = {z:.3g} cm")
    legend(axes, detector)
    return figure


def _draw_petals(axes: Axes, detector: Detector, z: float) -> None:
    """Outlines of the modules across the beam that belong to layers at z [cm]."""
    index, surfaces = detector.modules, detector.surfaces
    here = index.radial & (index.shell[:, 2] <= z) & (index.shell[:, 3] >= z)
    chosen = np.flatnonzero((index.layer_of >= 0) & np.append(here, False)[index.layer_of])
    shape = surfaces.center[chosen], surfaces.axes[chosen], surfaces.bounds[chosen]
    closed = corners(surfaces.kind[chosen], *shape)[:, [0, 1, 2, 3, 0], :2]
    axes.add_collection(LineCollection(list(closed), colors=BLUE, linewidths=0.6, zorder=3))


def endcap(detector: Detector) -> float | None:
    """The z [cm] of the layer across the beam that has most modules; None if there is none."""
    index = detector.modules
    if not index.radial.any():
        return None
    count = np.bincount(index.layer_of[index.layer_of >= 0], minlength=len(index.radial)) * index.radial
    return float(index.shell[np.argmax(count), 2:].mean())


@styled
def material_budget(eta: FloatArray, budget: Mapping[str, FloatArray], title: str) -> Figure:
    """x/X0 against eta, one part of the detector on the other."""
    figure, axes = blank(WIDTH * 1.4, 4.0)
    base = np.zeros(len(eta))
    for i, (name, values) in enumerate(budget.items()):
        top = base + values
        axes.fill_between(eta, base, top, color=COLOURS[i % len(COLOURS)], linewidth=0, label=name, step="mid")
        base = top
    axes.step(eta, base, where="mid", color=INK, linewidth=1.0)
    axes.set_xlim(eta[0], eta[-1])
    axes.set_ylim(0, 1.42 * max(float(base.max()), 1e-3))
    axes.set_xlabel(r"$\eta$")
    axes.set_ylabel(r"$x/X_0$")
    head(axes, title, r"straight lines from the origin, $\phi = 0$")
    handles, names = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], names[::-1], loc="upper center", ncols=4, columnspacing=1.0, handletextpad=0.5)
    return figure


def _wide() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(8.6, 4.8), layout="constrained")
    return figure, figure.add_subplot()


def reach(detector: Detector) -> float:
    """The largest r worth showing."""
    return 1.02 * detector.envelope[0]


def colour(detector: Detector, material: int) -> str:
    """One colour per material of a detector; iron is grey, vacuum and air are white."""
    name = detector.materials[material].name
    return PLAIN.get(name) or PALE[material % len(PALE)]


def longitudinal_block(axes: Axes, detector: Detector, block: int) -> None:
    volumes = detector.volumes
    z0, edges = float(volumes.z0[block]), edges_of(volumes, block)
    if volumes.sides[block] == CONES:
        axes.add_patch(_between_cones(detector, block))
        return
    for low, high, material in zip(edges[:-1], edges[1:], materials_of(volumes, block), strict=True):
        r, z = (low, high), (volumes.z_min[block], volumes.z_max[block])
        if volumes.axis[block] != RHO:
            r, z = (volumes.rho_min[block], volumes.rho_max[block]), (low, high)
        corner = (z[0] + z0, r[0])
        axes.add_patch(
            Rectangle(corner, z[1] - z[0], r[1] - r[0], facecolor=colour(detector, material), edgecolor=GREY, lw=0.2)
        )


def _between_cones(detector: Detector, block: int) -> Polygon:
    volumes = detector.volumes
    ends = np.array([volumes.z_min[block], volumes.z_max[block]])
    inner, outer = walls(volumes, block, ends)
    z = ends + volumes.z0[block]
    corners = np.stack((np.concatenate((z, z[::-1])), np.concatenate((inner, outer[::-1]))), axis=1)
    filling = colour(detector, int(materials_of(volumes, block)[0]))
    return Polygon(corners, facecolor=filling, edgecolor=GREY, lw=0.2)


def transverse_block(axes: Axes, detector: Detector, block: int, z: float) -> None:
    volumes = detector.volumes
    z_here = z - volumes.z0[block]
    if not volumes.z_min[block] <= z_here < volumes.z_max[block]:
        return
    edges, materials = edges_of(volumes, block), materials_of(volumes, block)
    if volumes.axis[block] != RHO:
        index = int(np.searchsorted(edges, z_here, side="right")) - 1
        edges = np.array([volumes.rho_min[block], volumes.rho_max[block]])
        materials = materials[index : index + 1]
    if volumes.sides[block] == CONES:
        edges = np.stack(walls(volumes, block, np.asarray(z_here)))
    for low, high, material in zip(edges[:-1], edges[1:], materials, strict=True):
        outline = _outline(volumes, block, low, high)
        axes.add_patch(PathPatch(outline, facecolor=colour(detector, material), edgecolor=GREY, lw=0.2))


def _outline(volumes: VolumeArrays, block: int, low: float, high: float) -> Path:
    sides, half = int(volumes.sides[block]), float(volumes.half_width[block])
    if np.isinf(half):
        return _ring(max(sides, ROUND), float(volumes.phi0[block]), low, high)
    box = np.array([(low, -half), (high, -half), (high, half), (low, half), (low, -half)])
    normals = sides_of(volumes, block)
    frames = np.stack((normals, normals @ np.array([[0.0, 1.0], [-1.0, 0.0]])), axis=1)
    return Path.make_compound_path(*(Path(box @ frame, closed=True) for frame in frames))


def _ring(sides: int, phi0: float, low: float, high: float) -> Path:
    count = SMOOTH if sides == ROUND else sides
    phi = phi0 + (2 * np.arange(count + 1) + 1) * np.pi / count
    corner = np.stack((np.cos(phi), np.sin(phi)), axis=1) / np.cos(np.pi / count)
    outer, inner = high * corner, low * corner[::-1]
    codes = [Path.MOVETO, *[Path.LINETO] * (count - 1), Path.CLOSEPOLY]
    return Path(np.concatenate((outer, inner)), codes + codes)


def _in_rz(detector: Detector, i: int) -> Segment:
    """The surface as a segment (2, 2) of z, r."""
    surfaces = detector.surfaces
    center, axes, bounds = surfaces.center[i], surfaces.axes[i], surfaces.bounds[i]
    z = center[2]
    if surfaces.kind[i] == CYLINDER:
        r = surfaces.radius[i]
        return np.array([[z + bounds[2], r], [z + bounds[3], r]])
    if surfaces.kind[i] == DISC:
        return np.array([[z, bounds[0]], [z, bounds[1]]])
    u, v = axes[0], axes[1]
    low, high = (bounds[0], bounds[1]) if abs(u[2]) > abs(v[2]) else (bounds[2], bounds[3])
    ends = center + np.array([low, high])[:, None] * (u if abs(u[2]) > abs(v[2]) else v)
    return np.stack((ends[:, 2], np.hypot(ends[:, 0], ends[:, 1])), axis=1)


def _in_xy(detector: Detector, i: int) -> Segment:
    """The surface as a line (n, 2) of x, y."""
    surfaces = detector.surfaces
    center, axes, bounds = surfaces.center[i], surfaces.axes[i], surfaces.bounds[i]
    if surfaces.kind[i] == PLANE:
        return (center + bounds[:2, None] * axes[0])[:, :2]
    phi = np.linspace(bounds[0], bounds[1], SMOOTH + 1) / surfaces.radius[i]
    arc = surfaces.radius[i] * (np.cos(phi)[:, None] * axes[0] + np.sin(phi)[:, None] * axes[1])
    return (center + arc)[:, :2]


def span(detector: Detector, i: int) -> tuple[float, float]:
    """From where to where [cm] a surface reaches along z; of what stands across z, nothing."""
    surfaces = detector.surfaces
    z, bounds, along = surfaces.center[i, 2], surfaces.bounds[i], surfaces.axes[i, :, 2]
    if surfaces.kind[i] == CYLINDER:
        return z + bounds[2], z + bounds[3]
    if surfaces.kind[i] == DISC or abs(along[2]) > 0.5:
        return np.inf, -np.inf
    ends = z + (along[0] * bounds[:2] if abs(along[0]) > abs(along[1]) else along[1] * bounds[2:])
    return float(ends.min()), float(ends.max())


def barrel(detector: Detector) -> float:
    """The z [cm] near 0 at which most surfaces and blocks are to be seen."""
    volumes = detector.volumes
    surfaces = np.array([span(detector, i) for i in range(len(detector.layers))]).reshape(-1, 2)
    blocks = np.stack((volumes.z0 + volumes.z_min, volumes.z0 + volumes.z_max), axis=1)
    spans = np.concatenate((surfaces, blocks))
    candidates = np.linspace(detector.envelope[1], detector.envelope[2], 41)
    count = np.sum((spans[:, 0, None] <= candidates) & (candidates <= spans[:, 1, None]), axis=0)
    best = candidates[count == count.max()]
    return float(best[np.argmin(np.abs(best))])


def _draw(axes: Axes, lines: list[Segment], measured: Iterable[bool]) -> None:
    flags = list(measured)
    for flag, (line_colour, _) in LOOKS.items():
        chosen = [line for line, sensors in zip(lines, flags, strict=True) if bool(sensors) == flag]
        axes.add_collection(LineCollection(chosen, colors=line_colour, linewidths=1.1 if flag else 0.9, zorder=3))


def _rays(axes: Axes, z: tuple[float, float], r_max: float) -> None:
    for eta in (*(-eta for eta in ETAS if eta), *ETAS):
        slope = np.sinh(eta)
        end = min(r_max, (z[1] if eta > 0 else z[0]) / slope) if slope else r_max
        axes.plot([0, slope * end], [0, end], color=INK, linewidth=0.6, linestyle=(0, (1, 3)), zorder=4)
        axes.text(
            0.96 * slope * end, 0.96 * end, f"{eta:.1f}", ha="center", va="center", fontsize=7, zorder=5,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
        )  # fmt: skip


def legend(axes: Axes, detector: Detector) -> None:
    used = [m for m in dict.fromkeys(detector.volumes.material.tolist()) if colour(detector, m) != "white"]
    for material in used:
        name = detector.materials[material].name.replace("_", " ")
        axes.add_patch(
            Rectangle((0, 0), 0, 0, facecolor=colour(detector, material), edgecolor=GREY, lw=0.2, label=name)
        )
    for flag, (line_colour, name) in LOOKS.items():
        if np.any((detector.surfaces.n_measured > 0) == flag):
            axes.plot([], [], color=line_colour, label=name)
    axes.figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=5, columnspacing=1.2, handlelength=1.3
    )
