"""Schema 2: triggers, so that also a client that is not muonkit cannot break what the store promises:
payloads, entries and history never change or vanish; entries go into open tags only, and do not overlap; a tag starts
open, is published once, and never comes back from invalid. Revisions have no gaps.

In PostgreSQL the guards lock the name or the tag first: two transactions that are both about to add see each other."""

from alembic import op

revision = "2"
down_revision = "1"

FROZEN = ("payloads", "entries", "history")


def last(row: str) -> str:
    """SQL for the end of an interval as (exp, run), with -1 made the largest number there is."""
    exp, run = (
        f"CASE {row}.{name} WHEN -1 THEN 2147483647 ELSE {row}.{name} END" for name in ("final_exp", "final_run")
    )
    return f"({exp}, {run})"


NOT_OPEN = "NOT EXISTS (SELECT 1 FROM global_tags WHERE name = NEW.tag AND state = 'open')"
OVERLAP = f"""EXISTS (SELECT 1 FROM entries e WHERE e.tag = NEW.tag AND e.name = NEW.name
    AND (e.first_exp, e.first_run) <= {last("NEW")} AND (NEW.first_exp, NEW.first_run) <= {last("e")})"""
BAD_STEP = """NEW.name <> OLD.name OR NEW.comment <> OLD.comment
    OR NEW.created <> OLD.created OR NEW.author <> OLD.author
    OR NOT (OLD.state = 'open' AND NEW.state IN ('published', 'invalid')
            OR OLD.state = 'published' AND NEW.state = 'invalid')"""

NOT_NEXT = "NEW.revision <> (SELECT COALESCE(MAX(revision), 0) + 1 FROM payloads WHERE name = NEW.name)"
# INSERT OR REPLACE of SQLite removes rows without asking the triggers for DELETE
REPLACES = {
    "payloads": "EXISTS (SELECT 1 FROM payloads WHERE name = NEW.name AND checksum = NEW.checksum)",
    "global_tags": "EXISTS (SELECT 1 FROM global_tags WHERE name = NEW.name)",
    "history": "EXISTS (SELECT 1 FROM history WHERE id = NEW.id)",
}

REVISION_FOLLOWS = "the revisions of a name follow one another"
ENTRY_NEEDS_OPEN_TAG = "entries go into an open global tag only"
ENTRY_OVERLAPS = "intervals of validity of one name may not overlap in a global tag"
TAG_STARTS_OPEN = "a global tag starts open"
TAG_STEPS = "a global tag goes from open to published to invalid, and nothing else of it changes"


def upgrade() -> None:
    make = _sqlite if op.get_bind().dialect.name == "sqlite" else _postgresql
    for statement in make():
        op.execute(statement)


def _sqlite() -> list[str]:
    return [
        *(
            sqlite_trigger(f"{table}_no_{verb}", f"BEFORE {verb} ON {table}", "1", f"{table} never change or vanish")
            for table in FROZEN
            for verb in ("UPDATE", "DELETE")
        ),
        *(
            sqlite_trigger(f"{table}_no_replace", f"BEFORE INSERT ON {table}", row, f"{table} never change or vanish")
            for table, row in REPLACES.items()
        ),
        sqlite_trigger("payloads_follow", "BEFORE INSERT ON payloads", NOT_NEXT, REVISION_FOLLOWS),
        sqlite_trigger("entries_tag_is_open", "BEFORE INSERT ON entries", NOT_OPEN, ENTRY_NEEDS_OPEN_TAG),
        sqlite_trigger("entries_do_not_overlap", "BEFORE INSERT ON entries", OVERLAP, ENTRY_OVERLAPS),
        sqlite_trigger("global_tags_start", "BEFORE INSERT ON global_tags", "NEW.state <> 'open'", TAG_STARTS_OPEN),
        sqlite_trigger("global_tags_steps", "BEFORE UPDATE ON global_tags", BAD_STEP, TAG_STEPS),
        sqlite_trigger("global_tags_stay", "BEFORE DELETE ON global_tags", "1", "global_tags never vanish"),
    ]


def sqlite_trigger(name: str, event: str, condition: str, message: str) -> str:
    return f"CREATE TRIGGER {name} {event} WHEN {condition} BEGIN SELECT RAISE(ABORT, '{message}'); END"


def _postgresql() -> list[str]:
    name_lock = "PERFORM 1 FROM names WHERE name = NEW.name FOR UPDATE;"
    tag_lock = "PERFORM 1 FROM global_tags WHERE name = NEW.tag FOR UPDATE;"
    entry = tag_lock + raise_if(NOT_OPEN, ENTRY_NEEDS_OPEN_TAG) + raise_if(OVERLAP, ENTRY_OVERLAPS)
    refuse = "RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' never change or vanish';"
    return [
        function("conditions_refuse", refuse),
        function("conditions_payload", name_lock + raise_if(NOT_NEXT, REVISION_FOLLOWS) + " RETURN NEW;"),
        function("conditions_entry", entry + " RETURN NEW;"),
        function("conditions_tag_start", raise_if("NEW.state <> 'open'", TAG_STARTS_OPEN) + " RETURN NEW;"),
        function("conditions_tag_step", raise_if(BAD_STEP, TAG_STEPS) + " RETURN NEW;"),
        *(
            f"CREATE TRIGGER {table}_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION conditions_refuse()"
            for table in FROZEN
        ),
        "CREATE TRIGGER global_tags_stay BEFORE DELETE OR TRUNCATE ON global_tags "
        "FOR EACH STATEMENT EXECUTE FUNCTION conditions_refuse()",
        *(
            f"CREATE TRIGGER {function}_guard BEFORE {event} FOR EACH ROW EXECUTE FUNCTION {function}()"
            for function, event in (
                ("conditions_payload", "INSERT ON payloads"),
                ("conditions_entry", "INSERT ON entries"),
                ("conditions_tag_start", "INSERT ON global_tags"),
                ("conditions_tag_step", "UPDATE ON global_tags"),
            )
        ),
    ]


def function(name: str, body: str) -> str:
    return f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"


def raise_if(condition: str, message: str) -> str:
    return f" IF {condition} THEN RAISE EXCEPTION USING MESSAGE = '{message}'; END IF;"
