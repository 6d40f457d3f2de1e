"""The making of PDFs: simulated tracks are counted, the counts become the payload of the likelihood.

Source: b2klm-likelihood-parameters of the Belle II software; docs/physics.md says what is done differently."""
