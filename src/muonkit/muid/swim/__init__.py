"""A track through the yoke: extrapolation from plane to plane, the hits that match, what happened at every layer.

Source: the module Muid of the Belle II software (TrackExtrapolateG4e) and its documentation, "Muon Identification",
"Track extrapolation". Where both differ, the code is the default."""
