"""Every threshold of the physics tests, in one place. None was set by what a run gave: each says where it is from."""

PULL_MEAN = 0.35  # of A, e, M over 12 eta bins
PULL_SPREAD = (0.75, 1.3)
CHI2_PER_NDF = (0.85, 1.15)
IMINUIT_VALUE = 0.02  # of a standard deviation
IMINUIT_ERROR = 0.02  # relative
START = 2e-3  # of a standard deviation: nodes are made for the sigma of the start
EXCHANGE = 1e-3  # of a standard deviation, charges exchanged: half of START
KERNEL_RTOL = 1e-12  # numba twin against NumPy
TABLE_RTOL, TABLE_ATOL = 3e-6, 5e-8  # cubic tables in steps h = 1/16 against their functions: h^4/384 of F4
TABLE_GRADIENT = 5e-4  # of the largest: h^3/125 of F4, over bins of a tenth of sigma
TABLE_CURVATURE = 0.02  # of the largest: h^2/12 of F4, over bins of a tenth of sigma
FEWER_NODES = 1e-4  # density of a compressed template, over the largest: 0.6^4/4320 of its 4th derivative
KAPPA = 0.02  # of a folded Gaussian; 2e6 pairs know the mean of y to 6e-6, that is kappa to 0.02 / 3
FOLDED = 1.5e-3  # cumulative response: 2e6 pairs know it to 3.5e-4
COVERAGE = 0.05  # errors against the spread of toys
WEIGHTED_PULL_WIDTH = 0.1  # of 800 cells with weights below 0: 4 standard deviations
WEIGHTED_PULL_BIAS = 0.14  # the same: 4 standard deviations of the mean
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
CLASSIFIER_EXPORT = 1e-6  # probabilities of an exported classifier against those of the library
FAST_LAYERS = 0.1  # layers with hits, fast engine against Geant4
FAST_ELECTRONS = 0.15  # leakage of electrons
MUON_FREQUENCY, PION_FREQUENCY = 0.02, 0.25  # matched hits of Geant4 against the published: absolute, relative
KNOCK_ON = 0.25  # electrons beside muons, fast engine against Geant4
GLUCKSTERN = 0.005  # error of q/p against the formula: tracks are up to 0.01 rad off the axis
TRACK_PULLS = (0.12, 0.09)  # mean and width - 1 of pulls of 1000 tracks: four standard deviations
OUTLIERS_FOUND = 0.95  # tracks from 2 GeV whose outliers of 20 sigma and more, and only these, are left out
OUTLIERS_WRONG = 0.01  # tracks that are called good with a good hit left out
Z_LINE = 1.0  # 1e-5 of the mass: the goal; built-in line against PYTHIA's
RADIATION = 1.0  # the same, built-in radiation against PYTHIA's with alpha(0)
ALIGNMENT_DERIVATIVES = 0.01  # fits with a changed detector against derivatives: of the second order in the changes
ALIGNMENT_CHI2 = 1e-4  # linear equations against the fit: its third pass is as close to its limit
ALIGNMENT_PROBABILITY = 1e-3  # of chi2 of corrections against injected distortions
DENSE_RTOL = 1e-9  # sums of blocks against dense matrices
WEAK_SUBSPACE = 0.99  # of weak modes that lie in the space of the known ones
GAIN_FALL = 0.1  # gains against rest + c/(1 + d^2 k^2), rms over the largest: many planes scatter, one d describes them
    0.02  # gains against rest + c/(1 + d^2 k^2), rms over the largest: the scattering of many planes is no one term
)
