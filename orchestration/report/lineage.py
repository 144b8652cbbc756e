"""Lineage: the assets on the way from the first drop to the published text, as they were last written.

Belongs here: which assets, in which order, and what is said of each. Not here: the chain of one sentence
(trace.py), HTML (render.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from orchestration.assets.published import newest
from orchestration.families.contract import Family
from orchestration.report.family import newest_candidate
from orchestration.report.home import Home

READ = ("catalog/products", "catalog/quarantine", "catalog/images")
ASKED = ("catalog/splits", "catalog/qa_pairs")
DESCRIPTIONS = "inference/descriptions"


@dataclass(frozen=True)
class LineageStep:
    """One asset. sha256: of its content. link: a URL, or empty."""

    asset: str
    partition: str
    rows: int | None
    sha256: str
    written: str
    link: str


def lineage(home: Home, families: Sequence[Family]) -> list[LineageStep]:
    """Every step that was made: drops, splits, each family's way to its champion, and what was published."""
    published = sorted({DESCRIPTIONS, *(family.publishes for family in families)})
    wanted: list[tuple[str, str | None]] = [(name, drop) for drop in home.drops for name in READ]
    wanted += [(name, None) for name in ASKED]
    for family in families:
        wanted += _way_to_champion(family, newest_candidate(home, family))
    wanted += [(name, drop) for drop in home.drops for name in published]
    return list(_steps(home.instance, wanted))


def _way_to_champion(family: Family, candidate: str | None) -> list[tuple[str, str | None]]:
    """A family's assets: what it prepares, the candidate's own, the champion."""
    own = (family.candidate, family.scores, family.round, family.verdict, family.promotion)
    partitioned = [("/".join(key.path), candidate) for key in own] if candidate else []
    prepared: list[tuple[str, str | None]] = [("/".join(key.path), None) for key in family.prepared_by]
    return [*prepared, *partitioned, ("/".join(family.champion.path), None)]


def _steps(instance: dg.DagsterInstance, wanted: Iterable[tuple[str, str | None]]) -> Iterable[LineageStep]:
    for name, partition in wanted:
        event = newest(instance, name, partition)
        if event is None or event.asset_materialization is None:
            continue
        materialization = event.asset_materialization
        metadata: dict[str, Any] = {field: value.value for field, value in materialization.metadata.items()}
        version = (materialization.tags or {}).get("dagster/data_version", "")
        rows = metadata.get("rows")
        yield LineageStep(
            asset=name,
            partition=partition or "",
            rows=None if rows is None else int(rows),
            sha256=str(metadata.get("sha256") or metadata.get("digest") or version),
            written=datetime.fromtimestamp(event.timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S"),
            link=str(metadata.get("MLflow run", "")),
        )
