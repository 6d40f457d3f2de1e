"""Whether an identification is of any use: input of which most cannot be used is refused with the likely reason, what
is odd becomes a warning."""

import math
from collections.abc import Iterator, Sequence

from muonkit.core.arrays import AnyArray
from muonkit.core.errors import InputError
from muonkit.muid.config import Identify
from muonkit.muid.identify import Numbers
from muonkit.muid.swim.crossing import CROSSING, DEAD, HIT, NO_MATCH, NOT_CROSSED, STATUS
from muonkit.muid.swim.places import REASONS
from muonkit.muid.tally import TRACK_REASONS, UNUSABLE, Tally

ENOUGH = 20  # crossings of layers with hits, or tracks: fewer say nothing
FEW_MATCH = 0.1  # of the layers with hits: tracks of another event match less
ONE_SIDE, SIGNIFICANT = 0.5, 4.0  # share of tracks with hits on one side by their charge, and its number of sigma


def refuse(tally: Tally, numbers: Numbers, config: Identify) -> None:
    """Raises InputError with a line for everything of which most cannot be used; what may follow from faults of the
    input is looked at only without such."""
    faults = list(_tracks(tally, numbers, config)) + list(_hits(tally, config))
    faults = faults or list(_nothing_found(tally, numbers, config))
    if faults:
        raise InputError(faults)


def _tracks(tally: Tally, numbers: Numbers, config: Identify) -> Iterator[str]:
    name, share, most = config.input.tracks, config.input.max_unusable_share, config.input.max_p
    if tally.fast > share * numbers.tracks:
        yield (
            f"{name}: {tally.fast} of {numbers.tracks} tracks have p > {most:g} GeV; px, py, pz look like MeV. "
            f"Give GeV, or raise input.max_p."
        )
    elif tally.unusable > share * numbers.tracks:
        why = _likely(TRACK_REASONS, tally.track_reasons, tally.unusable) or ended(tally, UNUSABLE)
        yield (
            f"{name}: {tally.unusable} of {numbers.tracks} tracks cannot be followed: {why}. Mend the file, or raise "
            f"input.max_unusable_share."
        )


def _hits(tally: Tally, config: Identify) -> Iterator[str]:
    name, chosen = config.input.hits, config.muid
    likely, most = _likely(tuple(REASONS), tally.hit_reasons, tally.off), config.input.max_unusable_share * tally.hits
    if tally.astray > most or (likely and tally.off > most):
        why = likely or f"is '{config.detector}' the detector of these data?"
        yield f"{name}: {tally.off} of {tally.hits} hits do not lie on the module that they name: {why}"
    elif tally.late and not tally.in_time:
        yield (
            f"{name}: none of {tally.hits} hits is within {chosen.max_dt:g} ns of {chosen.mean_dt:g} ns; give times in "
            f"ns, or change muid.mean_dt and muid.max_dt"
        )


def _nothing_found(tally: Tally, numbers: Numbers, config: Identify) -> Iterator[str]:
    reached = numbers.tracks - numbers.not_started - numbers.not_reached
    if numbers.uninformed > config.input.max_unusable_share * reached:
        dead = f"{tally.crossings[DEAD]} of {tally.crossed} layers are crossed where channels are dead"
        yield (
            f"{config.input.tracks}: {numbers.uninformed} of {reached} tracks at the muon detector have no "
            f"information: {dead}. Correct the conditions, or raise input.max_unusable_share."
        )
    near = _near(tally)
    if near >= ENOUGH and tally.crossings[HIT] == 0:
        why = _likely(TRACK_REASONS, tally.track_reasons, numbers.tracks) or _one_sided(tally)
        why = why or "give tracks and hits of the same events"
        yield f"{config.input.hits}: no track matches any hit in {near} crossings of layers with hits: {why}"


def _near(tally: Tally) -> int:
    """Crossings of layers in which the event has hits in time."""
    return int(tally.crossings[[HIT, NO_MATCH]].sum())


def _likely(reasons: Sequence[str], counts: AnyArray, number: int) -> str:
    """The reason that explains most of `number`, empty if none explains more than half."""
    best = int(counts.argmax())
    return reasons[best] if counts[best] > number / 2 else ""


def doubts(tally: Tally, numbers: Numbers, config: Identify) -> list[str]:
    """A line for everything that is odd."""
    return list(_odd(tally, numbers, config))


def _odd(tally: Tally, numbers: Numbers, config: Identify) -> Iterator[str]:
    if numbers.tracks and numbers.tracks == numbers.not_started + numbers.not_reached:
        yield "no track reaches the muon detector; give states at the last measured point, in cm and GeV"
    if tally.unusable > config.input.max_bad_share * numbers.tracks:
        likely = _likely(TRACK_REASONS, tally.track_reasons, tally.unusable)
        yield f"{tally.unusable} tracks cannot be followed{f': {likely}' if likely else ''}"
    if tally.astray > config.input.max_bad_share * tally.hits:
        likely = _likely(tuple(REASONS), tally.hit_reasons, tally.off)
        yield f"{tally.astray} hits do not lie on the module that they name{f': {likely}' if likely else ''}"
    if tally.late > tally.hits / 2:
        yield f"{tally.late} of {tally.hits} hits are out of time; see muid.mean_dt and muid.max_dt"
    if numbers.uninformed > config.input.max_bad_share * numbers.tracks:
        yield f"{numbers.uninformed} tracks have no information: the likelihoods of all species are equal"
    yield from _odd_matches(tally)


def _odd_matches(tally: Tally) -> Iterator[str]:
    near = _near(tally)
    if near >= ENOUGH and tally.crossings[HIT] < FEW_MATCH * near:
        yield (
            f"only {tally.crossings[HIT]} hits match in {near} crossings of layers with hits; are tracks and hits "
            f"those of the same events?"
        )
    elif not tally.matched and tally.hits:
        yield f"none of {tally.hits} hits matches a track"
    if turned := _one_sided(tally):
        yield turned


def _one_sided(tally: Tally) -> str:
    """Says so if hits are on one side of tracks of one charge; empty otherwise."""
    side, tracks = tally.sides.tolist()
    if abs(side) <= max(ONE_SIDE * tracks, SIGNIFICANT * math.sqrt(tracks)):
        return ""
    return (
        f"of {tracks} tracks {(tracks + abs(side)) // 2} have their hits on one side, by their charge; is the "
        f"sign of charges, or the field, another one?"
    )


def described(tally: Tally) -> list[str]:
    """Lines about ends of tracks, layers and hits."""
    crossings = [(CROSSING[code].partition(":")[0], int(n)) for code, n in enumerate(tally.crossings)]
    merged = {word: sum(n for other, n in crossings if other == word) for word, _ in crossings}
    merged.pop(CROSSING[NOT_CROSSED])
    return [
        f"tracks: {ended(tally) or 'none'}",
        f"layers crossed: {tally.crossed} ({', '.join(f'{n} {word}' for word, n in merged.items() if n) or 'none'})",
        f"hits: {tally.matched} of {tally.in_time} in time match, {tally.late} out of time, "
        f"{tally.astray} not on their module",
    ]


def ended(tally: Tally, only: Sequence[int] = tuple(STATUS)) -> str:
    """Numbers of tracks by status, in words."""
    return ", ".join(f"{tally.status[code]} {STATUS[code]}" for code in only if tally.status[code])
