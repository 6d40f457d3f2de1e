"""A track through the yoke: extrapolation from plane to plane, the hits that match, what happened at every layer."""
