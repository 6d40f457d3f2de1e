"""How well muons are identified: tracks whose truth is known are counted, piece by piece, into sums; efficiencies, ROC
curves, quantiles and cuts are made of the sums alone."""
