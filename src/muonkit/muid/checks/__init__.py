"""Is the likelihood right? Tracks drawn from a payload, closure, goodness of fit."""
