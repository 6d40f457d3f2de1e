"""Compiled loops that both simulations share: random numbers, matter, geometry. The fit sees none of them."""
