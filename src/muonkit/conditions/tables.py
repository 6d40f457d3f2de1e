"""The tables of the newest schema; `migrations` makes them, and a test compares the two.

Numbers of an interval are kept as the user wrote them (-1: open). Triggers make payloads, history and published tags
immutable, and intervals disjoint: see migrations/versions/guards.py."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

names = Table("names", metadata, Column("name", String(200), primary_key=True))  # its row is the lock of a name

payloads = Table(
    "payloads",
    metadata,
    Column("name", String(200), ForeignKey("names.name"), primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("checksum", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("schema", String(200), nullable=False),
    Column("comment", Text, nullable=False),
    Column("created", String(32), nullable=False),
    Column("author", String(200), nullable=False),
    UniqueConstraint("name", "checksum", name="one_revision_per_content"),
    CheckConstraint("revision >= 1", name="revision_counts_from_one"),
)

global_tags = Table(
    "global_tags",
    metadata,
    Column("name", String(200), primary_key=True),  # its row is the lock of a tag
    Column("state", String(10), nullable=False),
    Column("comment", Text, nullable=False),
    Column("created", String(32), nullable=False),
    Column("author", String(200), nullable=False),
    CheckConstraint("state IN ('open', 'published', 'invalid')", name="known_state"),
)

entries = Table(
    "entries",
    metadata,
    Column("tag", String(200), ForeignKey("global_tags.name"), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("first_exp", Integer, primary_key=True, autoincrement=False),
    Column("first_run", Integer, primary_key=True, autoincrement=False),
    Column("final_exp", Integer, nullable=False),
    Column("final_run", Integer, nullable=False),
    ForeignKeyConstraint(["name", "revision"], ["payloads.name", "payloads.revision"]),
    CheckConstraint(
        "first_exp >= 0 AND first_run >= 0 AND final_exp >= -1 AND final_run >= -1", name="numbers_of_runs"
    ),
    CheckConstraint(
        "(final_exp = -1 AND final_run = -1) OR final_exp > first_exp "
        "OR (final_exp = first_exp AND (final_run = -1 OR final_run >= first_run))",
        name="ends_after_it_starts",
    ),
)

history = Table(
    "history",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("time", String(32), nullable=False),
    Column("who", String(200), nullable=False),
    Column("what", String(32), nullable=False),
    Column("details", Text, nullable=False),
)
