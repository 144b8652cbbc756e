"""The ads of the report: the best picture of each product that has ads, and how many fell on the way.

Belongs here: choosing pictures, counts of the funnel, reasons of refusals. Not here: making ads (inference/ad_images/),
HTML (render.py).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from catalog.pages import Picture
from orchestration.assets.published import materialised
from orchestration.report import pictures
from orchestration.report.home import Home

ADS = "inference/ad_images"
AD_SIDE = 360  # pixels
MOST_SHOWN = 24
FUNNEL = {"orders": "products asked for", "plans": "plans painted", "passed": "plans passed", "pictures": "pictures"}


@dataclass(frozen=True)
class AdCard:
    """The best ad of a product, and how far it stands from the others of its product."""

    product_id: int
    name: str
    theme: str
    picture: Picture
    caption: str
    plan: str


@dataclass(frozen=True)
class PublishedAds:
    """Ads of all drops.

    Attributes:
        cards: of the first drop that has any, the best picture of each product.
        funnel: (what, count) over all drops. refused: code → count.
        backdrop: who painted.
    """

    cards: Sequence[AdCard] = ()
    funnel: Sequence[tuple[str, int]] = ()
    refused: Mapping[str, int] = field(default_factory=dict)
    backdrop: str = ""


def read_ads(home: Home) -> PublishedAds:
    """What was published of the home's drops."""
    ads = home.all_drops(ADS)
    recorded = [materialised(home.instance, ADS, drop) or {} for drop in home.drops]
    if ads.empty:
        return PublishedAds()
    names = dict(zip(home.products["product_id"], home.products["product_display_name"], strict=True))
    best = ads[ads["rank"] == 1].drop_duplicates(["product_id"]).head(MOST_SHOWN)
    cards = [
        AdCard(
            product_id=int(row["product_id"]),
            name=str(names.get(row["product_id"], row["product_id"])),
            theme=str(row["theme"]).replace("_", " "),
            picture=pictures.thumbnail(str(row["uri"]), AD_SIDE, str(row["caption"])),
            caption=str(row["caption"]),
            plan=_plan(str(row["plan"])),
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
    return PublishedAds(cards, funnel, refused, str(ads.iloc[0]["backdrop"]))


def _plan(text: str) -> str:
    plan = json.loads(text)
    turned = f", turned {plan['rotation']:+.0f}°" if plan["rotation"] else ""
    return f"section {plan['section'] + 1}, {plan['scale']:.0%} of the frame{turned}"
