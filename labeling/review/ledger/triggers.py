"""Triggers: what makes a table append-only, on each database, and whether they are all still there.

Belongs here: the statements and the look for them. Not here: which tables there are (migrations/), whether a row was
changed all the same (chain.py).

The statements are part of what the migrations did: a database is held to their text, so a change of them is a new
migration.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, text

Keys = Mapping[str, Sequence[tuple[str, ...]]]  # table -> its unique keys, which a write must not replace

FUNCTION = (
    "CREATE FUNCTION ledger_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ "
    "BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME "
    "USING ERRCODE = 'integrity_constraint_violation'; END $$"
)


def append_only(dialect: str, keys: Keys, *, with_function: bool = True) -> list[str]:
    """The statements that make tables append-only.

    Args:
        with_function: make PostgreSQL's function as well; it is there once for all tables.
    """
    if dialect == "sqlite":
        return list(_sqlite(keys).values())
    return [*([FUNCTION] if with_function else []), *_postgres(keys).values()]


def missing_triggers(connection: Connection, keys: Keys) -> list[str]:
    """Names of triggers that are gone, switched off or changed."""
    if connection.dialect.name == "sqlite":
        rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))
        there = {row.name: row.sql for row in rows}
        return [name for name, statement in _sqlite(keys).items() if there.get(name) != statement]
    body = connection.scalar(text("SELECT prosrc FROM pg_proc WHERE proname = 'ledger_append_only'"))
    if body is None or body.strip() != FUNCTION.split("$$")[1].strip():
        return ["ledger_append_only"]
    rows = connection.execute(text("SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal"))
    enabled = {name for name, state in rows if state in ("O", "A", b"O", b"A")}
    return [name for name in _postgres(keys) if name not in enabled]


def _sqlite(keys: Keys) -> dict[str, str]:
    made = {}
    for table, unique in keys.items():
        refusal = f"SELECT RAISE(ABORT, '{table} is append-only');"
        for what in ("UPDATE", "DELETE"):
            name = f"{table}_no_{what.lower()}"
            made[name] = f"CREATE TRIGGER {name} BEFORE {what} ON {table} BEGIN {refusal} END"
        for number, key in enumerate(unique):
            # INSERT OR REPLACE deletes without asking the trigger on DELETE.
            same = " AND ".join(f'"{column}" = NEW."{column}"' for column in key)
            name = f"{table}_no_replace_{number}"
            made[name] = (
                f"CREATE TRIGGER {name} BEFORE INSERT ON {table} "
                f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) BEGIN {refusal} END"
            )
    return made


def _postgres(keys: Keys) -> dict[str, str]:
    made = {}
    for table in keys:
        for what, scope in (("UPDATE OR DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
            name = f"{table}_no_{what.split()[0].lower()}"
            made[name] = (
                f"CREATE TRIGGER {name} BEFORE {what} ON {table} FOR EACH {scope} EXECUTE FUNCTION ledger_append_only()"
            )
    return made
