"""A callee of two kernels was linked behind the first alone. LLVM had seen that the first never gets to the call, left
the callee out, and the second had nothing to call: the first fit of a track ended with an AssertionError of numba."""

from muonkit.core.compiled import compiled, leaf


@leaf
def without(x, flag):
    if flag:
        x = max(x, 3.0)
    return x


@leaf
def with_limit(x):
    return max(x, 3.0)


@compiled
def both(x):
    return without(x, False) + with_limit(x)


def test_a_callee_is_linked_behind_all_that_call_it():
    assert both(1.0) == 4.0
