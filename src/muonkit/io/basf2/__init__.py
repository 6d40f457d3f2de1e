"""Files of the Belle II software (basf2), read without it. Names of its objects and members stand here and nowhere
else."""
