"""Many orders: each made once, stored, and told as rows of the table; what is stored already is not made again.

Belongs here: one order from request to rows, and all of them over worker processes. Not here: choosing orders
(orders.py), the pictures (pipeline.py), the files (store.py), the asset.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from upath import UPath

from catalog.workers import Progress, map_in_order
from inference.ad_images.ad_rows import AdRow
from inference.ad_images.orders import AdOrder
from inference.ad_images.pipeline import AdPipeline
from inference.ad_images.recipes import Recipe, read_recipe
from inference.ad_images.refusal import AdRefused
from inference.ad_images.store import AdStore, recipe_key

ORDERS_AT_ONCE = 4  # to a worker process
PRELOADED = ("inference.ad_images.pipeline", "inference.ad_images.backdrops.studio.backdrop")


@dataclass(frozen=True)
class AdMaker:
    """What makes and keeps ads in one process. context: what recipes say of brand, ranker, guardrails and library."""

    pipeline: AdPipeline
    store: AdStore
    context: Mapping[str, str]


@dataclass(frozen=True)
class AdOutcome:
    """What came of an order.

    Attributes:
        rows: of the table `ad_images`. code, sentence: of a refusal.
        plans, passed: of its last attempt; 0 where it was kept. attempts: 0 where it was kept.
        kept: made by an earlier run.
        seconds: wall seconds by stage. reasons: what a person should know, as in the result.
    """

    order: AdOrder
    rows: Sequence[Mapping[str, Any]] = ()
    code: str = ""
    sentence: str = ""
    plans: int = 0
    passed: int = 0
    attempts: int = 0
    kept: bool = False
    seconds: Mapping[str, float] = field(default_factory=dict)
    reasons: Sequence[str] = ()


def fulfil(order: AdOrder, maker: AdMaker) -> AdOutcome:
    """One order. A refusal is an outcome, kept with its code and sentence.

    Raises:
        SelvedgeError: the store cannot be written. ServiceUnavailable: a service does not answer.
    """
    try:
        request = order.request()
    except AdRefused as refusal:
        return AdOutcome(order, code=str(refusal.code), sentence=str(refusal))
    key = recipe_key(request, maker.context)
    try:
        before = maker.store.stored(request.request_id, key)
        if before is not None:
            return AdOutcome(order, _rows(order, before), kept=True)
        result = maker.pipeline.make(request)
    except AdRefused as refusal:
        maker.store.refuse(request, key, refusal)
        return AdOutcome(order, code=str(refusal.code), sentence=str(refusal))
    row = maker.store.keep(result, key, maker.pipeline.backdrop, maker.context)
    last = result.attempts[-1]
    return AdOutcome(
        order,
        _rows(order, row),
        plans=len(last.judged),
        passed=len(last.passed),
        attempts=len(result.attempts),
        seconds=result.seconds,
        reasons=tuple(result.reasons),
    )


def fulfil_all(
    orders: Sequence[AdOrder], maker_of: Callable[[], AdMaker], progress: Progress, workers: int | None = None
) -> Iterator[AdOutcome]:
    """Every order, in order.

    Args:
        maker_of: builds the maker; it is called in each worker process, so it must pickle.
        workers: processes; 1 stays in this one, where a model that fills the memory belongs.
    """
    chunks = [orders[start : start + ORDERS_AT_ONCE] for start in range(0, len(orders), ORDERS_AT_ONCE)]
    done = 0
    for outcomes in map_in_order(partial(_fulfil_chunk, maker_of), chunks, workers=workers, preload=PRELOADED):
        for outcome in outcomes:
            done += 1
            progress(done, len(orders), "making ads")
            yield outcome


def _fulfil_chunk(maker_of: Callable[[], AdMaker], orders: Sequence[AdOrder]) -> list[AdOutcome]:
    maker = maker_of()
    return [fulfil(order, maker) for order in orders]


def counts_of(outcomes: Sequence[AdOutcome]) -> dict[str, int]:
    """The funnel and what fell out of it, for an asset's metadata."""
    refused = Counter(outcome.code for outcome in outcomes if outcome.code)
    return {
        "orders": len(outcomes),
        "kept": sum(outcome.kept for outcome in outcomes),
        "plans": sum(outcome.plans for outcome in outcomes),
        "passed": sum(outcome.passed for outcome in outcomes),
        "retried": sum(outcome.attempts > 1 for outcome in outcomes),
        "pictures": sum(len(outcome.rows) for outcome in outcomes),
        "refused": refused.total(),
        **{f"refused_{code}": count for code, count in sorted(refused.items())},
    }


def _rows(order: AdOrder, row: AdRow) -> list[dict[str, Any]]:
    rows = []
    for picture in row.pictures:
        recipe = read_recipe(UPath(picture.recipe_uri))
        rows.append(
            {
                "drop": order.drop,
                "product_id": order.product.product_id,
                "theme": recipe.brief.theme,
                "rank": picture.rank,
                "uri": picture.uri,
                "sha256": picture.sha256,
                "recipe_sha256": picture.recipe_sha256,
                "plan": json.dumps(_plan(recipe), ensure_ascii=False),
                "caption": recipe.caption,
                "checks": json.dumps(_checks(recipe), ensure_ascii=False),
                "score": picture.score,
                "seed": order.seed,
                "backdrop": f"{recipe.backdrop} {recipe.backdrop_version}",
                "model_version": order.model_version,
                "input_hash": order.input_hash,
            }
        )
    return rows


def _plan(recipe: Recipe) -> dict[str, Any]:
    plan = recipe.plan
    return {
        "number": plan.number,
        "section": plan.section,
        "rotation": plan.rotation,
        "scale": round(plan.scale, 4),
        "center_x": round(plan.center_x, 4),
        "base_y": round(plan.base_y, 4),
        "support": str(plan.support),
        "note": plan.note,
    }


def _checks(recipe: Recipe) -> dict[str, Any]:
    answers = {
        finding.guideline: {
            "passed": finding.passed,
            "value": round(finding.value, 4),
            "limit": finding.limit,
            "unit": finding.unit,
        }
        for finding in recipe.findings
    }
    return {"findings": answers, "relaxed": list(recipe.relaxed), "attempt": recipe.attempt}
