"""What the toy prepares before a candidate is opened."""

import dagster as dg

from orchestration.families.stages import preparation_asset


@preparation_asset(deps=(), kinds={"python"}, gpu=False)
def toy_features(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Nothing."""
    return dg.MaterializeResult()
