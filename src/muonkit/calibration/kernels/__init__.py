"""Compiled loops. Of pairs: `counting` (pairs to sums), `sparse` (sums by key). Of all mass fits at once: `records`
(what they read and write), `shape` (the response of a cell as a table), `nodes` (the template of a cell), `density`
(its mass density and derivatives), `climb` (to the maximum), `fit`. Of an unbinned fit: `pairs`.

Letters: theta = (mu, sigma, f, slope); E a mass edge [GeV]; z the standardised residual of a mass; F, its cumulative
distribution; kappa, see `lineshape`."""
