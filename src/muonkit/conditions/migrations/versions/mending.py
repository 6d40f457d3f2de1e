"""Schema 3: while a global tag is open, an open interval of it can be closed, and an entry can be removed. All else of
an entry stays as it was, and nothing of a published tag changes."""

from alembic import op

from muonkit.conditions.migrations.versions.guards import function, last, raise_if, sqlite_trigger

revision = "3"
down_revision = "2"

NOT_OPEN = "NOT EXISTS (SELECT 1 FROM global_tags WHERE name = OLD.tag AND state = 'open')"
SAME = " AND ".join(f"NEW.{name} = OLD.{name}" for name in ("tag", "name", "revision", "first_exp", "first_run"))
NOT_CLOSED = f"NOT ({SAME} AND OLD.final_run = -1 AND {last('NEW')} < {last('OLD')})"

ENTRY_STAYS = "entries change in an open global tag only"
ENTRY_CLOSES = "of an entry only an open end changes, to a run inside"


def upgrade() -> None:
    make = _sqlite if op.get_bind().dialect.name == "sqlite" else _postgresql
    for statement in make():
        op.execute(statement)


def _sqlite() -> list[str]:
    return [
        "DROP TRIGGER entries_no_UPDATE",
        "DROP TRIGGER entries_no_DELETE",
        sqlite_trigger("entries_stay", "BEFORE DELETE ON entries", NOT_OPEN, ENTRY_STAYS),
        sqlite_trigger("entries_of_open_tag", "BEFORE UPDATE ON entries", NOT_OPEN, ENTRY_STAYS),
        sqlite_trigger("entries_close", "BEFORE UPDATE ON entries", NOT_CLOSED, ENTRY_CLOSES),
    ]


def _postgresql() -> list[str]:
    lock = "PERFORM 1 FROM global_tags WHERE name = OLD.tag FOR UPDATE;" + raise_if(NOT_OPEN, ENTRY_STAYS)
    return [
        "DROP TRIGGER entries_stay ON entries",
        "CREATE TRIGGER entries_stay BEFORE TRUNCATE ON entries "
        "FOR EACH STATEMENT EXECUTE FUNCTION conditions_refuse()",
        function("conditions_remove", f"{lock} RETURN OLD;"),
        function("conditions_close", lock + raise_if(NOT_CLOSED, ENTRY_CLOSES) + " RETURN NEW;"),
        "CREATE TRIGGER conditions_remove_guard BEFORE DELETE ON entries "
        "FOR EACH ROW EXECUTE FUNCTION conditions_remove()",
        "CREATE TRIGGER conditions_close_guard BEFORE UPDATE ON entries "
        "FOR EACH ROW EXECUTE FUNCTION conditions_close()",
    ]
