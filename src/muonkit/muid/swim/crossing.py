"""What became of a track at a layer (0 to 7), and why a track was not or no longer extrapolated (its status): numbers
and words. Where a whole track ended is its outcome, see `likelihood.outcome`.

A dead place has no bit in a pattern, in a crack of the barrel nothing is recorded: as in Muid's createMuidHit."""

from muonkit.transport import status as transport

NOT_CROSSED, HIT, MISSED, DEAD, CRACK, NO_MATCH, LEFT_REGION, TANGENT = range(8)
CROSSING = {
    NOT_CROSSED: "not crossed",
    HIT: "hit",
    MISSED: "missed: no hit in this layer",
    DEAD: "dead: a strip below the point is dead, or there is none",
    CRACK: "crack: between the sensitive parts of the modules",
    NO_MATCH: "missed: the nearest hit is too far away",
    LEFT_REGION: "hit, but the updated track would leave the region: not used",
    TANGENT: "tangent to the plane: no match",
}

LOW_PT, OUTSIDE_START, BAD_INPUT, BEAM_PIPE, NO_FIT, IN_TRACKER = range(20, 26)
STATUS = transport.MESSAGE | {
    transport.OK: "running",
    transport.LEFT: "left the detector",
    LOW_PT: "not started: pT is not above the least",
    OUTSIDE_START: "not started: outside of the detector",
    BAD_INPUT: "not started: charge is not +1 or -1, or position, momentum or covariance is not finite",
    BEAM_PIPE: "went into the beam pipe",
    NO_FIT: "not started: the file holds no usable fit of it",
    IN_TRACKER: "not started: does not leave the tracker, or begins outside of it",
}
NOT_STARTED = (LOW_PT, OUTSIDE_START, BAD_INPUT, NO_FIT, IN_TRACKER, transport.NOT_POSITIVE_DEFINITE)
