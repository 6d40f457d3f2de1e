"""Sums by key where most keys do not occur, without sorting pairs: keys are (group, place), ascending."""

import numpy as np

from muonkit.core.compiled import compiled


@compiled
def gathered(group, place, values, groups, places):
    """The keys group x places + place that occur (k,), ascending, and the sums (k, columns) of `values` (n, columns).

    group, place (n,). Entries are brought in the order of groups by counting, so nothing is sorted; entries of a key
    are added in their order."""
    n, columns = values.shape
    first = np.zeros(groups + 1, dtype=np.int64)
    for g in group:
        first[g + 1] += 1
    for g in range(groups):
        first[g + 1] += first[g]
    free, order = first[:-1].copy(), np.empty(n, dtype=np.int64)
    for i in range(n):
        order[free[group[i]]] = i
        free[group[i]] += 1

    key, sums, found = np.empty(n, dtype=np.int64), np.empty((n, columns)), 0
    entries, total = np.zeros(places, dtype=np.int64), np.zeros((places, columns))
    for g in range(groups):
        low, high = places, 0
        for i in order[first[g] : first[g + 1]]:
            p = place[i]
            low, high = min(low, p), max(high, p + 1)
            entries[p] += 1
            for c in range(columns):
                total[p, c] += values[i, c]
        for p in range(low, high):
            if entries[p] > 0:
                key[found] = g * places + p
                sums[found] = total[p]
                found += 1
                entries[p] = 0
                total[p] = 0.0
    return key[:found].copy(), sums[:found].copy()


@compiled
def merged(mine, theirs, my_place, their_place):
    """Union (k,) of two ascending lists of keys, each without repetition; writes the place of every key in it."""
    union, found, i, j = np.empty(mine.size + theirs.size, dtype=np.int64), 0, 0, 0
    while i < mine.size or j < theirs.size:
        take_mine = j == theirs.size or (i < mine.size and mine[i] <= theirs[j])
        take_theirs = i == mine.size or (j < theirs.size and theirs[j] <= mine[i])
        if take_mine:
            union[found] = mine[i]
            my_place[i] = found
            i += 1
        if take_theirs:
            union[found] = theirs[j]
            their_place[j] = found
            j += 1
        found += 1
    return union[:found].copy()
