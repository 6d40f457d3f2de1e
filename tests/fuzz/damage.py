"""Damage to a file of any kind: by its ending where its content is known, else by its bytes."""

import gzip
import json
import random
import re
import sqlite3
import tempfile
import tomllib
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path

from tests.fuzz.tables import npz_mistakes, read_table, table_mistakes, write_table
from tests.fuzz.values import NUMBERS, TEXTS, VALUES, calm, mutate, mutate_json

Most = Mapping[str, tuple[int, float]]
WORD = re.compile(rb"[-+.\w]+")


def damaged(content: bytes, dice: random.Random) -> bytes:
    """Bytes that are flipped, lost, zeros, doubled or foreign, in up to three places."""
    for _ in range(dice.choice((1, 1, 2, 3))):
        at, size = dice.randrange(len(content) + 1), dice.choice((1, 1, 4, 16, 64, 512, len(content) // 2 + 1))
        block = content[at : at + size]
        new = {
            "flip": bytes([content[at] ^ 1 << dice.randrange(8)]) if at < len(content) else b"",
            "zeros": bytes(len(block)),
            "ones": b"\xff" * len(block),
            "twice": block * 2,
            "lost": b"",
            "foreign": dice.randbytes(len(block)),
        }
        how = dice.choice([*new, "flip", "end", "value"])
        if how == "end":
            content = content[:at]
        elif how == "value":
            content = with_value(content, dice)
        else:
            content = content[:at] + new[how] + content[at + (1 if how == "flip" else len(block)) :]
    return content


def with_value(content: bytes, dice: random.Random) -> bytes:
    """Text in which one word is replaced by a value."""
    words = [found.span() for found in WORD.finditer(content[:20_000])] or [(0, 0)]
    first, last = dice.choice(words)
    value = dice.choice((*NUMBERS, *TEXTS, '"', ",", ",,", ";", "\r", "\t", "NaN", "1e999", "-", "#"))
    return content[:first] + str(value).encode() + content[last:]


def damage(path: Path, dice: random.Random, most: Most | None = None) -> None:
    """Write a file with mistakes over a good one. Whatever a writer refuses to write becomes damage to bytes."""
    content = path.read_bytes()
    if dice.random() < 0.6:
        with suppress(Exception):
            if _mistakes(path, content, dice, most or {}):
                return
    if path.suffix == ".gz" and dice.random() < 0.5:
        path.write_bytes(gzip.compress(damaged(gzip.decompress(content), dice)))
        return
    path.write_bytes(_calmed(path, damaged(content, dice), most or {}))


def _calmed(path: Path, content: bytes, most: Most) -> bytes:
    """What only asks for much work is left as it was."""
    if path.suffix == ".toml" and most:
        with suppress(ValueError, RecursionError):
            found = tomllib.loads(content.decode())
            before = json.dumps(found, default=str)
            calm(found, most)
            return content if json.dumps(found, default=str) == before else b"x" + content
    return content


def _mistakes(path: Path, content: bytes, dice: random.Random, most: Most) -> bool:
    """Whether the content of such a file is known, and was written with mistakes."""
    match path.suffix:
        case ".toml":
            path.write_text(mutate(tomllib.loads(content.decode()), dice, most), encoding="utf-8")
        case ".json":
            path.write_text(mutate_json(json.loads(content), dice))
        case ".gz":
            path.write_bytes(gzip.compress(mutate_json(json.loads(gzip.decompress(content)), dice).encode()))
        case ".npz":
            path.write_bytes(npz_mistakes(content, dice))
        case ".parquet" | ".csv" | ".root":
            _table(path, dice)
        case ".sqlite":
            _database(path, dice)
        case _:
            return False
    return True


def _table(path: Path, dice: random.Random) -> None:
    columns = table_mistakes(read_table(path), dice)
    with tempfile.TemporaryDirectory() as folder:
        beside = Path(folder) / path.name
        write_table(beside, columns)
        path.write_bytes(beside.read_bytes())


def _database(path: Path, dice: random.Random) -> None:
    with closing(sqlite3.connect(path)) as base:
        base.execute("PRAGMA ignore_check_constraints = 1")
        tables = [name for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        name = dice.choice(tables)
        keys = [row[1] for row in base.execute(f"PRAGMA table_info({name})")]
        match dice.choice(("value", "value", "value", "value", "drop", "delete", "rename", "twice")):
            case "drop":
                base.execute(f"DROP TABLE {name}")
            case "delete":
                base.execute(f"DELETE FROM {name}")
            case "rename":
                base.execute(f"ALTER TABLE {name} RENAME COLUMN {dice.choice(keys)} TO x")
            case "twice":
                base.execute(f"INSERT INTO {name} SELECT * FROM {name}")
            case _:
                values = [value for value in VALUES if isinstance(value, str | float | None) or value in (-1, 0, 1)]
                base.execute(f"UPDATE {name} SET {dice.choice(keys)} = ?", (dice.choice([*values, b"\xff\x00"]),))
        base.commit()
