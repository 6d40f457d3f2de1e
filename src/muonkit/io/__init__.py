"""Files in and out. The names of columns in files are known only here."""
