"""What a track passes: surfaces, field, material. Detectors are TOML data, not code."""
