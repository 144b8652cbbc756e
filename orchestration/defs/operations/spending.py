"""Spending: the costs of runs summed by month, week, family and asset, in the operator's time zone.

Belongs here: sums of the table operations/run_costs. Not here: the table (assets/run_costs.py), the asset that shows
them (cost.py), the command (orchestration/cli/cost_command.py).
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

REST = "starting and ending runs"
SUMMED = ("seconds", "rows", "bytes", "tokens_in", "tokens_out", "usd")
FIGURES = ("runs", "failed", "products", *SUMMED)


def dated(costs: pd.DataFrame, time_zone: str) -> pd.DataFrame:
    """The table with the columns `month` (2026-10), `week` (its Monday) and `whose`: a family, else the stage."""
    local = costs["ended"].dt.tz_convert(time_zone)
    monday = (local - pd.to_timedelta(local.dt.weekday, unit="D")).dt
    stage = costs["asset"].str.split("/").str[0].where(costs["asset"] != "", REST)
    return costs.assign(
        month=local.dt.strftime("%Y-%m"),
        week=monday.strftime("%Y-%m-%d"),
        whose=costs["family"].where(costs["family"] != "", stage),
    )


def sums(costs: pd.DataFrame, by: Sequence[str] = ()) -> list[dict[str, Any]]:
    """One row for each combination of these columns, in their order: runs, failed ones, products, and what was spent.

    Products are those of the drops that were worked on, each drop counted once. seconds: wall time. failed: runs.
    """
    groups = [((), costs)] if not by else [
        (names if isinstance(names, tuple) else (names,), group) for names, group in costs.groupby(list(by))
    ]  # fmt: skip
    return [{**dict(zip(by, names, strict=True)), **_figures(group)} for names, group in groups]


def _figures(costs: pd.DataFrame) -> dict[str, Any]:
    runs = costs.drop_duplicates("run_id")
    drops = costs[costs["products"].notna()].drop_duplicates("partition", keep="last")
    return {
        "runs": len(runs),
        "failed": int((runs["status"] != "SUCCESS").sum()),
        "products": int(drops["products"].sum()),
        **{name: float(costs[name].sum()) if name in ("seconds", "usd") else int(costs[name].sum()) for name in SUMMED},
    }
