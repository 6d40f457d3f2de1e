"""Chunks of work: here, in processes, or on a Dask cluster, with a bar; the order of results never changes."""
