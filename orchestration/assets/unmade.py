"""Unmade: a partition that a run looked at and could not make, through no fault of the run.

Belongs here: saying so in Dagster, and what was said. Not here: failures (failures.py), who is told (failed_runs.py,
orchestration/report/state.py).

A run that failed asks for a person who mends it, and a shop with few products would have such a run every week. So the
run ends in order, makes nothing, and leaves its sentence on the asset's page: an observation, which holds up nothing.
"""

from typing import Any

import dagster as dg

from orchestration.assets.published import newest

SENTENCE = "not made"


def leave_unmade(context: dg.AssetExecutionContext, key: dg.AssetKey, sentence: str) -> None:
    """Say in the log and on the asset's page why this partition is not made."""
    context.log.warning(sentence)
    context.log_event(dg.AssetObservation(key, partition=context.partition_key, metadata={SENTENCE: sentence}))


def unmade(instance: dg.DagsterInstance, key: dg.AssetKey, partition: str) -> str:
    """Why a partition is not made, as the newest run that looked said; "" where it was made since, or nobody said."""
    query = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[partition])
    for record in instance.fetch_observations(query, limit=1).records:
        made = newest(instance, key.to_user_string(), partition)
        said: Any = record.asset_observation.metadata.get(SENTENCE) if record.asset_observation else None
        if said is not None and (made is None or made.timestamp < record.timestamp):
            return str(said.value)
    return ""
