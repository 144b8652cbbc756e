"""Published tables: writing a whole table with the metadata that names it, and reading what upstream published.

Belongs here: tables below one root, references, what was materialised when, the pools. Not here: the tables' schemas
(each room declares its own), the registry and the ledger (resources.py).

Between assets pass references, recorded in the materialisation: what is read is held to the recorded hash, so a table
that was changed behind Dagster's back is noticed by its first reader.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dagster as dg

from catalog.errors import SelvedgeError
from orchestration.assets.costs import BYTES
from orchestration.assets.partitions import valid_key

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from upath import UPath

    from catalog.tables import Reference

REFERENCE_FIELDS = ("uri", "sha256", "rows", "schema")
# Dagster queues a run that asks for a pool's slot; one holder at a time.
GPU_POOL = "gpu"
SPLITS_POOL = "splits"
COSTS_POOL = "costs"
MOST_AT_ONCE = 500  # values in one question to a database; SQLite takes no more than some thousand


class Tables(dg.ConfigurableResource):
    """The published tables below one root, a folder or a bucket: `<stage>/<name>/<partition>.parquet`.

    The root is a dependency and no configuration: who launches a run must not choose where it writes.
    """

    root: dg.ResourceDependency[str]

    def path(self, name: str, partition: str | None = None) -> "UPath":
        """Where the table `stage/name` is kept.

        Raises:
            SelvedgeError: the partition is no usable key; it would name a file outside.
        """
        from upath import UPath

        root = UPath(self.root) / f"{name}.parquet"
        return root if partition is None else UPath(self.root) / name / f"{valid_key(partition, 'partition')}.parquet"

    def standing(self, address: str) -> str:
        """A file or folder that a record of this home names, as it stands now: the home may have been moved."""
        from catalog.standing import standing

        return standing([address], self._home)[0]

    @property
    def _home(self) -> "UPath":
        from upath import UPath

        return UPath(self.root).parent

    def publish(
        self,
        context: dg.AssetExecutionContext,
        name: str,
        rows: "pa.Table | pd.DataFrame",
        metadata: Mapping[str, Any] | None = None,
        schema: str | None = None,
    ) -> dg.MaterializeResult:
        """Write a whole table and say so, with its reference; the data version is the content's hash.

        Args:
            name: last part of one of the asset keys this step makes.
            schema: name of the contract; the table's name by default.
        """
        from catalog.tables import write_table

        key = next(key for key in context.selected_asset_keys if key.path[-1] == name)
        path = self.path("/".join(key.path), context.partition_key if context.has_partition_key else None)
        path.parent.mkdir(parents=True, exist_ok=True)
        reference = write_table(rows, path, schema or name)
        described = {
            **reference.as_metadata(),
            "dagster/row_count": reference.rows,
            "dagster/uri": reference.uri,
            BYTES: path.stat().st_size,
        }
        return dg.MaterializeResult(
            asset_key=key, metadata={**described, **(metadata or {})}, data_version=dg.DataVersion(reference.sha256)
        )

    def reference(self, instance: dg.DagsterInstance, name: str, partition: str | None = None) -> "Reference":
        """What the newest materialisation of `stage/name` says it wrote.

        Raises:
            SelvedgeError: it was never materialised.
        """
        return self._reference(name, partition, materialised(instance, name, partition))

    def references(self, instance: dg.DagsterInstance, name: str, partitions: Sequence[str]) -> "dict[str, Reference]":
        """`reference` of each of these partitions, in their order; the database is asked once.

        Raises:
            SelvedgeError: one was never materialised.
        """
        recorded = materialised_each(instance, name, partitions)
        return {partition: self._reference(name, partition, recorded.get(partition)) for partition in partitions}

    def _reference(self, name: str, partition: str | None, metadata: Mapping[str, Any] | None) -> "Reference":
        from catalog.tables import Reference

        if metadata is None or any(field not in metadata for field in REFERENCE_FIELDS):
            where = f" of {partition}" if partition else ""
            raise SelvedgeError(f"asset {name}{where} was never materialised; materialise it first.")
        recorded = Reference(**{field: metadata[field] for field in REFERENCE_FIELDS})
        return replace(recorded, uri=str(self.path(name, partition)))  # where it is now: a home may be moved

    def read(self, instance: dg.DagsterInstance, name: str, partition: str | None = None) -> "pa.Table":
        """The rows behind the newest reference, held to its hash; files of a home that was moved where they are now."""
        from catalog.standing import with_files_here
        from catalog.tables import read_table

        table = read_table(self.reference(instance, name, partition)).replace_schema_metadata(None)
        return with_files_here(table, self._home)

    def read_all(self, instance: dg.DagsterInstance, name: str, partitions: Sequence[str]) -> "pa.Table":
        """Several partitions as one table, in the order given.

        Raises:
            SelvedgeError: there is none, or one was never materialised.
        """
        import pyarrow as pa

        if not partitions:
            raise SelvedgeError(f"asset {name} has no partition yet; materialise catalog/products of a drop first.")
        return pa.concat_tables([self.read(instance, name, partition) for partition in partitions])

    def latest(self, name: str, partition: str | None = None, contract: str | None = None) -> "pa.Table | None":
        """The table as it stands, held to its stamp, or None.

        For what a step wrote itself: after a kill between writing and saying so, the file is the truth.

        Args:
            contract: name of the table's contract; the last part of `name` by default.

        Raises:
            SelvedgeError: it is damaged, or of another contract.
        """
        from catalog.standing import with_files_here
        from catalog.stores import is_there
        from catalog.tables import read_table

        path = self.path(name, partition)
        if not is_there(path):
            return None
        table = read_table(path, contract or name.rpartition("/")[2]).replace_schema_metadata(None)
        return with_files_here(table, self._home)


def materialised(
    instance: dg.DagsterInstance, name: str, partition: str | None = None, before: float | None = None
) -> dict[str, Any] | None:
    """Plain metadata of the newest materialisation of `stage/name`, or the newest before a moment; None without one.

    Args:
        before: seconds since the epoch.
    """
    event = newest(instance, name, partition, before)
    if event is None or event.asset_materialization is None:
        return None
    return {field: value.value for field, value in event.asset_materialization.metadata.items()}


def newest(
    instance: dg.DagsterInstance, name: str, partition: str | None = None, before: float | None = None
) -> dg.EventLogEntry | None:
    """The newest materialisation event of `stage/name`, or the newest before a moment."""
    key = dg.AssetKey(name.split("/"))
    if partition is None and before is None:
        return instance.get_latest_materialization_event(key)
    partitions = None if partition is None else [partition]
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=key, asset_partitions=partitions, before_timestamp=before), limit=1
    ).records
    return records[0].event_log_entry if records else None


def materialised_each(
    instance: dg.DagsterInstance, name: str, partitions: Collection[str] | None = None
) -> dict[str, dict[str, Any]]:
    """By partition of `stage/name`, what `materialised` says of it; those never materialised are left out.

    The database is asked once for each `MOST_AT_ONCE` partitions: a home of a year has hundreds of drops.

    Args:
        partitions: of interest; None for all.
    """
    key = dg.AssetKey(name.split("/"))
    ids = instance.event_log_storage.get_latest_storage_id_by_partition(key, dg.DagsterEventType.ASSET_MATERIALIZATION)
    wanted = [number for partition, number in ids.items() if partitions is None or partition in partitions]
    found: dict[str, dict[str, Any]] = {}
    for first in range(0, len(wanted), MOST_AT_ONCE):
        some = wanted[first : first + MOST_AT_ONCE]
        query = dg.AssetRecordsFilter(asset_key=key, storage_ids=some)
        for record in instance.fetch_materializations(query, limit=len(some)).records:
            event = record.asset_materialization
            if event is not None and event.partition is not None:
                found[event.partition] = {field: value.value for field, value in event.metadata.items()}
    return found


def there(instance: dg.DagsterInstance, name: str, partitions: dg.DynamicPartitionsDefinition) -> list[str]:
    """Partitions of `stage/name` that are materialised, in the order in which they were added to their set."""
    done = instance.get_materialized_partitions(dg.AssetKey(name.split("/")))
    return [key for key in partitions.get_partition_keys(dynamic_partitions_store=instance) if key in done]
