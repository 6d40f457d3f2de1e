"""What matter does: against the formulas of the transport, SciPy's Landau, and collisions counted one by one."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, special, stats
from tests.detector import blocks
from tests.simulation import setups

from muonkit.core.particles import species as species_of
from muonkit.core.units import CURVATURE
from muonkit.detector.field import Box, Confined, Uniform
from muonkit.detector.material import arrays, library
from muonkit.detector.volumes import RHO
from muonkit.simulation.kernels import matter
from muonkit.simulation.nuclei import nuclei
from muonkit.simulation.tracker import step
from muonkit.simulation.tracker.step import Physics, follow
from muonkit.transport.interactions import ionisation, scattering, straggling
from muonkit.transport.interactions.tables import mean_loss

MUON = species_of("mu").mass
RARE = 1e-3  # right physics fails with one seed in a thousand
SILICON, IRON = library()["silicon"], library()["iron"]
THIN = 0.032  # cm
NEAR = (30.0, -30.0, 30.0)
NAMES = ("silicon", "iron", "polystyrene", "aluminium", "air", "CsI", "beryllium")
MEAN = Physics(energy_loss="mean", scattering="none")
LANDAU = Physics(energy_loss="landau", scattering="none")
KNOCKS = Physics(energy_loss="none", scattering="gaussian")
TAILS = Physics(energy_loss="none", scattering="tails")


def energies(truth, n, mass=MUON):
    """(tracks, n) at n surfaces that all have met."""
    return np.hypot(1 / truth.qop.reshape(-1, n), mass)


def sheet(n, p, physics, thickness=THIN, material="silicon", seed=1, name="mu"):
    """n particles of one momentum through a sheet; as they arrive at a surface 10 cm behind."""
    detector = setups.detector(
        setups.plane(5.0, thickness=thickness), setups.plane(15.0), matter=(material,), envelope=NEAR
    )
    return follow(detector, setups.beam(n, p), name, seed, physics)


def losses(n, p, physics, name="mu", **kwargs):
    E = energies(sheet(n, p, physics, name=name, **kwargs), 2, species_of(name).mass)
    return E[:, 0] - E[:, 1]


def block(length, sides=0, inner=5.0):
    """Iron from `inner` to `inner` + length around the z axis, seen by cylinders or planes before and behind."""
    edges = (inner, inner + length)
    volumes = blocks.slices(edges, (1,), axis=RHO, sides=sides)
    return setups.detector(
        setups.plane(inner), setups.plane(inner + length), volumes=volumes, matter=("iron",), envelope=NEAR
    )


# ------------------------------------------------------------------------------------------------------------ mean loss
@pytest.mark.parametrize(("name", "highest"), [("mu", 1000), ("p", 1000), ("pi", 30), ("K", 100), ("d", 1000)])
def test_mean_loss_is_that_of_the_transport(name, highest):
    # pions, kaons and deuterons lack the spin term that the transport has for all: 0.5 % at these momenta
    mass = species_of(name).mass
    p = np.geomspace(0.1 * mass, highest, 60)
    particle = matter.Particle(mass, float(name in step.SPIN_HALF))
    table = arrays([library()[one] for one in NAMES])
    for i, material in enumerate(NAMES):
        mine = [matter.stopping_power(table, i, q, particle) for q in p]
        np.testing.assert_allclose(mine, mean_loss(library()[material], name, p, radiation=False)[0], rtol=5e-3)


@pytest.mark.parametrize("p", [0.4, 2.0, 50.0])
@pytest.mark.parametrize("sides", [0, 8])
def test_a_block_takes_the_energy_that_its_length_costs(p, sides):
    truth = follow(block(10.0, sides), setups.beam(1, p), "mu", 1, MEAN)
    before, after = energies(truth, 2)[0]
    length, _ = integrate.quad(
        lambda E: 1 / mean_loss(IRON, "mu", np.array([np.sqrt(E * E - MUON**2)]), radiation=False)[0][0], after, before
    )
    assert length == pytest.approx(10.0, rel=2e-4)  # (share of a leg)^2/2 of its loss


def test_oblique_tracks_pay_for_their_longer_way():
    for slant in (0.0, 0.5, 1.5):
        detector = setups.detector(setups.plane(5.0, thickness=THIN), setups.plane(15.0), envelope=NEAR)
        truth = follow(detector, setups.beam(1, 5.0, along=(1, 0, slant)), "mu", 1, MEAN)
        before, after = energies(truth, 2)[0]
        length = THIN * np.sqrt(1 + slant**2)
        expected = length * mean_loss(SILICON, "mu", np.array([5.0]), radiation=False)[0][0]
        assert before - after == pytest.approx(expected, rel=1e-3)


def test_loss_through_magnetised_plates_is_what_scipy_integrates():
    # dp/ds = q B x t - t S E/p, the field in the iron only
    parts = blocks.slices((5.0, 15.0, 20.0, 30.0), (1, 0, 1))
    field = Confined(Uniform((0, 1.5, 0)), Box(z_min=5.0, z_max=15.0))
    detector = setups.detector(setups.disc(35.0, 100.0), field=field, volumes=parts, matter=("iron",))
    truth = follow(detector, setups.beam(1, 2.0, along=(0, 0, 1)), "mu", 1, MEAN.model_copy(update={"leg_depth": 0.05}))

    def slope(_, y, B, dense):
        p = np.linalg.norm(y[3:])
        drag = dense * mean_loss(IRON, "mu", np.array([p]), radiation=False)[0][0] * np.hypot(p, MUON) / p
        return np.concatenate((y[3:], CURVATURE * np.cross(y[3:], B) - drag * y[3:])) / y[5]  # per z

    y = np.array([0, 0, 0, 0, 0, 2.0])
    for z0, z1, B, dense in ((0, 5, 0, 0), (5, 15, 1.5, 1), (15, 20, 0, 0), (20, 30, 0, 1), (30, 35, 0, 0)):
        y = solve(slope, z0, z1, y, np.array([0, B, 0]), dense)
    np.testing.assert_allclose(truth.position[0], y[:3], atol=2e-4)
    np.testing.assert_allclose(truth.direction[0] / truth.qop[0], y[3:], rtol=2e-4, atol=1e-5)


def solve(slope, z0, z1, y, B, dense):
    return integrate.solve_ivp(slope, (z0, z1), y, args=(B, dense), rtol=1e-9, atol=1e-12).y[:, -1]


# --------------------------------------------------------------------------------------------------------- fluctuations
@pytest.mark.parametrize("mode", ["gaussian", "landau"])
@pytest.mark.parametrize(("name", "p"), [("mu", 0.5), ("mu", 10.0), ("p", 1.5), ("K", 1.0)])
def test_fluctuations_have_the_mean_and_the_variance_of_the_formulas(mode, name, p):
    n, thickness, mass = 40_000, 0.5, species_of(name).mass
    lost = losses(
        n, p, LANDAU.model_copy(update={"energy_loss": mode}), thickness=thickness, material="iron", name=name
    )
    q = np.array([p])
    mean = thickness * mean_loss(IRON, name, q, radiation=False)[0][0]
    variance = straggling.variance(IRON, q, mass, thickness)[0]
    drift = 2e-3 * mean  # the sheet slows particles down on their way through it
    assert lost.mean() == pytest.approx(mean, abs=4 * np.sqrt(variance / n) + drift)
    hardest = ionisation.kinematics(q, mass).t_max[0]
    fourth = 3 * variance**2 + (mode == "landau") * variance * hardest**2 / 2
    assert lost.var() == pytest.approx(variance, abs=4 * np.sqrt((fourth - variance**2) / n) + 0.02 * variance)


def test_thin_silicon_gives_landaus_distribution():
    n, q = 20_000, np.array([20.0])
    lost = losses(n, 20.0, LANDAU)
    width = straggling.width(SILICON, q, MUON, THIN)[0]
    peak = ionisation.most_probable_loss(SILICON, q, MUON, THIN)[0]
    # SciPy's Landau of scale 1 is pi/2 x + ln(pi/2) in lambda; PDG's peak is at lambda = -0.2228
    x = ((lost - peak) / width - 0.2228 - np.log(np.pi / 2)) * 2 / np.pi
    assert stats.kstest(x, "landau").pvalue > RARE
    low, high = np.quantile(lost, (0.25, 0.75))
    assert high - low > 0.5 * straggling.LANDAU_FWHM * width  # it is no narrow Gaussian around the mean
    assert lost.mean() > np.median(lost) + width  # and it leans


def test_hard_collisions_are_as_frequent_as_rutherford_says():
    n, p = 40_000, 10.0
    lost = losses(n, p, LANDAU)
    q = np.array([p])
    k = ionisation.kinematics(q, MUON)
    width, t_max, beta2 = straggling.width(SILICON, q, MUON, THIN)[0], k.t_max[0], k.beta2[0]
    for threshold in (1e-3, 5e-3):
        count = width * (1 / threshold - 1 / t_max - beta2 / t_max * np.log(t_max / threshold))
        count += width * (t_max - threshold) / (2 * k.E[0] ** 2)
        expected = n * -np.expm1(-count)
        seen = np.sum(lost > threshold + 1.2e-4)  # with the loss of all the softer ones
        assert seen == pytest.approx(expected, abs=4 * np.sqrt(expected) + 0.02 * expected)


def test_the_more_collisions_the_less_the_loss_leans():
    # third moment of the collisions: xi Tmax^2 (1/2 - beta^2/3)
    q, mass, n = np.array([0.6]), species_of("p").mass, 20_000
    k = ionisation.kinematics(q, mass)
    for thickness in (0.05, 0.5):
        kappa = straggling.kappa(IRON, q, mass, thickness)[0]
        expected = (1 / 2 - k.beta2[0] / 3) / (1 - k.beta2[0] / 2) ** 1.5 / np.sqrt(kappa)
        lost = losses(n, 0.6, LANDAU, thickness=thickness, material="iron", name="p")
        assert stats.skew(lost) == pytest.approx(expected, abs=4 * np.sqrt(6 / n) + 0.1 * expected)


def test_a_loss_is_never_negative_and_does_not_depend_on_the_direction_of_the_charge():
    lost = losses(5000, 3.0, LANDAU)
    assert (lost > 0).all()
    detector = setups.detector(setups.plane(5.0, thickness=THIN), setups.plane(15.0), envelope=NEAR)
    beam = setups.beam(5000, 3.0)
    other = energies(follow(detector, replace(beam, charge=-beam.charge), "mu", 1, LANDAU), 2)
    np.testing.assert_allclose(other[:, 0] - other[:, 1], lost, rtol=1e-12)


# ----------------------------------------------------------------------------------------------------------- scattering
@pytest.mark.parametrize("p", [0.3, 1.0, 20.0])
def test_scattering_behind_a_sheet_is_highlands(p):
    n = 20_000
    truth = sheet(n, p, KNOCKS)
    bend = setups.angles(truth.direction[1::2])
    theta0 = np.sqrt(scattering.highland(np.array([THIN / SILICON.X0]), np.array([p]), MUON)[0])
    for column in np.arctan(bend).T:
        assert stats.kstest(column / theta0, "norm").pvalue > RARE
    np.testing.assert_allclose(truth.position[1::2, 1:], 10 * bend, atol=1e-9)  # at once, where the sheet is


@pytest.mark.parametrize("depth", [0.25, 3.0])
def test_a_block_scatters_like_highland_and_displaces_like_a_slab(depth):
    # PDG 2024 eqs. 34.20-34.22; legs as long as the whole block give the same
    n, length, p = 20_000, 4.7, 5.0
    truth = follow(block(length), setups.beam(n, p), "mu", 1, KNOCKS.model_copy(update={"leg_depth": depth}))
    bend, offset = setups.angles(truth.direction[1::2]), truth.position[1::2, 1:]
    variance = scattering.highland(np.array([length / IRON.X0]), np.array([p]), MUON)
    expected = scattering.displacement(variance, np.array([length]))[0]
    for a, b in zip(bend.T, offset.T, strict=True):
        measured = np.cov(b, a)
        error = 4 * np.sqrt(2 / n) * np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
        kurtosis = 3.0 if depth > 1 else 1.0  # one hinge at a random place is right in its variances only
        assert (np.abs(measured - expected) < kurtosis * error).all()


def test_scattering_is_the_same_all_round():
    truth = sheet(20_000, 1.0, KNOCKS)
    azimuth = np.arctan2(*setups.angles(truth.direction[1::2]).T)
    assert stats.kstest((azimuth + np.pi) / (2 * np.pi), "uniform").pvalue > RARE


def moliere(x, material, thickness, p, extended=True):
    """P(projected angle > x chi_c) of many screened Rutherford scatterings, and chi_c: the log of the characteristic
    function of their sum is -Omega (1 - k chi_a K1(k chi_a)), Omega = chi_c^2/chi_a^2, for nuclei that are points, plus
    the integral of what a form factor takes away."""
    one, beta2 = nuclei((material,)), p**2 / (p**2 + MUON**2)
    chi_c2 = one.strength[0] * thickness / (p**2 * beta2)
    a2 = one.screening[0] * (1 + 3.34 * one.coulomb[0] / beta2) / p**2 / chi_c2  # chi_alpha^2 in units of chi_c^2
    k = np.linspace(0, 12, 6001)
    u = np.maximum(k, 1e-9) * np.sqrt(a2)
    exponent = (u * special.k1(u) - 1) / a2
    if extended:
        log_w = np.linspace(np.log(1e-2), np.log(1e5), 701)
        w = np.exp(log_w)
        missing = (1 - (1 + p**2 * one.size[0] * chi_c2 * w) ** -4) * w / (w + a2) ** 2
        exponent += integrate.simpson(missing * (1 - special.j0(np.multiply.outer(k, np.sqrt(w)))), x=log_w)
    rows = np.exp(exponent) * np.sinc(np.multiply.outer(np.atleast_1d(x), k) / np.pi) * np.atleast_1d(x)[:, None]
    return 0.5 - integrate.simpson(rows, x=k) / np.pi, np.sqrt(chi_c2)


@pytest.mark.parametrize(("material", "thickness"), [("silicon", THIN), ("iron", 0.5), ("beryllium", 0.1)])
def test_scattering_with_tails_is_molieres(material, thickness):
    n, p, what = 40_000, 2.0, library()[material]
    truth = sheet(n, p, TAILS, thickness=thickness, material=material)
    grid = np.linspace(-20, 20, 801)
    above, chi_c = moliere(grid, what, thickness, p)
    angle = np.arctan(setups.angles(truth.direction[1::2])[:, 0]) / chi_c
    assert stats.kstest(angle, lambda x: np.interp(x, grid, 1 - above)).pvalue > RARE
    for far in (6, 12):
        expected = 2 * n * moliere(far, what, thickness, p)[0][0]
        assert np.sum(np.abs(angle) > far) == pytest.approx(expected, abs=4 * np.sqrt(expected))
    core = np.subtract(*np.quantile(angle, (0.84135, 0.15865))) / 2 * chi_c
    highland = np.sqrt(scattering.highland(np.array([thickness / what.X0]), np.array([p]), MUON)[0])
    assert core == pytest.approx(highland, rel=0.11)  # what PDG 2024 sec. 34.3 promises


def test_nuclei_are_extended():
    n, p, thickness = 40_000, 5.0, 5.0
    truth = sheet(n, p, TAILS, thickness=thickness, material="iron")
    (expected,), chi_c = 2 * n * moliere(12, IRON, thickness, p)[0], moliere(12, IRON, thickness, p)[1]
    (points,) = 2 * n * moliere(12, IRON, thickness, p, extended=False)[0]
    assert expected + 4 * np.sqrt(expected) < points
    seen = np.sum(np.abs(np.arctan(setups.angles(truth.direction[1::2])[:, 0])) > 12 * chi_c)
    assert seen == pytest.approx(expected, abs=4 * np.sqrt(expected))


def test_steps_through_a_block_add_up_with_tails_too():
    n, p = 20_000, 5.0
    widths = []
    for depth in (0.1, 3.0):
        truth = follow(block(4.7), setups.beam(n, p), "mu", 1, TAILS.model_copy(update={"leg_depth": depth}))
        angle = setups.angles(truth.direction[1::2]).ravel()
        widths.append(np.subtract(*np.quantile(angle, (0.84, 0.16))))
    assert widths[0] == pytest.approx(widths[1], rel=4 * 1.5 / np.sqrt(2 * 2 * n))


def test_vacuum_does_nothing():
    volumes = blocks.slices((5.0, 50.0), (0,), axis=RHO)
    detector = setups.detector(setups.plane(4.0), setups.plane(60.0), volumes=volumes)
    truth = follow(detector, setups.beam(10, 0.2), "mu", 1)
    np.testing.assert_array_equal(np.abs(truth.qop), 5.0)
    np.testing.assert_allclose(truth.direction, np.tile([1.0, 0, 0], (20, 1)), atol=1e-15)
