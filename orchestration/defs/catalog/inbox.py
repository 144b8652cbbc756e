"""The inbox: a folder put into `SELVEDGE_HOME/inbox` becomes a drop by itself.

Belongs here: the sensor. Not here: where a drop's files are remembered (orchestration/defs/catalog/deliveries.py).
"""

import dagster as dg

from orchestration.assets.published import newest
from orchestration.defs.catalog.deliveries import add_drop, arrived
from orchestration.defs.catalog.deliveries import inbox as inbox_folder
from orchestration.runtime.settings import Settings

READ = [dg.AssetKey(["catalog", "products"]), dg.AssetKey(["catalog", "quarantine"])]


@dg.sensor(
    target=dg.AssetSelection.assets(*READ),
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reads every folder of the inbox that holds a styles.csv and has been left alone for a while.",
)
def inbox(
    context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]
) -> list[dg.RunRequest] | dg.SkipReason:
    """Makes a drop of every folder that was never read; the run key lets Dagster ask for it once only.

    Everything else follows by its own condition.
    """
    objections, new = [], []
    for folder, objection in arrived(settings):
        if objection:
            objections.append(objection)
        elif newest(context.instance, "catalog/products", folder) is None:
            add_drop(context.instance, settings, folder, str(inbox_folder(settings) / folder))
            new.append(folder)
    if not new:
        return dg.SkipReason(" ".join(objections) or f"nothing new in {inbox_folder(settings)}")
    return [dg.RunRequest(run_key=drop, partition_key=drop, asset_selection=READ) for drop in new]
