"""Models of the magnetic field; `muonkit.detector.field` is the door."""
