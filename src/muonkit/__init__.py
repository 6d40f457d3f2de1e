"""muonkit: how large is a muon's momentum, and is it a muon at all."""

__version__ = "0.1.0"
