"""Sums of blocks: the products of the parameters of two surfaces."""

from muonkit.core.compiled import compiled, inlined


@inlined
def add_block(block, product, first, second):
    """block[j, m] += product[first + j, second + m]."""
    for j in range(block.shape[0]):
        for m in range(block.shape[1]):
            block[j, m] += product[first + j, second + m]


@compiled
def add_blocks(blocks, slot, surface, product):
    """Add the products (n, s size, s size) of n tracks to blocks (b, size, size).

    slot (n, s, s): the block of a pair of stops, -1 for none; of two stops a < b on one surface both orders count. The
    block of surfaces i < k has i in its rows."""
    size = blocks.shape[1]
    for row in range(slot.shape[0]):
        for a in range(slot.shape[1]):
            for b in range(a, slot.shape[2]):
                place = slot[row, a, b]
                if place < 0:
                    continue
                if surface[row, a] <= surface[row, b]:
                    add_block(blocks[place], product[row], size * a, size * b)
                if surface[row, b] < surface[row, a] or (a != b and surface[row, a] == surface[row, b]):
                    add_block(blocks[place], product[row], size * b, size * a)
