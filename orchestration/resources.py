"""Resources: what an asset body is handed. Tables and the settings; nothing global.

Belongs here: publishing a table with the metadata that names it, and reading what upstream published. Not here: the
tables' schemas (catalog/tables.py), MLflow (tracking.py, registry.py).

Between assets pass references, recorded in the materialisation: what is read is held to the recorded hash, so a table
that was changed behind Dagster's back is noticed by its first reader.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import dagster as dg

from catalog.errors import SelvedgeError
from orchestration.partitions import valid_key
from orchestration.settings import Settings

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from upath import UPath

    from catalog.tables import Reference
    from evaluation.gate import Decision, Evidence, GateRule
    from labeling.review.label_studio.records import Counter
    from labeling.review.ledger import Ledger
    from orchestration.family import Review
    from orchestration.registry import ModelVersionInfo, Registry
    from orchestration.review.comparison import Progress
    from orchestration.review.opening import Opened
    from orchestration.review.rounds import Standing
    from orchestration.tracking import TrackedRun

REFERENCE_FIELDS = ("uri", "sha256", "rows", "schema")
# Dagster queues a run that asks for a pool's slot; one holder at a time.
GPU_POOL = "gpu"
SPLITS_POOL = "splits"


class Tables(dg.ConfigurableResource):
    """The published tables below one root, a folder or a bucket: `<stage>/<name>/<partition>.parquet`."""

    root: str

    def path(self, name: str, partition: str | None = None) -> "UPath":
        """Where the table `stage/name` is kept.

        Raises:
            SelvedgeError: the partition is no usable key; it would name a file outside.
        """
        from upath import UPath

        place = UPath(self.root) / f"{name}.parquet"
        return place if partition is None else UPath(self.root) / name / f"{valid_key(partition, 'partition')}.parquet"

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
        place = self.path("/".join(key.path), context.partition_key if context.has_partition_key else None)
        place.parent.mkdir(parents=True, exist_ok=True)
        reference = write_table(rows, place, schema or name)
        described = {**reference.as_metadata(), "dagster/row_count": reference.rows, "dagster/uri": reference.uri}
        return dg.MaterializeResult(
            asset_key=key, metadata={**described, **(metadata or {})}, data_version=dg.DataVersion(reference.sha256)
        )

    def reference(self, instance: dg.DagsterInstance, name: str, partition: str | None = None) -> "Reference":
        """What the newest materialisation of `stage/name` says it wrote.

        Raises:
            SelvedgeError: it was never materialised.
        """
        from catalog.tables import Reference

        metadata = materialised(instance, name, partition)
        if metadata is None or any(field not in metadata for field in REFERENCE_FIELDS):
            where = f" of {partition}" if partition else ""
            raise SelvedgeError(f"asset {name}{where} was never materialised; materialise it first.")
        return Reference(**{field: metadata[field] for field in REFERENCE_FIELDS})

    def read(self, instance: dg.DagsterInstance, name: str, partition: str | None = None) -> "pa.Table":
        """The rows behind the newest reference, held to its hash."""
        from catalog.tables import read_table

        return read_table(self.reference(instance, name, partition)).replace_schema_metadata(None)

    def read_all(self, instance: dg.DagsterInstance, name: str, partitions: Sequence[str]) -> "pa.Table":
        """Several partitions as one table, in the order given.

        Raises:
            SelvedgeError: there is none, or one was never materialised.
        """
        import pyarrow as pa

        if not partitions:
            raise SelvedgeError(f"asset {name} has no partition yet; materialise catalog/products of a drop first.")
        return pa.concat_tables([self.read(instance, name, partition) for partition in partitions])

    def latest(self, name: str, partition: str | None = None) -> "pa.Table | None":
        """The table as it stands, or None.

        For what a step wrote itself: after a kill between writing and saying so, the file is the truth.
        """
        from catalog.tables import read_table

        place = self.path(name, partition)
        return read_table(place).replace_schema_metadata(None) if place.exists() else None


class Models(dg.ConfigurableResource):
    """The model registry, opened when first asked: MLflow takes four seconds to import."""

    settings: dg.ResourceDependency[Settings]

    def registry(self) -> "Registry":
        """Raises: ServiceUnavailable: MLflow does not answer."""
        from orchestration.registry import Registry

        return Registry(self.settings)

    def champion(self, family: str) -> "ModelVersionInfo | None":
        """The version that inference uses; None until one was promoted."""
        return self.registry().champion(family)

    def promote(self, family: str, evidence: "Evidence", rule: "GateRule") -> "ModelVersionInfo":
        """Make the candidate of the evidence champion; asking again after success changes nothing.

        Raises:
            SelvedgeError: the candidate is not registered, or the gate refuses here and now.
        """
        from orchestration.promotion import promote

        return promote(self.registry(), rule, evidence, by="dagster").require_champion()

    def note_decision(self, family: str, candidate: str, decision: "Decision") -> None:
        """Keep a gate's reasons with the candidate's version; a refused one is no challenger any more."""
        self.registry().note_decision(family, candidate, decision.promote, decision.reasons)

    def repair(self, family: str) -> Sequence[str]:
        """Complete what was cut short, record what was moved by hand; what had to be done, one sentence each."""
        from orchestration.promotion_repair import settle

        return settle(self.registry(), [family])

    def moved_by(self, family: str) -> str:
        """How the champion came to be: promotion, rollback or by_hand; empty where no record says."""
        from orchestration.ledger import open_ledger

        made = open_ledger(self.settings).promotions.champion(family)
        return made.kind if made else ""

    def tracked(
        self, context: dg.AssetExecutionContext, family: str, dataset_sha256: str = ""
    ) -> "AbstractContextManager[TrackedRun]":
        """One MLflow run for this attempt at this asset partition, tagged with the way back to it."""
        from orchestration.tracking import Lineage, tracked_run

        partition = context.partition_key if context.has_partition_key else ""
        asset = "/".join(context.asset_key.path)
        lineage = Lineage(asset, partition, context.run.run_id, dataset_sha256)
        return tracked_run(self.settings.mlflow_uri, family, partition or asset, lineage)


class Reviews(dg.ConfigurableResource):
    """Blind rounds: the ledger, and the Label Studio that people vote in, connected to when it is needed."""

    settings: dg.ResourceDependency[Settings]

    def ledger(self) -> "Ledger":
        """Raises: ServiceUnavailable: its database does not answer."""
        from orchestration.ledger import open_ledger

        return open_ledger(self.settings)

    def open(self, family: str, candidate: str, review: "Review", progress: "Progress") -> "Opened":
        """Open a candidate's round, or complete one whose opening was cut short; see review/opening.py."""
        from evaluation.preference_plan import PreferencePlan
        from orchestration.review.opening import RoundRequest, open_round
        from orchestration.review.server import connect

        of = self.settings
        request = RoundRequest(
            family, candidate, review.kind, of.review_items, of.review_overlap, review.seed, PreferencePlan()
        )
        server = connect(of)  # before minutes of work
        return open_round(of, self.ledger(), server, request, lambda: review.contest(of, family, candidate), progress)

    def counter(self, project: int) -> "Counter":
        """How many votes a project holds; a sensor asks, so a server that is away is told at once."""
        from orchestration.review.server import connect

        return connect(self.settings, patience_seconds=2.0).counter(project)

    def judge(self, round_id: str, progress: "Progress") -> "Standing":
        """Pull a round's ballots, and judge it if they decide; see review/rounds.py."""
        from orchestration.review.rounds import judge_if_decided
        from orchestration.review.server import connect

        return judge_if_decided(self.settings, self.ledger(), lambda: connect(self.settings), round_id, progress)

    def report(self, round_id: str) -> str:
        """Write the page of a judged round; where it is."""
        from orchestration.review.report import report_place, write_report

        return str(write_report(self.settings, self.ledger(), round_id, report_place(self.settings, round_id)))


def materialised(instance: dg.DagsterInstance, name: str, partition: str | None = None) -> dict[str, Any] | None:
    """Plain metadata of the newest materialisation of `stage/name`; None when there is none."""
    event = newest(instance, name, partition)
    if event is None or event.asset_materialization is None:
        return None
    return {field: value.value for field, value in event.asset_materialization.metadata.items()}


def newest(instance: dg.DagsterInstance, name: str, partition: str | None = None) -> dg.EventLogEntry | None:
    """The newest materialisation event of `stage/name`."""
    key = dg.AssetKey(name.split("/"))
    if partition is None:
        return instance.get_latest_materialization_event(key)
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=key, asset_partitions=[partition]), limit=1
    ).records
    return records[0].event_log_entry if records else None


def there(instance: dg.DagsterInstance, name: str, partitions: dg.DynamicPartitionsDefinition) -> list[str]:
    """Partitions of `stage/name` that are materialised, in the order in which they were added to their set."""
    done = instance.get_materialized_partitions(dg.AssetKey(name.split("/")))
    return [key for key in partitions.get_partition_keys(dynamic_partitions_store=instance) if key in done]
