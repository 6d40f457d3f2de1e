"""A track state and its covariance through field and material, with derivatives."""
