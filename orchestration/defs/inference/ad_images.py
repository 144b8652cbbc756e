"""inference/ad_images: three pictures of the products of a drop, each in a scene that suits it.

Belongs here: the asset. Not here: making them (inference/ad_images/), what from (ad_parts.py).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from orchestration.assets.conditions import follows_new
from orchestration.assets.failures import errors_as_sentences
from orchestration.assets.metadata import contact_sheet, image, table
from orchestration.assets.partitions import DROPS, SAME
from orchestration.assets.pinning import pinned_at
from orchestration.assets.published import Tables, materialised
from orchestration.assets.reporters import log_and
from orchestration.assets.resources import Models
from orchestration.defs.inference.ad_parts import AdParts, ad_maker, side_for, stamps, workers
from orchestration.families.registered import publisher_of
from orchestration.families.stages import reported_champion
from orchestration.runtime.addresses import CHAMPION
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from inference.ad_images.batch import AdOutcome

READS, PUBLISHED, MASKS = "inference/attributes", "inference/ad_images", "inference/garment_masks"
SHOWN_REFUSALS = 20


@dg.asset(
    key_prefix="inference",
    group_name="inference",
    partitions_def=DROPS,
    deps=[
        dg.AssetDep(["catalog", "products"], partition_mapping=SAME),
        dg.AssetDep(["catalog", "images"], partition_mapping=SAME),
        dg.AssetDep(READS.split("/"), partition_mapping=SAME),
    ],
    automation_condition=follows_new(),
    owners=["team:models"],
    kinds={"parquet"},
    code_version="1",
)
@errors_as_sentences
def ad_images(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    tables: Tables,
    models: Models,
    progress: dg.ResourceParam[Any],
) -> dg.MaterializeResult:
    """A product is cut out, placed nine times, judged, and shown as its best three; one that holds is kept."""
    import pandas as pd

    from inference.ad_images.batch import counts_of, fulfil_all
    from inference.ad_images.orders import orders_of, themes_named
    from inference.ad_images.request import OnModel
    from inference.tables import AD_IMAGES

    drop, pinned = context.partition_key, pinned_at(context.instance, context.run.tags)
    judging = champions_artefact(context.instance, models, READS, pinned) if settings.ad_judge == CHAMPION else None
    ranker = champions_ranker(context.instance, models, pinned)
    cutting = settings.ad_segmenter == CHAMPION
    segmenting = champions_artefact(context.instance, models, MASKS, pinned) if cutting else None
    parts = AdParts.of(settings, ranker=ranker, segmenting=segmenting, champion=judging)
    products, images, attributes = (
        tables.read(context.instance, name, drop).to_pandas() for name in ("catalog/products", "catalog/images", READS)
    )
    orders = orders_of(
        products,
        images,
        attributes,
        themes=themes_named(settings.ad_themes),
        most=settings.ad_products,
        size=(side_for(parts, settings.ad_size),) * 2,
        on_model=OnModel(settings.ad_on_model),
        stamps=stamps(parts),
    )
    report = log_and(context, progress).progress
    outcomes = list(fulfil_all(orders, partial(ad_maker, parts), report, workers(parts, settings.threads)))
    for outcome in outcomes:
        if outcome.code:
            context.log.warning(f"product {outcome.order.product.product_id}: {outcome.sentence}")
    for reason, count in Counter(reason for outcome in outcomes for reason in outcome.reasons).items():
        context.log.info(f"{count} of {len(outcomes)} requests: {reason}")
    rows = [row for outcome in outcomes for row in outcome.rows]
    return tables.publish(
        context, "ad_images", pd.DataFrame(rows, columns=AD_IMAGES.names), {**counts_of(outcomes), **_shown(outcomes)}
    )


def champions_ranker(instance: dg.DagsterInstance, models: Models, moment: float | None = None) -> "Path | None":
    """The artefact of the champion of rankers; None before one.

    Args:
        moment: of whose champion, in seconds since the epoch; now by default.

    It is data inside the recipes, no edge of the graph: a drop's ads are made before anybody can pick among them, so
    they cannot wait for a champion.

    Raises:
        SelvedgeError, ServiceUnavailable: as `reported_champion`.
    """
    return champions_artefact(instance, models, PUBLISHED, moment)


def champions_artefact(
    instance: dg.DagsterInstance, models: Models, published: str, moment: float | None = None
) -> "Path | None":
    """The artefact of the champion that Dagster was told of, of the family that an asset publishes; None before one.

    Args:
        moment: as `champions_ranker`.

    Raises:
        SelvedgeError, ServiceUnavailable: as `reported_champion`.
    """
    family = publisher_of(published)
    if family is None or materialised(instance, "/".join(family.champion.path)) is None:
        return None
    return reported_champion(instance, models, family.name, moment)[1]


def _shown(outcomes: "Sequence[AdOutcome]") -> Mapping[str, Any]:
    """What Dagster's page shows of a drop's ads."""
    from inference.ad_images.funnel import funnel_plot, stage_seconds

    best = [str(outcome.rows[0]["uri"]) for outcome in outcomes if outcome.rows]
    refused = [
        [outcome.order.product.product_id, outcome.code, outcome.sentence] for outcome in outcomes if outcome.code
    ]
    shown: dict[str, Any] = {}
    if best:
        shown["for example"] = contact_sheet(best)
    if any(outcome.plans for outcome in outcomes):
        shown["funnel"] = image(funnel_plot(outcomes), "plans, passed, shown")
        shown["seconds by stage"] = table(
            ["stage", "seconds"], [[stage, f"{seconds:.1f}"] for stage, seconds in stage_seconds(outcomes).items()]
        )
    if refused:
        shown["refusals"] = table(["product", "code", "why"], refused[:SHOWN_REFUSALS])
    return shown
