"""Units and constants. Lengths cm, energies and momenta GeV, fields tesla, angles rad, c = 1."""

MUON_MASS = 0.1056583755
"""Muon mass [GeV], PDG 2024."""

CURVATURE = 0.299792458e-2
"""pT [GeV] = CURVATURE x B [T] x R [cm]: the one place for this constant."""

ELECTRON_MASS = 0.51099895069e-3
"""Electron mass [GeV], PDG 2024."""

FINE_STRUCTURE = 1 / 137.035999178

HBAR_C = 0.1973269804
"""GeV fm."""

LIGHT_SPEED = 29.9792458
"""cm/ns."""

NEUTRAL_PION_MASS = 0.1349768
"""pi0 [GeV], PDG 2024."""
