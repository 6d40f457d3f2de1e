"""`python -m tests.calibration.z_line`: how far built-in line and radiation are from PYTHIA's, as a bias of the mass.

One shape, smeared, is fitted with the template of another by muonkit's own density. mu and sigma are free, in the
columns "+ b" also an exponential background. Printed is mu - 1 in 1e-5, with the error of PYTHIA's statistics. These
are the tables of docs/results.md. PYTHIA's shapes: `tests/simulation/dimuons/pythia_line.json`."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from tests.simulation.dimuons.make_pythia_line import EDGES, FILE, LOST

from muonkit.calibration import lineshape
from muonkit.core.arrays import FloatArray
from muonkit.core.particles import WINDOW, Resonance, resonance
from muonkit.simulation.dimuons.decays import ALPHA, radiator_exponent
from muonkit.simulation.dimuons.drell_yan import DrellYan

PYTHIA: dict[str, Any] = json.loads(FILE.read_text())
Z = Resonance("z", PYTHIA["mass"], PYTHIA["width"])
LINE = DrellYan(Z, 13.0, 55, 300)
KERNEL = lineshape.GAUSSIAN["curvature"]
CENTRES = (EDGES[1:] + EDGES[:-1]) / 2
LEFT = 1 - np.concatenate([[0], np.sqrt(LOST[1:-1] * LOST[2:])])  # m/M of the bins of LOST
WINDOWS = ((75.0, 110.0), (80.0, 100.0), (85.0, 97.0))
SMEARED = {"z": 0.015, "jpsi": 0.01, "psi2s": 0.01, "upsilon1s": 0.01}  # sigma_m/m
MOST = np.array([0.01, 0.003, 0.05, 0.01])  # of one step
START = (1.0, 0.0, -0.01)  # mu, f, slope
TOYS = 20
RUNNING = 0.0227  # PYTHIA's alpha^2 at the hard scale grows as m^RUNNING, between 60 and 180 GeV
Nodes = tuple[FloatArray, FloatArray]  # masses [GeV] and weights


def shift(data: Nodes, template: Nodes, window: tuple[float, float], sigma: float, background: bool = False) -> float:
    """mu - 1 [1e-5] of `data`, smeared by `sigma`, fitted with `template` in 100 bins of `window`."""
    edges, theta = np.linspace(*window, 101), np.array([START[0], sigma, *START[1:]])
    found, _ = lineshape.probabilities(theta, edges, *data, KERNEL)
    for _ in range(40):
        p, dp = lineshape.probabilities(theta, edges, *template, KERNEL)
        free = 2 if not background else 3 if theta[2] == 0 else 4
        weighted = dp[:, :free] / p[:, None]
        step = np.linalg.solve(weighted.T @ dp[:, :free], weighted.T @ found)
        theta[:free] += np.clip(step, -MOST[:free], MOST[:free])
        theta[2] = max(theta[2], 0.0)
    return 1e5 * (float(theta[0]) - 1)


def with_error(counts: FloatArray, of: Callable[[FloatArray], Any]) -> tuple[Any, Any]:
    """A function of a histogram, and its spread under Poisson's law."""
    rng = np.random.default_rng(3)
    return of(counts), np.std([of(rng.poisson(counts)) for _ in range(TOYS)], axis=0)


def in_bins(density: Callable[[FloatArray], FloatArray], edges: FloatArray = EDGES) -> FloatArray:
    """Integrals of a density over bins, up to a factor."""
    fine = np.linspace(edges[:-1], edges[1:], 41)
    return np.trapezoid(density(fine.ravel()).reshape(fine.shape), fine, axis=0)


def breit_wigner(mass: FloatArray) -> FloatArray:
    """The line without a photon and luminosities."""
    return mass / ((mass**2 - Z.mass**2) ** 2 + (Z.mass * Z.width) ** 2)


def built_in_losses(name: str) -> FloatArray:
    """Probability of every bin of LOST from the radiator, its integral over t = x^beta."""
    mass = resonance(name).mass
    beta = float(radiator_exponent(mass))
    t = np.linspace(0, 1, 200_001)
    x = np.minimum(t ** (1 / beta), 1 - 1e-12)
    h = (1 - x + x**2 / 2) * np.maximum(1 + np.log1p(-x) * 2 * ALPHA / np.pi / beta, 0)
    total = np.concatenate([[0], np.cumsum((h[1:] + h[:-1]) / 2)])
    return np.diff(np.interp(1 - (1 - np.maximum(LOST, 0)) ** 2, x, total / total[-1]))


