"""Units, constants, kinematics, errors, random numbers, configuration, provenance."""
