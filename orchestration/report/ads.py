"""The ads of the report: the picture of each product that people publish, or its best, and how many fell on the way.

Belongs here: choosing pictures, counts of the funnel, reasons of refusals. Not here: making ads (inference/ad_images/),
what a pick publishes (labeling/review/picks/), HTML (render.py).
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from catalog.pages import Picture
from orchestration.assets.published import materialised
from orchestration.report import pictures
from orchestration.report.home import Home

if TYPE_CHECKING:
    from labeling.review.picks.pulling import Published

ADS = "inference/ad_images"
AD_SIDE = 360  # pixels
MOST_SHOWN = 24
FUNNEL = {"orders": "products asked for", "plans": "plans painted", "passed": "plans passed", "pictures": "pictures"}


@dataclass(frozen=True)
class AdCard:
    """The ad of a product that people publish, or its best by the ranker. picked: by whom; "" where nobody has yet."""

    product_id: int
    name: str
    theme: str
    picture: Picture
    caption: str
    plan: str
    picked: str = ""


@dataclass(frozen=True)
class PublishedAds:
    """Ads of all drops.

    Attributes:
        cards: of the first drop that has any, one picture of each product.
        published: requests whose picture people picked. rehearsed: those that only scripted annotators did.
        funnel: (what, count) over all drops. refused: code → count.
        backdrop: who painted.
    """

    cards: Sequence[AdCard] = ()
    funnel: Sequence[tuple[str, int]] = ()
    refused: Mapping[str, int] = field(default_factory=dict)
    backdrop: str = ""
    published: int = 0
    rehearsed: int = 0


def read_ads(home: Home) -> PublishedAds:
    """What was published of the home's drops."""
    ads = home.all_drops(ADS)
    recorded = [materialised(home.instance, ADS, drop) or {} for drop in home.drops]
    if ads.empty:
        return PublishedAds()
    names = dict(zip(home.products["product_id"], home.products["product_display_name"], strict=True))
    published = _published(home, set(ads["sha256"]))
    picked = {ad.picture.sha256: ad for ad in published}
    shown = ads.assign(picked=ads["sha256"].isin(picked))
    shown = shown[shown["picked"] | (shown["rank"] == 1)].sort_values("picked", ascending=False, kind="stable")
    best = shown.drop_duplicates(["product_id"]).sort_index(kind="stable").head(MOST_SHOWN)
    cards = [
        AdCard(
            product_id=int(row["product_id"]),
            name=str(names.get(row["product_id"], row["product_id"])),
            theme=str(row["theme"]).replace("_", " "),
            picture=pictures.thumbnail(str(row["uri"]), AD_SIDE, str(row["caption"])),
            caption=str(row["caption"]),
            plan=_plan(str(row["plan"])),
            picked=_by_whom(picked[row["sha256"]]) if row["picked"] else "",
        )
        for row in best.to_dict("records")
    ]
    refused: dict[str, int] = {}
    for metadata in recorded:
        for name, count in metadata.items():
            if name.startswith("refused_"):
                code = name.removeprefix("refused_").replace("_", " ")
                refused[code] = refused.get(code, 0) + int(count)
    funnel = [(what, sum(int(metadata.get(name, 0)) for metadata in recorded)) for name, what in FUNNEL.items()]
    rehearsed = sum(ad.simulated for ad in published)
    return PublishedAds(cards, funnel, refused, str(ads.iloc[0]["backdrop"]), len(published) - rehearsed, rehearsed)


def _published(home: Home, there: Collection[str]) -> "list[Published]":
    """What is published of these pictures. Raises ServiceUnavailable: the ledger does not answer."""
    from labeling.review.picks.pulling import all_published
    from orchestration.registry.ledger import open_ledger

    return [ad for ad in all_published(open_ledger(home.settings)).values() if ad.picture.sha256 in there]


def _by_whom(picked: "Published") -> str:
    people = "scripted annotator" if picked.simulated else "person" if picked.picks == 1 else "people"
    return f"picked by {picked.picks} {people}{'s' if picked.simulated and picked.picks > 1 else ''}"


def _plan(text: str) -> str:
    plan = json.loads(text)
    turned = f", turned {plan['rotation']:+.0f}°" if plan["rotation"] else ""
    return f"section {plan['section'] + 1}, {plan['scale']:.0%} of the frame{turned}"
