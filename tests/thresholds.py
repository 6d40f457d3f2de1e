"""Every threshold of the physics tests, in one place. None was set by what a run gave: each says where it is from."""

PULL_MEAN = 0.35  # of A, e, M over 12 eta bins
PULL_SPREAD = (0.75, 1.3)
CHI2_PER_NDF = (0.85, 1.15)
IMINUIT_VALUE = 0.02  # of a standard deviation
IMINUIT_ERROR = 0.02  # relative
KERNEL_RTOL = 1e-12  # numba twin against NumPy
COVERAGE = 0.05  # errors against the spread of toys
EXPORT_RTOL = 1e-7
PULL_BIAS = 0.02  # of the five track parameters, 100 000 tracks
PULL_WIDTH = 0.03
CHI2_FLATNESS = 1e-3  # probability of a flat distribution
LOST_TRACKS = 2e-3  # tracks that curl at 0.5 GeV
MATCH_PULL_BIAS = 0.03  # of hits that matched a muon in the iron yoke
MATCH_PULL_WIDTH = 0.05
REDUCED_CHI2 = 0.05  # mean of chi2/ndof of muons against 1
EXTRAPOLATED = (0.3, 0.1)  # mean position against Geant4 [cm], or in sigma, whichever is larger
EXTRAPOLATED_SPREAD = 0.05  # predicted against Geant4's
EXTRAPOLATED_LOSS = 0.01  # of the momentum lost: mean trajectory through the yoke against Geant4
TOY_PULLS = (0.25, 0.18)  # mean and width - 1 of 200 pulls: 3.5 standard deviations of each
TOY_COVERAGE = 0.12  # of 200 intervals of 68.3 %: 3.5 standard deviations
FLAT_P_VALUE = 1e-3  # Kolmogorov and Smirnov: p-values of toys against a flat distribution
WRONG_PAYLOAD = 1e-6  # p-value of a payload that does not describe the tracks
FINE_BIN = 0.1  # rounding of quantiles: the width of a bin of Delta
NORM = 2e-3  # integral of a transverse density against 1: a cubic spline through 100 points of a gamma density
CLOSURE_PULL_BIAS = 0.1  # PDFs made of tracks drawn from known ones: mean pull
CLOSURE_PULL_WIDTH = 0.1  # their width against 1
