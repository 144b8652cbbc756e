"""The catalogue's part of the report: what was read, what went to quarantine, how it was split.

Belongs here: counting, and the rows that stand for many. Not here: reading tables (home.py), drawing (pictures.py).
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from catalog.pages import Picture
from orchestration.assets.published import materialised
from orchestration.report import pictures
from orchestration.report.home import Home
from orchestration.report.pictures import ColourSwatch

if TYPE_CHECKING:
    from upath import UPath

STRIP_PRODUCTS = 24
SAMPLES_PER_REASON = 1
SHOWN_DROPS = 3
COLUMNS = {
    "article type": "article_type",
    "base colour": "base_colour",
    "gender": "gender",
    "master category": "master_category",
    "season": "season",
    "usage": "usage",
}


@dataclass(frozen=True)
class QuarantineSample:
    """A rejected row as it was delivered."""

    line: int
    reason: str
    raw: str
    detail: str


@dataclass(frozen=True)
class Splits:
    """How products were grouped and divided.

    Attributes:
        products: split -> products. shared_groups, shared_images: found in more than one split; 0 unless one leaks.
    """

    products: dict[str, int]
    groups: int
    groups_of_several: int
    largest_group: int
    shared_groups: int
    shared_images: int

    @property
    def excluded(self) -> int:
        """Products that join groups of different splits."""
        return self.products.get("excluded", 0)


@dataclass(frozen=True)
class CatalogueSummary:
    """What came in.

    Attributes:
        source: where the first drop came from. drop: the drops' names in words. drawn: our own code drew it.
        planted: rows of it that our own code damaged for the quarantine to find.
        products: columns of the products contract. quarantine: reason -> rows. recovered: rows that were put right.
        missing: column -> products without a value. unmapped: (attribute, value, rows) that no question is asked about.
        odd_words: (category, value, products) that reading found outside the vocabulary.
    """

    source: str
    drop: str
    drawn: bool
    planted: int
    products: pd.DataFrame
    strip: list[Picture]
    colours: list[ColourSwatch]
    quarantine: dict[str, int]
    samples: list[QuarantineSample]
    recovered: int
    missing: dict[str, int]
    splits: Splits
    qa_pairs: int
    unmapped: list[tuple[str, str, int]]
    odd_words: list[tuple[str, str, int]]

    @property
    def rows(self) -> int:
        """Rows read: those that became products and those in quarantine."""
        return len(self.products) + sum(self.quarantine.values())


def summarise_catalogue(home: Home, seed: int) -> CatalogueSummary:
    """What the home's drops hold. seed: of the choice of products that are shown."""
    products, quarantine = home.products, home.all_drops("catalog/quarantine")
    read_from = str((materialised(home.instance, "catalog/products", home.drops[0]) or {}).get("source", ""))
    source = home.tables.standing(read_from)
    asked = materialised(home.instance, "catalog/qa_pairs") or {}
    return CatalogueSummary(
        source=source_name(source, home.settings.home),
        drop=drop_names(home.drops),
        drawn=_is_drawn(source),
        planted=_planted(source),
        products=products,
        strip=pictures.strip(products, home.picture_uris, STRIP_PRODUCTS, seed),
        colours=pictures.colours(products, home.picture_uris, seed),
        quarantine=rows_by_reason(quarantine),
        samples=quarantine_samples(quarantine),
        recovered=sum(_recovered(home, drop) for drop in home.drops),
        missing=missing_values(products),
        splits=checked_splits(home.splits, products),
        qa_pairs=len(home.qa_pairs),
        unmapped=unmapped_values(asked.get("summary", {})),
        odd_words=odd_words([_counts(home, drop) for drop in home.drops]),
    )


def source_name(source: str, home: Path) -> str:
    """Where a drop came from; what the demo drew is named without the home it lies in."""
    return Path(source).name if Path(source).is_relative_to(home / "drawn") else source


