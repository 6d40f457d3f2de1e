"""Makes luminosities.json, which comes with muonkit: quark-antiquark luminosities of two protons, and how they depend
on the rapidity y of the pair: the share of up-type quarks, and the excess of quarks that move along +z over antiquarks.

    python tests/simulation/dimuons/make_luminosities.py

Parton densities of PYTHIA's installation: NNPDF3.1 QCD+LUXQED NNLO, alpha_s(m_Z) = 0.118, at the scale Q = m."""

import sys
from importlib.metadata import version
from typing import Any

import numpy as np

from muonkit.core.arrays import FloatArray
from muonkit.core.files import write_json
from muonkit.simulation.dimuons.config import BEAMS
from muonkit.simulation.dimuons.drell_yan import FILE, TABLE

MASSES = np.geomspace(*TABLE, 60)
RAPID_MASSES = np.geomspace(30, 400, 8)
RAPIDITIES = np.linspace(0, 0.95, 20)  # in units of the largest one, ln(sqrt_s/m)
STEPS = 1201  # in y = ln(x1/x2)/2
FLAVOURS = {"up": (2, 4), "down": (1, 3, 5)}
NNLO, LO = 20, 13  # PYTHIA's numbers; LO (NNPDF2.3) is its default


def parton_density(number: int) -> Any:
    """A proton of PYTHIA with the method xf(flavour, x, Q^2)."""
    import pythia8mc

    engine = pythia8mc.Pythia("", False)
    for line in ("Print:quiet = on", "WeakSingleBoson:ffbar2gmZ = on", f"PDF:pSet = {number}"):
        if not engine.readString(line):
            raise SystemExit(f"PYTHIA refuses {line!r}")
    engine.init()
    return engine.getPDFPtr(2212)


def luminosity(density: Any, quarks: tuple[int, ...], mass: float, sqrt_s: float) -> float:
    """Sum over `quarks` of 2 int dy x1 q(x1) x2 qbar(x2); x1 x2 = (mass/sqrt_s)^2; mass and sqrt_s [GeV]."""
    root = mass / sqrt_s
    y = np.linspace(np.log(root), -np.log(root), STEPS)[1:-1]  # 0 at both ends
    high, low = (np.minimum(root * np.exp(sign * y), 1.0) for sign in (1, -1))

    def values(flavour: int, x: FloatArray) -> FloatArray:
        return np.array([density.xf(flavour, float(each), mass**2) for each in x])

    products = sum(values(quark, high) * values(-quark, low) for quark in quarks)
    return float(2 * np.sum(products) * (y[1] - y[0]))


def directions(density: Any, quarks: tuple[int, ...], sqrt_s: float) -> tuple[FloatArray, FloatArray]:
    """x1 q(x1) x2 qbar(x2) of quarks along +z, plus and minus that of antiquarks along +z; (masses, rapidities)."""

    def value(sign: int, mass: float, rapidity: float) -> float:
        y = rapidity * np.log(sqrt_s / mass)
        x1, x2 = mass / sqrt_s * np.exp(y), mass / sqrt_s * np.exp(-y)
        return sum(density.xf(sign * q, x1, mass**2) * density.xf(-sign * q, x2, mass**2) for q in quarks)

    along, against = (np.array([[value(sign, m, y) for y in RAPIDITIES] for m in RAPID_MASSES]) for sign in (1, -1))
    return along + against, along - against


def rapid_table(number: int, sqrt_s: float) -> dict[str, list[list[float]]]:
    """At RAPID_MASSES and RAPIDITIES: share of up-type quarks, excess of quarks along +z; sqrt_s [TeV]."""
    density = parton_density(number)
    both = {kind: directions(density, quarks, 1000 * sqrt_s) for kind, quarks in FLAVOURS.items()}
    excess = {f"{kind}_excess": odd / even for kind, (even, odd) in both.items()}
    arrays = {"up_share": both["up"][0] / (both["up"][0] + both["down"][0])} | excess
    return {name: array.round(5).tolist() for name, array in arrays.items()}


def table(number: int, sqrt_s: float) -> dict[str, list[float]]:
    """ln of the luminosity at MASSES, of up and of down quarks; sqrt_s [TeV]."""
    density = parton_density(number)
    return {
        kind: [round(float(np.log(luminosity(density, quarks, m, 1000 * sqrt_s))), 7) for m in MASSES]
        for kind, quarks in FLAVOURS.items()
    }


def main() -> None:
    content = {
        "command": "python tests/simulation/dimuons/make_luminosities.py",
        "densities": "NNPDF3.1 QCD+LUXQED NNLO, alpha_s(m_Z) = 0.118",
        "pythia": version("pythia8mc"),
        "mass": MASSES.round(6).tolist(),
        "log_luminosity": {f"{sqrt_s:g}": table(NNLO, sqrt_s) for sqrt_s in BEAMS},
        "rapid_mass": RAPID_MASSES.round(6).tolist(),
        "rapidity": RAPIDITIES.round(6).tolist(),
        "rapid": {f"{sqrt_s:g}": rapid_table(NNLO, sqrt_s) for sqrt_s in BEAMS},
    }
    write_json(FILE, content)
    sys.stdout.write(f"{FILE}\n")


if __name__ == "__main__":
    main()
