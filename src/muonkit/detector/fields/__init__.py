"""Models of the magnetic field; import them from `muonkit.detector.field`."""
