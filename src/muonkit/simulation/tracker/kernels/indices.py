"""Places of numbers in the rows of a track and of its scratch."""

PATH, TURNED, WHOLE, SIZE = range(7, 11)  # of a state, behind P: path, angle turned so far, length of the slab it is in
STEP, FREE, TODO, PLANNED, KNOCK, MEMO_SIZE = range(6)  # of `Scratch.memo`
BLOCK, SLICE, MATERIAL, REGION_SIZE = range(4)  # of `Scratch.region`
STATE_QOP, STATE_SIZE = 6, 7  # of a crossing: position, direction, q/p
