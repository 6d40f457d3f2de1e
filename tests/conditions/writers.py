"""A writer that adds payloads and tags until it is told to stop, or is killed; each success is noted, durably, after
the fact. Run as: writers.py LOCATION PAYLOADS SEED NOTES STOP"""

import json
import os
import random
import sys
from pathlib import Path
from typing import Any, BinaryIO

from muonkit.conditions.iov import IoV
from muonkit.conditions.store import Store, open_store
from muonkit.core.errors import InputError

EXPECTED = ("overlaps", "exists already")  # another writer was first: that is an answer, not a fault


def write(store: Store, seed: int, notes: BinaryIO, stop: Path) -> None:
    draw = random.Random(seed)
    step = 0
    note(notes, "ready")
    while not stop.exists():
        step += 1
        mine = store.add("shared", content(f"{seed} {step}", draw), "K/1", opaque=True)
        note(notes, "payload", mine.name, mine.revision, mine.checksum)
        same = store.add("common", b"common %d" % draw.randrange(50), "K/1", opaque=True)
        note(notes, "payload", same.name, same.revision, same.checksum)
        first = draw.randrange(400)
        iov = IoV(0, first, 0, first + draw.randrange(20))
        attempt(
            notes,
            ["entry", "race", mine.name, mine.revision, str(iov)],
            store.tag,
            "race",
            mine.name,
            mine.revision,
            iov,
        )
        attempt(notes, ["tag", f"turn{step}"], store.create_tag, f"turn{step}")
        own = f"own{seed}-{step}"
        attempt(notes, ["tag", own], store.create_tag, own)
        always = IoV(0, 0)
        attempt(
            notes,
            ["entry", own, same.name, same.revision, str(always)],
            store.tag,
            own,
            "common",
            same.revision,
            always,
        )
        attempt(notes, ["published", own], store.publish, own)


def content(text: str, draw: random.Random) -> bytes:
    return text.encode() + draw.randbytes(draw.choice((0, 1000, 300_000)))


def attempt(notes: BinaryIO, fact: list[Any], verb: Any, *arguments: Any) -> None:
    """Do it, and note the fact if it was done."""
    try:
        verb(*arguments)
    except InputError as error:
        if not any(word in str(error) for word in EXPECTED):
            raise
    else:
        note(notes, *fact)


def note(notes: BinaryIO, *fact: Any) -> None:
    notes.write(json.dumps(fact).encode() + b"\n")
    notes.flush()
    os.fsync(notes.fileno())


if __name__ == "__main__":
    location, payloads, seed, file, stop = sys.argv[1:]
    with open_store(location, Path(payloads) if payloads else None) as store, Path(file).open("ab") as stream:
        write(store, int(seed), stream, Path(stop))
