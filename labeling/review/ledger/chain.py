"""The hash chain: one link for every row that was ever written, each holding the hash of the link before it.

Belongs here: appending rows with their links, taking an older ledger into the chain, checking all of it. Not here: what
the rows mean (ledger.py, promotions.py), where the chain's head is kept outside the database (database.HeadKeeper).

Whoever can drop a trigger can change a row, and whoever can change a row can make its link again, with all links after
it; then the head is another one, which whoever kept the old head notices.
"""

import hashlib
import json
import math
import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Connection, Float, LargeBinary, Table, func, insert, select
from sqlalchemy.types import TypeEngine

from catalog.files import json_sha256
from labeling.review.ledger.records import BEFORE, LATE, Head
from labeling.review.ledger.tables import (
    ANNOTATORS,
    BALLOTS,
    CHAINED,
    EXCLUSIONS,
    LINKS,
    NOTES,
    PAIRS,
    PROMOTION_ENDS,
    PROMOTIONS,
    PULLS,
    ROUND_EVENTS,
    ROUNDS,
    VERDICTS,
    UtcDateTime,
)
from labeling.review.ledger.triggers import missing_triggers

MADE, MIGRATED, ACCEPTED = "made", "migrated", "accepted"
RESTORE = "restore the ledger from a backup"


