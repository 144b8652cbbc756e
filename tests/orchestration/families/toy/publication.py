"""What the toy's champion makes of every drop."""

import dagster as dg

from orchestration.assets.resources import Models
from orchestration.families.stages import publication_asset, reported_champion


@publication_asset("toy", kinds={"python"})
def toys(context: dg.AssetExecutionContext, models: Models) -> dg.MaterializeResult:
    """The champion's number."""
    version, folder = reported_champion(context.instance, models, "toy")
    return dg.MaterializeResult(metadata={"version": version.version, "model": version.uri, "folder": str(folder)})
