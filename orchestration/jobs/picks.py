"""Picks of a drop's ads: from the table of ads to a round of picks, from a comment to an order for the next picture.

Belongs here: which requests a drop has, and routing comments. Not here: the round (labeling/review/picks/), what a
comment means (inference/ad_images/comments.py), making the picture again (`selvedge infer ads --comment`).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from catalog.errors import SelvedgeError
from orchestration.assets.published import Tables
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    from labeling.review.picks.opening import PickRequest

ADS = "inference/ad_images"


def requests_of(settings: Settings, drop: str) -> "list[PickRequest]":
    """Every request of a drop whose ads were made, with its pictures, best first.

    Raises:
        SelvedgeError: there is no such table, or it is damaged.
    """
    import inference.tables  # noqa: F401  declares the table
    from inference.ad_images.shown import request_of
    from labeling.review.ledger.picks import ShownPicture
    from labeling.review.picks.opening import PickRequest

    table = Tables(root=str(settings.tables())).latest(ADS, drop)
    if table is None:
        raise SelvedgeError(f"drop {drop} has no ads; materialise {ADS} for it first.")
    requests: dict[str, tuple[int, dict[int, ShownPicture]]] = {}
    for row in table.select(["product_id", "rank", "uri", "sha256"]).to_pylist():
        _, pictures = requests.setdefault(request_of(row["uri"]), (row["product_id"], {}))
        pictures[row["rank"]] = ShownPicture(row["sha256"], row["uri"])
    return [
        PickRequest(name, product_id, tuple(pictures[rank] for rank in sorted(pictures)))
        for name, (product_id, pictures) in requests.items()
    ]


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
