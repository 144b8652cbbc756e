"""Picks of a drop's ads: pulled from Label Studio as people give them, and which pictures they publish.

Belongs here: the asset, the sensor that notices new answers, what a comment would run again. Not here: opening a round
of picks (orchestration/jobs/picks.py, `selvedge review picks open`), what a pick is worth (labeling/review/picks/).

As in blind rounds, people's time holds no worker: the sensor only counts, and asks for a short run where the count
moved. Of a drop whose ads were made again, only the newest round is watched.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from catalog.errors import SelvedgeError
from orchestration.assets.failures import errors_as_sentences
from orchestration.assets.metadata import contact_sheet, table
from orchestration.assets.partitions import DROPS, SAME
from orchestration.assets.reporters import log_and
from orchestration.assets.resources import Reviews
from orchestration.graph.review import PATIENCE_SECONDS
from orchestration.graph.sensors import WATCH_SECONDS

if TYPE_CHECKING:
    from labeling.review.ledger.ledger import Ledger
    from labeling.review.ledger.picks import PickRound
    from labeling.review.picks.pulling import Published

KEY = dg.AssetKey(["review", "ad_picks"])
SHOWN_ORDERS = 20


@dg.asset(
    key=KEY,
    group_name="review",
    partitions_def=DROPS,
    deps=[dg.AssetDep(["inference", "ad_images"], partition_mapping=SAME)],
    owners=["team:models"],
    kinds={"sql"},
    code_version="1",
)
@errors_as_sentences
def ad_picks(
    context: dg.AssetExecutionContext, reviews: Reviews, progress: dg.ResourceParam[Any]
) -> dg.MaterializeResult:
    """What people picked among a drop's ads, into the ledger: pictures that they publish, comments as orders."""
    from catalog.files import json_sha256
    from labeling.review.picks.pulling import last_picks, published, sync_picks

    ledger, drop = reviews.ledger(), context.partition_key
    newest = newest_rounds(ledger).get(drop)
    if newest is None:
        raise SelvedgeError(f"drop {drop} has no round of picks; run `selvedge review picks open {drop}`.")
    brought = sync_picks(ledger, reviews.server(), newest.round_id, rework_order, log_and(context, progress).progress)
    for sentence in brought.void:
        context.log.warning(sentence)
    tasks, picks = ledger.picks.tasks(newest.round_id), ledger.picks.picks(newest.round_id)
    publications, counted = published(tasks, picks), last_picks(picks)
    orders = [
        [tasks[pick.pick.task_key].product_id, pick.pick.comment, pick.judgement.rework["sentence"]]
        for pick in counted
        if pick.judgement.rework is not None
    ]
    return dg.MaterializeResult(
        metadata={
            "round": newest.round_id,
            "requests": len(tasks),
            "picks": sum(not pick.judgement.simulated for pick in counted),
            "simulated": sum(pick.judgement.simulated for pick in counted),
            "new": brought.new + brought.corrected,
            "void": len(brought.void),
            "published": len(publications),
            **_shown(publications, orders),
        },
        data_version=dg.DataVersion(json_sha256(sorted(each.picture.sha256 for each in publications))),
    )


def _shown(publications: "Sequence[Published]", orders: Sequence[Sequence[Any]]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if publications:
        shown["for example"] = contact_sheet([each.picture.uri for each in publications])
    if orders:
        shown["orders"] = table(["product", "comment", "what it runs again"], orders[:SHOWN_ORDERS])
    return shown


@dg.sensor(
    target=dg.AssetSelection.assets(KEY),
    minimum_interval_seconds=WATCH_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Counts the answers in rounds of picks; asks for a pull where there are new ones.",
)
def watches_picks(context: dg.SensorEvaluationContext, reviews: Reviews) -> dg.SensorResult | dg.SkipReason:
    """The cursor keeps the count that was last acted on, by round."""
    from labeling.review.picks.blinding import public_title

    drops = set(context.instance.get_dynamic_partitions(DROPS.name or ""))
    rounds = {drop: each for drop, each in newest_rounds(reviews.ledger()).items() if drop in drops}
    before: Mapping[str, str] = json.loads(context.cursor or "{}")
    after, requests = {}, []
    for drop, each in rounds.items():
        last = before.get(each.round_id, "")
        try:
            server = reviews.server(PATIENCE_SECONDS)
            project = server.find_project(public_title(each.key, each.round_id))
            counter = server.counter(project) if project is not None else None
        except SelvedgeError as error:  # Label Studio is down, or this project is gone: the others go on
            context.log.warning(str(error))
            after[each.round_id] = last
            continue
        mark = counter.cursor() if counter is not None and counter.annotations else ""
        after[each.round_id] = mark or last
        if mark and mark != last:
            requests.append(dg.RunRequest(run_key=f"{each.round_id} {mark}", partition_key=drop, asset_selection=[KEY]))
    return dg.SensorResult(run_requests=requests, cursor=json.dumps(after))


def newest_rounds(ledger: "Ledger") -> "dict[str, PickRound]":
    """Drop → its newest round of picks."""
    return {each.drop: each for each in ledger.picks.rounds()}


def rework_order(comment: str) -> Mapping[str, Any] | None:
    """What a comment on a pick would run again: `stages` in order, and `sentence`; None for one that asks nothing.

    A comment that no rule understands has no stages, and its sentence says which words.
    """
    from inference.ad_images.adjustments import Stage
    from inference.ad_images.comments import route_comment
    from inference.ad_images.themes import theme_names

    change = route_comment(comment, theme_names())
    if not change.stages and not change.unknown:
        return None
    stages = [str(stage) for stage in Stage if stage in change.stages]
    return {"stages": stages, "sentence": change.sentence}
