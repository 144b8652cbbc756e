"""Dead runs: closed while the daemon runs, as every command does at its start.

Belongs here: the sensor. Not here: the proof and the closing (orchestration/runtime/recovery.py).
"""

import dagster as dg

from orchestration.runtime.recovery import recover


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Closes runs whose process is proved dead and frees the pool slots they held.",
)
def dead_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Once a minute; Dagster itself waits for such runs."""
    closed = recover(context.instance)
    return dg.SkipReason(f"closed {', '.join(closed)}" if closed else "every unfinished run is alive")
