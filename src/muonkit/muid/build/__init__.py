"""The making of PDFs: simulated tracks are counted, the counts become the payload of the likelihood."""
