"""Costs of all runs: the table operations/run_costs, derived from Dagster's event log and kept by month.

Belongs here: its contract, reading a run's events into rows, keeping them. Not here: what a step says of itself
(costs.py), sums by month, week and family (orchestration/defs/operations/spending.py).

A row is what one run spent on one asset, its checks included. The row without an asset is the rest of the run: starting
its process, and ending. So the rows of a run add up to its wall time. A run that ended never changes and is counted by
its id: counting again changes nothing, and `selvedge gc` keeps the rows of what it prunes. Of a run whose process died
the time until its last sign of life counts, and not until somebody noticed.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
import pyarrow as pa

from catalog.tables import TEXT, declare_table, write_table
from orchestration.assets.costs import BYTES, DOLLARS, PAID, ROWS, usd_of_tokens
from orchestration.assets.partitions import DROPS, PARTITION_TAG
from orchestration.assets.published import Tables, materialised
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

TABLE, CONTRACT = "operations/run_costs", "run_costs"
FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
OVERLAP = timedelta(days=1)  # of two looks: clocks differ
BEGINS = ("STEP_START", "STEP_RESTARTED")
ENDS = ("STEP_SUCCESS", "STEP_FAILURE", "STEP_UP_FOR_RETRY", "STEP_SKIPPED")


SCHEMA = declare_table(
    CONTRACT,
    pa.schema(
        [
            ("run_id", TEXT),
            ("ended", pa.timestamp("us", "UTC")),
            ("job", TEXT),
            ("status", TEXT),  # SUCCESS, FAILURE or CANCELED, of the run
            ("family", TEXT),  # whose asset it is; "" for none
            ("asset", TEXT),  # "" for the rest of the run
            ("partition", TEXT),  # "" for none
            ("products", pa.int64()),  # of the drop that was worked on; null where it is no drop
            ("made", pa.bool_()),  # was the asset materialised?
            ("seconds", pa.float64()),  # wall time
            ("rows", pa.int64()),  # of the published table; null where none was
            ("bytes", pa.int64()),
            ("tokens_in", pa.int64()),
            ("tokens_out", pa.int64()),
            ("usd", pa.float64()),  # US dollars for paid writers
        ]
    ),
    finite=("seconds", "usd"),
)


@dataclass
class RunCosts:
    """The table of a home.

    Attributes:
        families: whose an asset is, by its name `stage/name`.
    """

    instance: dg.DagsterInstance
    tables: Tables
    settings: Settings
    families: Mapping[str, str]
    _products: dict[str, int | None] = field(default_factory=dict)

    def all(self) -> "pd.DataFrame":
        """The rows of every run that ended, those that were pruned included, oldest first. Nothing is written."""
        kept = self._kept()
        return self._frame([*kept.values(), self._fresh(kept)])

    def keep(self) -> "pd.DataFrame":
        """The same, and what was not in the table yet is written into that of its month (UTC)."""
        kept, months = self._kept(), defaultdict(list)
        for row in self._fresh(kept).to_pylist():
            months[f"{row['ended']:%Y-%m}"].append(row)
        for month, rows in sorted(months.items()):
            whole = self._table([*(kept[month].to_pylist() if month in kept else ()), *rows])
            path = self.tables.path(TABLE, month)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_table(whole, path, CONTRACT)
            kept[month] = whole
        return self._frame(kept.values())

    def _kept(self) -> dict[str, pa.Table]:
        """By month.

        Raises:
            SelvedgeError: a table is damaged.
        """
        folder = self.tables.path(TABLE).with_suffix("")
        months = sorted(path.stem for path in folder.glob("*.parquet")) if folder.exists() else []
        read = {month: self.tables.latest(TABLE, month, CONTRACT) for month in months}
        return {month: table for month, table in read.items() if table is not None}

    def _fresh(self, kept: Mapping[str, pa.Table]) -> pa.Table:
        """Runs that ended and are not in the table."""
        counted = {run_id for table in kept.values() for run_id in table["run_id"].to_pylist()}
        ended = [moment for table in kept.values() for moment in table["ended"].to_pylist()]
        since = min(max(ended), datetime.now(UTC)) - OVERLAP if ended else None
        query = dg.RunsFilter(statuses=FINISHED, updated_after=since)
        records = self.instance.get_run_records(query, order_by="update_timestamp", ascending=True)
        return self._table(
            [row for record in records if record.dagster_run.run_id not in counted for row in self._rows(record)]
        )

    def _rows(self, record: dg.RunRecord) -> list[dict[str, Any]]:
        run = record.dagster_run
        spent = spent_by_run(record, self.instance.all_logs(run.run_id))
        partition = run.tags.get(PARTITION_TAG, "")
        return [
            {
                "run_id": run.run_id,
                "ended": datetime.fromtimestamp(record.end_time or record.update_timestamp.timestamp(), UTC),
                "job": run.job_name,
                "status": run.status.value,
                "family": self.families.get(asset, ""),
                "asset": asset,
                "partition": partition,
                "products": self._products_of(partition) if asset else None,
                "seconds": seconds,
                **_figures(spent.made.get(asset), self.settings),
            }
            for asset, seconds in spent.seconds.items()
        ]

    def _products_of(self, partition: str) -> int | None:
        if partition not in self._products:
            is_drop = bool(partition) and self.instance.has_dynamic_partition(DROPS.name or "", partition)
            about = materialised(self.instance, "catalog/products", partition) if is_drop else None
            self._products[partition] = None if about is None else int(about.get(ROWS, 0))
        return self._products[partition]

    @staticmethod
    def _table(rows: list[dict[str, Any]]) -> pa.Table:
        return pa.Table.from_pylist(rows, schema=SCHEMA)

    @staticmethod
    def _frame(tables: Iterable[pa.Table]) -> "pd.DataFrame":
        whole = pa.concat_tables([SCHEMA.empty_table(), *(table.cast(SCHEMA) for table in tables)])
        frame: pd.DataFrame = whole.to_pandas().sort_values(["ended", "run_id", "asset"], ignore_index=True)
        return frame


@dataclass(frozen=True)
class Spent:
    """What a run spent.

    Attributes:
        seconds: by asset; "" for the rest of the run. made: metadata of what was materialised, by asset.
    """

    seconds: Mapping[str, float]
    made: Mapping[str, Mapping[str, Any]]


def spent_by_run(record: dg.RunRecord, events: Iterable[dg.EventLogEntry]) -> Spent:
    """Wall seconds by asset, and what was made, from the events of a run that ended, in their order."""
    steps, assets, made = _Clock(), defaultdict[str, set[str]](set), {}
    started = record.start_time
    for entry in events:
        event = entry.dagster_event
        step, kind = entry.step_key, "" if event is None else event.event_type_value
        if kind == "PIPELINE_STARTING":
            started = min(entry.timestamp, started or entry.timestamp)
        if step is None:
            continue
        steps.look(step, kind, entry.timestamp)
        if event is not None and (asset := _asset_of(event)):
            assets[step].add(asset)
        if event is not None and entry.asset_materialization is not None and event.asset_key is not None:
            metadata = entry.asset_materialization.metadata
            made[_name(event.asset_key)] = {name: value.value for name, value in metadata.items()}
    seconds: dict[str, float] = defaultdict(float)
    for step, took in steps.seconds().items():
        for asset in assets[step] or {""}:
            seconds[asset] += took / max(1, len(assets[step]))
    ended = steps.last if steps.cut_short else record.end_time
    whole = 0.0 if started is None or ended is None else ended - started
    seconds[""] += max(0.0, whole - sum(seconds.values()))
    return Spent(dict(seconds), made)


class _Clock:
    """The time of steps, by their events; one that never ended took until its last event."""

    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._seen: dict[str, float] = {}
        self._took: dict[str, float] = defaultdict(float)
        self.last = 0.0

    @property
    def cut_short(self) -> bool:
        """Is there a step that began and did not end?"""
        return bool(self._began)

    def look(self, step: str, kind: str, moment: float) -> None:
        self.last = max(self.last, moment)
        if step in self._began:
            self._seen[step] = moment
        if kind in BEGINS:
            self._began[step] = self._seen[step] = moment
        elif kind in ENDS and step in self._began:
            self._took[step] += max(0.0, moment - self._began.pop(step))

    def seconds(self) -> dict[str, float]:
        unended = {step: max(0.0, self._seen[step] - began) for step, began in self._began.items()}
        return {step: self._took.get(step, 0.0) + unended.get(step, 0.0) for step in {**self._took, **unended}}


def _asset_of(event: dg.DagsterEvent) -> str:
    """The asset that an event of a step is about, or the asset of the check; "" for neither."""
    if event.asset_key is not None:
        return _name(event.asset_key)
    of_checks: tuple[tuple[str, Callable[[], Any]], ...] = (
        ("ASSET_CHECK_EVALUATION_PLANNED", lambda: event.asset_check_planned_data),
        ("ASSET_CHECK_EVALUATION", lambda: event.asset_check_evaluation_data),
    )
    data = next((read() for kind, read in of_checks if event.event_type_value == kind), None)
    return "" if data is None else _name(data.asset_key)


def _name(key: dg.AssetKey) -> str:
    return "/".join(key.path)


def _figures(metadata: Mapping[str, Any] | None, settings: Settings) -> dict[str, Any]:
    """What a materialisation says of itself; of one that an older Selvedge made, dollars by the prices of now."""
    about = metadata or {}
    tokens_in, tokens_out = (_count(about, name) or 0 for name in ("tokens_in", "tokens_out"))
    usd = about.get(DOLLARS)
    if not isinstance(usd, float):
        usd = usd_of_tokens(settings, tokens_in, tokens_out) if about.get("writer") == PAID else 0.0
    return {
        "made": metadata is not None,
        "rows": _count(about, ROWS),
        "bytes": _count(about, BYTES),
        "tokens_in": tokens_in,
        "tokens_out": tokens_out,
        "usd": usd,
    }


def _count(about: Mapping[str, Any], name: str) -> int | None:
    value = about.get(name)
    return value if isinstance(value, int) else None
