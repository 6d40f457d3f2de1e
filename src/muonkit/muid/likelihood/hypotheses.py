"""The six hypotheses of a likelihood and the twelve signed ones of its tables, by name, number and PDG code."""

import numpy as np

from muonkit.core.arrays import FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.particles import species

HYPOTHESES = ("e", "mu", "pi", "K", "p", "d")  # of the tracks' charge, in the order of every table
POSITIVE = {"e": 0, "d": 2, "p": 4, "pi": 6, "K": 8, "mu": 10}  # signed number; the negative one is the next
SIGNED = 12
LEPTONS = ("e", "mu")


def signed_number(name: str, charge: float) -> int:
    """Number 0 to 11 of a signed hypothesis: e+ e- d dbar p pbar pi+ pi- K+ K- mu+ mu-; charge 0 counts as positive."""
    return POSITIVE[name] + (1 if charge < 0 else 0)


def signed_numbers(charge: FloatArray) -> IntArray:
    """Numbers (n, 6) of HYPOTHESES for tracks of this charge (n,); 0 counts as positive."""
    positive = np.array([POSITIVE[name] for name in HYPOTHESES])
    return positive + (charge < 0)[:, None]


def from_pdg(pdg: int) -> int:
    """Number of the signed hypothesis with a PDG code; 13 is a mu-. Raises InputError for others."""
    for name in HYPOTHESES:
        code = abs(species(name).pdg_id)
        if abs(pdg) == code:
            charge = pdg if name not in LEPTONS else -pdg
            return signed_number(name, charge)
    known = ", ".join(str(abs(species(name).pdg_id)) for name in HYPOTHESES)
    raise InputError(f"pdg {pdg}: there is no such hypothesis; known are {known}, and their antiparticles")
