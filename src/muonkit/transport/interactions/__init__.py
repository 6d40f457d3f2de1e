"""What matter does to a charged particle: each formula with its source, validity and derivative."""
