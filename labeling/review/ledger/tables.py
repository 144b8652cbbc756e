"""The ledger's tables: what a round, its ballots and every promotion leave behind.

Belongs here: columns and keys. Not here: who may write what (ledger.py, promotions.py), how an existing database comes
to have these tables (migrations/, held to this page by a test).

Every table is append-only: a trigger of the database refuses UPDATE and DELETE, so a state that changes (a round
closes, a promotion completes) is a further row. A trigger can be dropped by whoever owns the database, so every row
also has a link in one hash chain (chain.py).
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment with its zone; SQLite drops the zone, so all are written in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


METADATA = MetaData()


def _round_id(**options: Any) -> Column[str]:
    return Column("round_id", String(64), ForeignKey("rounds.round_id"), nullable=False, **options)


def _pick_round_id(**options: Any) -> Column[str]:
    return Column("round_id", String(64), ForeignKey("pick_rounds.round_id"), nullable=False, **options)


def _moment(name: str) -> Column[datetime]:
    return Column(name, UtcDateTime, nullable=False)


ROUNDS = Table(
    "rounds",
    METADATA,
    Column("round_id", String(64), primary_key=True),
    Column("family", String(64), nullable=False),
    Column("candidate", String(128), nullable=False),
    Column("plan", Text, nullable=False),  # JSON as it was registered
    Column("plan_sha256", String(64), nullable=False),
    Column("blinding_key", LargeBinary, nullable=False),  # never leaves this database
    _moment("opened_at"),
)

# What happened to a round since: closed and void happen once, a project may have to be made again.
ROUND_EVENTS = Table(
    "round_events",
    METADATA,
    _round_id(primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("event", String(16), nullable=False),  # project, closed, void
    Column("detail", Text, nullable=False),
    _moment("at"),
)

PAIRS = Table(
    "pairs",
    METADATA,
    _round_id(primary_key=True),
    Column("task_key", String(32), primary_key=True),
    Column("item", BigInteger, nullable=False),
    Column("slot", String(8), nullable=False),  # plain, gold, aa, repeat
    Column("left", String(16), nullable=False),  # candidate or champion
    Column("sound", String(8)),  # gold alone: left or right
    Column("words", Integer, nullable=False),  # that the pair shows, for the rule on reading speed
    Column("shown_sha256", String(64), nullable=False),
    UniqueConstraint("round_id", "item", "slot"),
)

PULLS = Table(
    "pulls",
    METADATA,
    _round_id(primary_key=True),
    Column("number", Integer, primary_key=True),
    _moment("at"),
    Column("sha256", String(64), nullable=False),  # of everything that was pulled
    Column("annotations", Integer, nullable=False),
    Column("change", LargeBinary, nullable=False),  # against the pull before: compressed JSON
)

BALLOTS = Table(
    "ballots",
    METADATA,
    _round_id(primary_key=True),
    Column("annotation_id", BigInteger, primary_key=True, autoincrement=False),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("content_sha256", String(64), nullable=False),
    Column("pull", Integer, nullable=False),
    Column("task_id", BigInteger, nullable=False),
    Column("task_key", String(128), nullable=False),  # as pulled: it may be none of ours
    Column("rater", String(254), nullable=False),
    Column("updated_by", String(254)),
    Column("side", String(16), nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("seconds", Float),
    _moment("created_at"),
    _moment("updated_at"),
    Column("cancelled", Boolean, nullable=False),
    Column("simulated", Boolean, nullable=False),
    Column("void", String(254)),  # why it may never count
    UniqueConstraint("round_id", "annotation_id", "content_sha256"),
)

EXCLUSIONS = Table(
    "exclusions",
    METADATA,
    _round_id(primary_key=True),
    Column("rater", String(254), primary_key=True),
    Column("rule", String(64), primary_key=True),
    Column("detail", Text, nullable=False),
    _moment("at"),
)

VERDICTS = Table(
    "verdicts",
    METADATA,
    _round_id(primary_key=True),
    Column("outcome", String(32), nullable=False),
    Column("evidence", Text, nullable=False),  # JSON
    Column("evidence_sha256", String(64), nullable=False),
    Column("ballots_sha256", String(64), nullable=False),
    Column("simulated", Boolean, nullable=False),
    _moment("at"),
)

PROMOTIONS = Table(
    "promotions",
    METADATA,
    Column("record_id", String(64), primary_key=True),
    Column("family", String(64), nullable=False),
    Column("number", Integer, nullable=False),  # the family's next: of two writers one gets it
    Column("kind", String(16), nullable=False),  # promotion, rollback, by_hand
    Column("candidate", String(128), nullable=False),
    Column("version", String(64), nullable=False),
    Column("old_champion", String(64)),
    Column("previous_champion", String(64)),
    Column("who", String(254), nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("evidence", JSON, nullable=False),  # id -> sha256
    Column("simulated", Boolean, nullable=False),
    _moment("at"),
    UniqueConstraint("family", "number"),
)

PROMOTION_ENDS = Table(
    "promotion_ends",
    METADATA,
    Column("record_id", String(64), ForeignKey("promotions.record_id"), primary_key=True),
    Column("outcome", String(16), nullable=False),  # completed, abandoned
    Column("detail", Text, nullable=False),
    _moment("at"),
)

# A round of picks: every request of a drop's ads, shown once. Its project goes by a title that the key gives.
PICK_ROUNDS = Table(
    "pick_rounds",
    METADATA,
    Column("round_id", String(64), primary_key=True),
    Column("drop", String(128), nullable=False),
    Column("blinding_key", LargeBinary, nullable=False),  # never leaves this database
    _moment("opened_at"),
)

PICK_TASKS = Table(
    "pick_tasks",
    METADATA,
    _pick_round_id(primary_key=True),
    Column("task_key", String(32), primary_key=True),
    Column("request", String(256), nullable=False),
    Column("product_id", BigInteger),
    Column("shown", JSON, nullable=False),  # picture files as they stand on the page: sha256, uri
    UniqueConstraint("round_id", "request"),
)

# Every revision of every pick that was ever pulled; one that is not void publishes its picture.
AD_PICKS = Table(
    "ad_picks",
    METADATA,
    _pick_round_id(primary_key=True),
    Column("annotation_id", BigInteger, primary_key=True, autoincrement=False),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("content_sha256", String(64), nullable=False),
    Column("task_key", String(128), nullable=False),  # as pulled: it may be none of ours
    Column("rater", String(254), nullable=False),
    Column("updated_by", String(254)),
    Column("answer", String(16), nullable=False),  # 1, 2, 3 or none; as pulled
    Column("picked_sha256", String(64)),  # of the picture file; missing: none of these
    Column("comment", Text, nullable=False),
    Column("rework", JSON),  # what the comment would run again: stages, sentence
    Column("seconds", Float),
    _moment("created_at"),
    _moment("updated_at"),
    _moment("pulled_at"),
    Column("cancelled", Boolean, nullable=False),
    Column("simulated", Boolean, nullable=False),
    Column("void", String(254)),  # why it may never count
    UniqueConstraint("round_id", "annotation_id", "content_sha256"),
)

# Who may vote: an account counts from the row that lists it on. Never taken back.
ANNOTATORS = Table(
    "annotators",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("email", String(254), nullable=False),
    Column("account", BigInteger),  # Label Studio's id of it; None of one that voted before accounts were listed
    Column("origin", String(16), nullable=False),  # added, existing, scripted, before
    _moment("at"),
)

# What happened to the ledger itself. The first note names it: `made` or `migrated`, and its id.
NOTES = Table(
    "notes",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),  # made, migrated, accepted
    Column("detail", Text, nullable=False),
    _moment("at"),
)

# The hash chain: one link for every row of every other table, in the order of writing.
LINKS = Table(
    "links",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("table_name", String(32), nullable=False),
    Column("row_key", Text, nullable=False),  # JSON of the row's primary key
    Column("content_sha256", String(64), nullable=False),
    Column("previous_sha256", String(64), nullable=False),  # of the link before; "" of the first
    Column("sha256", String(64), nullable=False),
)

CHAINED = tuple(table for table in METADATA.sorted_tables if table is not LINKS)
