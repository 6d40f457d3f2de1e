"""Geant4 with the detectors of this package (extra `geant4`). `world`, `actions`, `worker` and `targets` import it, and
they run in processes of their own: Geant4 has one run manager in each, and looks for its data when it is loaded."""
