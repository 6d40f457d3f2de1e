"""Makes luminosities.json, which comes with muonkit: quark-antiquark luminosities of two protons.

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
    }
    write_json(FILE, content)
    sys.stdout.write(f"{FILE}\n")


if __name__ == "__main__":
    main()