def drop_names(drops: Sequence[str]) -> str:
    """The first drops by name."""
    return " and ".join(drops[:SHOWN_DROPS]) + (" …" if len(drops) > SHOWN_DROPS else "")


def rows_by_reason(quarantine: pd.DataFrame) -> dict[str, int]:
    """Rows of table `quarantine` by reason, most first; nothing for an empty one."""
    if quarantine.empty:
        return {}
    return {str(reason): int(rows) for reason, rows in quarantine["reason"].value_counts().items()}


def quarantine_samples(quarantine: pd.DataFrame) -> list[QuarantineSample]:
    """The first rejected row of every reason."""
    if quarantine.empty:
        return []
    first = quarantine.sort_values(["reason", "line"]).groupby("reason").head(SAMPLES_PER_REASON)
    return [
        QuarantineSample(
            int(row.line), str(row.reason), bytes(row.raw).decode("utf-8", "replace").strip(), str(row.detail)
        )
        for row in first.itertuples(index=False)
    ]


def missing_values(products: pd.DataFrame) -> dict[str, int]:
    """Products without a value, by what the page calls the column; columns that lack none are left out."""
    counts = {name: int(products[column].isna().sum()) for name, column in COLUMNS.items()}
    return {name: count for name, count in counts.items() if count}


def checked_splits(splits: pd.DataFrame, products: pd.DataFrame) -> Splits:
    """Groups and splits, checked once more for leaks.

    Args:
        splits: table of that name; empty where nothing was split yet.
    """
    from catalog.splits import EXCLUDED, leaks

    if splits.empty:
        return Splits({}, 0, 0, 0, 0, 0)
    sizes = splits.loc[splits["split"] != EXCLUDED, "group_id"].value_counts()
    shared = Counter(leak.kind for leak in leaks(splits, products))
    return Splits(
        products={str(split): int(count) for split, count in splits["split"].value_counts().items()},
        groups=len(sizes),
        groups_of_several=int((sizes > 1).sum()),
        largest_group=int(sizes.max()) if len(sizes) else 0,
        shared_groups=shared["group"],
        shared_images=shared["image"],
    )


def unmapped_values(summary: dict[str, dict[str, dict[str, int]]]) -> list[tuple[str, str, int]]:
    """Values that no question is asked about, most rows first.

    Args:
        summary: of `catalog/qa_pairs`: `unmapped` are outside the vocabulary, `rare` have too few rows to learn.
    """
    entries = [
        (attribute, value, int(rows))
        for kind in ("unmapped", "rare")
        for attribute, values in summary.get(kind, {}).items()
        for value, rows in values.items()
    ]
    return sorted(entries, key=lambda entry: -entry[2])


def _recovered(home: Home, drop: str) -> int:
    """Rows put right while reading, those among them that went to quarantine for another reason included."""
    return int(_counts(home, drop).get("recovered", 0))


def odd_words(counts: Sequence[dict[str, Any]]) -> list[tuple[str, str, int]]:
    """Categories outside the vocabulary, most products first.

    Args:
        counts: of each drop's reading; an older reading has no `unmapped`.
    """
    words: Counter[tuple[str, str]] = Counter()
    for of_drop in counts:
        for category, values in of_drop.get("unmapped", {}).items():
            words.update({(category, value): int(number) for value, number in values.items()})
    return [(category, value, number) for (category, value), number in words.most_common()]


def _counts(home: Home, drop: str) -> dict[str, Any]:
    counts: dict[str, Any] = (materialised(home.instance, "catalog/products", drop) or {}).get("counts", {})
    return counts


def _is_drawn(source: str) -> bool:
    return bool(source) and _truth(source).exists()


def _planted(source: str) -> int:
    return len(json.loads(_truth(source).read_bytes()).get("planted_faults", ())) if _is_drawn(source) else 0


def _truth(source: str) -> "UPath":
    from upath import UPath

    return UPath(source) / "truth" / "drawn.json"
