"""Muon identification: extrapolation through an instrumented iron yoke, and likelihoods of six species.

Numbers of equations, eq. 15 to 21, are those of docs/physics.md. Sections of Muid, as in names of tests (rule 1.4), are
steps of the module in the Belle II software: start, end, crossings, search of hits, update, patterns."""
