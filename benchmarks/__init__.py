"""`python -m benchmarks.NAME [--quick]`: agreement of results first, then speed as a ratio; ends with one line of JSON."""
