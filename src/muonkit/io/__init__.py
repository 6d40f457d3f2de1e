"""Files in and out; the names of the outside world live here and nowhere else."""
