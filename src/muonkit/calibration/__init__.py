"""Momentum scale and resolution from dimuon resonances."""
