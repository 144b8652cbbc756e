"""training/ of ad-ranker: the picks that every candidate of it learns from.

Belongs here: the asset that is prepared before a candidate is opened. Not here: collecting (collection.py).
"""

import dagster as dg

from catalog.errors import SelvedgeError
from orchestration.assets.dataset import freeze_dataset, made_of
from orchestration.assets.partitions import DROPS
from orchestration.assets.published import Tables, there
from orchestration.assets.resources import Reviews
from orchestration.families.ad_ranker.collection import collect_picks, lacking
from orchestration.families.stages import preparation_asset
from orchestration.runtime.settings import Settings


@preparation_asset(deps=(), kinds={"parquet"}, gpu=False)
def ad_picks(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], tables: Tables, reviews: Reviews
) -> dg.MaterializeResult:
    """What people picked among ads so far, with the measurements of everything that was shown.

    Materialising it freezes the picks, and opens a candidate on them. With too few it says how many are needed.
    """
    ledger = reviews.ledger()
    if reason := lacking(ledger, settings):
        raise SelvedgeError(reason)
    collected = collect_picks(ledger, tables, settings.home / "picks")
    drops = there(context.instance, "catalog/images", DROPS)
    frozen = freeze_dataset(context.instance, tables) if drops else None  # of its test split the blind pairs are made
    return dg.MaterializeResult(
        metadata={
            "picks": str(collected.folder),
            "picks_sha256": collected.sha256,
            "rows": collected.answers,
            "simulated": collected.simulated,
            "without measurements": collected.without_measurements,
            "catalogue": str(frozen.folder) if frozen else "",
            "question_set": frozen.question_set if frozen else "",
            "drops": list(drops),
            "made_of": made_of(context.instance, tables, drops),
        },
        data_version=dg.DataVersion(collected.sha256),
    )
