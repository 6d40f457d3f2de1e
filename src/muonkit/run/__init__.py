"""Chunks of work in one process, in several, or on a Dask cluster, with progress. The order of results never
changes."""
