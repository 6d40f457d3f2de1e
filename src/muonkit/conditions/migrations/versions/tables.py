"""Schema 1: payloads with names and revisions, global tags with entries, history."""

import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None


def upgrade() -> None:
    op.create_table("names", sa.Column("name", sa.String(200), primary_key=True))
    op.create_table(
        "payloads",
        sa.Column("name", sa.String(200), sa.ForeignKey("names.name"), primary_key=True),
        sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("checksum", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("schema", sa.String(200), nullable=False),
        *_signed(),
        sa.UniqueConstraint("name", "checksum", name="one_revision_per_content"),
        sa.CheckConstraint("revision >= 1", name="revision_counts_from_one"),
    )
    op.create_table(
        "global_tags",
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("state", sa.String(10), nullable=False),
        *_signed(),
        sa.CheckConstraint("state IN ('open', 'published', 'invalid')", name="known_state"),
    )
    _create_entries()
    op.create_table(
        "history",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("time", sa.String(32), nullable=False),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("what", sa.String(32), nullable=False),
        sa.Column("details", sa.Text, nullable=False),
    )


def _signed() -> list[sa.Column[str]]:
    return [
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
        sa.Column("author", sa.String(200), nullable=False),
    ]


def _create_entries() -> None:
    op.create_table(
        "entries",
        sa.Column("tag", sa.String(200), sa.ForeignKey("global_tags.name"), primary_key=True),
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("first_exp", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("first_run", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("final_exp", sa.Integer, nullable=False),
        sa.Column("final_run", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(["name", "revision"], ["payloads.name", "payloads.revision"]),
        sa.CheckConstraint(
            "first_exp >= 0 AND first_run >= 0 AND final_exp >= -1 AND final_run >= -1", name="numbers_of_runs"
        ),
        sa.CheckConstraint(
            "(final_exp = -1 AND final_run = -1) OR final_exp > first_exp "
            "OR (final_exp = first_exp AND (final_run = -1 OR final_run >= first_run))",
            name="ends_after_it_starts",
        ),
    )
