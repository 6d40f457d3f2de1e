"""How well muons are identified. Tracks are joined with their truth and counted, piece by piece, into sums; rates, ROC
curves, quantiles and cuts are made of the sums alone."""
