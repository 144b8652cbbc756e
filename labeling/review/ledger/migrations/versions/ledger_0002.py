"""The hash chain, the ledger's own notes, and the list of annotators; all append-only.

The links of rows that were there before are made by the code that opens the ledger, in the same transaction (chain.py).
"""

import sqlalchemy as sa
from alembic import op

from labeling.review.ledger.triggers import append_only

revision = "0002"
down_revision = "0001"

MOMENT = sa.DateTime(timezone=True)
KEYS: dict[str, list[tuple[str, ...]]] = {"annotators": [("number",)], "notes": [("number",)], "links": [("number",)]}


def upgrade() -> None:
    op.create_table(
        "annotators",
        _number(),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("account", sa.BigInteger()),
        sa.Column("origin", sa.String(16), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
    )
    op.create_table(
        "notes",
        _number(),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
    )
    op.create_table(
        "links",
        _number(),
        sa.Column("table_name", sa.String(32), nullable=False),
        sa.Column("row_key", sa.Text(), nullable=False),
        sa.Column("content_sha256", sa.String(64), nullable=False),
        sa.Column("previous_sha256", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
    )
    for statement in append_only(op.get_bind().dialect.name, KEYS, with_function=False):
        op.execute(statement)


def _number() -> sa.Column[int]:
    return sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False)
