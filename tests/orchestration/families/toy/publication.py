"""What the toy's champion makes of every drop."""

import dagster as dg

from orchestration.assets.resources import Models
from orchestration.families.stages import champion_of_run, publication_asset


@publication_asset("toy", kinds={"python"})
def toys(context: dg.AssetExecutionContext, models: Models) -> dg.MaterializeResult:
    """The champion's number."""
    version, folder = champion_of_run(context, models, "toy")
    return dg.MaterializeResult(metadata={"version": version.version, "model": version.uri, "folder": str(folder)})