def append(connection: Connection, table: Table, rows: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> None:
    """Write rows of a table and their links; the caller's transaction is the only writer's.

    Raises:
        DBAPIError: a row is there already, or does not fit.
    """
    several = [dict(rows)] if isinstance(rows, Mapping) else [dict(row) for row in rows]
    if several:
        connection.execute(insert(table), several)
        _link(connection, [(table, row) for row in several])


def head(connection: Connection) -> Head | None:
    """The chain's head; None before the first row."""
    last = connection.execute(select(LINKS.c.number, LINKS.c.sha256).order_by(LINKS.c.number.desc()).limit(1)).first()
    if last is None:
        return None
    name = connection.scalar(select(NOTES.c.detail).order_by(NOTES.c.number).limit(1))
    return Head(name or "", last.number, last.sha256)


def link_sha256(connection: Connection, number: int) -> str | None:
    """The hash of one link; None where the chain is shorter."""
    return connection.scalar(select(LINKS.c.sha256).where(LINKS.c.number == number))


def positions(connection: Connection, table: Table) -> dict[str, int]:
    """Where the rows of a table stand in the chain, by the JSON of their keys (`row_key`)."""
    wanted = select(LINKS.c.row_key, LINKS.c.number).where(LINKS.c.table_name == table.name)
    return {row.row_key: row.number for row in connection.execute(wanted)}


def row_key(*values: object) -> str:
    """A row's primary key as a link holds it."""
    return json.dumps(values)


def begin(connection: Connection) -> bool:
    """Give a ledger without a chain one, with a link for each row it holds; True where it held any.

    The annotators of its rounds are listed from the ballots it has: nobody else could know them.
    """
    if connection.scalar(select(func.count()).select_from(LINKS)):
        return False
    old = bool(connection.scalar(select(func.count()).select_from(ROUNDS))) or bool(
        connection.scalar(select(func.count()).select_from(PROMOTIONS))
    )
    note(connection, MIGRATED if old else MADE, secrets.token_hex(16))
    voted = connection.scalars(select(BALLOTS.c.rater).where(BALLOTS.c.void.is_(None)).distinct())
    for email in sorted(rater for rater in voted if rater):
        list_annotator(connection, email, None, BEFORE)
    _link(connection, list(_rows_before(connection)))
    return old


def note(connection: Connection, kind: str, detail: str) -> None:
    """Write down what happened to the ledger itself."""
    number = (connection.scalar(select(func.max(NOTES.c.number))) or 0) + 1
    append(connection, NOTES, {"number": number, "kind": kind, "detail": detail, "at": datetime.now(UTC)})


def list_annotator(connection: Connection, email: str, account: int | None, origin: str) -> None:
    """List an account: its ballots count from here on."""
    number = (connection.scalar(select(func.max(ANNOTATORS.c.number))) or 0) + 1
    row = {"number": number, "email": email, "account": account, "origin": origin, "at": datetime.now(UTC)}
    append(connection, ANNOTATORS, row)


def problems(connection: Connection) -> list[str]:
    """What is wrong with triggers, chain or rows, one sentence each; empty where the ledger is as it was written."""
    # These bring alembic, which is slow.
    from labeling.review.ledger.migrations.versions import ledger_0001, ledger_0002, ledger_0003

    gone = missing_triggers(connection, {**ledger_0001.KEYS, **ledger_0002.KEYS, **ledger_0003.KEYS})
    problems = (
        [f"the ledger may have been changed: its trigger {gone[0]} is gone or altered; {RESTORE}."] if gone else []
    )
    links = connection.execute(select(LINKS).order_by(LINKS.c.number)).all()
    broken = _first_break(links)
    if broken is not None:
        problems.append(
            f"the ledger was changed: entry {broken} of its chain does not follow from the last; {RESTORE}."
        )
    linked: dict[str, dict[str, str]] = {table.name: {} for table in CHAINED}
    for link in links:
        linked.setdefault(link.table_name, {})[link.row_key] = link.content_sha256
    for table in CHAINED:
        problems += _differences(connection, table, linked[table.name])
    return problems


def _first_break(links: Sequence[Any]) -> int | None:
    previous = ""
    for number, link in enumerate(links, 1):
        expected = _link_sha256(previous, link.table_name, link.row_key, link.content_sha256)
        if (link.number, link.previous_sha256, link.sha256) != (number, previous, expected):
            return number
        previous = link.sha256
    return None


def _differences(connection: Connection, table: Table, linked: Mapping[str, str]) -> list[str]:
    stored = {_key(table, row): _content_sha256(table, row) for row in connection.execute(select(table)).mappings()}
    kinds = (
        ("was written by another program", sorted(stored.keys() - linked.keys())),
        ("is gone", sorted(linked.keys() - stored.keys())),
        ("was changed", sorted(key for key in stored.keys() & linked.keys() if stored[key] != linked[key])),
    )
    return [
        f"the ledger was changed: row {keys[0]} of {table.name} {what}"
        + (f", and {len(keys) - 1} more" if len(keys) > 1 else "")
        + f"; {RESTORE}."
        for what, keys in kinds
        if keys
    ]


def _link(connection: Connection, rows: Sequence[tuple[Table, Mapping[str, Any]]]) -> None:
    last = connection.execute(select(LINKS.c.number, LINKS.c.sha256).order_by(LINKS.c.number.desc()).limit(1)).first()
    number, previous = (0, "") if last is None else last
    links = []
    for table, row in rows:
        number += 1
        key, content = _key(table, row), _content_sha256(table, row)
        sha256 = _link_sha256(previous, table.name, key, content)
        links.append(
            {
                "number": number,
                "table_name": table.name,
                "row_key": key,
                "content_sha256": content,
                "previous_sha256": previous,
                "sha256": sha256,
            }
        )
        previous = sha256
    if links:
        connection.execute(insert(LINKS), links)


def _rows_before(connection: Connection) -> Iterator[tuple[Table, Mapping[str, Any]]]:
    """Rows of a ledger that had no chain, in an order in which they can have been written.

    What is late came after the close: ballots whose fault says so stand behind the events of their rounds.
    """
    late = func.coalesce(BALLOTS.c.void, "") == LATE
    for wanted in (
        select(ROUNDS), select(PAIRS), select(PULLS), select(BALLOTS).where(~late), select(ROUND_EVENTS),
        select(BALLOTS).where(late), select(EXCLUSIONS), select(VERDICTS), select(PROMOTIONS), select(PROMOTION_ENDS),
    ):  # fmt: skip
        table = wanted.get_final_froms()[0]
        assert isinstance(table, Table)
        for row in connection.execute(wanted.order_by(*table.primary_key.columns)).mappings():
            yield table, {column.name: row[column.name] for column in table.columns}


def _key(table: Table, row: Mapping[Any, Any]) -> str:
    return row_key(*(row[column.name] for column in table.primary_key.columns))


def _content_sha256(table: Table, row: Mapping[Any, Any]) -> str:
    content = [(column.name, _plain(column.type, row.get(column.name))) for column in table.columns]
    return json_sha256(content)


def _plain(kind: TypeEngine[Any], value: Any) -> Any:
    """A value as it comes back from either database, as JSON."""
    if value is None:
        return None
    if isinstance(kind, UtcDateTime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(kind, LargeBinary):
        return hashlib.sha256(bytes(value)).hexdigest()
    if isinstance(kind, JSON):
        return json.loads(json.dumps(value))
    if isinstance(kind, Float):
        return None if math.isnan(value) else float(value)  # SQLite keeps no NaN
    return bool(value) if isinstance(kind, Boolean) else value


def _link_sha256(previous: str, table: str, key: str, content: str) -> str:
    return hashlib.sha256("\0".join((previous, table, key, content)).encode()).hexdigest()
