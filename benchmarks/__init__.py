"""`python -m benchmarks.NAME [--quick]`: agreement of results first, then speed as a ratio; one line of JSON last."""
