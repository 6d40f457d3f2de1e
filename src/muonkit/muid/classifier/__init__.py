"""Beyond the likelihood: a classifier that sees every layer, and all layers together."""
