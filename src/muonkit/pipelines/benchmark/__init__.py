"""The public benchmark of muon identification: a fixed sample, and how scores of it are compared."""
