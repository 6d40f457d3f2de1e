"""J/psi, psi(2S), Upsilon and Z to two muons with radiation, resolution and an injected bias."""
