"""Picks: what people chose among the pictures of a request, as the ranker learns from it.

Belongs here: the two tables of picks, which of them count, the part that is held out, and pairs. Not here: asking
people (labeling/review/picks/), the fit (ranker.py).

A folder of picks holds two tables: `ad_picks`, a row for every answer, and `ad_shown`, a row for every picture that was
shown, with its measurements. Which products are held out follows from their ids alone, so a candidate and a champion of
another year have the same ones.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from catalog.errors import SelvedgeError
from catalog.tables import TEXT, content_sha256, declare_table, read_table, write_table
from training.ad_ranker.features import FEATURES
from training.ad_ranker.ranker import Array, pairs_of_pick

if TYPE_CHECKING:
    import pandas as pd
    from upath import UPath

AD_PICKS = declare_table(
    "ad_picks",
    pa.schema(
        [
            ("request", TEXT),  # the pictures that were shown together
            ("product_id", pa.int64()),  # missing for a photograph without a catalogue
            ("picked_sha256", TEXT),  # of the picture file; missing: none of these
            ("comment", TEXT),
            ("annotator", TEXT),
            ("simulated", pa.bool_()),  # a scripted annotator's: nobody's preference
            ("seconds", pa.float64()),
            ("created_at", pa.timestamp("us", tz="UTC")),
            ("updated_at", pa.timestamp("us", tz="UTC")),
        ]
    ),
)
AD_SHOWN = declare_table(
    "ad_shown",
    pa.schema(
        [
            ("request", TEXT),
            ("picture_sha256", TEXT),
            ("untrained_rank", pa.int16()),  # 1 comes first in the order of an untrained ranker
            *((name, pa.float64()) for name in FEATURES),
        ]
    ),
    finite=FEATURES,
)
PICKS_FILE, SHOWN_FILE = "ad_picks.parquet", "ad_shown.parquet"
ONE_HELD_OUT_OF = 4  # products


@dataclass(frozen=True)
class Pick:
    """One answer that chose a picture.

    Attributes:
        group: whose answers stay in one part: the product, or the request of a photograph.
        rows: (shown, features). position: of the picked one. untrained: (shown,) ranks, 1 first.
    """

    request: str
    group: str
    product_id: int | None
    simulated: bool
    rows: Array
    position: int
    untrained: Array

    @property
    def held_out(self) -> bool:
        return int(hashlib.sha256(self.group.encode()).hexdigest(), 16) % ONE_HELD_OUT_OF == 0


@dataclass(frozen=True)
class Picks:
    """Answers that the ranker can learn from. none_of_these: answers that chose no picture; they order nothing.

    sha256: of both tables.
    """

    picks: Sequence[Pick]
    none_of_these: int
    sha256: str

    def part(self, *, held_out: bool) -> list[Pick]:
        return [pick for pick in self.picks if pick.held_out is held_out]

    @property
    def simulated(self) -> bool:
        return any(pick.simulated for pick in self.picks)


def too_few(count: int, least: int) -> str:
    """Why so many answers that chose a picture train nothing; "" where they do."""
    if count >= least:
        return ""
    return f"{count} picks of people chose a picture and {least} are needed; let people pick among ads first."


def pairs_of(picks: Sequence[Pick]) -> tuple[Array, Array, list[str]]:
    """Picked, not picked (pairs, features), and the group of every pair."""
    pairs = [pairs_of_pick(pick.rows, pick.position) for pick in picks]
    groups = [pick.group for pick, (first, _) in zip(picks, pairs, strict=True) for _ in first]
    empty = np.zeros((0, len(FEATURES)))
    return np.concatenate([empty, *(a for a, _ in pairs)]), np.concatenate([empty, *(b for _, b in pairs)]), groups


def read_picks(folder: "Path | UPath | str", *, simulated: bool) -> Picks:
    """The answers of a folder of picks.

    Args:
        simulated: take scripted annotators' answers, too.

    Raises:
        SelvedgeError: a table is missing or damaged, or a pick names a picture that was not shown.
    """
    from upath import UPath

    answers, shown = (
        read_table(UPath(folder) / file, name) for file, name in ((PICKS_FILE, "ad_picks"), (SHOWN_FILE, "ad_shown"))
    )
    digest = picks_sha256(answers, shown)
    table = shown.to_pandas()
    pictures = {str(request): rows.sort_values("untrained_rank") for request, rows in table.groupby("request")}
    counted = [row for row in answers.to_pylist() if simulated or not row["simulated"]]
    with_picture = [row for row in counted if row["picked_sha256"]]
    picks = [_pick(row, pictures, folder) for row in with_picture]
    # Who was shown one picture chose it before no other.
    return Picks([pick for pick in picks if len(pick.rows) > 1], len(counted) - len(with_picture), digest)


def write_picks(answers: "pd.DataFrame", shown: "pd.DataFrame", folder: "Path | UPath") -> None:
    """Both tables of a folder of picks."""
    write_table(shown, folder / SHOWN_FILE, "ad_shown")
    write_table(answers, folder / PICKS_FILE, "ad_picks")


def picks_sha256(answers: pa.Table, shown: pa.Table) -> str:
    hashes = (content_sha256(table.replace_schema_metadata(None)) for table in (answers, shown))
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def folder_sha256(folder: "Path | str") -> str:
    """The hash of a folder's tables, computed now. Raises: SelvedgeError: as `read_picks`."""
    return read_picks(folder, simulated=True).sha256


def _pick(row: dict[str, Any], pictures: "dict[str, pd.DataFrame]", folder: object) -> Pick:
    rows = pictures.get(row["request"])
    shas = [] if rows is None else list(rows["picture_sha256"])
    if rows is None or row["picked_sha256"] not in shas:
        raise SelvedgeError(
            f"{folder}: a pick of request {row['request']} names a picture that was not shown; collect the picks again."
        )
    product = row["product_id"]
    return Pick(
        request=row["request"],
        group=row["request"] if product is None else f"product {product}",
        product_id=product,
        simulated=bool(row["simulated"]),
        rows=rows[list(FEATURES)].to_numpy(np.float64),
        position=shas.index(row["picked_sha256"]),
        untrained=rows["untrained_rank"].to_numpy(np.float64),
    )
