"""Layer pattern and chi2 of a track to log-likelihoods of six species.

Words: a PDF is a probability function (longitudinal: of the pattern of hits) or density (transverse: of the reduced
chi2) of one hypothesis. A payload is the file, or the object of a conditions database, that carries all PDFs; its class
and its name in a database are `LikelihoodParameters` and KLMLikelihoodParameters, as in Belle II. Settings choose among
the variants of the likelihood; they are no part of a payload.

Letters: h a signed hypothesis, b and e the last barrel and endcap layer, D the region that a track saw, k = ndof/2,
x = chi2/ndof.

Source: MuidBuilder of the Belle II software; its documentation, "Muon Identification", "Likelihood extraction"."""
