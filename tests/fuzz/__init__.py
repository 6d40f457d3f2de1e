"""Inputs with random mistakes for every command: each is read, or refused with lines of text. Nothing else happens.

`python -m tests.fuzz --minutes 15` is the long run; `tests/fuzz/test_fuzz.py` is the short one."""