def radiated(line: FloatArray, lost: FloatArray) -> Nodes:
    """Nodes of a line in bins of EDGES after losses in bins of LOST."""
    masses, weights = np.multiply.outer(CENTRES, LEFT), np.multiply.outer(line / line.sum(), lost / lost.sum())
    kept = masses > EDGES[0]
    return CENTRES, np.histogram(masses[kept], EDGES, weights=weights[kept])[0]


def parents(name: str, lost: FloatArray) -> Nodes:
    """Nodes of a resonance after losses; without the continuum of the Z, so that only the losses differ."""
    line = in_bins(LINE.density)
    return radiated(line, lost) if name == "z" else (resonance(name).mass * LEFT[::-1], (lost / lost.sum())[::-1])


def lines() -> dict[str, FloatArray]:
    """Lines to be compared with the one of LINE."""
    pythia = np.array(PYTHIA["counts"], dtype=float)
    alone, seven = replace(LINE, photon=False), replace(LINE, sqrt_s=7.0)
    return {
        "PYTHIA": pythia,
        "PYTHIA, alpha fixed": pythia * (Z.mass / CENTRES) ** RUNNING,
        "Breit-Wigner": in_bins(breit_wigner),
        "without photon": in_bins(alone.density),
        "7 TeV": in_bins(seven.density),
    }


def line_rows() -> list[str]:
    """One row per line: mu - 1 where it is fitted with the built-in line, in WINDOWS, without and with background."""
    lost, choices = built_in_losses("z"), [(window, background) for window in WINDOWS for background in (False, True)]
    template = radiated(in_bins(LINE.density), lost)

    def shifts(line: FloatArray) -> FloatArray:
        nodes = radiated(line, lost)
        return np.array([shift(nodes, template, window, SMEARED["z"], background) for window, background in choices])

    found = {name: shifts(line) for name, line in lines().items()}
    _, errors = with_error(np.array(PYTHIA["counts"], dtype=float), shifts)
    return [
        row("mu - 1 [1e-5] of", [f"{low:g}-{high:g}{' + b' * background}" for (low, high), background in choices]),
        *(row(name, [f"{value:+.1f}" for value in values]) for name, values in found.items()),
        row("error of PYTHIA", [f"{error:.1f}" for error in errors]),
    ]


def row(head: str, cells: list[str]) -> str:
    """One line of a table."""
    return " | ".join([f"{head:20s}", *(f"{cell:>12s}" for cell in cells)])


def agreement(window: tuple[float, float]) -> tuple[float, int, float, float]:
    """chi2, degrees of freedom, and mean mass [GeV] of PYTHIA minus the built-in line with PYTHIA's running alpha, with
    its error."""
    inside = (window[0] < CENTRES) & (window[1] > CENTRES)
    counts, expected = np.array(PYTHIA["counts"])[inside], in_bins(LINE.density)[inside]
    expected *= (CENTRES[inside] / Z.mass) ** RUNNING
    expected *= counts.sum() / expected.sum()
    mean = ((counts - expected) * CENTRES[inside]).sum() / counts.sum()
    spread = np.sqrt(np.cov(CENTRES[inside], fweights=counts))
    chi2 = float(((counts - expected) ** 2 / expected).sum())
    return chi2, int(inside.sum()) - 1, float(mean), float(spread / np.sqrt(counts.sum()))


def radiation_rows() -> list[str]:
    """One row per resonance and coupling: shares that lose over 1 %, and mu - 1 where PYTHIA's losses are fitted with
    the built-in ones."""
    rows, many = [row("losses of", ["over 1 %", "built-in", "mu - 1", "error"])], LOST[:-1] >= 0.01
    for key, recorded in PYTHIA["lost"].items():
        name, counts = key.split()[0].removesuffix("-initial"), np.array(recorded, dtype=float)
        ours = built_in_losses(name)
        template, window, sigma = parents(name, ours), WINDOW[name], SMEARED[name]
        value, error = with_error(counts, lambda lost: shift(parents(name, lost), template, window, sigma))  # noqa: B023
        shares = [f"{lost[many].sum() / lost.sum():.4f}" for lost in (counts, ours)]
        rows.append(row(key, [*shares, f"{value:+.1f}", f"{error:.1f}"]))
    return rows


def main() -> None:
    for window in WINDOWS:
        chi2, ndf, mean, error = agreement(window)
        sys.stdout.write(f"{window}: chi2 {chi2:.1f}/{ndf}, mean {1e3 * mean:+.2f} +- {1e3 * error:.2f} MeV\n")
    sys.stdout.write("\n".join([*line_rows(), "", *radiation_rows(), ""]))


if __name__ == "__main__":
    main()
