"""Numbers of robust estimates of a core."""

HUBER = 1.345  # of the width: where Huber's location holds values; 95 % efficient for a Gaussian
HALF = 0.6744897501960817  # of sigma: within it lies half of a Gaussian
