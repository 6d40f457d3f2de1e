"""Compiled loops that both simulations share: random numbers, matter, geometry. The fit sees none of them.

The letters of these kernels, and of those of `tracker` and `klm`:

    S, V, M   surfaces, volumes and materials of a detector: its `SurfaceArrays`, `VolumeArrays`, `MaterialArrays`
    N         what Rutherford scattering needs of the same materials: `matter.Nuclei`
    R         what muons radiate in the same materials: `radiation.Radiators`
    y         the state of a particle, with the places of `indices`
    p, E, T   momentum, energy and kinetic energy [GeV]
    h, d      the path of a step, a path within it [cm]
    g         distance from a surface [cm]
    r, z      distance from the axis, and along it [cm]
    B, G      the field [T] and its gradient [T/cm]
    a, b      the two components across a direction (projected angles), or in a surface
    c         one of three components
    i, j, n   places in a row, how many there are

All else has a whole name."""
