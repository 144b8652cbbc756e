"""Picks: rounds, tasks and every revision of every pick; all append-only."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from labeling.review.ledger.triggers import append_only

revision = "0003"
down_revision = "0002"

MOMENT = sa.DateTime(timezone=True)
KEYS: dict[str, list[tuple[str, ...]]] = {
    "pick_rounds": [("round_id",)],
    "pick_tasks": [("round_id", "task_key"), ("round_id", "request")],
    "ad_picks": [("round_id", "annotation_id", "revision"), ("round_id", "annotation_id", "content_sha256")],
}


def upgrade() -> None:
    op.create_table(
        "pick_rounds",
        _needed("round_id", sa.String(64), primary_key=True),
        _needed("drop", sa.String(128)),
        _needed("blinding_key", sa.LargeBinary()),
        _needed("opened_at", MOMENT),
    )
    op.create_table(
        "pick_tasks",
        _round_id(),
        _needed("task_key", sa.String(32), primary_key=True),
        _needed("request", sa.String(256)),
        sa.Column("product_id", sa.BigInteger()),
        _needed("shown", sa.JSON()),
        sa.UniqueConstraint("round_id", "request"),
    )
    op.create_table(
        "ad_picks",
        _round_id(),
        _needed("annotation_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        _needed("revision", sa.Integer(), primary_key=True, autoincrement=False),
        _needed("content_sha256", sa.String(64)),
        _needed("task_key", sa.String(128)),
        _needed("rater", sa.String(254)),
        sa.Column("updated_by", sa.String(254)),
        _needed("answer", sa.String(16)),
        sa.Column("picked_sha256", sa.String(64)),
        _needed("comment", sa.Text()),
        sa.Column("rework", sa.JSON()),
        sa.Column("seconds", sa.Float()),
        _needed("created_at", MOMENT),
        _needed("updated_at", MOMENT),
        _needed("pulled_at", MOMENT),
        _needed("cancelled", sa.Boolean()),
        _needed("simulated", sa.Boolean()),
        sa.Column("void", sa.String(254)),
        sa.UniqueConstraint("round_id", "annotation_id", "content_sha256"),
    )
    for statement in append_only(op.get_bind().dialect.name, KEYS, with_function=False):
        op.execute(statement)


def _round_id() -> sa.Column[str]:
    return sa.Column("round_id", sa.String(64), sa.ForeignKey("pick_rounds.round_id"), nullable=False, primary_key=True)


def _needed(name: str, kind: Any, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, **options)
