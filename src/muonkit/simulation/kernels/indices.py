"""Places of numbers in the rows of these kernels.

A free state begins with position [cm], unit direction and momentum [GeV]; each simulation adds its own behind P. Both
engines of showers write down a crossing as a row of position [cm], momentum [GeV], mass [GeV], time [ns], charge."""

X, Y, Z, TX, TY, TZ, P = range(7)
PX, PY, PZ, MASS, TIME, CHARGE = range(3, 9)
ROW_SIZE = 9
U_AXIS, V_AXIS, NORMAL = range(3)  # of `SurfaceArrays.axes`
LOC0_MIN, LOC0_MAX, LOC1_MIN, LOC1_MAX = range(4)  # of `SurfaceArrays.bounds`
R_MIN, R_MAX, CROSS, SHARE = range(4)  # of the same for discs
HALF_WIDTH, GROWTH = range(2)  # of the same for trapezoids
ENVELOPE_R, ENVELOPE_Z_MIN, ENVELOPE_Z_MAX = range(3)  # of `DetectorArrays.envelope`
