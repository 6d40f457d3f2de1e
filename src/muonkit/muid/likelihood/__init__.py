"""Layer pattern and chi2 of a track to log-likelihoods of six species, with the PDFs of a payload."""
