"""Fields to put every claim to, and points in their volume."""

import numpy as np

from muonkit.detector.field import (
    Box,
    Confined,
    Correction,
    Cylinder,
    Field,
    Gaussian,
    Harmonic,
    MapRZ,
    MapXYZ,
    Parametrised,
    Scaled,
    Solenoid,
    Sum,
    Uniform,
    cms_like,
    read_iron,
)

R, Z = np.linspace(0, 120, 13), np.linspace(-300, 300, 31)
X = np.linspace(-120, 120, 13)
SHEET = Solenoid(424.326, 1502.01, 3.81492, 1.78712)
SMALL = Solenoid(60.0, 200.0, 2.0, 10.0)
SERIES = Harmonic((Gaussian(0.3, 40.0, 150.0), Gaussian(-0.1, -90.0, 220.0)), 5.0)


def factors(*axes):
    """Smooth factors around 1 on a grid, without any symmetry."""
    places = np.meshgrid(*axes, indexing="ij")
    return 1 + 0.01 * sum(np.sin(0.013 * (k + 1) * place + 0.4) for k, place in enumerate(places))


RZ_FACTORS = Correction.of((R, Z), factors(R, Z))
XYZ_FACTORS = Correction.of((X, X, Z), factors(X, X, Z), "linear")
MAXWELLIAN: dict[str, Field] = {"sheet": SHEET, "small sheet": SMALL, "series": SERIES, "cms-like": cms_like()}
SMOOTH: dict[str, Field] = {
    **MAXWELLIAN,
    "uniform": Uniform((0.1, -0.2, 3.0)),
    "published": Parametrised(),
    "rz map": MapRZ.sampled(SHEET, R, Z),
    "mirrored map": MapRZ.sampled(Solenoid(200.0, 500.0, 1.5), R, Z[15:], mirrored=True),
    "xyz map": MapXYZ.sampled(SHEET, X, X, Z),
    "scaled": Scaled(SHEET, 1.02),
    "corrected in rz": Scaled(SHEET, RZ_FACTORS),
    "corrected in xyz": Scaled(SHEET, Correction.of((X, X, Z), factors(X, X, Z))),
    "sum": Sum((SHEET, SERIES, Scaled(Uniform((0.0, 0.0, 0.1)), 2.0))),
}
EVERY: dict[str, Field] = {
    **SMOOTH,
    "nothing": Sum(()),
    "linear rz map": MapRZ.sampled(SHEET, R, Z, "linear"),
    "linear xyz map": MapXYZ.sampled(SHEET, X, X, Z, "linear"),
    "iron": read_iron(None, "field"),
    "plate": Confined(Uniform((0.0, 1.5, 0.0)), Box(z_min=10.0, z_max=14.7)),
    "confined twice": Confined(Confined(SHEET, Cylinder(10, 90, -100, 100)), Cylinder(0, 70, -50, 200)),
    "box in cylinder": Confined(Confined(SHEET, Cylinder(z_min=-100, z_max=100)), Box(0, 60, -30, 90)),
    "corrected twice": Scaled(Scaled(Sum((SHEET, Scaled(SERIES, XYZ_FACTORS))), RZ_FACTORS), XYZ_FACTORS),
    "map and iron": Sum((Confined(MapRZ.sampled(SHEET, R, Z), Cylinder(0, 100, -250, 250)), read_iron(None, "field"))),
}


def points(n: int = 500, seed: int = 1, half=(60.0, 60.0, 270.0)):
    """Places in a tracker [cm], the origin and one very close to the axis among them."""
    places = np.random.default_rng(seed).uniform(-1, 1, (n, 3)) * np.array(half)
    places[:2] = [[0, 0, 0], [1e-11, 0, 50]]
    return places


def differences(function, places, step=0.02):
    """Central differences of fourth order: d function / d x_j as the last axis."""
    shifts = step * np.eye(3)
    one = [function(places + s) - function(places - s) for s in shifts]
    two = [function(places + 2 * s) - function(places - 2 * s) for s in shifts]
    return np.stack([(8 * a - b) / (12 * step) for a, b in zip(one, two, strict=True)], axis=-1)


def divergence(gradient):
    return np.trace(gradient, axis1=1, axis2=2)


def curl(gradient):
    turned = gradient - np.swapaxes(gradient, 1, 2)
    return np.stack([turned[:, 2, 1], turned[:, 0, 2], turned[:, 1, 0]], axis=1)
