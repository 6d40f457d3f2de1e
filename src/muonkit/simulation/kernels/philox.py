"""Random numbers of one track, in compiled loops: Philox 4x64-10 (Salmon et al., SC11 (2011), sec. 2).

The numbers of track i in stage s are those of numpy's Philox with the same key and the counter [0, 0, i, s]: they
depend on nothing that other tracks do. What belongs to one crossing has its ordinal as the second word of the
counter."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from muonkit.core.arrays import AnyArray, FloatArray, IntArray
from muonkit.core.compiled import compiled, leaf

GUN, STEPS, DIGITS = range(3)  # stages
MULTIPLY = (np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157))
BUMP = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B))
ONE, ELEVEN = np.uint64(1), np.uint64(11)
WORDS = 4  # of a counter, and of a block
KEY, COUNTER, BLOCK = 0, 2, 6  # where these begin in `Dice.words`
NUMBER, IS_THERE = range(2)  # of `Dice.spare`
ROUNDS = 10
TO_UNIT = 2.0**-53


class Dice(NamedTuple):
    """words (10,): key, counter, the block of four drawn last; used (1,): how many of them; spare (2,): a normal
    number that is left over, and whether there is one."""

    words: npt.NDArray[np.uint64]
    used: npt.NDArray[np.int64]
    spare: npt.NDArray[np.float64]


@intrinsic
def high(typing_context, one, other):  # noqa: ARG001 - numba's signature
    """The upper 64 of the 128 bits of a product."""

    def build(context, builder, signature, arguments):  # noqa: ARG001 - numba's signature
        wide = ir.IntType(128)
        product = builder.mul(builder.zext(arguments[0], wide), builder.zext(arguments[1], wide))
        return builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), build


@leaf
def refill(words):
    """The next block of four."""
    for i in range(COUNTER, COUNTER + WORDS):
        words[i] += ONE
        if words[i]:
            break
    left0, right0, left1, right1 = words[COUNTER], words[COUNTER + 1], words[COUNTER + 2], words[COUNTER + 3]
    key0, key1 = words[KEY], words[KEY + 1]
    for _ in range(ROUNDS):
        mixed0, mixed1 = high(MULTIPLY[1], left1) ^ right0 ^ key0, high(MULTIPLY[0], left0) ^ right1 ^ key1
        left0, right0, left1, right1 = mixed0, MULTIPLY[1] * left1, mixed1, MULTIPLY[0] * left0
        key0, key1 = key0 + BUMP[0], key1 + BUMP[1]
    words[BLOCK], words[BLOCK + 1], words[BLOCK + 2], words[BLOCK + 3] = left0, right0, left1, right1


@leaf
def begin(dice, key, ordinal, track, stage):
    """The stream of one track, or of one thing on it."""
    words = dice.words
    words[KEY], words[KEY + 1] = key[0], key[1]
    words[COUNTER], words[COUNTER + 1] = np.uint64(0), np.uint64(ordinal)
    words[COUNTER + 2], words[COUNTER + 3] = np.uint64(track), np.uint64(stage)
    dice.used[0] = WORDS
    dice.spare[IS_THERE] = 0.0


@leaf
def uniform(dice):
    """Evenly in (0, 1), never an end."""
    if dice.used[0] == WORDS:
        refill(dice.words)
        dice.used[0] = 0
    word = dice.words[BLOCK + dice.used[0]]
    dice.used[0] += 1
    return (np.float64(word >> ELEVEN) + 0.5) * TO_UNIT


@leaf
def normal(dice):
    """Mean 0, width 1; Box and Muller, Ann. Math. Stat. 29 (1958) 610."""
    spare = dice.spare
    if spare[IS_THERE] > 0:
        spare[IS_THERE] = 0.0
        return spare[NUMBER]
    radius, angle = math.sqrt(-2 * math.log(uniform(dice))), 2 * math.pi * uniform(dice)
    spare[NUMBER], spare[IS_THERE] = radius * math.sin(angle), 1.0
    return radius * math.cos(angle)


@leaf
def exponential(dice):
    """Mean 1."""
    return -math.log(uniform(dice))


@compiled
def new_dice():
    """Dice without a stream yet."""
    return Dice(np.zeros(BLOCK + WORDS, np.uint64), np.zeros(1, np.int64), np.zeros(2))


@compiled
def fill_uniform(key: AnyArray, ordinal: IntArray, track: IntArray, stage: int, out: FloatArray) -> None:
    """Numbers (n, m), row i from the stream of (key, ordinal[i], track[i], stage)."""
    dice = new_dice()
    for i in range(len(out)):
        begin(dice, key, ordinal[i], track[i], stage)
        for j in range(out.shape[1]):
            out[i, j] = uniform(dice)
