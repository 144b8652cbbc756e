"""Tables of the service: keys and jobs, in SQLite or PostgreSQL.

Belongs here: columns, opening the database. Not here: what is done with rows (keys.py, jobs.py).
"""

from sqlalchemy import Column, Float, Integer, MetaData, String, Table, Text

from inference.databases import Database

METADATA = MetaData()

KEYS = Table(
    "service_keys",
    METADATA,
    Column("name", String(24), primary_key=True),
    Column("key_sha256", String(64), nullable=False, unique=True),
    Column("rights", String(64), nullable=False),  # words with commas
    Column("created_at", Float, nullable=False),  # seconds since the epoch, as all times here
)

JOBS = Table(
    "service_jobs",
    METADATA,
    Column("client", String(24), primary_key=True),
    Column("request_id", String(64), primary_key=True),
    Column("body_sha256", String(64), nullable=False),
    Column("order", Text, nullable=False),  # JSON of a `making.AdOrder`
    Column("state", String(16), nullable=False, index=True),
    Column("stage", String(32), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("token", String(32), nullable=False),  # of the worker that holds it; "" where none does
    Column("due_at", Float, nullable=False),  # queued: not before; running: the end of the lease
    Column("created_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("outcome", Text, nullable=False),  # JSON; {} until it ended
    Column("picked", Integer),  # rank of the picture that the client would publish
)


def open_database(url: str) -> Database:
    """Raises: SelvedgeError, ServiceUnavailable: as `Database`."""
    return Database(url, METADATA, "requests")
