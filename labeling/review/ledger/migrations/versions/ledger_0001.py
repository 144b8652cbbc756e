"""The first ledger: rounds, pairs, pulls, ballots, exclusions, verdicts, promotions; all append-only.

Written out rather than taken from tables.py, which will move on. There is no way down: it would delete ballots.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from labeling.review.ledger.triggers import append_only

revision = "0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)
# Table -> its unique keys, which a write must not replace.
KEYS: dict[str, list[tuple[str, ...]]] = {
    "rounds": [("round_id",)],
    "round_events": [("round_id", "number")],
    "pairs": [("round_id", "task_key"), ("round_id", "item", "slot")],
    "pulls": [("round_id", "number")],
    "ballots": [("round_id", "annotation_id", "revision"), ("round_id", "annotation_id", "content_sha256")],
    "exclusions": [("round_id", "rater", "rule")],
    "verdicts": [("round_id",)],
    "promotions": [("record_id",), ("family", "number")],
    "promotion_ends": [("record_id",)],
}


def _round_id() -> sa.Column[str]:
    return sa.Column("round_id", sa.String(64), sa.ForeignKey("rounds.round_id"), nullable=False, primary_key=True)


def _needed(name: str, kind: Any, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, **options)


def upgrade() -> None:
    op.create_table(
        "rounds",
        _needed("round_id", sa.String(64), primary_key=True),
        _needed("family", sa.String(64)),
        _needed("candidate", sa.String(128)),
        _needed("plan", sa.Text()),
        _needed("plan_sha256", sa.String(64)),
        _needed("blinding_key", sa.LargeBinary()),
        _needed("opened_at", MOMENT),
    )
    op.create_table(
        "round_events",
        _round_id(),
        _needed("number", sa.Integer(), primary_key=True, autoincrement=False),
        _needed("event", sa.String(16)),
        _needed("detail", sa.Text()),
        _needed("at", MOMENT),
    )
    op.create_table(
        "pairs",
        _round_id(),
        _needed("task_key", sa.String(32), primary_key=True),
        _needed("item", sa.BigInteger()),
        _needed("slot", sa.String(8)),
        _needed("left", sa.String(16)),
        sa.Column("sound", sa.String(8)),
        _needed("words", sa.Integer()),
        _needed("shown_sha256", sa.String(64)),
        sa.UniqueConstraint("round_id", "item", "slot"),
    )
    op.create_table(
        "pulls",
        _round_id(),
        _needed("number", sa.Integer(), primary_key=True, autoincrement=False),
        _needed("at", MOMENT),
        _needed("sha256", sa.String(64)),
        _needed("annotations", sa.Integer()),
        _needed("change", sa.LargeBinary()),
    )
    op.create_table(
        "ballots",
        _round_id(),
        _needed("annotation_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        _needed("revision", sa.Integer(), primary_key=True, autoincrement=False),
        _needed("content_sha256", sa.String(64)),
        _needed("pull", sa.Integer()),
        _needed("task_id", sa.BigInteger()),
        _needed("task_key", sa.String(128)),
        _needed("rater", sa.String(254)),
        sa.Column("updated_by", sa.String(254)),
        _needed("side", sa.String(16)),
        _needed("reasons", sa.JSON()),
        sa.Column("seconds", sa.Float()),
        _needed("created_at", MOMENT),
        _needed("updated_at", MOMENT),
        _needed("cancelled", sa.Boolean()),
        _needed("simulated", sa.Boolean()),
        sa.Column("void", sa.String(254)),
        sa.UniqueConstraint("round_id", "annotation_id", "content_sha256"),
    )
    op.create_table(
        "exclusions",
        _round_id(),
        _needed("rater", sa.String(254), primary_key=True),
        _needed("rule", sa.String(64), primary_key=True),
        _needed("detail", sa.Text()),
        _needed("at", MOMENT),
    )
    op.create_table(
        "verdicts",
        _round_id(),
        _needed("outcome", sa.String(32)),
        _needed("evidence", sa.Text()),
        _needed("evidence_sha256", sa.String(64)),
        _needed("ballots_sha256", sa.String(64)),
        _needed("simulated", sa.Boolean()),
        _needed("at", MOMENT),
    )
    op.create_table(
        "promotions",
        _needed("record_id", sa.String(64), primary_key=True),
        _needed("family", sa.String(64)),
        _needed("number", sa.Integer()),
        _needed("kind", sa.String(16)),
        _needed("candidate", sa.String(128)),
        _needed("version", sa.String(64)),
        sa.Column("old_champion", sa.String(64)),
        sa.Column("previous_champion", sa.String(64)),
        _needed("who", sa.String(254)),
        _needed("reasons", sa.JSON()),
        _needed("evidence", sa.JSON()),
        _needed("simulated", sa.Boolean()),
        _needed("at", MOMENT),
        sa.UniqueConstraint("family", "number"),
    )
    op.create_table(
        "promotion_ends",
        sa.Column("record_id", sa.String(64), sa.ForeignKey("promotions.record_id"), primary_key=True),
        _needed("outcome", sa.String(16)),
        _needed("detail", sa.Text()),
        _needed("at", MOMENT),
    )
    for statement in append_only(op.get_bind().dialect.name, KEYS):
        op.execute(statement)
