"""Picks of a drop's ads: from the table of ads to a round of picks.

Belongs here: which requests a drop has. Not here: the round (labeling/review/picks/), pulling what was picked
(orchestration/graph/picks.py).
"""

from typing import TYPE_CHECKING

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
